"""Reading the indicators of telecentres, their desks and rooms, and zones, by any step.

Months that are over are read as they stand, one row a telecentre. Everything else is pooled from days (or hours), with
the honest zero of days for which nothing was heard.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hub.indicators import (
    Attendance,
    Bookings,
    Crowd,
    Outcome,
    Step,
    Usage,
    counted_bookings,
    crowd_of_day,
    day_after,
    first_day,
    pooled_crowd,
    pooled_usage,
)
from hub.levels import NOTHING, Level, Peaks, peaks, profile, summed, unpack
from hub.opening import HOUR_MS, Interval, day_bounds, day_of, days_between, opened
from hub.sessions import Dwell, Session, dwell
from hub.store.bookings import read_bookings
from hub.store.connection import Connection
from hub.store.figures import MAX_SPAN_DAYS, UsageStep, usage_rows
from hub.store.register import Calendar, read_calendar
from hub.store.rows import Asked, BookingRow, IndicatorRow, Kind, LevelRow, OccupancyRow, SessionRow
from hub.store.schema import statements

Bounds = Callable[[ZoneInfo], Interval]
"""What is asked for, half-open, as a time zone understands it."""

FEW_SITES = 50
"""Up to so many, the months of each are asked for alone."""

_SQL = statements("figures")


@dataclass(slots=True)
class _Period:
    """What is known of one place in one period, before it is pooled."""

    start_ms: int
    end_ms: int
    usage: list[OccupancyRow] = field(default_factory=list)
    days: dict[str, tuple[Interval, list[Sequence[Level]]]] = field(default_factory=dict)
    """By local day: its bounds (of an hour: the hour's), and the profile of each site."""
    sessions: list[Session] = field(default_factory=list)
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
    whole = {} if by_resource or step != "month" else _whole_months(connection, asked, question)
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
    rows = _levels(connection, calendar, kind, span)
    return [LevelRow(site, day, *bounds, counts) for day, bounds, counts, _ in rows]


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
    for site in sites:
        calendar = read_calendar(connection, site)
        if calendar is not None:
            _read_site(connection, calendar, question, found)
    return sorted(found.values(), key=lambda period: period.start_ms)


def _read_site(
    connection: Connection, calendar: Calendar, question: _Question, found: dict[str | int, _Period]
) -> None:
    """Add what is known of one site to the periods."""
    span = _span(calendar, question)
    periods: dict[int, _Period] = {}  # by the start of a row, which all places have in common
    for row in _usage_rows(connection, calendar, question, span):
        if row.start_ms not in periods:
            periods[row.start_ms] = _period(found, calendar, row.start_ms, question.step)
        periods[row.start_ms].usage.append(row)
    for one in read_sessions(connection, calendar.site, question.kind, span):
        _period(found, calendar, one.session.start_ms, question.step).sessions.append(one.session)
    for booking in _bookings(connection, calendar.site, question, span):
        _period(found, calendar, booking.start_ms, question.step).bookings.append(booking.outcome)
    for day, bounds, _, levels in _levels(connection, calendar, question.kind, span):
        if question.step != "hour":
            _add_levels(_period(found, calendar, bounds[0], question.step), day, bounds, levels)
            continue
        begins = [level.at_ms for level in levels]
        for start in range(bounds[0], bounds[1], HOUR_MS):
            if (hour := found.get(start)) is not None:
                part = levels[max(0, bisect_right(begins, start) - 1) : bisect_left(begins, hour.end_ms) + 1]
                _add_levels(hour, day, (start, hour.end_ms), part)


def _usage_rows(connection: Connection, calendar: Calendar, question: _Question, span: Interval) -> list[OccupancyRow]:
    step: UsageStep = "hour" if question.step == "hour" else "day"
    return usage_rows(connection, calendar, question.kind, step, span, question.now_ms)


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


def _period(found: dict[str | int, _Period], calendar: Calendar, at_ms: int, step: Step) -> _Period:
    """Return the period in which an instant lies; of sites in several time zones, the days of one date are one day."""
    day = day_of(at_ms, calendar.zone)
    if step == "hour":
        midnight, end = day_bounds(day, calendar.zone)
        start = at_ms - (at_ms - midnight) % HOUR_MS
        return found.setdefault(start, _Period(start, min(start + HOUR_MS, end)))
    first = first_day(day, step)
    period = found.get(first.isoformat())
    if period is None:
        start = day_bounds(first, calendar.zone)[0]
        period = found[first.isoformat()] = _Period(start, day_bounds(day_after(first, step), calendar.zone)[0])
    return period


def _add_levels(period: _Period, day: str, bounds: Interval, levels: Sequence[Level]) -> None:
    known, profiles = period.days.setdefault(day, (bounds, []))
    profiles.append(levels)
    period.days[day] = (min(known[0], bounds[0]), max(known[1], bounds[1])), profiles


def _levels(
    connection: Connection, calendar: Calendar, kind: Kind, span: Interval
) -> Iterator[tuple[str, Interval, Peaks, Sequence[Level]]]:
    """Yield the local days of a site that `span` touches, with their levels."""
    if span[0] >= span[1]:
        return
    first, last = (day_of(at, calendar.zone).isoformat() for at in (span[0], span[1] - 1))
    key = {"site": calendar.site, "kind": kind, "from_day": first, "to_day": last}
    silent = {day.isoformat(): day for day in days_between(span[0], span[1] - 1, calendar.zone)}
    for day, start, end, *counts, packed in connection.execute(_SQL["levels_of_site"], key):
        silent.pop(day, None)
        yield day, (start, end), Peaks(*counts), unpack(packed, start)
    for name, local in silent.items():
        places = [place for place in calendar.places if place.kind == kind and place.counts_on(name)]
        if calendar.since <= name and places:
            # Nobody knows what was in use there: without it, a zone would seem to be known as a whole.
            hours = opened(calendar.opening_hours(name), calendar.zone, local)
            yield name, day_bounds(local, calendar.zone), NOTHING, profile([()] * len(places), hours)


def _rows(place: Asked, periods: Iterable[_Period], kind: Kind) -> Iterator[IndicatorRow]:
    for period in periods:
        # By day: the first telecentre may have days that only another one had before.
        days = (period.days[day] for day in sorted(period.days))
        crowds = (crowd_of_day(peaks(_common(levels), bounds)) for bounds, levels in days)
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
            attendance=_attendance(period.sessions),
            bookings=counted_bookings(period.bookings) if kind == "room" else None,
        )


def _common(profiles: Sequence[Sequence[Level]]) -> Sequence[Level]:
    return profiles[0] if len(profiles) == 1 else summed(profiles)


def _usage(rows: Iterable[OccupancyRow]) -> Usage:
    return pooled_usage(
        Usage(
            row.available_ms, row.observed_ms, row.occupied_ms, row.outside_ms, row.ghost_ms, int(row.available_ms > 0)
        )
        for row in rows
    )


def _attendance(sessions: Sequence[Session]) -> Attendance:
    lengths = dwell(one.end_ms - one.start_ms for one in sessions if one.is_closed)
    return Attendance(len(sessions), lengths.closed, lengths)


def _resources(connection: Connection, site: str, question: _Question) -> Iterator[IndicatorRow]:
    """Yield the indicators of each desk or room of a site."""
    calendar = read_calendar(connection, site)
    if calendar is None:
        return
    span = _span(calendar, question)
    found: dict[str, dict[str | int, _Period]] = {}
    for row in _usage_rows(connection, calendar, question, span):
        periods = found.setdefault(row.resource, {})
        _period(periods, calendar, row.start_ms, question.step).usage.append(row)
    for one in read_sessions(connection, site, question.kind, span):
        periods = found.setdefault(one.resource, {})
        _period(periods, calendar, one.session.start_ms, question.step).sessions.append(one.session)
    for booking in _bookings(connection, site, question, span):
        periods = found.setdefault(booking.resource, {})
        _period(periods, calendar, booking.start_ms, question.step).bookings.append(booking.outcome)
    place = Asked(site, "site", (site,))
    for resource, periods in sorted(found.items()):
        for told in _rows(place, sorted(periods.values(), key=lambda period: period.start_ms), question.kind):
            yield told._replace(level="resource", resource=resource, resources=1, crowd=None)


def _whole_months(connection: Connection, asked: Sequence[Asked], question: _Question) -> dict[str, list[IndicatorRow]]:
    """Return the months of each site of which every month that was asked for is over and has every day."""
    sites = {place.sites[0] for place in asked if place.level == "site"}
    if len(sites) > FEW_SITES:
        return _months_of_many(connection, sites, question)
    found: dict[str, list[IndicatorRow]] = {}
    for site in sites:
        for _, time_zone, since in connection.execute(_SQL["register_of_site"], {"site": site}):
            months = _months_asked(ZoneInfo(time_zone), question)
            rows = _months_of_one(connection, site, since, months, question.kind) if months else []
            if rows and len(rows) == len(months):
                found[site] = rows
    return found


def _months_of_one(
    connection: Connection, site: str, since: str, months: Mapping[str, Interval], kind: Kind
) -> list[IndicatorRow]:
    """Return the months of one site that are whole, in order of time."""
    key = {"site": site, "kind": kind, "first": min(months), "last": max(months)}
    return [
        row
        for month, first, last, days, *stored in connection.execute(_SQL["months_of_site"], key)
        if _is_whole(since, month, first, last, days)
        for row in _month_rows([stored], months[month], kind)
    ]


def _months_of_many(
    connection: Connection, sites: Collection[str], question: _Question
) -> dict[str, list[IndicatorRow]]:
    """Return the months of sites of which every month is whole: a statement a month, for all that have its bounds."""
    found: dict[str, list[IndicatorRow]] = {}
    zones = [row[0] for row in connection.execute(_SQL["time_zones"])]
    of_zones = {tuple(_months_asked(ZoneInfo(zone), question).items()) for zone in zones}
    for months in of_zones:
        own: dict[str, list[IndicatorRow]] = {}
        for month, (start, end) in months:
            days = monthrange(*date.fromisoformat(month).timetuple()[:2])[1]
            key = {"kind": question.kind, "month": month, "start_ms": start, "end_ms": end, "days": days}
            stored = [row for row in connection.execute(_SQL["whole_months"], key).fetchall() if row[0] in sites]
            for row in _month_rows(stored, (start, end), question.kind):
                own.setdefault(row.place, []).append(row)
        found |= {site: rows for site, rows in own.items() if len(rows) == len(months)}
    return found


def _months_asked(zone: ZoneInfo, question: _Question) -> dict[str, Interval]:
    """Return the months asked for, each by its first day with its bounds; none unless all are whole and over."""
    start, end = question.bounds(zone)
    if start >= end or end > question.now_ms or end - start > MAX_SPAN_DAYS * 24 * HOUR_MS:
        return {}
    first, at_ms = day_of(start, zone), start
    months: dict[str, Interval] = {}
    while at_ms < end:
        following = day_after(first, "month")
        months[first.isoformat()] = bounds = day_bounds(first, zone)[0], day_bounds(following, zone)[0]
        if first.day != 1 or bounds[0] != at_ms:
            return {}
        first, at_ms = following, bounds[1]
    return months if at_ms == end else {}


@lru_cache(maxsize=1024)
def _is_whole(since: str, month: str, first: str, last: str, days: int) -> bool:
    """Return whether a month has every local day that counts: none for which nothing was heard is missing."""
    begins, ends = date.fromisoformat(first), date.fromisoformat(last)
    last_of_all = day_after(date.fromisoformat(month), "month") - timedelta(days=1)
    has_begin = first == month or since >= first
    return has_begin and ends == last_of_all and (ends - begins).days + 1 == days


def _month_rows(stored: Iterable[Sequence[Any]], bounds: Interval, kind: Kind) -> list[IndicatorRow]:
    """Return what the columns of stored months say, which the statements `whole_months` and `months_of_site` name."""
    start, end = bounds
    # Thousands at once: `_make` would count the columns of each row anew.
    new = tuple.__new__
    return [
        new(
            IndicatorRow,
            (
                *(row[0], "site", row[0], None, row[1], start, end),
                new(Usage, row[2:8]),
                new(Crowd, (new(Peaks, row[8:15]), row[15], row[16])),
                new(Attendance, (row[17], row[18], new(Dwell, row[18:22]))),
                new(Bookings, row[22:25]) if kind == "room" else None,
            ),
        )
        for row in stored
    ]
