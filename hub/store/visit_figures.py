"""Reading the counts of persons: what the table holds, the honest zero of a day without anybody, how final each is."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from hub.opening import Interval, day_of
from hub.store.connection import Connection
from hub.store.months import Bounds
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
    spans: Mapping[ZoneInfo, Interval]
    """What is asked for, as each time zone understands it; none of those where it has not begun."""
    firsts: Sequence[date]
    """The first days of the periods that touch it anywhere, in order."""
    signs: Mapping[str, Signs]
    purged_ms: int
    first_figures: Mapping[str, str | None]
    """By place, the first period with a count: an edge whose clock went back may have spoken of it late."""
    figures: Mapping[str, Mapping[str, Counts]]
    """By place and first day."""
    pending: Mapping[str, Collection[date]]
    """By place or site, the first days of the periods that are still to be counted."""


def read_visits(
    connection: Connection, place: str | None, step: VisitStep, bounds: Bounds, now_ms: int
) -> list[VisitRow]:
    """Return the counts of the periods that begin within the bounds and before now, of one place, or of every site.

    Of sites in several time zones, the days of one date are one day; it begins where it begins first.

    A period that ended before the place was first heard or began after it was last heard, or that froze without having
    been counted, is left out.
    Ordered by place and start; nothing for a place that is not known.
    """
    zones = _time_zones(connection)
    if place is None:
        places: dict[str, Members] = {site: {site: ALL_DAYS} for site in zones}
    else:
        places = {place: members_of(zones_with_members(connection), place)}
    return _read(connection, places, zones, step, bounds, now_ms)


def read_all_visits(connection: Connection, step: VisitStep, span: Interval, now_ms: int) -> list[VisitRow]:
    """Return the same of every site and of every zone, by instants."""
    zones = _time_zones(connection)
    places = {site: {site: ALL_DAYS} for site in zones} | zones_with_members(connection)
    return _read(connection, places, zones, step, lambda _: span, now_ms)


def _time_zones(connection: Connection) -> dict[str, ZoneInfo]:
    return {row[0]: ZoneInfo(row[2]) for row in connection.execute(_SQL["sites"])}


def _read(
    connection: Connection,
    places: Mapping[str, Members],
    zones: Mapping[str, ZoneInfo],
    step: VisitStep,
    bounds: Bounds,
    now_ms: int,
) -> list[VisitRow]:
    registered = {
        place: {site: days for site, days in members.items() if site in zones} for place, members in places.items()
    }
    asked = ((zone, *bounds(zone)) for zone in set(zones.values()))
    spans = {zone: (start, min(end, now_ms)) for zone, start, end in asked if start < min(end, now_ms)}
    if not spans:
        return []
    known = _known(connection, registered, zones, step, spans)
    return [row for place in sorted(registered) for row in _rows(known, place, registered[place], step)]


def _known(
    connection: Connection,
    places: Mapping[str, Members],
    zones: Mapping[str, ZoneInfo],
    step: VisitStep,
    spans: Mapping[ZoneInfo, Interval],
) -> _Known:
    """Look up what is known of some places and their sites one by one, or of many in one statement each."""
    firsts = _firsts(step, spans)
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
    return _Known(zones, spans, firsts, signs, purged_until(connection), begun, figures, pending)


def _one(connection: Connection, name: str, **values: str) -> Any:  # noqa: ANN401 - the statement says which types
    return connection.execute(_SQL[name], values).fetchone()


def _rows(known: _Known, place: str, members: Members, step: VisitStep) -> Iterator[VisitRow]:
    signs = {site: known.signs.get(site, UNHEARD) for site in members}
    begins = [
        first_day(step, day_of(first_ms, known.zones[site]))
        for site, (first_ms, _) in signs.items()
        if first_ms is not None
    ]
    if not begins:
        return
    if (day := known.first_figures.get(place)) is not None:
        begins.append(date.fromisoformat(day))
    own = sorted({known.zones[site] for site in members}, key=lambda zone: zone.key)
    stored = known.figures.get(place, {})
    pending = set().union(*(known.pending.get(name, ()) for name in (place, *members)))
    for first in known.firsts[bisect_left(known.firsts, min(begins)) :]:
        bounds = {zone: bounds_of(step, first, zone) for zone in own}
        first_zone = min(own, key=lambda zone: bounds[zone][0])
        start_ms, end_ms = bounds[first_zone][0], max(end for _, end in bounds.values())
        there = within(members, first, next_day(step, first))
        if not there or not _begins_in(known.spans.get(first_zone), start_ms):
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


def _begins_in(span: Interval | None, start_ms: int) -> bool:
    return span is not None and span[0] <= start_ms < span[1]


def _are_silent(signs: Iterable[Signs], from_ms: int) -> bool:
    """Return whether none of these sites was heard after an instant: what they sent and was not read yet may be."""
    return all(first_ms is None or (heard_ms is not None and heard_ms <= from_ms) for first_ms, heard_ms in signs)


def _firsts(step: VisitStep, spans: Mapping[ZoneInfo, Interval]) -> list[date]:
    """Return the first days of the periods that touch any interval, in order; the latest when they are too many."""
    first = min(first_day(step, day_of(start, zone)) for zone, (start, _) in spans.items())
    last = max(day_of(end - 1, zone) for zone, (_, end) in spans.items())
    firsts: list[date] = []
    while first <= last:
        firsts.append(first)
        first = next_day(step, first)
    return firsts[-MAX_PERIODS:]
