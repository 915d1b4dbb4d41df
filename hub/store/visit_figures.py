"""Reading the counts of persons: what the table holds, the honest zero of a day without anybody, how final each is."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from hub.opening import Interval, day_of
from hub.store.connection import Connection
from hub.store.rows import VisitRow, VisitStatus, VisitStep
from hub.store.schema import statements
from hub.store.visits import is_frozen, sites_of_zones
from hub.visits import NOBODY, Counts, bounds_of, first_day, next_day

MAX_PERIODS = 3_700
"""Of one question: ten years of days."""

_SQL = statements("visits")


def read_visits(
    connection: Connection, place: str | None, step: VisitStep, span: Interval, now_ms: int
) -> list[VisitRow]:
    """Return the counts of the periods that begin in `span` and before now, of one place, or of every site.

    A period that ended before the place was first heard, or that froze without having been counted, is left out.
    Ordered by place and start; nothing for a place that is not known.
    """
    zones = {row[0]: ZoneInfo(row[2]) for row in connection.execute(_SQL["sites"])}
    if place is None:
        places: dict[str, tuple[str, ...]] = {site: (site,) for site in sorted(zones)}
    else:
        places = {place: (place,) if place in zones else sites_of_zones(connection).get(place, ())}
    rows: list[VisitRow] = []
    for name, sites in places.items():
        rows += _rows(connection, name, {site: zones[site] for site in sites}, step, (span[0], min(span[1], now_ms)))
    return rows


def _rows(
    connection: Connection, place: str, zones: dict[str, ZoneInfo], step: VisitStep, span: Interval
) -> Iterator[VisitRow]:
    signs = {site: connection.execute(_SQL["sign_of_site"], {"site": site}).fetchone() for site in zones}
    first_signs = [first_ms for first_ms, _ in signs.values() if first_ms is not None]
    if not first_signs or span[0] >= span[1]:
        return
    # Of a site that was never heard, nothing is known up to any instant.
    heard_ms = min(last_ms if last_ms is not None else 0 for _, last_ms in signs.values())
    own = sorted(set(zones.values()), key=lambda zone: zone.key)
    purged_ms: int = connection.execute(_SQL["purged"]).fetchone()[0]
    firsts = _firsts(step, (max(span[0], min(first_signs)), span[1]), own)
    if not firsts:
        return
    between = {"site": place, "step": step, "from_day": firsts[0].isoformat(), "to_day": firsts[-1].isoformat()}
    stored = {day: Counts(*counts) for day, *counts in connection.execute(_SQL["figures"], between)}
    pending = _pending(connection, [place, *zones])
    for first in firsts:
        bounds = [bounds_of(step, first, zone) for zone in own]
        start_ms, end_ms = min(start for start, _ in bounds), max(end for _, end in bounds)
        if not span[0] <= start_ms < span[1]:
            continue
        frozen = is_frozen(step, first, own, purged_ms)
        counts = stored.get(first.isoformat(), None if frozen else NOBODY)
        if counts is None:
            continue
        is_marked = any(first_day(step, day) == first for day in pending)
        status: VisitStatus = "frozen" if frozen else "provisional" if is_marked or heard_ms < end_ms else "final"
        yield VisitRow(place, step, first.isoformat(), start_ms, end_ms, status, *counts)


def _firsts(step: VisitStep, span: Interval, zones: list[ZoneInfo]) -> list[date]:
    """Return the first days of the periods that touch an interval, in order; the latest when they are too many."""
    first = min(first_day(step, day_of(span[0], zone)) for zone in zones)
    last = max(day_of(span[1] - 1, zone) for zone in zones)
    firsts: list[date] = []
    while first <= last:
        firsts.append(first)
        first = next_day(step, first)
    return firsts[-MAX_PERIODS:]


def _pending(connection: Connection, places: list[str]) -> set[date]:
    """Return the days of these places that are still to be counted."""
    rows = (row for place in places for row in connection.execute(_SQL["marks_of_place"], {"site": place}))
    return {date.fromisoformat(row[0]) for row in rows}
