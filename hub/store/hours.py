"""Reading the hours of one telecentre, its desks or its rooms pooled: what a page and most questions ask for.

The database adds them up, an eighth of the rows; what it cannot know (places of which nothing was heard, an hour that
is under way) is added here.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from hub.opening import Interval
from hub.store.connection import Connection
from hub.store.figures import (
    HOURS,
    LONGEST_DAY_MS,
    SETTLED_DAYS,
    Figures,
    PlaceDay,
    asked_of,
    counted,
    hour_rows,
    silent_hours,
)
from hub.store.register import CALENDAR, Calendar, calendar_of
from hub.store.rows import Kind, OccupancyRow
from hub.store.schema import statements

_SQL = statements("figures")


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
        return _added({}, (row[1:] for row in read_hours_apart(connection, site, kind, span, now_ms)))
    calendar, rows, settled = _asked(connection, _SQL["pooled_hours_of_site"], site, kind, span)
    if calendar is None:
        return []
    days, within = counted(calendar, span)
    found = {row[0]: HourRow._make(row) for row in rows if row[0] >= within[0]}
    return _added(found, silent_hours(calendar, kind, days, within, settled))


def read_hours_apart(connection: Connection, site: str, kind: Kind, span: Interval, now_ms: int) -> list[OccupancyRow]:
    """Return the same hours of each desk or room, in order of resource and start."""
    span = span[0], min(span[1], now_ms)
    calendar, rows, settled = _asked(connection, HOURS, site, kind, span)
    if calendar is None:
        return []
    return [row for row in hour_rows(calendar, kind, span, rows, settled, now_ms) if row.available_ms]


def _asked(
    connection: Connection, hours: str, site: str, kind: Kind, span: Interval
) -> tuple[Calendar | None, list[Any], list[PlaceDay]]:
    """Return the calendar of a site, its hours in a span, and of which places and days they are known."""
    if span[0] >= span[1]:
        return None, [], []
    key = asked_of(site, kind, span)
    register, rows, settled = connection.ask((CALENDAR, {"site": site}), (hours, key), (SETTLED_DAYS, key))
    return calendar_of(site, register), rows, settled


def _added(found: dict[int, HourRow], others: Iterable[Figures]) -> list[HourRow]:
    """Return the hours, in order, with what is known of other places added."""
    for resource, start_ms, end_ms, available_ms, observed_ms, occupied_ms, *_ in others:
        known = found.get(start_ms) or HourRow(start_ms, end_ms, 0, resource, 0, 0, 0)
        found[start_ms] = HourRow(
            start_ms,
            end_ms,
            known.resources + 1,
            min(known.resource, resource),
            known.available_ms + available_ms,
            known.observed_ms + observed_ms,
            known.occupied_ms + occupied_ms,
        )
    return [found[start_ms] for start_ms in sorted(found)]
