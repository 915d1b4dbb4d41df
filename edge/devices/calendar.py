"""Reads an iCalendar file in a process of its own: whoever may invite the room writes what is in it.

A few lines of a repeating entry can keep a calendar library busy for ever, and what else one makes of a broken calendar
is not documented. Here that ends this process, which has a bound on its time and memory, and not the agent that opens
the door.

    python -m edge.devices.calendar ZONE INSTANT < room.ics

prints the bookings as JSON, `[[start_ms, end_ms], ...]`, from the day before the instant to two days after it, in order
of start; it ends with 1 when it cannot.
"""

import contextlib
import datetime as dt
import json
import os
import resource
import sys
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

MAX_FILE_BYTES = 1_048_576
"""A room's calendar of many years stays far below."""

MAX_CPU_S = 20
"""A large calendar takes some 2 s on a Pi."""

MAX_MEMORY_BYTES = 128 * 1024 * 1024
"""It takes some 40 MB; the agent's unit has 200."""

MAX_BOOKINGS = 200
"""In the days looked at; a room has some ten a day."""

PAST, AHEAD = dt.timedelta(days=1), dt.timedelta(days=2)


def bookings(content: bytes, zone: ZoneInfo, now: dt.datetime) -> list[tuple[int, int]]:
    """Return start and end of each booking, in milliseconds since 1970.

    Cancelled and transparent entries do not book the room; times without a zone are the site's.

    Raises:
        Exception: of any kind, when the content is not a calendar that can be read, or not the whole of one.
    """
    # Imported here: who fetches a calendar that has not changed need not load them.
    import icalendar  # noqa: PLC0415
    import recurring_ical_events  # noqa: PLC0415

    if not content.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise ValueError("the calendar has no end")
    calendar = icalendar.Calendar.from_ical(content)
    events = recurring_ical_events.of(calendar).between(now - PAST, now + AHEAD)
    return sorted(_spans(events, zone))[:MAX_BOOKINGS]


def _spans(events: Iterable[Any], zone: ZoneInfo) -> Iterable[tuple[int, int]]:
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED" or str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
            continue
        start_ms, end_ms = _wall_ms(event.start, zone), _wall_ms(event.end, zone)
        if end_ms > start_ms:
            yield start_ms, end_ms


def _wall_ms(when: dt.date, zone: ZoneInfo) -> int:
    if not isinstance(when, dt.datetime):
        when = dt.datetime.combine(when, dt.time(), zone)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return round(when.timestamp() * 1000)


def be_modest() -> None:
    """Leave the processor to the door, within bounds; where a sandbox forbids them, the agent ends us in a minute."""
    for modesty in (
        lambda: os.nice(10),
        lambda: resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S)),
        lambda: resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES)),
    ):
        with contextlib.suppress(OSError, ValueError):
            modesty()


def main(zone: str, now: str) -> None:
    """Read a calendar from standard input and print its bookings."""
    be_modest()
    json.dump(bookings(sys.stdin.buffer.read(), ZoneInfo(zone), dt.datetime.fromisoformat(now)), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
