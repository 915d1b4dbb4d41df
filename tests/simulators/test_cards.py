from random import Random

import pytest

from simulators.air import with_crc, without_crc
from simulators.cards import Card, Classic1k, IsoDepCard, Ntag21x, Phone
from simulators.iso_dep import IsoDep

UID = bytes.fromhex("04a1b2c3d4e5f6")


def _ask(card: Card, hexadecimal: str) -> str | None:
    answer = card.exchange(with_crc(bytes.fromhex(hexadecimal)))
    if answer is None or len(answer) == 1:
        return None if answer is None else f"nak {answer.hex()}"
    data = without_crc(answer)
    assert data is not None
    return data.hex()


@pytest.mark.parametrize(("model", "version"), [("213", "0f"), ("215", "11"), ("216", "13")])
def test_an_ntag_says_which_it_is(model: str, version: str) -> None:
    card = Ntag21x(UID, model)
    card.select()
    assert _ask(card, "60") == "000404020100" + version + "03"


def test_the_first_pages_of_an_ntag_hold_its_uid_with_check_bytes() -> None:
    card = Ntag21x(UID)
    card.select()
    pages = _ask(card, "3000")
    # BCC0 = 88 ^ 04 ^ A1 ^ B2, BCC1 = C3 ^ D4 ^ E5 ^ F6 (ISO/IEC 14443-3, 6.4.4).
    assert pages == "04a1b29f" + "c3d4e5f6" + "04480000" + "e1101200"


def test_reading_behind_the_last_page_of_an_ntag_rolls_over_and_beyond_it_is_refused() -> None:
    card = Ntag21x(UID)
    card.select()
    assert str(_ask(card, "302c"))[8:16] == "04a1b29f"
    assert _ask(card, "302d") == "nak 00"


def test_an_ntag_that_refused_must_be_selected_again() -> None:
    card = Ntag21x(UID)
    card.select()
    assert _ask(card, "1a00") == "nak 00"
    assert _ask(card, "60") is None
    card.select()
    assert _ask(card, "60") is not None


def test_a_page_of_an_ntag_can_be_written_and_survives_the_field() -> None:
    card = Ntag21x(UID)
    card.select()
    assert _ask(card, "a20501020304") == "nak 0a"  # the ACK, four bits too
    card.reset()
    card.select()
    assert _ask(card, "3a0505") == "01020304"
    assert _ask(card, "a20001020304") == "nak 00"


def test_a_halted_ntag_is_silent() -> None:
    card = Ntag21x(UID)
    card.select()
    assert _ask(card, "5000") is None
    assert _ask(card, "60") is None


@pytest.mark.parametrize("card", [Ntag21x(UID), Classic1k(UID[:4]), Phone(Random(1))], ids=["ntag", "classic", "phone"])
def test_no_card_answers_before_it_is_selected_or_to_a_damaged_frame(card: Card) -> None:
    assert card.exchange(with_crc(b"\x60")) is None
    card.select()
    assert card.exchange(b"\x60\x00\x00") is None


def test_a_classic_shows_a_nonce_and_then_nothing() -> None:
    card = Classic1k(UID[:4])
    card.select()
    assert card.exchange(with_crc(b"\x60\x04")) == bytes.fromhex("01200145")
    assert card.exchange(bytes(8)) is None
    card.select()
    assert _ask(card, "3000") == "nak 04"


def test_a_phone_knows_no_application() -> None:
    phone = Phone(Random(1), sel_res=0x20)
    phone.select()
    assert _ask(phone, "e080") is not None
    assert _ask(phone, "0200a4040007d276000085010100") == "026a82"
    assert phone.anticollision.uid[0] == 0x08


def test_a_deselected_card_waits_for_anticollision() -> None:
    card = IsoDepCard(UID, IsoDep(lambda apdu: apdu))
    card.select()
    assert _ask(card, "e080") is not None
    assert _ask(card, "c2") == "c2"
    assert _ask(card, "e080") is None
    card.select()
    assert _ask(card, "e080") is not None


@pytest.mark.parametrize("uid", [b"", bytes(4), bytes(10)])
def test_an_ntag_has_a_uid_of_seven_bytes(uid: bytes) -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        Ntag21x(uid)


def test_a_classic_has_a_uid_of_four_or_seven_bytes() -> None:
    with pytest.raises(ValueError, match="4 or 7 bytes"):
        Classic1k(bytes(5))
