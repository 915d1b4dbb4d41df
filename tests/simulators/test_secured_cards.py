"""Secured cards and their attackers before the unmodified nfcpy, on a real pseudo-terminal."""

import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from simulators.attackers import Bluff, Recorder, Relay, copy_of, uid_copy_of
from simulators.cards import Card, Deaf
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532
from simulators.pn532_field import Leaving
from tests.support.bench import FOUR_WIRES, Bench
from tests.support.ev2_reader import DESFIRE, NTAG, Reader
from tests.support.nfcpy import LOST, activated, apdus, opened, patiently

UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04a1b2c3d4e5f7")
BADGE_ID = bytes(range(16))
KEY = bytes(range(100, 116))
pytestmark = pytest.mark.usefixtures("quiet_nfcpy")
SMALL_FRAMES = bytes.fromhex("067077710280")
"""An ATS that allows frames of 16 bytes: every command of an authentication is chained."""


def _ntag(*, ats: bytes | None = None, extensions: int = 0) -> Ntag424:
    given = {"ats": ats} if ats else {}
    card = Ntag424(UID, Random(2), extensions=extensions, **given)
    card.personalise(BADGE_ID, KEY)
    return card


def _desfire() -> Desfire:
    card = Desfire(UID, Random(2))
    card.personalise(BADGE_ID, KEY)
    return card


def _shown(frontend: Any, seed: int = 0) -> tuple[bytes | None, str]:  # noqa: ANN401 - nfcpy has no types
    """What a door finds out about the card in the field."""
    return patiently(lambda: _proven(apdus(frontend), seed))


def _proven(say: Callable[[bytes], bytes], seed: int = 0) -> tuple[bytes | None, str]:
    """What a door does: ask the name, by either way of selecting, and have it proven."""
    reader = Reader(say, Random(seed))
    name = reader.badge_id(NTAG) or reader.badge_id(DESFIRE)
    return name, (reader.authenticate(KEY) if name else "")


@pytest.mark.parametrize("wire", ["whole", "byte-at-a-time", "delayed"])
@pytest.mark.parametrize("card", [_ntag(), _desfire()], ids=["ntag", "desfire"])
def test_a_badge_proves_itself_on_every_wire(bench: Bench, chip: Pn532, wire: str, card: Card) -> None:
    port = bench.wire(chip, FOUR_WIRES[wire])
    with opened(port) as frontend:
        bench.call(chip.present, card)
        assert _shown(frontend) == (BADGE_ID, "00")


def test_on_a_lossy_wire_proofs_fail_and_later_ones_work(bench: Bench, chip: Pn532) -> None:
    port = bench.wire(chip, FOUR_WIRES["lossy"], seed=5)
    bench.call(chip.present, _ntag())
    proven = failures = 0
    while proven < 10:
        bench.power_cycle(port)
        try:
            with opened(port, patience=1) as frontend:
                for seed in range(3):
                    # A zero lost from a PN532's frame leaves its checksums right: the card may hear another command,
                    # and refuse it in good order.
                    if _proven(apdus(frontend), seed) == (BADGE_ID, "00"):
                        proven += 1
                    else:
                        failures += 1
        except LOST:
            failures += 1
        assert failures < 60


def test_a_blank_card_is_personalised_before_a_real_reader(bench: Bench, chip: Pn532) -> None:
    card = Ntag424(UID, Random(2))
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, card)
        assert patiently(lambda: Reader(apdus(frontend)).personalise(BADGE_ID, KEY)) == "00"
        assert _shown(frontend) == (BADGE_ID, "00")


@pytest.mark.parametrize(
    "card",
    [_ntag(extensions=3), _ntag(ats=SMALL_FRAMES), _ntag(ats=SMALL_FRAMES, extensions=1)],
    ids=["slow", "small-frames", "both"],
)
def test_a_slow_card_and_one_with_small_frames_prove_themselves(bench: Bench, chip: Pn532, card: Card) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, card)
        assert _shown(frontend) == (BADGE_ID, "00")


@pytest.mark.parametrize("frames", range(1, 6))
def test_a_badge_pulled_away_at_any_frame_is_lost_and_the_next_one_proves_itself(
    bench: Bench, chip: Pn532, frames: int
) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, _ntag(), Leaving(frames))
        while chip.cards:  # a loaded machine may fail earlier, for reasons of its own
            with pytest.raises(LOST):
                _proven(apdus(frontend))
        assert patiently(lambda: activated(frontend)) is None
        bench.call(chip.present, _desfire())
        assert _shown(frontend) == (BADGE_ID, "00")


def test_a_deaf_card_is_lost(bench: Bench, chip: Pn532) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, Deaf(_ntag().anticollision))
        with pytest.raises(LOST):
            apdus(frontend)


def test_of_two_badges_in_the_field_one_proves_itself(bench: Bench, chip: Pn532) -> None:
    other = Ntag424(OTHER_UID, Random(3))
    other.personalise(BADGE_ID[::-1], KEY)
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, _ntag())
        bench.call(chip.present, other)
        # ...6f7 sends a one where ...6f6 sends a zero.
        assert _shown(frontend) == (BADGE_ID[::-1], "00")
        bench.call(chip.remove, other)
        assert _shown(frontend) == (BADGE_ID, "00")


def test_a_badge_and_its_copy_in_one_field_prove_nothing(bench: Bench, chip: Pn532) -> None:
    badge = _ntag()
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, badge)
        copy = copy_of(badge, Random(9))
        bench.call(chip.present, copy)
        with pytest.raises(LOST):
            _proven(apdus(frontend))
        bench.call(chip.remove, copy)
        assert _shown(frontend) == (BADGE_ID, "00")


@pytest.mark.parametrize("badge", [_ntag(), _desfire()], ids=["ntag", "desfire"])
def test_a_copy_shows_the_name_and_does_not_know_the_key(bench: Bench, chip: Pn532, badge: Ntag424 | Desfire) -> None:
    copy = copy_of(badge, Random(9))
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, copy)
        assert patiently(lambda: activated(frontend)).identifier == UID
        assert _shown(frontend) == (BADGE_ID, "ae")


@pytest.mark.parametrize("answer", ["random", "echo"])
def test_a_bluff_is_a_liar(bench: Bench, chip: Pn532, answer: str) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, Bluff(_ntag(), Random(9), "echo" if answer == "echo" else "random"))
        assert _shown(frontend) == (BADGE_ID, "liar")


def test_a_recording_of_a_whole_valid_exchange_proves_nothing(bench: Bench, chip: Pn532) -> None:
    recorder = Recorder(_ntag())
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, recorder)
        assert _shown(frontend, seed=1) == (BADGE_ID, "00")
        bench.call(chip.remove)
        bench.call(chip.present, recorder.replayer())
        assert _shown(frontend, seed=2) == (BADGE_ID, "liar")
        # The recording is faithful: a reader that drew the same number again would be fooled.
        assert _shown(frontend, seed=1) == (BADGE_ID, "00")


@pytest.mark.parametrize("delay_s", [0.02, 0.1])
def test_a_relay_proves_everything_but_late(bench: Bench, chip: Pn532, delay_s: float) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, Relay(_ntag(), delay_s))
        begun_s = time.monotonic()
        assert _shown(frontend) == (BADGE_ID, "00")
        # Select, read, and the two halves of the authentication.
        assert time.monotonic() - begun_s >= 4 * delay_s


def test_a_copied_number_on_a_plain_tag_has_no_application(bench: Bench, chip: Pn532) -> None:
    with opened(bench.wire(chip)) as frontend:
        bench.call(chip.present, uid_copy_of(_ntag()))
        tag = patiently(lambda: activated(frontend))
        assert tag.identifier == UID
        assert not hasattr(tag, "send_apdu")
