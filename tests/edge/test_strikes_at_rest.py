"""However an agent ends, its strikes are at rest: stopped in the midst of a pulse, killed, and by ExecStopPost."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from simulators.ntag424 import Ntag424
from tests.support.bench import eventually
from tests.support.edge_site import BADGE, BADGE_KEY, STRIKE, SimulatedTelecentre, telecentre

NOBODY_LISTENS = 1
PULSE_S = 25.0
"""Longer than any end of an agent takes: what locks the door before is not the pulse's own timer."""

STOP_S = 30.0
PROGRAM = str(Path(sys.executable).with_name("telecentre-edge"))
UNIT = Path(__file__).parents[2] / "systemd" / "telecentre-edge.service"


@contextmanager
def pulsing(place: SimulatedTelecentre) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run an agent that has just let somebody in; give it, and when its strike was released."""
    place.toml.write_text(place.toml.read_text().replace("pulse_s = 0.6", f"pulse_s = {PULSE_S}"))
    card = Ntag424(bytes.fromhex("04c0ffee000001"), Random(1))
    card.personalise(BADGE, BADGE_KEY)
    place.bench.call(place.chip.present, card)
    command = [PROGRAM, "run", "--config", str(place.toml)]
    with subprocess.Popen(command, env=place.environment, stderr=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: place.level(STRIKE), 30.0)
            yield process, time.monotonic()
        finally:
            process.kill()


def test_an_agent_that_is_stopped_in_the_midst_of_a_pulse_locks_at_once() -> None:
    with telecentre(NOBODY_LISTENS) as place, pulsing(place) as (process, released_s):
        process.terminate()
        assert eventually(lambda: not place.level(STRIKE), PULSE_S)
        assert process.wait(STOP_S) == 0
        assert time.monotonic() - released_s < PULSE_S
        assert not place.level(STRIKE)


def test_what_systemd_runs_after_a_killed_agent_puts_its_strike_to_rest() -> None:
    (after,) = re.findall(r"^ExecStopPost=\S*/telecentre-edge (.*)$", UNIT.read_text(), flags=re.MULTILINE)
    with telecentre(NOBODY_LISTENS) as place, pulsing(place) as (process, _):
        process.kill()
        process.wait(STOP_S)
        place.drive(STRIKE, high=True)  # what a chip may leave on when nobody drives the pin
        command = [PROGRAM, *after.replace("/etc/telecentre/site.toml", str(place.toml)).split()]
        done = subprocess.run(command, env=place.environment, capture_output=True, timeout=STOP_S, check=False)
        assert done.returncode == 0, done.stderr
        assert [high for _, high in place.bench.call(place.board.changes, STRIKE)].count(False) >= 1


@pytest.mark.parametrize("rest", [False, True], ids=["active high", "active low"])
def test_a_strike_is_put_to_rest_at_the_level_that_locks_it(rest: bool) -> None:
    with telecentre(NOBODY_LISTENS) as place:
        text = place.toml.read_text()
        place.toml.write_text(text.replace("pulse_s", f"strike_active_high = {str(not rest).lower()}\npulse_s"))
        place.drive(STRIKE, high=not rest)
        seen_before = len(place.bench.call(place.board.changes, STRIKE))
        command = [PROGRAM, "release-strikes", "--config", str(place.toml)]
        subprocess.run(command, env=place.environment, capture_output=True, timeout=STOP_S, check=True)
        changes = [high for _, high in place.bench.call(place.board.changes, STRIKE)[seen_before:]]
        assert rest in changes
