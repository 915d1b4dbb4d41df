"""Blocks as a reader sends them, by the rules of ISO/IEC 14443-4, 7.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.iso_dep import ATS, DONE, FILE_NOT_FOUND, IsoDep, NdefApplet
from tests.support.block_reader import BlockReader


@given(
    st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=4),
    st.integers(min_value=0, max_value=8),
    st.integers(min_value=0, max_value=3),
    st.sets(st.integers(min_value=1, max_value=40)),
)
def test_apdus_of_any_length_come_through_chained_slow_or_repeated(
    commands: list[bytes], frame_size_index: int, extensions: int, lost: set[int]
) -> None:
    seen: list[bytes] = []

    def applet(command: bytes) -> bytes:
        seen.append(command)
        return command[::-1] + DONE

    reader = BlockReader(IsoDep(applet, extensions=extensions).exchange, frame_size_index=frame_size_index)
    reader.lost = lost
    for command in commands:
        assert reader.apdu(command) == command[::-1] + DONE
    assert seen == commands


def test_nothing_but_a_rats_wakes_the_card_and_a_second_one_is_ignored() -> None:
    card = IsoDep(lambda apdu: apdu)
    assert card.exchange(b"\x02\x00\xa4") is None
    assert card.exchange(b"\xe0\x80") == ATS
    assert card.exchange(b"\xe0\x80") is None


def test_a_presence_check_is_answered_without_the_applet() -> None:
    reader = BlockReader(IsoDep(lambda apdu: apdu).exchange)
    reader.apdu(b"\x00")
    assert reader.exchange(bytes((0xB2 | reader.number,))) == bytes((0xA2 | reader.number ^ 1,))
    assert reader.apdu(b"\x01") == b"\x01"


def test_deselection_ends_the_blocks_until_reset() -> None:
    card = IsoDep(lambda apdu: apdu)
    card.exchange(b"\xe0\x80")
    assert card.exchange(b"\xc2") == b"\xc2"
    assert not card.awake
    assert card.exchange(b"\xe0\x80") is None
    card.reset()
    assert card.exchange(b"\xe0\x80") == ATS


@pytest.mark.parametrize("block", [b"\x0a\x00", b"\x06\x00", b"\xf2\x01", b"\xff", b"\xa3"])
def test_blocks_that_the_card_has_not_offered_get_no_answer(block: bytes) -> None:
    card = IsoDep(lambda apdu: apdu)
    card.exchange(b"\xe0\x80")
    card.exchange(b"\x02\x00")
    assert card.exchange(block) is None


def test_an_ndef_file_is_read_in_parts_and_nothing_else_is_there() -> None:
    applet = NdefApplet(b"\xd1\x01\x0cU\x04example.org")
    assert applet(bytes.fromhex("00b0000002")) == bytes.fromhex("6986")
    assert applet(bytes.fromhex("00a4040007d276000085010100")) == DONE
    assert applet(bytes.fromhex("00a4000c02e104")) == DONE
    assert applet(bytes.fromhex("00b0000002")) == b"\x00\x10" + DONE
    assert applet(bytes.fromhex("00b0000205")) == b"\xd1\x01\x0cU\x04" + DONE
    assert applet(bytes.fromhex("00a4000c02e105")) == FILE_NOT_FOUND
    assert applet(bytes.fromhex("00a4040007d276000085010200")) == FILE_NOT_FOUND
    assert applet(bytes.fromhex("00d60000")) == bytes.fromhex("6d00")
    assert applet(b"\x00") == bytes.fromhex("6700")
