"""Reading the counts of persons: what the table holds, the honest zero of a day without anybody, how final each is."""

from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

from hub.opening import Interval, day_of
from hub.store.connection import Connection
from hub.store.rows import VisitRow, VisitStatus, VisitStep
from hub.store.schema import statements
from hub.store.visit_counts import is_frozen
from hub.store.visit_places import ALL_DAYS, Members, members_of, within, zones_with_members
from hub.visits import NOBODY, Counts, bounds_of, first_day, next_day

MAX_PERIODS = 3_700
"""Of one question: ten years of days."""

_SQL = statements("visits")


def read_visits(
    connection: Connection, place: str | None, step: VisitStep, span: Interval, now_ms: int
) -> list[VisitRow]:
    """Return the counts of the periods that begin in `span` and before now, of one place, or of every site.

    A period that ended before the place was first heard or began after it was last heard, or that froze without having
    been counted, is left out.
    Ordered by place and start; nothing for a place that is not known.
    """
    zones = {row[0]: ZoneInfo(row[2]) for row in connection.execute(_SQL["sites"])}
    if place is None:
        places = {site: {site: ALL_DAYS} for site in sorted(zones)}
    else:
        places = {place: members_of(zones_with_members(connection), place)}
    rows: list[VisitRow] = []
    for name, members in places.items():
        known = {site: days for site, days in members.items() if site in zones}
        rows += _rows(connection, (name, known), zones, step, (span[0], min(span[1], now_ms)))
    return rows


def _rows(
    connection: Connection,
    place: tuple[str, Members],
    zones: dict[str, ZoneInfo],
    step: VisitStep,
    span: Interval,
) -> Iterator[VisitRow]:
    name, members = place
    signs = {site: connection.execute(_SQL["sign_of_site"], {"site": site}).fetchone() for site in members}
    first_signs = [first_ms for first_ms, _ in signs.values() if first_ms is not None]
    if not first_signs or span[0] >= span[1]:
        return
    own = sorted({zones[site] for site in members}, key=lambda zone: zone.key)
    purged_ms: int = connection.execute(_SQL["purged"]).fetchone()[0]
    first_ms = min([*first_signs, *_first_figure(connection, name, step, own)])
    firsts = _firsts(step, (max(span[0], first_ms), span[1]), own)
    if not firsts:
        return
    between = {"site": name, "step": step, "from_day": firsts[0].isoformat(), "to_day": firsts[-1].isoformat()}
    stored = {day: Counts(*counts) for day, *counts in connection.execute(_SQL["figures"], between)}
    pending = {first_day(step, day) for day in _pending(connection, [name, *members])}
    for first in firsts:
        bounds = [bounds_of(step, first, zone) for zone in own]
        start_ms, end_ms = min(start for start, _ in bounds), max(end for _, end in bounds)
        there = within(members, first, next_day(step, first))
        if not there or not span[0] <= start_ms < span[1]:
            continue
        frozen = is_frozen(step, first, own, purged_ms)
        heard = [signs[site] for site in there]
        counts = stored.get(first.isoformat(), None if frozen or _are_silent(heard, start_ms) else NOBODY)
        if counts is None:
            continue
        # Of a site that was never heard, nothing is known up to any instant.
        is_heard = all(heard_ms is not None and heard_ms >= end_ms for _, heard_ms in heard)
        status: VisitStatus = "frozen" if frozen else "final" if is_heard and first not in pending else "provisional"
        yield VisitRow(name, step, first.isoformat(), start_ms, end_ms, status, *counts)


def _are_silent(signs: Iterable[tuple[int | None, int | None]], from_ms: int) -> bool:
    """Return whether none of these sites was heard after an instant: what they sent and was not read yet may be."""
    return all(first_ms is None or (heard_ms is not None and heard_ms <= from_ms) for first_ms, heard_ms in signs)


def _first_figure(connection: Connection, place: str, step: VisitStep, zones: list[ZoneInfo]) -> list[int]:
    """Return when the first period with a count begins: an edge whose clock went back may have spoken of it late."""
    day: str | None = connection.execute(_SQL["first_figure"], {"site": place, "step": step}).fetchone()[0]
    return [] if day is None else [bounds_of(step, date.fromisoformat(day), zone)[0] for zone in zones]


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
