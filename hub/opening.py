"""When a telecentre is open: OSM opening hours evaluated over local days, in UTC milliseconds.

Pure calls: the library reads no clock and no network. `PH` are the public holidays of France. It knows no school
holidays (`SH`) and takes the same sunrise for every place and day: hours that name either are refused at import; a
register of an earlier build that holds some is computed as it was, and said.
Source: https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification; opening-hours-py 2.1.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import opening_hours as osm

HOUR_MS = 3_600_000
COUNTRY = "FR"
"""Whose public holidays `PH` are: every network served today is French; a foreign one makes this a key of its site."""

MAX_OPENING_CHARS = 500
"""The longest opening hours we take: OSM itself allows 255."""

_COMMENT = re.compile(r'"[^"]*"')
_UNKNOWN = re.compile(r"\b(?:SH|dawn|sunrise|sunset|dusk)\b")

Interval = tuple[int, int]
"""Half-open, in UTC milliseconds."""


class OpeningError(ValueError):
    """The opening hours cannot be read; the sentence says where."""


def check(opening_hours: str) -> str:
    """Return `opening_hours` unchanged when it can be read.

    Raises:
        OpeningError: it is too long, not OSM opening hours, or names what the hub does not know.
    """
    if len(opening_hours) > MAX_OPENING_CHARS:
        raise OpeningError(f"opening hours have at most {MAX_OPENING_CHARS} characters")
    try:
        unknown = unknown_in(opening_hours)
    except osm.ParserError as error:  # type: ignore[attr-defined]  # its stubs forget it
        raise OpeningError("not opening hours such as 'Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off'") from error
    if unknown == "SH":
        raise OpeningError("school holidays (SH) are not known: write their dates, such as 'Jul 04-Aug 31 off'")
    if unknown:
        raise OpeningError(f"{unknown} is not known: write times, such as '08:00-19:00'")
    return opening_hours


def unknown_in(opening_hours: str) -> str:
    """Return the first word of opening hours that the library reads and does not know; empty when there is none."""
    # As the library writes them: `Sunrise` is `sunrise`.
    found = _UNKNOWN.search(_COMMENT.sub("", str(osm.OpeningHours(opening_hours, country=COUNTRY))))
    return found[0] if found else ""


@lru_cache(maxsize=8192)
def day_bounds(day: date, zone: ZoneInfo) -> Interval:
    """Return the local day: 23, 24 or 25 hours of real time."""
    return _midnight_ms(day, zone), _midnight_ms(day + timedelta(days=1), zone)


def day_of(at_ms: int, zone: ZoneInfo) -> date:
    """Return the local day in which an instant lies."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date()


def days_between(from_ms: int, to_ms: int, zone: ZoneInfo) -> list[date]:
    """Return the local days that the closed interval touches, in order; none if it ends before it starts."""
    first, last = day_of(from_ms, zone), day_of(to_ms, zone)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def public_holidays(first: date, last: date) -> list[date]:
    """Return the public holidays from a day to another, both included, in order."""
    zone = ZoneInfo("UTC")  # a calendar has none: any zone gives the same dates
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if opened("PH", zone, day)]


def hours_of(start_ms: int, end_ms: int) -> list[Interval]:
    """Return the hours of a local day, cut from its midnight in real time; the last may be shorter."""
    return [(at, min(at + HOUR_MS, end_ms)) for at in range(start_ms, end_ms, HOUR_MS)]


@lru_cache(maxsize=8192)
def opened(opening_hours: str, zone: ZoneInfo, day: date) -> tuple[Interval, ...]:
    """Return when a site is open on a local day, in order, without overlap, clipped to the day."""
    # Where clocks change at midnight, there is none or there are two: the library takes no time that never was.
    start_ms, end_ms = day_bounds(day, zone)
    start, end = (datetime.fromtimestamp(at // 1000, zone) for at in (start_ms, end_ms))
    intervals = [
        (a, b) for a, b, state, _ in _expression(opening_hours, zone).intervals(start, end) if state == osm.State.OPEN
    ]
    # Where midnight comes twice, the library means the second, and the day begins with the first.
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local, whichever it is
    found = ((start_ms if a.replace(tzinfo=None) == midnight else _ms(a), min(_ms(b), end_ms)) for a, b in intervals)
    return tuple((a, b) for a, b in found if a < b)


@lru_cache(maxsize=1024)
def _expression(opening_hours: str, zone: ZoneInfo) -> osm.OpeningHours:
    return osm.OpeningHours(opening_hours, timezone=zone, country=COUNTRY)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return _ms(datetime(day.year, day.month, day.day, tzinfo=zone))


def _ms(at: datetime) -> int:
    # Through UTC: subtraction of two times of one zone would ignore a change of its offset between them.
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
