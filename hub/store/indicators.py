"""Reading the indicators of telecentres, their desks and rooms, and zones, by any step.

Months that are over are read as they stand, one row a telecentre. Everything else is pooled from days (or hours), with
the honest zero of days for which nothing was heard.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.indicators import (
    Attendance,
    Outcome,
    Step,
    Usage,
    counted_bookings,
    crowd_of_day,
    day_after,
    first_day,
    pooled_crowd,
)
from hub.levels import NOTHING, Level, Peaks, peaks, profile, summed, unpack
from hub.opening import HOUR_MS, Interval, day_bounds, day_of, days_between, opened
from hub.sessions import Session, dwell
from hub.store.bookings import read_bookings
from hub.store.connection import Connection
from hub.store.figures import UsageStep, usage_rows
from hub.store.months import Bounds, read_whole_months
from hub.store.register import Calendar, read_calendar
from hub.store.rows import Asked, BookingRow, IndicatorRow, Kind, LevelRow, OccupancyRow, SessionRow
from hub.store.schema import statements

_SQL = statements("figures")


class _Pool(NamedTuple):
    """What is known of the desks or the rooms of one site together, in a day or an hour."""

    counts: Peaks | None
    """As they are kept for each day; None of an hour."""
    levels: Callable[[], Sequence[Level]]


@dataclass(slots=True)
class _Period:
    """What is known of one place in one period, before it is pooled."""

    start_ms: int
    end_ms: int
    usage: list[OccupancyRow] = field(default_factory=list)
    days: dict[str, tuple[Interval, list[_Pool]]] = field(default_factory=dict)
    """By local day: its bounds (of an hour: the hour's), and the pool of each site."""
    stays_ms: list[int | None] = field(default_factory=list)
    """How long each session lasted; None where that is not known."""
    bookings: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Question:
    kind: Kind
    step: Step
    bounds: Bounds
    now_ms: int


def read_indicators(
    connection: Connection,
    asked: Sequence[Asked],
    kind: Kind,
    step: Step,
    bounds: Bounds,
    *,
    now_ms: int,
    by_resource: bool = False,
) -> list[IndicatorRow]:
    """Return the indicators of each place asked for, in this order, by its periods in order of time.

    A period is of the days (or hours) that begin within the bounds. `by_resource` tells each desk or room apart.
    """
    question = _Question(kind, step, bounds, now_ms)
    alone = () if by_resource or step != "month" else (place.sites[0] for place in asked if place.level == "site")
    whole = read_whole_months(connection, set(alone), kind, bounds, now_ms)
    found: list[IndicatorRow] = []
    for place in asked:
        if place.level == "site" and (months := whole.get(place.place)):
            found += months
        elif by_resource:
            for site in place.sites:
                found += _resources(connection, site, question)
        else:
            found += _rows(place, _periods(connection, place.sites, question), kind)
    return found


def read_levels(connection: Connection, site: str, kind: Kind, span: Interval) -> list[LevelRow]:
    """Return the levels of the local days of a site that `span` touches, in order."""
    calendar = read_calendar(connection, site)
    if calendar is None:
        return []
    pools = _pools(connection, calendar, kind, span)
    return [LevelRow(site, day, *bounds, pool.counts or NOTHING) for day, bounds, pool in pools]


def read_sessions(connection: Connection, site: str, kind: Kind, span: Interval) -> list[SessionRow]:
    """Return the sessions of a site that began in `span`, in order of time."""
    key = {"site": site, "kind": kind, "start_ms": span[0], "end_ms": span[1]}
    return [
        SessionRow(site, resource, day, Session(*session))
        for resource, day, *session in connection.execute(_SQL["sessions_of_site"], key)
    ]


def _periods(connection: Connection, sites: Iterable[str], question: _Question) -> list[_Period]:
    """Return the periods of several sites together, in order of time."""
    found: dict[str | int, _Period] = {}
    told: ZoneInfo | None = None
    for site in sites:
        calendar = read_calendar(connection, site)
        if calendar is not None:
            told = told or calendar.zone
            _read_site(connection, calendar, question, (found, told))
    return sorted(found.values(), key=lambda period: period.start_ms)


def _read_site(
    connection: Connection, calendar: Calendar, question: _Question, periods: tuple[dict[str | int, _Period], ZoneInfo]
) -> None:
    """Add what is known of one site to the periods, which are told in a time zone."""
    found, told = periods
    span = _span(calendar, question)
    looked_up: dict[str | int, _Period] = {}  # by day or begin, which all places of a site have in common

    def period(at_ms: int, day: str | None = None) -> _Period:
        name = at_ms if day is None or question.step == "hour" else day
        known = looked_up.get(name)
        if known is None:
            known = looked_up[name] = _period(found, (calendar.zone, told), at_ms, question.step)
        return known

    for row in _usage_rows(connection, calendar, question, span):
        period(row.start_ms).usage.append(row)
    for _, day, start_ms, length_ms in _stays(connection, calendar.site, question, span):
        period(start_ms, day).stays_ms.append(length_ms)
    for booking in _bookings(connection, calendar.site, question, span):
        period(booking.start_ms, booking.day).bookings.append(booking.outcome)
    for day, bounds, pool in _pools(connection, calendar, question.kind, span):
        if question.step != "hour":
            _add_pool(period(bounds[0], day), day, bounds, pool)
            continue
        levels = pool.levels()
        begins = [level.at_ms for level in levels]
        for start in range(bounds[0], bounds[1], HOUR_MS):
            if (hour := found.get(start)) is not None:
                part = levels[max(0, bisect_right(begins, start) - 1) : bisect_left(begins, hour.end_ms) + 1]
                _add_pool(hour, day, (start, hour.end_ms), _Pool(None, partial(list, part)))


def _usage_rows(connection: Connection, calendar: Calendar, question: _Question, span: Interval) -> list[OccupancyRow]:
    step: UsageStep = "hour" if question.step == "hour" else "day"
    return usage_rows(connection, calendar, question.kind, step, span, question.now_ms)


def _stays(
    connection: Connection, site: str, question: _Question, span: Interval
) -> list[tuple[str, str, int, int | None]]:
    """Return place, day, begin and length of each session that began in the span; the length of closed ones alone."""
    key = {"site": site, "kind": question.kind, "start_ms": span[0], "end_ms": span[1]}
    return connection.execute(_SQL["stays_of_site"], key).fetchall()


def _bookings(connection: Connection, site: str, question: _Question, span: Interval) -> list[BookingRow]:
    return read_bookings(connection, site, span) if question.kind == "room" else []


def _span(calendar: Calendar, question: _Question) -> Interval:
    """Return from where to where the days (or hours) last that begin within the bounds, and not after now."""
    start, end = question.bounds(calendar.zone)
    end = min(end, question.now_ms)
    if start >= end:
        return start, start
    return _next_begin(start, calendar.zone, question.step), _next_begin(end, calendar.zone, question.step)


def _next_begin(at_ms: int, zone: ZoneInfo, step: Step) -> int:
    """Return when the first local day (or hour) begins that does not begin before an instant."""
    midnight, end = day_bounds(day_of(at_ms, zone), zone)
    if step == "hour":
        return min(midnight - (midnight - at_ms) // HOUR_MS * HOUR_MS, end)
    return midnight if at_ms == midnight else end


def _period(found: dict[str | int, _Period], zones: tuple[ZoneInfo, ZoneInfo], at_ms: int, step: Step) -> _Period:
    """Return the period in which an instant lies; of sites in several time zones, the days of one date are one day.

    `zones` are those by which the site's days begin, and by which the periods are told.
    """
    own, told = zones
    day = day_of(at_ms, own)
    if step == "hour":
        midnight, end = day_bounds(day, own)
        start = at_ms - (at_ms - midnight) % HOUR_MS
        return found.setdefault(start, _Period(start, min(start + HOUR_MS, end)))
    name, start, end = _around(day, told, step)
    return found.setdefault(name, _Period(start, end))


@lru_cache(maxsize=8192)
def _around(day: date, zone: ZoneInfo, step: Step) -> tuple[str, int, int]:
    """Return name, begin and end of the period of days in which a day lies."""
    first = first_day(day, step)
    return first.isoformat(), day_bounds(first, zone)[0], day_bounds(day_after(first, step), zone)[0]


def _add_pool(period: _Period, day: str, bounds: Interval, pool: _Pool) -> None:
    known, pools = period.days.setdefault(day, (bounds, []))
    pools.append(pool)
    period.days[day] = (min(known[0], bounds[0]), max(known[1], bounds[1])), pools


def _pools(
    connection: Connection, calendar: Calendar, kind: Kind, span: Interval
) -> Iterator[tuple[str, Interval, _Pool]]:
    """Yield the local days of a site that `span` touches, with what is known of its pool."""
    if span[0] >= span[1]:
        return
    first, last = (day_of(at, calendar.zone).isoformat() for at in (span[0], span[1] - 1))
    key = {"site": calendar.site, "kind": kind, "from_day": first, "to_day": last}
    silent = {day.isoformat(): day for day in days_between(span[0], span[1] - 1, calendar.zone)}
    for day, start, end, *counts, packed in connection.execute(_SQL["levels_of_site"], key):
        silent.pop(day, None)
        yield day, (start, end), _Pool(Peaks._make(counts), partial(unpack, packed, start))
    for name, local in silent.items():
        places = [place for place in calendar.places if place.kind == kind and place.counts_on(name)]
        if calendar.since <= name and places:
            # Nobody knows what was in use there: without it, a zone would seem to be known as a whole.
            hours = opened(calendar.opening_hours(name), calendar.zone, local)
            nobody = partial(profile, [()] * len(places), hours)
            yield name, day_bounds(local, calendar.zone), _Pool(NOTHING, nobody)


def _rows(place: Asked, periods: Iterable[_Period], kind: Kind) -> Iterator[IndicatorRow]:
    for period in periods:
        # By day: the first telecentre may have days that only another one had before.
        days = (period.days[day] for day in sorted(period.days))
        crowds = (crowd_of_day(_peaks(pools, bounds)) for bounds, pools in days)
        yield IndicatorRow(
            place=place.place,
            level=place.level,
            site=place.sites[0] if place.level == "site" else None,
            resource=None,
            resources=len({(row.site, row.resource) for row in period.usage}),
            start_ms=period.start_ms,
            end_ms=period.end_ms,
            usage=_usage(period.usage),
            crowd=pooled_crowd(crowds),
            attendance=_attendance(period.stays_ms),
            bookings=counted_bookings(period.bookings) if kind == "room" else None,
        )


def _peaks(pools: Sequence[_Pool], bounds: Interval) -> Peaks:
    """Return the counts of pools together; those of one site in one day are kept."""
    if len(pools) == 1 and pools[0].counts is not None:
        return pools[0].counts
    profiles = [pool.levels() for pool in pools]
    return peaks(profiles[0] if len(profiles) == 1 else summed(profiles), bounds)


def _usage(rows: Sequence[OccupancyRow]) -> Usage:
    if not rows:
        return Usage()
    *_, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms = zip(*rows, strict=True)
    return Usage(
        sum(available_ms),
        sum(observed_ms),
        sum(occupied_ms),
        sum(outside_ms),
        sum(ghost_ms),
        sum(1 for one in available_ms if one > 0),
    )


def _attendance(stays_ms: Sequence[int | None]) -> Attendance:
    lengths = dwell(length for length in stays_ms if length is not None)
    return Attendance(len(stays_ms), lengths.closed, lengths)


def _resources(connection: Connection, site: str, question: _Question) -> Iterator[IndicatorRow]:
    """Yield the indicators of each desk or room of a site."""
    calendar = read_calendar(connection, site)
    if calendar is None:
        return
    span, zones = _span(calendar, question), (calendar.zone, calendar.zone)
    found: dict[str, dict[str | int, _Period]] = {}
    for row in _usage_rows(connection, calendar, question, span):
        periods = found.setdefault(row.resource, {})
        _period(periods, zones, row.start_ms, question.step).usage.append(row)
    for resource, _, start_ms, length_ms in _stays(connection, site, question, span):
        periods = found.setdefault(resource, {})
        _period(periods, zones, start_ms, question.step).stays_ms.append(length_ms)
    for booking in _bookings(connection, site, question, span):
        periods = found.setdefault(booking.resource, {})
        _period(periods, zones, booking.start_ms, question.step).bookings.append(booking.outcome)
    place = Asked(site, "site", (site,))
    for resource, periods in sorted(found.items()):
        for told in _rows(place, sorted(periods.values(), key=lambda period: period.start_ms), question.kind):
            yield told._replace(level="resource", resource=resource, resources=1, crowd=None)
