"""Bytes on the air between reader and card: ISO/IEC 14443-3 type A frames with their CRC_A.

Source: ISO/IEC 14443-3, annex B: polynomial x^16 + x^12 + x^5 + 1, initial value 6363, sent low byte first.
"""

_POLYNOMIAL = 0x8408
"""The polynomial with its bits in the order in which they are sent."""


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        register = value
        for _ in range(8):
            register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return tuple(table)


_TABLE = _table()


def crc_a(data: bytes) -> bytes:
    """Return the two bytes of CRC_A over `data`.

    >>> crc_a(bytes.fromhex("3000")).hex()
    '02a8'
    """
    register = 0x6363
    for byte in data:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 0xFF]
    return register.to_bytes(2, "little")


def with_crc(data: bytes) -> bytes:
    """Return a frame as it goes on the air."""
    return data + crc_a(data)


def without_crc(frame: bytes) -> bytes | None:
    """Return what a frame carries, None when its CRC_A is wrong or it is too short to have one."""
    if len(frame) < 3 or crc_a(frame[:-2]) != frame[-2:]:
        return None
    return frame[:-2]
