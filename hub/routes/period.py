"""What `from` and `to` mean: a date is local midnight at the site, an instant carries its offset. Pure."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.routes.context import QueryError
from hub.store import Kind, OccupancyRow, Site, Step, Store

_LOST_PLUS = re.compile(r"(T[0-9:.]+) (\d\d:?\d\d)$")
"""An address turns an unescaped `+` into a space; nothing else can stand there."""

_STEP_MS: dict[Step, int] = {"hour": 3_600_000, "day": 86_400_000, "month": 28 * 86_400_000}

MAX_FIGURES = 100_000
"""A table that a spreadsheet opens and one process holds in some 20 MB; who needs more asks in parts."""

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


def check_period(sites: Iterable[Site], kind: Kind, step: Step, start: date | datetime, end: date | datetime) -> None:
    """Refuse a period that ends before it begins, or that would make more figures than one answer holds.

    Raises:
        QueryError: for `from` or for `step`.
    """
    figures = 0
    for site in sites:
        length_ms = bound_ms(end, site.zone) - bound_ms(start, site.zone)
        if length_ms < 0:
            raise QueryError("from", "'from' must not be after 'to'.")
        if length_ms > MAX_SPAN_MS:
            raise QueryError("from", "'from' and 'to' must be at most ten years apart.")
        places = len(site.desks if kind == "desk" else site.rooms)
        figures += (length_ms // _STEP_MS[step] + 1) * max(places, 1)
    if figures > MAX_FIGURES:
        raise QueryError("step", f"This would be more than {MAX_FIGURES} figures: ask for one site or a coarser step.")


def rows_between(
    store: Store, sites: list[Site], kind: Kind, step: Step, start: date | datetime, end: date | datetime
) -> list[OccupancyRow]:
    """Return the rows of these sites, each for the period as its own time zone understands it."""
    if len(sites) == 1:
        zone = sites[0].zone
        return store.occupancy(sites[0].id, kind, step, bound_ms(start, zone), bound_ms(end, zone))
    rows: list[OccupancyRow] = []
    for name in dict.fromkeys(site.time_zone for site in sites):
        members = {site.id for site in sites if site.time_zone == name}
        zone = ZoneInfo(name)
        found = store.occupancy(None, kind, step, bound_ms(start, zone), bound_ms(end, zone))
        rows.extend(row for row in found if row.site in members)
    return rows


def days_from(first: date, count: int) -> list[date]:
    """Return so many days from the first on."""
    return [first + timedelta(days=index) for index in range(count)]


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """Return the local date of a moment."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date()
