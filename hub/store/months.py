"""Reading local months that are over as they stand: one row a telecentre, for thousands of them at once."""

from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hub.indicators import Attendance, Bookings, Crowd, Usage, day_after
from hub.levels import Peaks
from hub.opening import HOUR_MS, Interval, day_bounds, day_of
from hub.sessions import Dwell
from hub.store.connection import Connection
from hub.store.figures import MAX_SPAN_DAYS
from hub.store.rows import IndicatorRow, Kind
from hub.store.schema import statements

Bounds = Callable[[ZoneInfo], Interval]
"""What is asked for, half-open, as a time zone understands it."""

FEW_SITES = 50
"""Up to so many, the months of each are asked for alone."""

_SQL = statements("figures")


def read_whole_months(
    connection: Connection, sites: Collection[str], kind: Kind, bounds: Bounds, now_ms: int
) -> dict[str, list[IndicatorRow]]:
    """Return the months of each site of which every month that was asked for is over and has every day."""
    if len(sites) > FEW_SITES:
        return _months_of_many(connection, sites, kind, bounds, now_ms)
    found: dict[str, list[IndicatorRow]] = {}
    for site in sites:
        for time_zone, since in connection.execute(_SQL["register_of_site"], {"site": site}).fetchall():
            months = _months_asked(ZoneInfo(time_zone), bounds, now_ms)
            rows = _months_of_one(connection, site, since, months, kind) if months else []
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
    connection: Connection, sites: Collection[str], kind: Kind, bounds: Bounds, now_ms: int
) -> dict[str, list[IndicatorRow]]:
    """Return the months of sites of which every month is whole: a statement a month, for all that have its bounds."""
    found: dict[str, list[IndicatorRow]] = {}
    zones = [row[0] for row in connection.execute(_SQL["time_zones"])]
    of_zones = {tuple(_months_asked(ZoneInfo(zone), bounds, now_ms).items()) for zone in zones}
    for months in of_zones:
        own: dict[str, list[IndicatorRow]] = {}
        for month, (start, end) in months:
            days = monthrange(*date.fromisoformat(month).timetuple()[:2])[1]
            key = {"kind": kind, "month": month, "start_ms": start, "end_ms": end, "days": days}
            stored = [row for row in connection.execute(_SQL["whole_months"], key).fetchall() if row[0] in sites]
            for row in _month_rows(stored, (start, end), kind):
                own.setdefault(row.place, []).append(row)
        found |= {site: rows for site, rows in own.items() if len(rows) == len(months)}
    return found


def _months_asked(zone: ZoneInfo, asked: Bounds, now_ms: int) -> dict[str, Interval]:
    """Return the months asked for, each by its first day with its bounds; none unless all are whole and over."""
    start, end = asked(zone)
    if start >= end or end > now_ms or end - start > MAX_SPAN_DAYS * 24 * HOUR_MS:
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
