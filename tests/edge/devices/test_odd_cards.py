"""Cards made to break a reader: odd anticollision, frames drawn at random. Nothing but a badge's own proof opens."""

from itertools import product
from random import Random

import nfc.clf
import pytest

from edge.core.observations import CredentialSeen, DeviceFailed, DeviceReady
from edge.devices.badge_reader import BadgeReader
from edge.devices.card import Card, ask_badge
from edge.devices.port import Port
from simulators.cards import IsoDepCard
from simulators.iso_dep import IsoDep, NdefApplet
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532
from tests.support.bench import Bench
from tests.support.heard import running

BADGE, KEY = bytes(range(16)), bytes(range(16, 32))
UIDS = [bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("a1b2c3d4"), bytes(range(10))]
ATQAS = [b"\x0c\x44", b"\x00\x0c", b"\x0c\x0c", b"\x0f\xff"]
"""xC says type 1, which has no anticollision: nfcpy's own activation fails on a card that then goes on as ISO-DEP."""
SAKS = [0x00, 0x04, 0x20, 0x24, 0x28]
TALKS = 3_000
MOST_FRAMES = 200


def test_a_card_with_odd_anticollision_does_not_end_the_reader() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1), rf_s=0.0005)
        port = Port(str(bench.wire(chip)), simulated=True)
        driver = BadgeReader("reader-01", port, bytes(32), uid_badges=True, relay_limit_s=1.0)
        driver.know({BADGE: KEY})
        with running(driver, "reader-01") as heard:
            assert heard.hears(DeviceReady)
            for count, (atqa, sak, uid) in enumerate(product(ATQAS, SAKS, UIDS), 1):
                odd = IsoDepCard(uid[:-1] + bytes([count]), IsoDep(NdefApplet()), sens_res=atqa, sel_res=sak)
                bench.call(chip.present, odd)
                assert heard.hears(CredentialSeen, times=count), (atqa, sak, uid)
                bench.call(chip.remove)
            badge = Ntag424(UIDS[0], Random(2))
            badge.personalise(BADGE, KEY)
            bench.call(chip.present, badge)
            assert heard.hears(CredentialSeen, lambda seen: seen.badge == BADGE and seen.refusal is None)
        assert not heard.of(DeviceFailed)


class Babble:
    """A frontend whose card says anything: some of it well-formed blocks, with answers of the right lengths."""

    max_send_data_size = max_recv_data_size = 256

    def __init__(self, random: Random) -> None:
        self._random = random
        self.frames = 0

    def exchange(self, frame: bytes, timeout: float) -> bytearray:
        assert timeout >= 0
        self.frames += 1
        draw = self._random
        if self.frames == 1:
            return bytearray.fromhex("067777710280") if draw.random() < 0.9 else bytearray(draw.randbytes(3))
        kind = draw.randrange(20)
        if kind == 0:
            raise nfc.clf.TimeoutError
        if kind == 1:
            raise nfc.clf.TransmissionError
        if kind < 5:
            return bytearray(draw.randbytes(draw.randrange(40)))
        control = draw.choice([frame[0]] * 12 + [0x12, 0x13, 0xF2, 0xF2, 0xA2, 0xA3, 0xB2, 0xC2])
        return bytearray([control]) + draw.choice(self._answers())

    def _answers(self) -> list[bytes]:
        drawn = self._random.randbytes
        name, challenge, proof = b"TCB1" + BADGE + b"\x91\x00", drawn(16) + b"\x91\xaf", drawn(32) + b"\x91\x00"
        return [b"\x90\x00", b"\x91\x00", name, challenge, proof, b"\x91\xae", b"\x01", b"", drawn(3)]


@pytest.mark.parametrize("half", [0, 1])
def test_no_talk_of_random_frames_proves_a_badge_or_raises(half: int) -> None:
    target = nfc.clf.RemoteTarget("106A", sens_res=b"\x44\x00", sel_res=b"\x20", sdd_res=bytes(7))
    refusals: set[str | None] = set()
    for seed in range(half * TALKS, (half + 1) * TALKS):
        random = Random(seed)
        babble = Babble(random)

        def left_s(babble: Babble = babble) -> float:
            return 1.0 if babble.frames < MOST_FRAMES else 0.0

        card = Card(babble, target, clock=lambda: 0.0, left_s=left_s)
        refusals.add(ask_badge(card, {BADGE: KEY}, lambda random=random: random.randbytes(16), relay_limit_s=1).refusal)  # type: ignore[misc]  # mypy has no type for a lambda's default
    assert None not in refusals
    assert {"wrong_key", "wrong_application", "unreadable", "pulled_away"} <= refusals
