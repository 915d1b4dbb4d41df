"""The DESFire, asked by a reader with cryptography of its own."""

from random import Random

import pytest

from simulators.desfire import Desfire, Model
from tests.support.ev2_reader import DESFIRE, NTAG, READ_BADGE, ZERO, Reader

UID = bytes.fromhex("04112233445566")
BADGE_ID = bytes(range(16))
KEY = bytes(range(100, 116))


def _badge(model: Model = "EV2") -> Desfire:
    card = Desfire(UID, Random(1), model=model)
    card.personalise(BADGE_ID, KEY)
    return card


def _reader(card: Desfire) -> Reader:
    return Reader(card.applet)


@pytest.mark.parametrize("model", ["EV2", "EV3"])
def test_a_badge_says_its_name_to_anybody_and_proves_it_with_its_key(model: Model) -> None:
    reader = _reader(_badge(model))
    assert reader.badge_id(NTAG) is None
    assert reader.badge_id(DESFIRE) == BADGE_ID
    assert reader.authenticate(KEY) == "00"
    assert reader.full(0x51) == (UID, "00")


@pytest.mark.parametrize(("model", "major"), [("EV2", "12"), ("EV3", "33")])
def test_the_version_tells_the_generations_apart(model: Model, major: str) -> None:
    reader = _reader(_badge(model))
    assert reader.native(0x60)[0].hex().startswith("040101" + major)


def test_a_wrong_key_is_an_authentication_error() -> None:
    reader = _reader(_badge())
    reader.say(DESFIRE)
    assert reader.authenticate(ZERO) == "ae"


def test_the_older_code_reads_a_file_too() -> None:
    reader = _reader(_badge())
    reader.say(DESFIRE)
    assert reader.native(0xBD, bytes.fromhex("03000000140000")) == (b"TCB1" + BADGE_ID, "00")


def test_a_badge_of_somebody_else_has_no_application_of_ours() -> None:
    card = Desfire(UID, Random(1))
    card.personalise(BADGE_ID, KEY, aid=b"\x01\x02\x03")
    assert _reader(card).say(DESFIRE) == b"\x91\xa0"
    assert _reader(card).say(READ_BADGE) == b"\x91\xf0"


def test_selecting_ends_the_session() -> None:
    reader = _reader(_badge())
    reader.say(DESFIRE)
    reader.authenticate(KEY)
    assert reader.say(DESFIRE) == b"\x91\x00"
    assert reader.native(0x51)[1] == "ae"


def test_the_file_is_written_with_the_key_alone() -> None:
    reader = _reader(_badge())
    reader.say(DESFIRE)
    assert reader.native(0x8D, bytes.fromhex("03000000010000") + b"x")[1] == "ae"
    reader.authenticate(KEY)
    assert reader.full(0x8D, bytes.fromhex("04000000010000"), b"x")[1] == "f0"
    reader.authenticate(KEY)
    assert reader.full(0x8D, bytes.fromhex("03040000010000"), b"\xff")[1] == "00"
    assert reader.badge_id(DESFIRE) == b"\xff" + BADGE_ID[1:]


def test_power_loss_selects_the_card_itself() -> None:
    card = _badge()
    reader = _reader(card)
    reader.say(DESFIRE)
    card.reset()
    assert reader.say(READ_BADGE) == b"\x91\xf0"
    assert reader.say(bytes.fromhex("905a00000300000000")) == b"\x91\x00"


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("905a000002340000", "917e"),
        ("905a000000", "917e"),
        ("905a0100033400fa00", "919e"),
        ("90", "917e"),
        ("9071000002010000", "9140"),
        ("00b0000010", "6d00"),
        ("00a4", "6700"),
        ("80ca000000", "6e00"),
    ],
)
def test_what_the_card_answers_to_other_commands(command: str, response: str) -> None:
    assert _reader(_badge()).say(bytes.fromhex(command)).hex() == response


def test_a_uid_has_seven_bytes() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        Desfire(UID[:4], Random(1))
