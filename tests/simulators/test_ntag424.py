"""The NTAG 424 DNA, asked by a reader with cryptography of its own."""

from random import Random

import pytest

from simulators.ntag424 import Ntag424, Ntag424Applet, factory_application
from tests.support.ev2_reader import NTAG, READ_BADGE, ZERO, Reader

UID = bytes.fromhex("04958caa5c5e80")
BADGE_ID = bytes(range(16))
KEY = bytes(range(100, 116))


def _blank() -> Ntag424:
    return Ntag424(UID, Random(1))


def _badge() -> Ntag424:
    card = _blank()
    card.personalise(BADGE_ID, KEY)
    return card


def _reader(card: Ntag424) -> Reader:
    return Reader(card.applet)


def _selected(card: Ntag424) -> Reader:
    reader = _reader(card)
    assert reader.say(NTAG) == b"\x90\x00"
    return reader


def test_a_badge_says_its_name_to_anybody_and_proves_it_with_its_key() -> None:
    reader = _reader(_badge())
    assert reader.badge_id() == BADGE_ID
    assert reader.authenticate(KEY) == "00"


def test_a_wrong_key_is_an_authentication_error() -> None:
    assert _selected(_badge()).authenticate(ZERO) == "ae"


def test_every_authentication_has_another_challenge() -> None:
    reader = _selected(_badge())
    assert len({reader.native(0x71, b"\x00\x00")[0] for _ in range(40)} - {b""}) == 20  # every second one is aborted


def test_a_blank_card_shows_no_badge_and_knows_the_zero_key() -> None:
    reader = _reader(_blank())
    assert reader.badge_id() is None
    assert reader.say(READ_BADGE) == b"\x91\xae"
    assert [reader.authenticate(ZERO, number) for number in range(5)] == ["00"] * 5


def test_a_blank_card_is_personalised_over_the_air_and_is_then_the_badge_that_the_simulator_makes() -> None:
    card, made = _blank(), _badge()
    assert _reader(card).personalise(BADGE_ID, KEY) == "00"
    assert card.application.keys == made.application.keys
    assert card.application.files == made.application.files


@pytest.mark.parametrize("step", range(6), ids=["select", "challenge", "proof", "rights", "name", "text"])
def test_a_personalisation_interrupted_before_the_key_leaves_a_card_that_is_still_blank(step: int) -> None:
    card = _blank()
    said: list[bytes] = []

    def until_pulled(command: bytes) -> bytes:
        if len(said) > step:
            raise TimeoutError
        said.append(command)
        return card.applet(command)

    with pytest.raises(TimeoutError):
        Reader(until_pulled).personalise(BADGE_ID, KEY)
    card.reset()
    other = bytes(reversed(range(16)))
    assert _reader(card).personalise(other, KEY) == "00"
    assert _reader(card).badge_id() == other


def test_when_only_the_answer_to_the_last_step_is_lost_the_card_is_the_badge() -> None:
    card = _blank()

    def pulled_after_the_key(command: bytes) -> bytes:
        answer = card.applet(command)
        if command[1] == 0xC4:
            raise TimeoutError
        return answer

    with pytest.raises(TimeoutError):
        Reader(pulled_after_the_key).personalise(BADGE_ID, KEY)
    card.reset()
    reader = _reader(card)
    assert reader.badge_id() == BADGE_ID
    assert reader.authenticate(KEY) == "00"


def test_a_badge_cannot_be_personalised_again() -> None:
    card = _badge()
    assert _reader(card).personalise(bytes(16), bytes(16)) == "ae"
    assert _reader(card).badge_id() == BADGE_ID


@pytest.mark.parametrize("number", range(5))
def test_without_a_session_nothing_of_a_badge_can_be_changed(number: int) -> None:
    reader = _selected(_badge())
    assert reader.native(0x8D, bytes.fromhex("03000000010000") + b"x")[1] == "ae"
    assert reader.native(0x5F, bytes.fromhex("030000e0"))[1] == "ae"
    assert reader.native(0xC4, bytes((number,)) + bytes(17))[1] == "ae"
    assert reader.native(0x51)[1] == "ae"


def test_the_keys_left_at_zero_open_nothing() -> None:
    reader = _selected(_badge())
    for number in range(1, 5):
        for code, rest in ((0x8D, bytes.fromhex("03000000010000") + b"x"), (0x5F, bytes.fromhex("030000e0"))):
            assert reader.authenticate(ZERO, number) == "00"
            assert reader.full(code, rest[:1], rest[1:])[1] in ("ae", "7e")
        assert reader.authenticate(ZERO, number) == "00"
        assert reader.full(0xC4, b"\x00", bytes(17))[1] == "ae"
    assert reader.authenticate(KEY) == "00"


def test_commands_travel_in_their_modes_and_are_counted() -> None:
    reader = _selected(_badge())
    assert reader.authenticate(KEY) == "00"
    assert reader.mac(0xF5, b"\x03") == (bytes.fromhex("000300e0800000"), "00")
    assert reader.full(0xAD, bytes.fromhex("03000000140000")) == (b"TCB1" + BADGE_ID, "00")
    assert reader.mac(0x64, b"\x00") == (b"\x01", "00")
    assert reader.full(0x51) == (UID, "00")
    assert reader.counter == 4


def test_what_everybody_may_read_travels_in_plain_even_in_a_session_of_another_key() -> None:
    reader = _selected(_badge())
    reader.authenticate(ZERO, 1)
    assert reader.plain(0xAD, bytes.fromhex("03000000140000")) == (b"TCB1" + BADGE_ID, "00")
    assert reader.full(0x51) == (UID, "00")


def test_a_second_authentication_in_a_session_keeps_its_transaction_and_count() -> None:
    reader = _selected(_badge())
    assert reader.authenticate(ZERO, 1, first=False) == "9d"
    assert reader.authenticate(ZERO, 1) == "00"
    reader.mac(0xF5, b"\x02")
    assert reader.authenticate(KEY, first=False) == "00"
    assert reader.full(0x51) == (UID, "00")
    assert reader.counter == 2


def test_another_key_is_changed_against_its_old_value_and_its_check() -> None:
    card = _blank()
    reader = _selected(card)
    reader.authenticate(ZERO)
    wrong_check = KEY + b"\x05" + bytes(4)
    assert reader.full(0xC4, b"\x02", wrong_check)[1] == "1e"
    assert card.application.keys[2].value == ZERO


def test_a_wrong_mac_ends_the_session() -> None:
    reader = _selected(_badge())
    reader.authenticate(KEY)
    assert reader.native(0xF5, b"\x02" + bytes(8))[1] == "1e"
    assert reader.native(0x51)[1] == "ae"


def test_the_version_comes_in_three_parts_with_one_mac_over_all() -> None:
    reader = _selected(_badge())
    parts = [reader.native(0x60), reader.native(0xAF), reader.native(0xAF)]
    assert [status for _, status in parts] == ["af", "af", "00"]
    assert parts[0][0].hex() == "04040230001105"
    assert parts[2][0][:7] == UID
    assert reader.native(0xAF)[1] == "1c"
    reader.authenticate(KEY)
    assert reader.native(0x60, reader._mac(0x60, b""))[1] == "af"
    reader.native(0xAF)
    last, _ = reader.native(0xAF)
    assert reader._opened(b"".join(part for part, _ in parts) + last[-8:], "00")[1] == "00"


def test_a_command_between_the_two_halves_of_an_authentication_aborts_it() -> None:
    reader = _selected(_badge())
    assert reader.native(0x71, b"\x00\x00")[1] == "af"
    assert reader.native(0xF5, b"\x02")[1] == "ca"
    assert reader.native(0xAF, bytes(32))[1] == "1c"
    reader.native(0x71, b"\x00\x00")
    assert reader.say(NTAG) == b"\x69\x85"


def test_after_fifty_failures_in_a_row_a_key_is_delayed_and_a_success_ends_it() -> None:
    card = _badge()
    reader = _selected(card)
    assert [reader.authenticate(ZERO) for _ in range(50)] == ["ae"] * 50
    card.reset()
    reader.say(NTAG)
    assert reader.authenticate(KEY) == "ad"
    assert reader.authenticate(ZERO) == "ae"
    assert [reader.authenticate(KEY) for _ in range(3)] == ["ad", "ad", "00"]
    assert reader.authenticate(ZERO) == "ae"
    assert reader.authenticate(KEY) == "00"


def test_after_a_thousand_failures_a_key_is_blocked_for_ever() -> None:
    card = _badge()
    card.application.keys[0].failures = 999
    reader = _selected(card)
    assert reader.authenticate(ZERO) == "ae"
    assert reader.authenticate(KEY) == "9d"
    # A success before the limit forgives ten failures.
    card.application.keys[0].failures = 999
    assert reader.authenticate(KEY) == "00"
    assert card.application.keys[0].failures == 989


def test_power_loss_ends_the_session_and_leaves_the_application() -> None:
    card = _badge()
    reader = _selected(card)
    reader.authenticate(KEY)
    card.reset()
    assert reader.say(READ_BADGE) == b"\x91\x9d"
    assert reader.badge_id() == BADGE_ID
    assert reader.native(0x51)[1] == "ae"


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("9071000002000000", "9d"),  # nothing is selected yet
        ("9060000000", "af"),
    ],
)
def test_at_the_level_of_the_card_there_is_only_its_version(command: str, response: str) -> None:
    card = Ntag424Applet(factory_application(Random(1), UID))
    assert card(bytes.fromhex(command))[-1:].hex() == response


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("", "6e00"),
        ("90", "917e"),
        ("90710000020000", "917e"),  # no Le
        ("9071000003000000", "917e"),
        ("9071010002000000", "919e"),
        ("9071000002050000", "9140"),
        ("90710000010000", "917e"),
        ("9071000009000700000000000000" + "00", "919e"),
        ("9077000000", "917e"),
        ("9070000000", "911c"),
        ("90af00002000" + "00" * 31 + "00", "911c"),
        ("90f50000010400", "91f0"),
        ("90f5000000", "917e"),
        ("90f500000202ff00", "917e"),
        ("90ad0000070200000000010000", "00" * 256 + "9100"),
        ("90ad0000070200010000000000", "91be"),
        ("90ad0000070200000001010000", "91be"),
        ("908d00000802000000020000ff00", "917e"),
        ("908d00000802000100010000ff00", "91be"),
        ("6000000000", "6e00"),
        ("00", "6700"),
        ("00a4030002e10400", "6a86"),
        ("00a4040002e10400", "6a82"),
        ("00a4000c02e106", "6a82"),
        ("00a4000c023f00", "9000"),
        ("00a4000c02e110", "9000"),
        ("00b0000010", "6985"),
        ("00b0840010", "00" * 16 + "9000"),  # short id of the NDEF file
        ("00b0830003", "0017209000"),
        ("00b0850010", "6982"),
        ("00b08400", "6700"),
        ("00b083ff10", "6a86"),
        ("00d6840002abcd", "9000"),
        ("00d6830002abcd", "6982"),
        ("00d6840000", "6700"),
        ("00d60000020000", "6985"),
        ("0020000000", "6d00"),
    ],
)
def test_what_a_blank_card_answers_to_each_command(command: str, response: str) -> None:
    reader = _selected(_blank())
    assert reader.say(bytes.fromhex(command)).hex() == response


@pytest.mark.parametrize(
    ("settings", "status"),
    [("0300e0", "00"), ("4000e0c1f121", "7e"), ("4300e0", "9e"), ("030050", "9e"), ("035000", "9e"), ("03f0ef", "00")],
)
def test_file_settings_name_existing_keys_and_modes(settings: str, status: str) -> None:
    reader = _selected(_blank())
    reader.authenticate(ZERO)
    assert reader.full(0x5F, b"\x02", bytes.fromhex(settings))[1] == status


def test_a_file_that_nobody_may_touch_says_so() -> None:
    reader = _selected(_blank())
    reader.authenticate(ZERO)
    assert reader.full(0x5F, b"\x03", bytes.fromhex("03ffff"))[1] == "00"
    for code in (0xAD, 0x8D):
        reader.authenticate(ZERO)
        assert reader.full(code, bytes.fromhex("03000000010000"), b"")[1] == "9d"
    reader.authenticate(ZERO)
    assert reader.full(0x5F, b"\x03", bytes.fromhex("0300e0"))[1] == "9d"


def test_a_uid_has_seven_bytes_and_a_name_sixteen() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        Ntag424(UID[:4], Random(1))
    with pytest.raises(ValueError, match="16 bytes"):
        _blank().personalise(b"short", KEY)
