"""What `from` and `to` mean: a date is local midnight at the site, an instant carries its offset. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from hub.indicators import Step as PeriodStep
from hub.indicators import day_after, first_day
from hub.routes.context import QueryError
from hub.routes.figures import Figure
from hub.store import Kind, OccupancyRow, Site, Step, Store
from hub.store.months import Bounds

_LOST_PLUS = re.compile(r"(T[0-9:.]+) (\d\d:?\d\d)$")
"""An address turns an unescaped `+` into a space; nothing else can stand there."""

DAY_MS = 86_400_000

STEP_MS: dict[str, int] = {
    "hour": 3_600_000,
    "day": DAY_MS,
    "week": 7 * DAY_MS,
    "month": 28 * DAY_MS,
    "quarter": 90 * DAY_MS,
    "year": 365 * DAY_MS,
}
"""The shortest that a period of each step lasts, but for the night on which summer time begins."""

MAX_FIGURES = 100_000
"""A table that a spreadsheet opens and one process holds in some 20 MB; who needs more asks in parts."""

MAX_PLACE_DAYS = 650_000
"""Desks, rooms or doors times days that one question reads: a month of 20,000 desks, and most of a minute."""

MAX_SPAN_MS = 3_700 * 86_400_000
"""The longest period of one question: ten years, as the store has it."""

FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2200, 1, 1)
"""Telecentres came later and these figures will not be asked for then; a mistyped year is."""


def parse_bound(field: str, text: str) -> date | datetime:
    """Return the date or the aware instant that one side of a period names.

    Raises:
        QueryError: it is neither, or an instant without its offset, or far from any telecentre's life.
    """
    try:
        bound = date.fromisoformat(text) if len(text) <= len("2026-11-21") else _instant(field, text)
    except ValueError as error:
        if isinstance(error, QueryError):
            raise
        raise QueryError(
            field, f"'{field}' must be a date such as 2026-11-21 or an instant such as 2026-11-21T08:00:00+01:00."
        ) from error
    day = bound.date() if isinstance(bound, datetime) else bound
    if not FIRST_DAY <= day <= LAST_DAY:
        raise QueryError(field, f"'{field}' must lie between {FIRST_DAY} and {LAST_DAY}.")
    return bound


def _instant(field: str, text: str) -> datetime:
    moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
    if moment.tzinfo is None:
        raise QueryError(field, f"'{field}' is an instant and needs its offset, such as Z or +01:00.")
    return moment


def bound_ms(bound: date | datetime, zone: ZoneInfo) -> int:
    """Return a bound in UTC milliseconds; a date begins at its local midnight."""
    moment = bound if isinstance(bound, datetime) else datetime.combine(bound, time(), zone)
    return int(moment.timestamp() * 1000)


def bounds_in(start: date | datetime, end: date | datetime) -> Bounds:
    """Return what says of a time zone from where to where a period lasts there."""
    return lambda zone: (bound_ms(start, zone), bound_ms(end, zone))


def check_period(
    zones: Iterable[ZoneInfo],
    start: date | datetime,
    end: date | datetime,
    now_ms: int,
    step: str,
    places: int,
    most: int = MAX_FIGURES,
) -> None:
    """Refuse a period that ends before it begins, that has not begun, or whose answer would have no end.

    `zones` are those of the sites that are asked; `places` is how many figures each step will have, `most` how many
    one answer may have.

    Raises:
        QueryError: for `from` or for `step`.
    """
    asked = set(zones) or {ZoneInfo("UTC")}
    lengths_ms = [bound_ms(end, zone) - bound_ms(start, zone) for zone in asked]
    if min(lengths_ms) < 0:
        raise QueryError("from", "'from' must not be after 'to': exchange the two.")
    check_begun("from", asked, start, now_ms)
    if max(lengths_ms) > MAX_SPAN_MS:
        raise QueryError("from", "'from' and 'to' must be at most ten years apart: ask in parts.")
    if (max(lengths_ms) // STEP_MS[step] + 1) * max(places, 1) > most:
        message = f"This would be more than {most} figures: ask for one site or zone, or a coarser 'step'."
        raise QueryError("step", message)


def check_begun(field: str, zones: Collection[ZoneInfo], start: date | datetime, now_ms: int) -> None:
    """Refuse a period that has begun in none of these time zones.

    Raises:
        QueryError: for `field`.
    """
    if all(bound_ms(start, zone) > now_ms for zone in zones):
        message = f"'{field}' is in the future, and there are no figures of it yet: ask from today or before."
        raise QueryError(field, message, text="page.not_begun")


def places_of(sites: Sequence[Site], kind: Kind) -> int:
    """Return how many desks or rooms these sites have."""
    return sum(len(site.desks if kind == "desk" else site.rooms) for site in sites)


def check_reading(
    sites: Sequence[Site], kind: Kind, first: date | datetime, last: date | datetime, step: str = "day"
) -> None:
    """Refuse what would read more days of desks or rooms than one question may; by the hour, a day is as many as 24.

    Raises:
        QueryError: for `to`.
    """
    places = places_of(sites, kind) * (24 if step == "hour" else 1)
    if not _is_readable(sites, places, first, last):
        raise QueryError("to", "'from' and 'to' are too far apart for so many places: ask for one zone, or in parts.")


def check_doors(sites: Sequence[Site], first: date | datetime, last: date | datetime) -> None:
    """Refuse what would read more days of doors than one question may.

    Raises:
        QueryError: for `to`.
    """
    if not _is_readable(sites, sum(len(site.doors) for site in sites), first, last):
        remedy = "ask for one zone, or in parts by a shorter 'step', and add up"
        raise QueryError("to", f"'from' and 'to' are too far apart for so many doors: {remedy}.")


def _is_readable(sites: Sequence[Site], places: int, first: date | datetime, last: date | datetime) -> bool:
    lengths_ms = [bound_ms(last, zone) - bound_ms(first, zone) for zone in {site.zone for site in sites}]
    return places * max(lengths_ms, default=0) <= MAX_PLACE_DAYS * DAY_MS


def rows_between(
    store: Store, sites: Sequence[Site], kind: Kind, step: PeriodStep, start: date | datetime, end: date | datetime
) -> list[OccupancyRow]:
    """Return the rows of these sites, each for the period as its own time zone understands it."""
    kept: Step = step if step in ("hour", "day", "month") else "day"
    rows: list[OccupancyRow] = []
    for name in dict.fromkeys(site.time_zone for site in sites):
        members = {site.id for site in sites if site.time_zone == name}
        zone = ZoneInfo(name)
        asked = sites[0].id if len(sites) == 1 else None
        found = store.occupancy(asked, kind, kept, bound_ms(start, zone), bound_ms(end, zone))
        own = [row for row in found if row.site in members]
        rows += own if step == kept else _pooled_days(own, step, zone)
    return rows


def hours_between(store: Store, site: Site, kind: Kind, start: date | datetime, end: date | datetime) -> list[Figure]:
    """Return the hours of one site, its desks or rooms pooled, in order of time."""
    rows = store.hours(site.id, kind, bound_ms(start, site.zone), bound_ms(end, site.zone))
    return [
        Figure(
            site=site.id,
            resource=row.resource if row.resources == 1 else None,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            resources=row.resources,
            available_ms=row.available_ms,
            observed_ms=row.observed_ms,
            occupied_ms=row.occupied_ms,
        )
        for row in rows
    ]


def _pooled_days(days: Iterable[OccupancyRow], step: PeriodStep, zone: ZoneInfo) -> Iterator[OccupancyRow]:
    """Yield the days of each desk or room pooled by local week, quarter or year, in their order."""

    def period(row: OccupancyRow) -> tuple[str, str, date]:
        return row.site, row.resource, first_day(local_day(row.start_ms, zone), step)

    for (*_, first), group in groupby(days, key=period):
        rows = list(group)
        yield rows[0]._replace(
            start_ms=bound_ms(first, zone),
            end_ms=bound_ms(day_after(first, step), zone),
            available_ms=sum(row.available_ms for row in rows),
            observed_ms=sum(row.observed_ms for row in rows),
            occupied_ms=sum(row.occupied_ms for row in rows),
            outside_ms=sum(row.outside_ms for row in rows),
            ghost_ms=sum(row.ghost_ms for row in rows),
        )


def days_from(first: date, count: int) -> list[date]:
    """Return so many days from the first on."""
    return [first + timedelta(days=index) for index in range(count)]


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """Return the local date of a moment."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date()
