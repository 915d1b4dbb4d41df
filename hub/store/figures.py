"""Reading the figures: what the tables hold, and the honest zero of days for which nothing was heard."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Literal

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

Figures = tuple[str, int, int, int, int, int, int, int]
"""What an `OccupancyRow` says after its site."""

PlaceDay = tuple[str, str]
"""A desk or room, and a local day."""

_BEGIN = itemgetter(2)
"""Of a site and figures: when their hour or day begins."""

_SQL = statements("figures")
HOURS, SETTLED_DAYS = _SQL["hours_of_site"], _SQL["settled_days_of_site"]
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
    rows: list[Figures] = connection.execute(_SQL[f"{step}s_of_site"], key).fetchall()
    if step == "hour":
        return hour_rows(calendar, kind, span, rows, connection.execute(SETTLED_DAYS, key).fetchall(), now_ms)
    days, within = counted(calendar, span)
    names = {day_bounds(day, calendar.zone)[0]: day.isoformat() for day in days}
    settled = {(row[0], names.get(row[1], "")) for row in rows}
    rows += [row for day in days for row in _silent(calendar, kind, step, day, settled)]
    return _in_order(calendar, rows, within, now_ms)


def hour_rows(
    calendar: Calendar, kind: Kind, span: Interval, rows: Sequence[Figures], settled: Iterable[PlaceDay], now_ms: int
) -> list[OccupancyRow]:
    """Return the hours of one site as `usage_rows` does, of what the statements `HOURS` and `SETTLED_DAYS` found."""
    days, within = counted(calendar, span)
    silent = silent_hours(calendar, kind, days, within, settled)
    return _in_order(calendar, chain(rows, silent), within, now_ms)


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


def silent_hours(
    calendar: Calendar, kind: Kind, days: Sequence[date], span: Interval, settled: Iterable[PlaceDay]
) -> list[Figures]:
    """Return the hours of open time, beginning in a span, of places of which nothing was heard on one of these days."""
    heard = set(settled)
    silent = (row for day in days for row in _silent(calendar, kind, "hour", day, heard))
    return [row for row in silent if span[0] <= row[1] < span[1]]


def _in_order(calendar: Calendar, rows: Iterable[Figures], span: Interval, now_ms: int) -> list[OccupancyRow]:
    """Return the rows of a span in order, what of them is under way with no time available after now."""
    # Place by place, each of which has its rows nearly in order: names are dear to compare, for a server as well.
    site, start_ms = (calendar.site,), span[0]
    places: defaultdict[str, list[tuple[str | int, ...]]] = defaultdict(list)
    for row in rows:
        if row[1] >= start_ms:
            places[row[0]].append(site + row)
    ordered = chain.from_iterable(sorted(places[name], key=_BEGIN) for name in sorted(places))
    # `_make` would count the columns of each row, which the statement has settled, in a line of ours.
    found = list(map(tuple.__new__, repeat(OccupancyRow), ordered))
    if span[1] + LONGEST_DAY_MS <= now_ms:
        return found
    return [row if row.end_ms <= now_ms else _counted(calendar, row, now_ms) for row in found]


def _silent(
    calendar: Calendar, kind: Kind, step: UsageStep, day: date, settled: set[tuple[str, str]]
) -> Iterator[Figures]:
    """Yield the rows of the places of which nothing was heard on a day that counts, `settled` being the others."""
    name = day.isoformat()
    resources = [
        place.resource
        for place in calendar.places
        if place.kind == kind and (place.resource, name) not in settled and place.counts_on(name)
    ]
    if not resources or name < calendar.since:
        return
    bounds = day_bounds(day, calendar.zone)
    for start, end in [bounds] if step == "day" else hours_of(*bounds):
        available_ms = _available(calendar, day, start, end)
        if available_ms or step == "day":
            yield from ((resource, start, end, available_ms, 0, 0, 0, 0) for resource in resources)


def _counted(calendar: Calendar, row: OccupancyRow, now_ms: int) -> OccupancyRow:
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
