"""Computing the figures of local days of a site from its timeline, and keeping the tables equal to what was computed.

A value is a function of the timeline and the register, so that of the set of events. A day that is settled brings with
it, in the same transaction, everything that depends on it: the hours and the day of each place, the levels of the pool,
the sessions that touch it (also those that began days before), and the months of all these. Only rows that differ are
written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.day_hours import Hour, is_packed, pack_hours, unpack_hours
from hub.indicators import crowd_of_day, day_after, first_day, pooled_crowd
from hub.levels import Peaks, pack, peaks, profile
from hub.opening import Interval, day_bounds, day_of, hours_of, opened
from hub.sessions import MERGE_MS, dwell
from hub.statistics import OBSERVED, OCCUPIED, Stretch, figures
from hub.store.bookings import judged, kept, sums
from hub.store.connection import Connection
from hub.store.keeping import Difference, Found, Rows, differences, keep, rows_by_key
from hub.store.months import packed
from hub.store.reaching import PlaceDay, place_days, sessions_across
from hub.store.register import Calendar, Place, read_calendar
from hub.store.schema import statements

_SQL = statements("usage")


@dataclass(frozen=True, slots=True)
class _Day:
    """One local day of one site, and what all its figures are computed from."""

    calendar: Calendar
    day: str
    bounds: Interval
    opened: Sequence[Interval]
    first_ms: int | None
    horizon_ms: int | None
    places: Sequence[Place]
    states: Mapping[str, PlaceDay]

    @property
    def site(self) -> str:
        return self.calendar.site


def settle_days(
    connection: Connection, site: str, days: list[str], within: Interval | None = None
) -> Iterator[Difference]:
    """Compute the figures of local days of a site from its timeline; return what was different before.

    `within` is the closed interval in which the timeline changed, when only that is known to have changed: of days that
    have figures already, the rest is then left alone.
    """
    calendar = read_calendar(connection, site)
    if calendar is None or not days:
        return iter(())
    first_ms, horizon_ms = connection.execute(_SQL["span"], {"site": site}).fetchone()
    changed: list[Found] = []
    months: set[date] = set()
    for name in days:
        day = _read_day(connection, calendar, name, first_ms, horizon_ms)
        found = [*_settle_usage(connection, day, within), *_settle_levels(connection, day, within)]
        found += _settle_bookings(connection, day, within)
        moved, began = _settle_sessions(connection, day, within)
        local = date.fromisoformat(name)
        if found or within is None or _ends_within(calendar, local, within):
            months.add(first_day(local, "month"))
        months |= {first_day(date.fromisoformat(one), "month") for one in began}
        changed += [*found, *moved]
    for month in sorted(months):
        changed += _settle_month(connection, calendar, month, horizon_ms)
    return differences(changed)


def _ends_within(calendar: Calendar, day: date, within: Interval) -> bool:
    """Return whether the site was heard of for the first time after the end of a day's month."""
    return within[0] < day_bounds(day_after(first_day(day, "month"), "month"), calendar.zone)[0] <= within[1]


def forget_figures(connection: Connection, site: str) -> None:
    """Drop every figure of a site: its days begin and end elsewhere."""
    for name in ("forget_hours", "forget_days", "forget_levels", "forget_sessions", "forget_bookings", "forget_months"):
        connection.execute(_SQL[name], {"site": site})


def first_settled(connection: Connection, site: str) -> int | None:
    """Return when the first local day of a site that has figures begins."""
    row = connection.execute(_SQL["first_settled"], {"site": site}).fetchone()
    return None if row is None else int(row[0])


def _read_day(
    connection: Connection, calendar: Calendar, day: str, first_ms: int | None, horizon_ms: int | None
) -> _Day:
    local = date.fromisoformat(day)
    bounds = day_bounds(local, calendar.zone)
    states = place_days(connection, calendar.site, bounds)
    # Before the first sign of life and after the last one, only the register says what there was: no row does.
    is_told = any(state.before or state.changes for state in states.values()) or bounds[1] > (first_ms or bounds[1])
    is_told = is_told and bounds[0] <= (horizon_ms or 0)
    return _Day(
        calendar=calendar,
        day=day,
        bounds=bounds,
        opened=opened(calendar.opening_hours(day), calendar.zone, local),
        first_ms=first_ms,
        horizon_ms=horizon_ms,
        places=[place for place in calendar.places if is_told and place.counts_on(day)],
        states=states,
    )


def _settle_usage(connection: Connection, day: _Day, within: Interval | None) -> list[Found]:
    key = {"site": day.site, "day": day.day}
    rows = connection.execute(_SQL["hours_of_day"], key).fetchall()
    stored, packed = rows_by_key(rows, 1), {row[0]: row[-1] for row in rows}
    hours = hours_of(*day.bounds)
    is_known = packed.keys() == {place.resource for place in day.places} and all(map(is_packed, packed.values()))
    if within is not None and is_known:
        hours = [(start, end) for start, end in hours if end > within[0] and start <= within[1]]
        if not hours:
            return []
    is_whole = (hours[0][0], hours[-1][1]) == day.bounds
    computed: Rows = {}
    days: Rows = {}
    for place in day.places:
        found = _hours(day, place, hours)
        if not is_whole:
            found = _amid(found, unpack_hours(packed[place.resource]), hours)
        lengths = [sum(column) for column in list(zip(*found, strict=True))[2:]] or [0] * 5
        computed[place.resource,] = (day.bounds[0], place.kind, pack_hours(found))
        days[place.resource, day.bounds[0]] = (day.bounds[1], place.kind, *lengths)
    daily = rows_by_key(connection.execute(_SQL["days_of_day"], key), 2)
    return [*keep(connection, "hours", key, stored, computed), *keep(connection, "day", key, daily, days)]


def _amid(found: list[Hour], stored: Iterable[Hour], hours: Sequence[Interval]) -> list[Hour]:
    """Return stored hours with those found in place of all that lie in these intervals, which follow one another."""
    others = list(stored)
    before = [hour for hour in others if hour[0] < hours[0][0]]
    return [*before, *found, *(hour for hour in others if hour[0] >= hours[-1][1])]


def _hours(day: _Day, place: Place, hours: Sequence[Interval]) -> list[Hour]:
    """Return the hours of one place that follow one another; a closed one is there only if it was in use."""
    state = day.states.get(place.resource, PlaceDay())
    start = hours[0][0]
    before = [*([state.before] if state.before is not None else []), *(one for one in state.changes if one[0] < start)]
    changes = [one for one in state.changes if one[0] >= start]
    carried = before[-1][1] if before else None
    found: list[Hour] = []
    spent = figures(changes, carried, day.horizon_ms, day.opened, hours)
    installed = _installed(day)
    in_service = spent if installed is day.opened else figures(changes, carried, day.horizon_ms, installed, hours)
    for figure, counted in zip(spent, in_service, strict=True):
        lengths = figure.observed_ms, figure.occupied_ms, figure.outside_ms, figure.ghost_ms
        available = max(counted.available_ms, figure.observed_ms)
        if available or figure.outside_ms:
            found.append((figure.start_ms, figure.end_ms, available, *lengths))
    return found


def _installed(day: _Day) -> Sequence[Interval]:
    """Return when a site was open; on its first day from its first sign of life on.

    What was not yet installed was not in service.
    """
    if day.first_ms is None or not day.bounds[0] <= day.first_ms < day.bounds[1]:
        return day.opened
    return [(max(a, day.first_ms), b) for a, b in day.opened if b > day.first_ms]


def _settle_levels(connection: Connection, day: _Day, within: Interval | None) -> list[Found]:
    key = {"site": day.site, "day": day.day}
    stored = rows_by_key(connection.execute(_SQL["levels_of_day"], key), 1)
    pools: dict[str, list[list[Stretch]]] = {place.kind: [] for place in day.places}
    is_complete = within is not None and {kind for (kind,) in stored} == pools.keys()
    if within is not None and is_complete and not any(a <= within[1] and b > within[0] for a, b in day.opened):
        return []
    for place in day.places:
        state = day.states.get(place.resource, PlaceDay())
        pools[place.kind].append(state.stretches(day.horizon_ms, day.bounds))
    in_service = _in_service(day, [one for pool in pools.values() for stretches in pool for one in stretches])
    computed: Rows = {}
    for kind, pool in pools.items():
        levels = profile(pool, in_service)
        computed[kind,] = (*day.bounds, *peaks(levels, day.bounds), pack(levels, day.bounds[0]))
    return keep(connection, "level", key, stored, computed)


def _in_service(day: _Day, stretches: Sequence[Stretch]) -> list[Interval]:
    """Return when a site was open; on its first day from its first sign of life on, as available time is.

    A clock that was set back may have seen places even before that.
    """
    if day.first_ms is None or day.first_ms <= day.bounds[0] or day.first_ms >= day.bounds[1]:
        return list(day.opened)
    first_ms = min([day.first_ms, *(start for start, _, state in stretches if state in OBSERVED)])
    return [(max(a, first_ms), b) for a, b in day.opened if b > first_ms]


def _settle_bookings(connection: Connection, day: _Day, within: Interval | None) -> list[Found]:
    """Make the bookings that began on a day what was said of them; what was said within an interval begins in it."""
    span = day.bounds if within is None else (max(day.bounds[0], within[0]), min(day.bounds[1], within[1] + 1))
    rooms = [place.resource for place in day.places if place.kind == "room"]
    computed = judged(connection, day.site, day.day, span, rooms)
    if within is not None and not computed:
        return []
    return keep(connection, "booking", {"site": day.site, "day": day.day}, kept(connection, day.site, span), computed)


def _settle_sessions(connection: Connection, day: _Day, within: Interval | None) -> tuple[list[Found], set[str]]:
    """Make the sessions that touch a day what they are; return what was different, and the days on which they began."""
    kinds = {place.resource: place.kind for place in day.calendar.places}
    stored = _sessions(connection, day, day.bounds)
    spans: dict[str, Interval] = {}
    computed: Rows = {}
    for resource, state in day.states.items():
        kind = kinds.get(resource)
        if kind is None or day.horizon_ms is None:
            continue
        if within is not None and not _is_touched(state, day.bounds, within, MERGE_MS[kind], _of(stored, resource)):
            spans[resource] = (0, 0)
            continue
        key = {"site": day.site, "resource": resource}
        found, spans[resource] = sessions_across(connection, key, state, day.bounds, day.horizon_ms, MERGE_MS[kind])
        for one in found:
            began = day_of(one.start_ms, day.calendar.zone).isoformat()
            if _counts(day.calendar.places, resource, began):
                computed[resource, one.start_ms] = (*one[1:], began, kind)
    reached = [span for span in spans.values() if span != (0, 0)]
    start = min([day.bounds[0], *(span[0] for span in reached)])
    end = max([day.bounds[1], *(span[1] for span in reached)])
    if (start, end) != day.bounds:
        stored = _sessions(connection, day, (start, end))
    looked_at = {at: spans.get(str(at[0]), day.bounds) for at in stored}
    stored = {at: row for at, row in stored.items() if looked_at[at][0] <= int(at[1]) < looked_at[at][1]}
    moved = keep(connection, "session", {"site": day.site, "day": day.day}, stored, computed)
    began_on = {str((stored.get(at) or computed[at])[4]) for at in stored.keys() | computed.keys()}
    return moved, began_on if moved else set()


def _sessions(connection: Connection, day: _Day, span: Interval) -> Rows:
    values = {"site": day.site, "start_ms": span[0], "end_ms": span[1]}
    return rows_by_key(connection.execute(_SQL["sessions_between"], values), 2)


def _of(stored: Rows, resource: str) -> list[Interval]:
    """Return from when to when the stored sessions of a place last."""
    return [(int(str(at[1])), int(str(row[0]))) for at, row in stored.items() if at[0] == resource]


def _is_touched(state: PlaceDay, bounds: Interval, within: Interval, merge_ms: int, stored: Sequence[Interval]) -> bool:
    """Return whether a place may have other sessions than before, the timeline having changed within an interval.

    It may if it changed in there, now or as it was, if it was in use when that began, or if a session may reach into
    the day from before.
    """
    first, last = within
    if first <= bounds[0]:
        return True
    since, at_first = state.before if state.before is not None else (bounds[0], None)
    if at_first in OCCUPIED or (at_first in OBSERVED and bounds[0] - since <= merge_ms):
        return True
    for start, following in state.changes:
        if start > last:
            break
        if start >= first:
            return True
        at_first = following
    return at_first in OCCUPIED or any(start <= last and end >= first - merge_ms for start, end in stored)


def _counts(places: Sequence[Place], resource: str, day: str) -> bool:
    return any(place.resource == resource and place.counts_on(day) for place in places)


def _settle_month(connection: Connection, calendar: Calendar, month: date, horizon_ms: int | None) -> list[Found]:
    """Make the rows of a local month what they are: none before the site was heard of after its end.

    A month that is under way changes with each event, and its end is cut off at the time of the question anyway.
    """
    site, end = calendar.site, day_after(month, "month")
    bounds = day_bounds(month, calendar.zone)[0], day_bounds(end, calendar.zone)[0]
    where = {"site": site, "month": month.isoformat()}
    stored = rows_by_key(connection.execute(_SQL["months"], where), 1)
    if horizon_ms is None or horizon_ms < bounds[1]:
        return keep(connection, "month", where, stored, {})
    days = {"site": site, "first": month.isoformat(), "end": end.isoformat()}
    crowds: dict[str, list[tuple[str, Peaks]]] = {}
    for kind, day, *counts in connection.execute(_SQL["levels_of_month"], days):
        crowds.setdefault(kind, []).append((day, Peaks(*counts)))
    span = {"site": site, "start_ms": bounds[0], "end_ms": bounds[1]}
    booked = sums(connection, site, bounds)
    lengths = _lengths(connection.execute(_SQL["sessions_of_month"], span))
    computed: Rows = {}
    for kind, *usage in connection.execute(_SQL["usage_of_month"], days):
        pool = crowds.get(kind)
        if pool is None:  # days that an older program has settled come first, and then again with this one
            continue
        peaks_of_all, peak_sum, peak_days = pooled_crowd(crowd_of_day(one) for _, one in pool)
        sessions, closed = lengths.get(kind, (0, []))
        told = (
            *(int(number) for number in usage),
            *peaks_of_all,
            *(peak_sum, peak_days, sessions),
            *dwell(closed),
            *(booked if kind == "room" else (0, 0, 0)),
        )
        computed[kind,] = (*bounds, pool[0][0], pool[-1][0], len(pool), *told, packed(told))
    return keep(connection, "month", where, stored, computed)


def _lengths(rows: Iterable[tuple[str, int, str, str]]) -> dict[str, tuple[int, list[int]]]:
    """Return how many sessions there were by kind, and how long the closed ones lasted."""
    found: dict[str, tuple[int, list[int]]] = {}
    for kind, length, begun, ended in rows:
        count, closed = found.get(kind, (0, []))
        if begun == ended == "seen":
            closed.append(length)
        found[kind] = count + 1, closed
    return found
