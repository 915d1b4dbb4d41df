"""Reading the hours of one telecentre, its desks or its rooms pooled: what a page and most questions ask for."""

from collections.abc import Iterable
from typing import NamedTuple

from hub.day_hours import Hour
from hub.opening import Interval
from hub.store.connection import Connection
from hub.store.figures import HOURS, LONGEST_DAY_MS, PackedHours, asked_of, hour_rows, hours_of_places
from hub.store.register import CALENDAR, Calendar, calendar_of
from hub.store.rows import Kind, OccupancyRow


class HourRow(NamedTuple):
    """The desks or the rooms of a site that were available in one hour, half-open: their times added up."""

    start_ms: int
    end_ms: int
    resources: int
    resource: str
    """The first of them."""
    available_ms: int
    observed_ms: int
    occupied_ms: int


def read_hours(connection: Connection, site: str, kind: Kind, span: Interval, now_ms: int) -> list[HourRow]:
    """Return the hours of a site that begin in `span`, none of them after `now_ms` or while it is closed, in order."""
    span = span[0], min(span[1], now_ms)
    if span[1] + LONGEST_DAY_MS > now_ms:
        apart = read_hours_apart(connection, site, kind, span, now_ms)
        return _pooled((row.resource, (row[2:],)) for row in apart)
    calendar, packed = _asked(connection, site, kind, span)
    return [] if calendar is None else _pooled(hours_of_places(calendar, kind, span, packed))


def read_hours_apart(connection: Connection, site: str, kind: Kind, span: Interval, now_ms: int) -> list[OccupancyRow]:
    """Return the same hours of each desk or room, in order of resource and start."""
    span = span[0], min(span[1], now_ms)
    calendar, packed = _asked(connection, site, kind, span)
    if calendar is None:
        return []
    return [row for row in hour_rows(calendar, kind, span, packed, now_ms) if row.available_ms]


def _asked(
    connection: Connection, site: str, kind: Kind, span: Interval
) -> tuple[Calendar | None, Iterable[PackedHours]]:
    """Return the calendar of a site, and what is stored of its hours around a span; nothing of a span that is none."""
    if span[0] >= span[1]:
        return None, ()
    register, packed = connection.ask((CALENDAR, {"site": site}), (HOURS, asked_of(site, kind, span)))
    return calendar_of(site, register), packed


def _pooled(places: Iterable[tuple[str, Iterable[Hour]]]) -> list[HourRow]:
    """Return hours of several places, given in order of resource, added up; those in which one was available."""
    found: dict[int, tuple[int, int, int, str, int, int, int]] = {}
    for resource, hours in places:
        for start, end, available, observed, occupied, _, _ in hours:
            if available:
                known = found.get(start) or (start, end, 0, resource, 0, 0, 0)
                sums = known[4] + available, known[5] + observed, known[6] + occupied
                found[start] = start, end, known[2] + 1, known[3], *sums
    return [HourRow._make(found[start]) for start in sorted(found)]
