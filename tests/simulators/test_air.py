from hypothesis import given
from hypothesis import strategies as st

from simulators.air import crc_a, with_crc, without_crc


def _remainder(data: bytes) -> bytes:
    """CRC_A as a division of polynomials, bit by bit over one big number."""
    bits = [byte >> n & 1 for byte in data for n in range(8)]
    register = [0x6363 >> n & 1 for n in range(16)]
    for bit in bits:
        feedback = register.pop(0) ^ bit
        register.append(0)
        for position in (15, 10, 3):
            register[position] ^= feedback
    value = sum(bit << n for n, bit in enumerate(register))
    return bytes((value & 0xFF, value >> 8))


def test_the_examples_of_the_standard_and_of_data_sheets_hold() -> None:
    # ISO/IEC 14443-3 annex B: 0000 gives A01E, 1234 gives 26CF; NXP data sheets: HLTA 5000 57CD, RATS E050 BCA5.
    assert crc_a(bytes.fromhex("0000")).hex() == "a01e"
    assert crc_a(bytes.fromhex("1234")).hex() == "26cf"
    assert crc_a(bytes.fromhex("5000")).hex() == "57cd"
    assert crc_a(bytes.fromhex("e050")).hex() == "bca5"


@given(st.binary(min_size=1, max_size=40))
def test_the_crc_is_the_remainder_of_a_division(data: bytes) -> None:
    assert crc_a(data) == _remainder(data)


@given(st.binary(min_size=1, max_size=40), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_frame_comes_through_and_one_changed_byte_does_not(data: bytes, at: int, change: int) -> None:
    frame = bytearray(with_crc(data))
    assert without_crc(bytes(frame)) == data
    frame[at % len(frame)] ^= change
    assert without_crc(bytes(frame)) is None


def test_a_frame_too_short_for_a_crc_has_none() -> None:
    assert without_crc(b"") is None
    assert without_crc(b"\x0a") is None
