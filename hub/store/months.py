"""Reading local months that are over as they stand: one row a telecentre, for thousands of them at once."""

from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from struct import Struct
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

_TOLD = Struct("<i iqqqqqi iqiiqqq iiii ddq iii")
"""Which of the values are unknown, a bit each; then the columns of a month from `resources` on: `integer` as i,
`bigint` as q, `double precision` as d. In the order of Usage, Peaks, Crowd, Attendance, Dwell and Bookings."""


def packed(told: Sequence[float | None]) -> bytes:
    """Return the columns of a month from `resources` on as one value, from which months of thousands are read."""
    unknown = sum(1 << number for number, value in enumerate(told) if value is None)
    return _TOLD.pack(unknown, *(value or 0 for value in told))


def unpacked(told: Iterable[bytes]) -> list[tuple[Any, ...]]:
    """Return what was packed, behind which of it is unknown."""
    return [row if not row[0] else _partly(row) for row in _TOLD.iter_unpack(b"".join(told))]


def _partly(row: tuple[Any, ...]) -> tuple[Any, ...]:
    unknown, *told = row
    return (unknown, *(None if unknown >> number & 1 else value for number, value in enumerate(told)))


def read_whole_months(
    connection: Connection, sites: Collection[str], kind: Kind, bounds: Bounds, now_ms: int
) -> Mapping[str, Sequence[IndicatorRow]]:
    """Return the months of each site of which every month that was asked for is over and has every day."""
    if len(sites) > FEW_SITES:
        return _months_of_many(connection, sites, kind, bounds, now_ms)
    found: dict[str, Sequence[IndicatorRow]] = {}
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
        for month, first, last, days, told in connection.execute(_SQL["months_of_site"], key).fetchall()
        if _is_whole(since, month, first, last, days)
        for row in _month_rows([site], [told], months[month], kind)
    ]


def _months_of_many(
    connection: Connection, sites: Collection[str], kind: Kind, bounds: Bounds, now_ms: int
) -> dict[str, tuple[IndicatorRow, ...]]:
    """Return the months of sites of which every month is whole: a statement a month, for all that have its bounds."""
    found: dict[str, tuple[IndicatorRow, ...]] = {}
    zones = [row[0] for row in connection.execute(_SQL["time_zones"]).fetchall()]
    for months in {tuple(_months_asked(ZoneInfo(zone), bounds, now_ms).items()) for zone in zones}:
        whole: dict[str, tuple[IndicatorRow, ...]] = {}
        for number, (month, (start, end)) in enumerate(months):
            days = monthrange(*date.fromisoformat(month).timetuple()[:2])[1]
            key = {"kind": kind, "month": month, "start_ms": start, "end_ms": end, "days": days}
            stored = [row for row in connection.execute(_SQL["whole_months"], key).fetchall() if row[0] in sites]
            names = list(map(itemgetter(0), stored))
            months_told = _month_rows(names, map(itemgetter(1), stored), (start, end), kind)
            rows = zip(names, zip(months_told, strict=True), strict=True)
            whole = {site: (*whole[site], *row) for site, row in rows if site in whole} if number else dict(rows)
        found |= whole
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


def _month_rows(sites: Sequence[str], told: Iterable[bytes], bounds: Interval, kind: Kind) -> Iterator[IndicatorRow]:
    """Yield what stored months of these sites say."""
    months = unpacked(told)

    def column(number: int) -> Iterator[Any]:
        return map(itemgetter(number), months)

    def columns(first: int, end: int) -> Iterator[Any]:
        return map(itemgetter(slice(first, end)), months)

    # Thousands at once: a tuple is made from a tuple, and no line of ours runs for each row.
    new = tuple.__new__
    usage = map(new, repeat(Usage), columns(2, 8))
    crowd = map(new, repeat(Crowd), zip(map(new, repeat(Peaks), columns(8, 15)), column(15), column(16), strict=True))
    dwell = map(new, repeat(Dwell), columns(18, 22))
    attendance = map(new, repeat(Attendance), zip(column(17), column(18), dwell, strict=True))
    bookings = map(new, repeat(Bookings), columns(22, 25)) if kind == "room" else repeat(None)
    place = (sites, repeat("site"), sites, repeat(None), column(1), repeat(bounds[0]), repeat(bounds[1]))
    return map(new, repeat(IndicatorRow), zip(*place, usage, crowd, attendance, bookings, strict=False))
