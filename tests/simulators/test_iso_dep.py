"""Blocks as a reader sends them, by the rules of ISO/IEC 14443-4, 7.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.iso_dep import ATS, DONE, FILE_NOT_FOUND, FRAME_SIZES, IsoDep, NdefApplet


class Reader:
    """The other side, written from the standard: block numbers, chaining, and repeating what was lost."""

    def __init__(self, card: IsoDep, *, frame_size_index: int = 8) -> None:
        self.card = card
        self.number = 0
        self.exchanges = 0
        self.lost: set[int] = set()
        ats = card.exchange(bytes((0xE0, frame_size_index << 4)))
        assert ats is not None
        self.part = FRAME_SIZES[ats[1] & 0x0F] - 3
        self.most = FRAME_SIZES[frame_size_index] - 2

    def send(self, block: bytes) -> bytes:
        """One exchange; when its answer is lost on the air, R(NAK) asks for it again."""
        answer = self.card.exchange(block)
        self.exchanges += 1
        if self.exchanges in self.lost:
            answer = self.card.exchange(bytes((0xB2 | self.number,)))
        assert answer is not None
        assert len(answer) <= self.most
        return answer

    def apdu(self, command: bytes) -> bytes:
        parts = [command[i : i + self.part] for i in range(0, len(command), self.part)] or [b""]
        for part in parts[:-1]:
            assert self.send(bytes((0x12 | self.number,)) + part) == bytes((0xA2 | self.number,))
            self.number ^= 1
        answer = self.send(bytes((0x02 | self.number,)) + parts[-1])
        while answer[0] == 0xF2:
            answer = self.send(b"\xf2" + answer[1:])
        response = b""
        while True:
            assert answer[0] & 0xEF == 0x02 | self.number
            self.number ^= 1
            response += answer[1:]
            if not answer[0] & 0x10:
                return response
            answer = self.send(bytes((0xA2 | self.number,)))


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

    reader = Reader(IsoDep(applet, extensions=extensions), frame_size_index=frame_size_index)
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
    reader = Reader(IsoDep(lambda apdu: apdu))
    reader.apdu(b"\x00")
    assert reader.card.exchange(bytes((0xB2 | reader.number,))) == bytes((0xA2 | reader.number ^ 1,))
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
