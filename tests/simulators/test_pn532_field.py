"""Several cards in one field, and cards that leave in the midst of a talk."""

from random import Random

import pytest

from simulators.air import with_crc, without_crc
from simulators.cards import Card, Classic1k, IsoDepCard, Ntag21x
from simulators.iso_dep import DONE, IsoDep
from simulators.ntag424 import Ntag424
from simulators.pn532_field import Field, Leaving

LOW, HIGH = bytes.fromhex("04000000000002"), bytes.fromhex("04000000000001")
"""The lowest bit goes first on the air: 01 sends a one before 02 does."""


def _field(*cards: Card) -> Field:
    field = Field()
    for card in cards:
        field.present(card, None)
    return field


@pytest.mark.parametrize("order", [(LOW, HIGH), (HIGH, LOW)])
def test_of_two_cards_anticollision_finds_the_one_that_sends_a_one_first(order: tuple[bytes, bytes]) -> None:
    found = _field(*(Ntag21x(uid) for uid in order)).found(b"")
    assert [cards[0].anticollision.uid for _, cards in found] == [HIGH, LOW]


def test_a_longer_number_begins_with_its_cascade_tag() -> None:
    classic = Classic1k(bytes.fromhex("8c000000"))  # 0011..., the tag 88 is 0001... on the air
    found = _field(Ntag21x(LOW), classic).found(b"")
    assert found[0][1] == [classic]


def test_all_cards_answer_the_request_together_and_the_rest_the_next_one() -> None:
    found = _field(Classic1k(bytes.fromhex("ff000000")), Ntag424(LOW, Random(1))).found(b"")
    assert [sens_res.hex() for sens_res, _ in found] == ["0344", "0344"]
    found = _field(Classic1k(bytes.fromhex("00000001")), Ntag21x(LOW)).found(b"")
    assert [sens_res.hex() for sens_res, _ in found] == ["0044", "0004"]


def test_two_cards_with_one_number_are_chosen_together_and_cover_each_other() -> None:
    def card(answer: bytes) -> IsoDepCard:
        return IsoDepCard(LOW, IsoDep(lambda _: answer))

    field = _field(card(b"\x01" + DONE), card(b"\x02" + DONE))
    [(_, cards)] = field.found(b"")
    field.choose(cards)
    # As long as both say the same, nobody notices.
    assert without_crc(field.exchange(with_crc(b"\xe0\x80"))[0] or b"") is not None
    heard, _ = field.exchange(with_crc(b"\x02\x00\xa4\x04\x00"))
    assert heard is not None
    assert without_crc(heard) is None
    field.remove(cards[0])
    heard, _ = field.exchange(with_crc(b"\xb2"))
    assert without_crc(heard or b"") == b"\x02\x02" + DONE


@pytest.mark.parametrize("hears_last", [True, False])
def test_a_card_may_leave_at_a_frame_that_it_heard_or_not(hears_last: bool) -> None:
    did: list[bytes] = []

    def applet(command: bytes) -> bytes:
        did.append(command)
        return DONE

    card = IsoDepCard(LOW, IsoDep(applet))
    field = Field()
    field.present(card, Leaving(3, hears_last))
    field.choose([card])
    assert field.exchange(with_crc(b"\xe0\x80"))[0] is not None
    assert field.exchange(with_crc(b"\x02\x01"))[0] is not None
    assert field.exchange(with_crc(b"\x03\x02")) == (None, 0.0)
    assert did == ([b"\x01", b"\x02"] if hears_last else [b"\x01"])
    assert not field.cards
    # Presented again, it stays.
    field.present(card, None)
    assert field.cards == (card,)


def test_a_card_is_in_the_field_once_however_often_it_is_presented() -> None:
    card = Ntag21x(LOW)
    field = _field(card, card)
    assert field.cards == (card,)
    field.remove(card)
    field.remove(card)
    assert not field.cards
