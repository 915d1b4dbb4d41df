"""Secured badges at a whole agent in a process of its own: who is let in, and what is left of them anywhere."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from simulators.attackers import Recorder, copy_of
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from tests.support.bench import eventually
from tests.support.edge_site import BADGE, BADGE_KEY, GREEN, RED, STRIKE, SimulatedTelecentre, telecentre

NOBODY_LISTENS = 1
STOP_S = 30.0
UID, OTHER_UID = bytes.fromhex("04c0ffee000001"), bytes.fromhex("04c0ffee000002")


@contextmanager
def running_at(place: SimulatedTelecentre) -> Iterator[Path]:
    """Run an agent that says all it can say, and give the file of what it said."""
    said = place.toml.with_name("said.log")
    place.toml.write_text('log_level = "debug"\n' + place.toml.read_text())
    program = Path(sys.executable).with_name("telecentre-edge")
    with said.open("wb") as out:
        command = [str(program), "run", "--config", str(place.toml)]
        process = subprocess.Popen(command, env=place.environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            assert eventually(
                lambda: b"rights" in said.read_bytes() and place.bench.call(lambda: place.board.connected)
            )
            yield said
        finally:
            process.terminate()
            assert process.wait(STOP_S) == 0


def badge(uid: bytes = UID) -> Ntag424:
    card = Ntag424(uid, Random(1))
    card.personalise(BADGE, BADGE_KEY)
    return card


def is_refused_more_than(place: SimulatedTelecentre, times: int) -> bool:
    return place.pulses(RED) > times


def test_a_secured_badge_of_either_kind_opens_the_door() -> None:
    with telecentre(NOBODY_LISTENS) as place, running_at(place):
        place.bench.call(place.chip.present, badge())
        assert eventually(lambda: place.pulses(STRIKE) == 1)
        assert eventually(lambda: not place.level(STRIKE))
        place.bench.call(place.chip.remove)
        desfire = Desfire(OTHER_UID, Random(2))
        desfire.personalise(BADGE, BADGE_KEY)
        place.bench.call(place.chip.present, desfire)
        assert eventually(lambda: place.pulses(STRIKE) == 2)


def test_a_copy_and_a_recording_of_a_badge_do_not_open_the_door() -> None:
    with telecentre(NOBODY_LISTENS) as place, running_at(place):
        recorder = Recorder(badge())
        place.bench.call(place.chip.present, recorder)
        assert eventually(lambda: place.pulses(STRIKE) == 1)
        assert eventually(lambda: not place.level(GREEN))
        place.bench.call(place.chip.remove)
        for card in (copy_of(badge(OTHER_UID), Random(3)), recorder.replayer()):
            refused = place.pulses(RED)
            place.bench.call(place.chip.present, card)
            assert eventually(partial(is_refused_more_than, place, refused))
            assert eventually(lambda: not place.level(RED))
            place.bench.call(place.chip.remove)
        assert place.pulses(STRIKE) == 1


def test_neither_the_number_nor_the_key_of_a_badge_is_left_anywhere() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        with running_at(place) as said:
            place.bench.call(place.chip.present, badge())
            assert eventually(lambda: place.pulses(STRIKE) == 1)
            place.bench.call(place.chip.remove)
            place.bench.call(place.chip.present, copy_of(badge(OTHER_UID), Random(3)))
            assert eventually(lambda: place.pulses(RED) >= 1)
            assert eventually(lambda: b"DENIED_VERIFICATION_FAILED" in said.read_bytes())
        kept = {path.name: path.read_bytes() for path in place.toml.parent.rglob("*") if path.is_file()}
    assert {"said.log", "rights.sealed"} < set(kept)
    for name, content in kept.items():
        for secret in (UID, OTHER_UID, BADGE_KEY):
            assert secret not in content, name
            assert secret.hex().encode() not in content.lower(), name
            assert repr(secret).encode() not in content, name
