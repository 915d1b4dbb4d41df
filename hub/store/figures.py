"""Reading the figures: what the tables hold, and the honest zero of days for which nothing was heard."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, repeat
from operator import itemgetter
from typing import Literal

from hub.day_hours import Hour, unpack_hours
from hub.opening import HOUR_MS, Interval, day_bounds, day_of, days_between, hours_of, opened
from hub.store.connection import Connection
from hub.store.register import Calendar, read_calendar
from hub.store.rows import Kind, OccupancyRow, Step
from hub.store.schema import statements

DAY_MS = 24 * HOUR_MS
ONE_DAY = timedelta(days=1)

MAX_SPAN_DAYS = 3_700
"""The longest period of one question: ten years."""

LONGEST_DAY_MS = 25 * HOUR_MS
"""What begins so long before now is over, an hour or a day."""

UsageStep = Literal["hour", "day"]

PlaceDay = tuple[str, str]
"""A desk or room, and a local day."""

PackedHours = tuple[str, str, bytes]
"""A desk or room, a local day, and its hours (`hub.day_hours`)."""

_PLACE_DAY = itemgetter(0)

_SQL = statements("figures")
HOURS = _SQL["hours_of_site"]
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
        if step == "month":
            found += _pooled_by_month(calendar, rows)
        else:
            found += rows if step == "day" else [row for row in rows if row.available_ms]
    return found


def usage_rows(
    connection: Connection, calendar: Calendar, kind: Kind, step: UsageStep, span: Interval, now_ms: int
) -> list[OccupancyRow]:
    """Return the rows of one site in order of resource and start; hours in which it was closed, if they were in use."""
    if span[0] >= span[1]:
        return []
    key = asked_of(calendar.site, kind, span)
    if step == "hour":
        return hour_rows(calendar, kind, span, connection.execute(HOURS, key), now_ms)
    rows: list[tuple[str, *Hour]] = connection.execute(_SQL["days_of_site"], key).fetchall()
    days, within = counted(calendar, span)
    names = {day_bounds(day, calendar.zone)[0]: day.isoformat() for day in days}
    settled = {(row[0], names.get(row[1], "")) for row in rows}
    for day in days:
        if silent := _silent(calendar, kind, day.isoformat(), settled):
            start, end = day_bounds(day, calendar.zone)
            nothing = (start, end, _available(calendar, day, start, end), 0, 0, 0, 0)
            rows += [(resource, *nothing) for resource in silent]
    found = [OccupancyRow(calendar.site, *row) for row in sorted(rows) if within[0] <= row[1]]
    return _counted(calendar, found, span[1], now_ms)


def hour_rows(
    calendar: Calendar, kind: Kind, span: Interval, packed: Iterable[PackedHours], now_ms: int
) -> list[OccupancyRow]:
    """Return the hours of one site as `usage_rows` does, of what the statement `HOURS` found."""
    rows: list[OccupancyRow] = []
    for resource, hours in hours_of_places(calendar, kind, span, packed):
        # `_make` would count the columns of each row, which the format has settled, in a line of ours.
        rows.extend(map(tuple.__new__, repeat(OccupancyRow), map((calendar.site, resource).__add__, hours)))
    return _counted(calendar, rows, span[1], now_ms)


def hours_of_places(
    calendar: Calendar, kind: Kind, span: Interval, packed: Iterable[PackedHours]
) -> Iterator[tuple[str, Iterable[Hour]]]:
    """Yield each desk or room and its hours of one day that begin in a span, in order of resource and day."""
    days, within = counted(calendar, span)
    found: dict[PlaceDay, Iterable[Hour]] = {(resource, day): unpack_hours(hours) for resource, day, hours in packed}
    for day in days:
        name = day.isoformat()
        if silent := _silent(calendar, kind, name, found.keys()):
            found |= dict.fromkeys(((resource, name) for resource in silent), _unheard(calendar, day))
    first, last = days[0].isoformat(), days[-1].isoformat()
    for (resource, name), hours in sorted(found.items(), key=_PLACE_DAY):
        is_inside = first < name < last
        yield resource, hours if is_inside else [hour for hour in hours if within[0] <= hour[0] < within[1]]


def asked_of(site: str, kind: Kind, span: Interval) -> Mapping[str, str | int]:
    """Return the values of a statement about rows of one site that begin in a span.

    Nothing is known of the site yet: days are those of any time zone, and one more than ten years goes back.
    """
    start_ms, end_ms = max(span[0], span[1] - (MAX_SPAN_DAYS + 2) * DAY_MS), span[1]
    first, last = (datetime.fromtimestamp(at_ms / 1000, UTC).date() for at_ms in (start_ms, end_ms - 1))
    around = {"from_day": (first - ONE_DAY).isoformat(), "to_day": (last + ONE_DAY).isoformat()}
    return {"site": site, "kind": kind, "start_ms": start_ms, "end_ms": end_ms, **around}


def counted(calendar: Calendar, span: Interval) -> tuple[list[date], Interval]:
    """Return the local days of a span, ten years at most, and the span from the first of them on."""
    start_ms = max(span[0], span[1] - (MAX_SPAN_DAYS + 2) * DAY_MS)
    days = days_between(start_ms, span[1] - 1, calendar.zone)[-MAX_SPAN_DAYS:]
    return days, (max(start_ms, day_bounds(days[0], calendar.zone)[0]), span[1])


def _silent(calendar: Calendar, kind: Kind, day: str, settled: Container[PlaceDay]) -> list[str]:
    """Return the places of which nothing was heard on a day that counts, `settled` being the others."""
    if day < calendar.since:
        return []
    return [
        place.resource
        for place in calendar.places
        if place.kind == kind and (place.resource, day) not in settled and place.counts_on(day)
    ]


def _unheard(calendar: Calendar, day: date) -> list[Hour]:
    """Return the hours of open time of a day, of which nothing is known."""
    hours = hours_of(*day_bounds(day, calendar.zone))
    found = ((start, end, _available(calendar, day, start, end)) for start, end in hours)
    return [(start, end, available_ms, 0, 0, 0, 0) for start, end, available_ms in found if available_ms]


def _counted(calendar: Calendar, rows: list[OccupancyRow], end_ms: int, now_ms: int) -> list[OccupancyRow]:
    """Return the rows, what of them is under way with no time available after now."""
    if end_ms + LONGEST_DAY_MS <= now_ms:
        return rows
    return [row if row.end_ms <= now_ms else _until(calendar, row, now_ms) for row in rows]


def _until(calendar: Calendar, row: OccupancyRow, now_ms: int) -> OccupancyRow:
    """Return the row with no time available after now: an hour that has not come cannot have been missed."""
    day = day_of(row.end_ms - 1, calendar.zone)
    to_come = _available(calendar, day, max(now_ms, row.start_ms), row.end_ms)
    return row._replace(available_ms=max(row.available_ms - to_come, row.observed_ms))


def _available(calendar: Calendar, day: date, start: int, end: int) -> int:
    """Return for how long the site is open in an interval of one local day."""
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
