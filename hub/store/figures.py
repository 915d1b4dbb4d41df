"""Reading the figures: what the tables hold, and the honest zero of days for which nothing was heard."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from hub.opening import Interval, day_bounds, day_of, days_between, hours_of, opened
from hub.store.connection import Connection
from hub.store.register import Calendar, Place, read_calendar
from hub.store.rows import Kind, OccupancyRow, Step
from hub.store.schema import statements

MAX_SPAN_DAYS = 3_700
"""The longest period of one question: ten years."""

UsageStep = Literal["hour", "day"]

_SQL = statements("figures")
_REGISTER = statements("register")


def read_occupancy(
    connection: Connection, site: str | None, kind: Kind, step: Step, span: Interval, now_ms: int
) -> list[OccupancyRow]:
    """Return the figures of one site or all that begin in `span`, none of them after `now_ms`."""
    names = [site] if site is not None else [row[0] for row in connection.execute(_REGISTER["sites"])]
    found: list[OccupancyRow] = []
    for name in sorted(names):
        calendar = read_calendar(connection, name)
        start, end = span[0], min(span[1], now_ms)
        if calendar is None or start >= end:
            continue
        rows = usage_rows(connection, calendar, kind, "hour" if step == "hour" else "day", (start, end), now_ms)
        rows = (row for row in rows if row.available_ms or step != "hour")
        found += _pooled_by_month(calendar, rows) if step == "month" else rows
    return found


def usage_rows(
    connection: Connection, calendar: Calendar, kind: Kind, step: UsageStep, span: Interval, now_ms: int
) -> Iterator[OccupancyRow]:
    """Yield the rows of one site in order of resource and start; hours in which it was closed, if they were in use."""
    if span[0] < span[1]:
        yield from (_counted(calendar, row, now_ms) for row in _rows(connection, calendar, kind, step, span))


def _rows(
    connection: Connection, calendar: Calendar, kind: Kind, step: UsageStep, span: Interval
) -> Iterator[OccupancyRow]:
    """Yield the rows of one site in order of resource and start, those of silent days among them."""
    days = days_between(span[0], span[1] - 1, calendar.zone)[-MAX_SPAN_DAYS:]
    key = {"site": calendar.site, "kind": kind, "from_day": days[0].isoformat(), "to_day": days[-1].isoformat()}
    stored: dict[str, list[OccupancyRow]] = {}
    heard: set[tuple[str, str]] = set()
    for resource, start, end, day, *figures in connection.execute(_SQL[f"{step}s_of_site"], key):
        stored.setdefault(resource, []).append(OccupancyRow(calendar.site, resource, start, end, *figures))
        heard.add((resource, day))
    if step == "hour":
        heard = {(row[0], row[3]) for row in connection.execute(_SQL["days_of_site"], key)}
    for place in calendar.places:
        if place.kind == kind:
            for day in days:
                if (place.resource, day.isoformat()) not in heard and _is_silent(calendar, place, day):
                    stored.setdefault(place.resource, []).extend(_silent(calendar, place.resource, day, step))
    for resource in sorted(stored):
        for row in sorted(stored[resource], key=lambda row: row.start_ms):
            if span[0] <= row.start_ms < span[1]:
                yield row


def _is_silent(calendar: Calendar, place: Place, day: date) -> bool:
    return calendar.since <= day.isoformat() and place.counts_on(day.isoformat())


def _silent(calendar: Calendar, resource: str, day: date, step: UsageStep) -> Iterator[OccupancyRow]:
    bounds = day_bounds(day, calendar.zone)
    for start, end in [bounds] if step == "day" else hours_of(*bounds):
        available_ms = _available(calendar, start, end)
        if available_ms or step == "day":
            yield OccupancyRow(calendar.site, resource, start, end, available_ms, 0, 0)


def _counted(calendar: Calendar, row: OccupancyRow, now_ms: int) -> OccupancyRow:
    """Return the row with no time available after now: an hour that has not come cannot have been missed."""
    if row.end_ms <= now_ms:
        return row
    to_come = _available(calendar, max(now_ms, row.start_ms), row.end_ms)
    return replace(row, available_ms=max(row.available_ms - to_come, row.observed_ms))


def _available(calendar: Calendar, start: int, end: int) -> int:
    """Return for how long the site is open in an interval of one local day."""
    day = day_of(end - 1, calendar.zone)
    intervals = opened(calendar.opening_hours(day.isoformat()), calendar.zone, day)
    return sum(max(0, min(b, end) - max(a, start)) for a, b in intervals)


def _pooled_by_month(calendar: Calendar, rows: Iterable[OccupancyRow]) -> Iterator[OccupancyRow]:
    def month(row: OccupancyRow) -> tuple[str, date]:
        return row.resource, day_of(row.start_ms, calendar.zone).replace(day=1)

    for (resource, first), group in groupby(rows, key=month):
        days = list(group)
        next_month = (first + timedelta(days=31)).replace(day=1)
        bounds = day_bounds(first, calendar.zone)[0], day_bounds(next_month, calendar.zone)[0]
        yield OccupancyRow(
            calendar.site,
            resource,
            *bounds,
            sum(day.available_ms for day in days),
            sum(day.observed_ms for day in days),
            sum(day.occupied_ms for day in days),
            sum(day.outside_ms for day in days),
            sum(day.ghost_ms for day in days),
        )
