"""Hours as the database keeps them: 36 bytes each, two instants and five lengths, largest byte first."""

from hypothesis import given
from hypothesis import strategies as st

from hub.day_hours import HOUR_BYTES, Hour, is_packed, pack_hours, unpack_hours

START_MS, END_MS = 1_793_350_800_000, 1_793_354_400_000
"""From nine to ten, UTC, on 30 October 2026."""
BY_HAND = bytes.fromhex("000001a18c099280 000001a18c408100 0036ee80 001b7740 000dbba0 00000000 0000ea60")

instants = st.integers(0, 2**53)
lengths = st.integers(0, 25 * 3_600_000)
hours = st.tuples(instants, instants, *([lengths] * 5))


def test_an_hour_is_two_instants_and_five_lengths() -> None:
    hour: Hour = (START_MS, END_MS, 3_600_000, 1_800_000, 900_000, 0, 60_000)
    assert pack_hours([hour]) == BY_HAND
    assert len(BY_HAND) == HOUR_BYTES == 36


@given(st.lists(hours, max_size=27))
def test_hours_come_back_as_they_were(given: list[Hour]) -> None:
    packed = pack_hours(given)
    assert list(unpack_hours(packed)) == given
    assert is_packed(packed)


@given(st.binary(max_size=200))
def test_what_is_no_row_of_hours_is_told_by_its_length(value: bytes) -> None:
    assert is_packed(value) == (len(value) in range(0, 201, 36))


def test_what_is_no_bytes_is_no_row_of_hours() -> None:
    assert not is_packed("")
    assert not is_packed(None)
