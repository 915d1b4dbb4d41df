"""The hours of one desk or room in one local day as the database keeps them: one after the other, 36 bytes each. Pure.

A month of a telecentre is some 150 such days, and 1,300 hours: whoever asks for hours asks for all of a day, and a day
is settled as a whole. Source: docs/decisions/0045-the-hours-of-a-day-are-one-row.md.
"""

import struct
from collections.abc import Iterable, Iterator

Hour = tuple[int, int, int, int, int, int, int]
"""From when to when, and for how long available, observed, occupied, in use outside the opening hours, and ghost."""

_HOUR = struct.Struct(">qqiiiii")
HOUR_BYTES = _HOUR.size


def pack_hours(hours: Iterable[Hour]) -> bytes:
    """Return hours as bytes, in the order in which they come."""
    return b"".join([_HOUR.pack(*hour) for hour in hours])


def unpack_hours(packed: bytes) -> Iterator[Hour]:
    """Return the hours that `pack_hours` wrote.

    Raises:
        struct.error: these are no hours.
    """
    return _HOUR.iter_unpack(packed)


def is_packed(value: object) -> bool:
    """Return whether a value is what `pack_hours` may have written."""
    return isinstance(value, bytes) and len(value) % HOUR_BYTES == 0
