"""A visio room's bookings from an iCalendar file: only when the room is booked, never by whom or for what."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from edge.core.observations import Booking, BookingsRead
from edge.devices.device import DeviceError, DeviceThread

MAX_FILE_BYTES = 1_048_576
"""A room's calendar of many years stays far below."""

MAX_BOOKINGS = 200
"""In the days looked at; a room has some ten a day."""

LOOK_S = 10.0
READ_AGAIN_S = 3600.0
"""The days looked at move with the time, even when the file does not change."""

PAST, AHEAD = dt.timedelta(days=1), dt.timedelta(days=2)

_TOO_OFTEN = (b"FREQ=SECONDLY", b"FREQ=MINUTELY")
"""Rules that no meeting follows, and that would keep the processor busy for ever."""


class Bookings:
    """One room's file; the last good content stays in force while it cannot be read."""

    def __init__(self, room: str, file: Path, zone: ZoneInfo) -> None:
        self._room = room
        self._file = file
        self._zone = zone
        self._tried: tuple[int, int] | None = None

    def may_be_back(self) -> bool:
        """Return whether the file is another than the one that was tried last."""
        try:
            return self._version() != self._tried
        except DeviceError:
            return False

    def session(self, device: DeviceThread) -> None:
        """Read the file, and again whenever it changes."""
        self._tried = None
        read_s = 0.0
        while not device.stopping.is_set():
            at = device.clock()
            version = self._version()
            if version != self._tried or at.mono_s - read_s >= READ_AGAIN_S:
                self._tried, read_s = version, at.mono_s
                now = dt.datetime.fromtimestamp(at.wall_ms / 1000, dt.UTC)
                bookings = read_bookings(self._content(), self._zone, now)
                device.ready()
                device.emit(BookingsRead(at, self._room, bookings))
            device.rest(LOOK_S)

    def _content(self) -> bytes:
        try:
            with self._file.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise DeviceError("refused", f"{self._file}: {error.strerror}") from error
        if len(content) > MAX_FILE_BYTES:
            raise DeviceError("unreadable", f"{self._file} is larger than 1 MiB")
        return content

    def _version(self) -> tuple[int, int]:
        try:
            found = self._file.stat()
        except FileNotFoundError as error:
            raise DeviceError("absent", f"{self._file} does not exist") from error
        except OSError as error:
            raise DeviceError("refused", f"{self._file}: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size


def read_bookings(content: bytes, zone: ZoneInfo, now: dt.datetime) -> tuple[Booking, ...]:
    """Return the bookings of yesterday to the day after tomorrow, in order of start.

    Cancelled and transparent entries do not book the room; times without a zone are the site's.

    Raises:
        DeviceError: the content is not a calendar that can be read.
    """
    if any(rule in content.upper() for rule in _TOO_OFTEN):
        raise DeviceError("unreadable", "the calendar repeats an entry every second or minute")
    try:
        calendar = icalendar.Calendar.from_ical(content)
        events = recurring_ical_events.of(calendar).between(now - PAST, now + AHEAD)
        bookings = sorted(_bookings(events, zone), key=lambda booking: (booking.start_ms, booking.end_ms))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # What a calendar library makes of a broken calendar is not documented: these are the ways Python says it.
        raise DeviceError("unreadable", f"the calendar cannot be read: {type(error).__name__}") from error
    return tuple(bookings[:MAX_BOOKINGS])


def _bookings(events: Iterable[Any], zone: ZoneInfo) -> Iterable[Booking]:
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED" or str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
            continue
        start_ms, end_ms = _wall_ms(event.start, zone), _wall_ms(event.end, zone)
        if end_ms > start_ms:
            yield Booking(start_ms, end_ms)


def _wall_ms(when: dt.date, zone: ZoneInfo) -> int:
    if not isinstance(when, dt.datetime):
        when = dt.datetime.combine(when, dt.time(), zone)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return round(when.timestamp() * 1000)
