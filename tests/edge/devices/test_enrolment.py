"""Badges made of blank cards through the real reader driver: whole, pulled away at every frame, of the wrong kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from edge.core.observations import CardTried, CredentialSeen, DeviceFailed, DeviceReady, EnrolmentStopped, Trial
from edge.devices.badge_reader import BadgeReader
from edge.devices.enrolment import Order
from edge.devices.port import Port
from simulators.cards import Card, Classic1k, Ntag21x, Phone
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532
from simulators.pn532_field import Leaving
from simulators.wire import NO_FAULTS, Faults
from tests.support.bench import FOUR_WIRES, Bench, eventually
from tests.support.heard import Heard, running

SITE_KEY = bytes(range(32))
UID, OTHER_UID = bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04000000000001")
BADGE, KEY = bytes(range(60, 76)), bytes(range(200, 216))
KNOWN, KNOWN_KEY = bytes(range(100, 116)), bytes(range(16, 32))
FACTORY_KEY = bytes(16)
COMMAND, LATER_COMMAND = "0" * 32, "1" * 32
ORDER = Order(COMMAND, BADGE, KEY)


class Enrolling:
    """A reader that knows one badge, the chip behind it, and what it reported."""

    def __init__(self, bench: Bench, chip: Pn532, driver: BadgeReader, heard: Heard) -> None:
        self.bench, self.chip, self.driver, self.heard = bench, chip, driver, heard

    def present(self, *cards: Card, leaving: Leaving | None = None) -> None:
        def bring() -> None:
            for card in cards:
                self.chip.present(card, leaving)

        self.bench.call(bring)

    def remove(self) -> None:
        self.bench.call(self.chip.remove)

    def leaves_and_another_comes(self) -> None:
        """Take the card away for so long that the reader forgets it: until it has seen another one."""
        self.remove()
        tag = Ntag21x(bytes.fromhex("04feedfeedfeed"))
        before = len(self.heard.of(CredentialSeen))
        self.present(tag)
        assert eventually(lambda: any(seen.uid_hash for seen in self.heard.of(CredentialSeen)[before:]))
        self.remove()

    def hears(self, *results: Trial) -> bool:
        return self.heard.hears(CardTried, lambda tried: tried.result in results)

    def told(self) -> set[str]:
        """Return what was said of cards that left or were tried."""
        left = {"pulled_away" for seen in self.heard.of(CredentialSeen) if seen.refusal == "pulled_away"}
        return left | {tried.result for tried in self.heard.of(CardTried)}

    def tells(self, refusal: str | None) -> bool:
        return self.heard.hears(CredentialSeen, lambda seen: seen.refusal == refusal)


@contextmanager
def enrolling(faults: Faults = NO_FAULTS, *, uid_badges: bool = False) -> Iterator[Enrolling]:
    with Bench() as bench:
        chip = Pn532(Random(1))
        opened = Port(str(bench.wire(chip, faults)), simulated=True)
        driver = BadgeReader("reader-01", opened, SITE_KEY, uid_badges=uid_badges, relay_limit_s=1.0)
        driver.know({KNOWN: KNOWN_KEY})
        with running(driver, "reader-01") as heard:
            assert heard.hears(DeviceReady)
            yield Enrolling(bench, chip, driver, heard)


def blank(uid: bytes = UID) -> Ntag424:
    return Ntag424(uid, Random(4))


def a_badge(badge: bytes = KNOWN, key: bytes = KNOWN_KEY, uid: bytes = OTHER_UID) -> Ntag424:
    card = Ntag424(uid, Random(5))
    card.personalise(badge, key)
    return card


def key_of(card: Ntag424) -> bytes:
    return bytes(card.application.keys[0].value)


def name_of(card: Ntag424) -> bytes:
    return bytes(card.application.files[3].content[4:20])


@pytest.mark.parametrize("wire", FOUR_WIRES)
def test_a_blank_card_becomes_the_badge_and_then_proves_it(wire: str) -> None:
    with enrolling(FOUR_WIRES[wire]) as at:
        card = blank()
        at.driver.desk.give(ORDER)
        at.present(card)
        assert at.hears("done")
        at.leaves_and_another_comes()
        at.driver.know({BADGE: KEY})
        at.present(card)
        assert at.heard.hears(CredentialSeen, lambda seen: seen.badge == BADGE and seen.refusal is None)
        assert not at.heard.of(DeviceFailed)


def test_a_badge_is_made_once_and_the_next_blank_card_stays_blank() -> None:
    with enrolling() as at:
        at.driver.desk.give(ORDER)
        at.present(blank())
        assert at.hears("done")
        at.remove()
        other = blank(OTHER_UID)
        at.present(other)
        assert at.tells("wrong_application")
        assert key_of(other) == FACTORY_KEY


def test_without_an_order_a_blank_card_stays_blank() -> None:
    with enrolling() as at:
        card = blank()
        at.present(card)
        assert at.tells("wrong_application")
        assert (key_of(card), name_of(card)) == (FACTORY_KEY, bytes(16))


def test_a_blank_card_that_already_lies_on_the_reader_becomes_the_badge() -> None:
    with enrolling() as at:
        at.present(blank())
        assert at.tells("wrong_application")
        at.driver.desk.give(ORDER)
        assert at.hears("done")


def test_a_known_badge_opens_as_always_while_the_reader_waits() -> None:
    with enrolling() as at:
        at.driver.desk.give(ORDER)
        at.present(a_badge())
        assert at.heard.hears(CredentialSeen, lambda seen: seen.badge == KNOWN and seen.refusal is None)
        assert not at.heard.of(CardTried)
        at.remove()
        at.present(blank())
        assert at.hears("done")


def test_a_card_with_another_owner_is_left_as_it_is() -> None:
    with enrolling() as at:
        card = a_badge(bytes(16), bytes([7] * 16))
        at.driver.desk.give(ORDER)
        at.present(card)
        assert at.hears("not_blank")
        assert (key_of(card), name_of(card)) == (bytes([7] * 16), bytes(16))


@pytest.mark.parametrize(
    ("card", "refusal"),
    [
        (Desfire(UID, Random(1)), "wrong_application"),
        (Classic1k(bytes.fromhex("a1b2c3d4")), "classic"),
        (Phone(Random(1)), "phone"),
        (Ntag21x(UID), None),
    ],
)
def test_a_card_of_the_wrong_kind_is_reported_as_at_any_door(card: Card, refusal: str | None) -> None:
    with enrolling() as at:
        at.driver.desk.give(ORDER)
        at.present(card)
        assert at.tells(refusal)
        assert not at.heard.of(CardTried)


def test_of_two_blank_cards_none_becomes_a_badge() -> None:
    with enrolling() as at:
        cards = blank(), blank(OTHER_UID)
        at.driver.desk.give(ORDER)
        at.present(*cards)
        assert at.tells("two_cards")
        assert {key_of(card) for card in cards} == {FACTORY_KEY}


FRAMES = 32
"""More than a card is sent from its presentation to its last proof."""


@pytest.mark.parametrize("hears_last", [True, False])
@pytest.mark.parametrize("frames", range(1, FRAMES))
def test_a_card_pulled_away_at_any_frame_is_blank_or_can_be_finished(frames: int, hears_last: bool) -> None:
    with enrolling() as at:
        card = blank()
        at.driver.desk.give(ORDER)
        at.present(card, leaving=Leaving(frames, hears_last=hears_last))
        assert eventually(lambda: bool(at.told()))
        if not at.told() & {"done", "uncertain"}:
            assert key_of(card) == FACTORY_KEY
        at.remove()
        # The window is still open: the same card is shown again, and stays this time.
        at.present(card)
        assert at.hears("done")
        assert (key_of(card), name_of(card)) == (KEY, BADGE)
        assert sum(tried.result == "done" for tried in at.heard.of(CardTried)) == 1


def frames_of_a_doubt() -> int:
    """Return at which frame a card leaves whose key was changed and whose answer was lost."""
    for frames in range(1, FRAMES):
        with enrolling() as at:
            card = blank()
            at.driver.desk.give(ORDER)
            at.present(card, leaving=Leaving(frames))
            assert eventually(lambda: bool(at.told()))
            if "uncertain" in at.told() and key_of(card) == KEY:
                return frames
    raise AssertionError("no frame leaves a doubt")


def test_with_a_card_in_doubt_no_other_becomes_its_twin_and_a_later_command_finishes_it() -> None:
    frames = frames_of_a_doubt()
    with enrolling() as at:
        card, other = blank(), blank(OTHER_UID)
        at.driver.desk.give(ORDER)
        at.present(card, leaving=Leaving(frames))
        assert at.hears("uncertain")
        at.present(other)
        assert at.hears("not_blank")
        assert key_of(other) == FACTORY_KEY
        at.remove()
        at.driver.desk.take_back(COMMAND)
        assert at.heard.hears(EnrolmentStopped)
        at.driver.desk.give(Order(LATER_COMMAND, KNOWN[::-1], KEY[::-1]))
        at.present(card)
        assert at.heard.hears(CardTried, lambda tried: (tried.command, tried.result) == (LATER_COMMAND, "not_blank"))
        at.remove()
        at.driver.desk.give(Order("2" * 32, BADGE, KEY, resume=True))
        at.present(card)
        assert at.hears("done")


def test_an_order_that_was_taken_back_makes_no_badge_and_the_reader_says_so_once() -> None:
    with enrolling() as at:
        at.driver.desk.give(ORDER)
        at.driver.desk.take_back(COMMAND)
        assert at.heard.hears(EnrolmentStopped, lambda stopped: stopped.command == COMMAND)
        card = blank()
        at.present(card)
        assert at.tells("wrong_application")
        assert key_of(card) == FACTORY_KEY
        assert len(at.heard.of(EnrolmentStopped)) == 1


def test_a_reader_that_is_unplugged_and_plugged_again_still_waits() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        driver = BadgeReader(
            "reader-01", Port(str(port), simulated=True), SITE_KEY, uid_badges=False, relay_limit_s=1.0
        )
        with running(driver, "reader-01") as heard:
            assert heard.hears(DeviceReady)
            driver.desk.give(ORDER)
            bench.unplug(port)
            assert heard.hears(DeviceFailed)
            bench.plug(port)
            assert heard.hears(DeviceReady, times=2)
            bench.call(chip.present, blank())
            assert heard.hears(CardTried, lambda tried: tried.result == "done")


def test_a_reader_that_fails_while_a_key_is_changed_leaves_no_orphan() -> None:
    for delay_s in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
        with Bench() as bench:
            chip, card = Pn532(Random(1)), blank()
            port = bench.wire(chip)
            opened = Port(str(port), simulated=True)
            driver = BadgeReader("reader-01", opened, SITE_KEY, uid_badges=False, relay_limit_s=1.0)
            with running(driver, "reader-01") as heard:
                assert heard.hears(DeviceReady)
                driver.desk.give(ORDER)
                bench.call(chip.present, card)
                bench.unplug_after(port, delay_s)
                assert heard.hears(DeviceFailed)
                told = {tried.result for tried in heard.of(CardTried)}
                assert told & {"done", "uncertain"} or key_of(card) == FACTORY_KEY
                bench.plug(port)
                bench.call(chip.remove)
                bench.call(chip.present, card)
                assert heard.hears(CardTried, lambda tried: tried.result == "done")
