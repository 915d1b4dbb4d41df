"""Reading the counts of persons: what the table holds, the honest zero of a day without anybody, how final each is."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from hub.opening import Interval, day_of
from hub.store.connection import Connection
from hub.store.rows import VisitRow, VisitStatus, VisitStep
from hub.store.schema import statements
from hub.store.visit_counts import is_frozen, purged_until
from hub.store.visit_places import ALL_DAYS, FEW_SITES, Members, members_of, within, zones_with_members
from hub.store.zones import NETWORK, ZONE
from hub.visits import NOBODY, Counts, bounds_of, first_day, next_day

MAX_PERIODS = 3_700
"""Of one question: ten years of days."""

_SQL = statements("visits")

Signs = tuple[int | None, int | None]
"""When a site was first and last heard."""

UNHEARD: Signs = (None, None)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables say of some places and their sites, for one question."""

    zones: Mapping[str, ZoneInfo]
    signs: Mapping[str, Signs]
    purged_ms: int
    first_figures: Mapping[str, str | None]
    """By place, the first period with a count: an edge whose clock went back may have spoken of it late."""
    figures: Mapping[str, Mapping[str, Counts]]
    """By place and first day."""
    pending: Mapping[str, Collection[date]]
    """By place or site, the first days of the periods that are still to be counted."""


def read_visits(
    connection: Connection, place: str | None, step: VisitStep, span: Interval, now_ms: int
) -> list[VisitRow]:
    """Return the counts of the periods that begin in `span` and before now, of one place, or of every site.

    A period that ended before the place was first heard or began after it was last heard, or that froze without having
    been counted, is left out.
    Ordered by place and start; nothing for a place that is not known.
    """
    zones = _time_zones(connection)
    if place is None:
        places: dict[str, Members] = {site: {site: ALL_DAYS} for site in zones}
    else:
        places = {place: members_of(zones_with_members(connection), place)}
    return _read(connection, places, zones, step, (span[0], min(span[1], now_ms)))


def read_all_visits(connection: Connection, step: VisitStep, span: Interval, now_ms: int) -> list[VisitRow]:
    """Return the same of every site and of every zone."""
    zones = _time_zones(connection)
    places = {site: {site: ALL_DAYS} for site in zones} | zones_with_members(connection)
    return _read(connection, places, zones, step, (span[0], min(span[1], now_ms)))


def _time_zones(connection: Connection) -> dict[str, ZoneInfo]:
    return {row[0]: ZoneInfo(row[2]) for row in connection.execute(_SQL["sites"])}


def _read(
    connection: Connection,
    places: Mapping[str, Members],
    zones: Mapping[str, ZoneInfo],
    step: VisitStep,
    span: Interval,
) -> list[VisitRow]:
    registered = {
        place: {site: days for site, days in members.items() if site in zones} for place, members in places.items()
    }
    if span[0] >= span[1] or not zones:
        return []
    known = _known(connection, registered, zones, step, span)
    return [row for place in sorted(registered) for row in _rows(known, place, registered[place], step, span)]


def _known(
    connection: Connection,
    places: Mapping[str, Members],
    zones: Mapping[str, ZoneInfo],
    step: VisitStep,
    span: Interval,
) -> _Known:
    """Look up what is known of some places and their sites one by one, or of many in one statement each."""
    firsts = _firsts(step, span, zones.values())
    asked = {"step": step, "from_day": firsts[0].isoformat(), "to_day": firsts[-1].isoformat()}
    names = sorted({*places, *(site for members in places.values() for site in members)})
    if len(names) > FEW_SITES:
        signs = {site: (first_ms, heard_ms) for site, first_ms, heard_ms, _ in connection.execute(_SQL["signs"])}
        begun = dict(connection.execute(_SQL["first_figures"], {"step": step, "networks": ZONE + NETWORK}))
        rows: Iterable[tuple[Any, ...]] = connection.execute(
            _SQL["figures_of_all"], {**asked, "networks": ZONE + NETWORK}
        )
        marks: Iterable[tuple[str, str]] = connection.execute(_SQL["marks"])
    else:
        signs = {site: _one(connection, "sign_of_site", site=site) for site in names}
        begun = {place: _one(connection, "first_figure", site=place, step=step)[0] for place in places}
        rows = [
            (place, *row) for place in places for row in connection.execute(_SQL["figures"], {**asked, "site": place})
        ]
        marks = [(name, day) for name in names for (day,) in connection.execute(_SQL["marks_of_place"], {"site": name})]
    figures: dict[str, dict[str, Counts]] = {}
    for place, day, *counts in rows:
        figures.setdefault(place, {})[day] = Counts(*counts)
    pending: dict[str, set[date]] = {}
    for place, day in marks:
        pending.setdefault(place, set()).add(first_day(step, date.fromisoformat(day)))
    return _Known(zones, signs, purged_until(connection), begun, figures, pending)


def _one(connection: Connection, name: str, **values: str) -> Any:  # noqa: ANN401 - the statement says which types
    return connection.execute(_SQL[name], values).fetchone()


def _rows(known: _Known, place: str, members: Members, step: VisitStep, span: Interval) -> Iterator[VisitRow]:
    signs = {site: known.signs.get(site, UNHEARD) for site in members}
    begins = [first_ms for first_ms, _ in signs.values() if first_ms is not None]
    if not begins:
        return
    own = sorted({known.zones[site] for site in members}, key=lambda zone: zone.key)
    if (day := known.first_figures.get(place)) is not None:
        begins += [bounds_of(step, date.fromisoformat(day), zone)[0] for zone in own]
    stored = known.figures.get(place, {})
    pending = set().union(*(known.pending.get(name, ()) for name in (place, *members)))
    for first in _firsts(step, (max(span[0], min(begins)), span[1]), own):
        bounds = [bounds_of(step, first, zone) for zone in own]
        start_ms, end_ms = min(start for start, _ in bounds), max(end for _, end in bounds)
        there = within(members, first, next_day(step, first))
        if not there or not span[0] <= start_ms < span[1]:
            continue
        frozen = is_frozen(step, first, own, known.purged_ms)
        heard = [signs[site] for site in there]
        counts = stored.get(first.isoformat(), None if frozen or _are_silent(heard, start_ms) else NOBODY)
        if counts is None:
            continue
        # Of a site that was never heard, nothing is known up to any instant.
        is_heard = all(heard_ms is not None and heard_ms >= end_ms for _, heard_ms in heard)
        status: VisitStatus = "frozen" if frozen else "final" if is_heard and first not in pending else "provisional"
        yield VisitRow(place, step, first.isoformat(), start_ms, end_ms, status, *counts)


def _are_silent(signs: Iterable[Signs], from_ms: int) -> bool:
    """Return whether none of these sites was heard after an instant: what they sent and was not read yet may be."""
    return all(first_ms is None or (heard_ms is not None and heard_ms <= from_ms) for first_ms, heard_ms in signs)


def _firsts(step: VisitStep, span: Interval, zones: Iterable[ZoneInfo]) -> list[date]:
    """Return the first days of the periods that touch an interval, in order; the latest when they are too many."""
    own = set(zones)
    first = min(first_day(step, day_of(span[0], zone)) for zone in own)
    last = max(day_of(span[1] - 1, zone) for zone in own)
    firsts: list[date] = []
    while first <= last:
        firsts.append(first)
        first = next_day(step, first)
    return firsts[-MAX_PERIODS:]
