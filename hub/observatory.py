"""The figures of one month as a table for the gate: telecentres and their zones, by day, whole week and month. Pure.

Time of desks and of visio rooms, and how many came. Confidential rooms are left out. Every telecentre's day is in the
table, because sums are made of it; the gate does not let it through.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import inf
from typing import NamedTuple

from hub.cells import Cell, Freq, Indicator, Level, Period, Place, Table
from hub.disclosure import Figure
from hub.opening import day_bounds, day_of
from hub.release import Facts
from hub.store import Kind, OccupancyRow, Site, VisitRow, Zone

MINUTE_MS = 60_000

SUBJECTS: Mapping[Kind, str] = {"desk": "poste", "room": "salle_visio"}
"""What is told of, as the file names it."""

TIME, RATE = "temps_occupe", "taux_occupation"
PERSONS = "personnes"
"""The subject of the counts of persons."""

VISITS, VISITORS = f"visites:{PERSONS}", f"visiteurs_uniques:{PERSONS}"
ZONE = "zone:"
"""What the place of a zone begins with, so that it is never a telecentre; of a network, `reseau:`."""


class Used(NamedTuple):
    """A desk or room on a local day."""

    subject: str
    site: str
    resource: str
    day: str
    available_ms: int
    observed_ms: int
    occupied_ms: int


class Came(NamedTuple):
    """How many came to a place in a period; `most` is of any one person, at least."""

    visits: int
    persons: int
    most: int


NOBODY = Came(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Month:
    """All that a release is computed from."""

    month: str
    places: tuple[Place, ...]
    used: tuple[Used, ...]
    came: Mapping[tuple[str, str], Came]
    """By place and period; a place that nobody counted is not there."""


def indicators() -> tuple[Indicator, ...]:
    """Return what is told of; an hour of a desk and one visit are the smallest differences that tell something."""
    found = []
    for subject in SUBJECTS.values():
        found.append(Indicator(f"{TIME}:{subject}", subject, additive=True, step=60))
        found.append(Indicator(f"{RATE}:{subject}", subject, additive=False, decimals=2))
    return (*found, Indicator(VISITS, PERSONS, additive=True), Indicator(VISITORS, PERSONS, additive=False))


@dataclass
class _Sum:
    """What a place had in a period: of all its desks together, and of each one."""

    available_ms: int = 0
    observed_ms: int = 0
    occupied_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    open_ms: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, row: Used) -> None:
        self.available_ms += row.available_ms
        self.observed_ms += row.observed_ms
        key = row.site, row.resource
        self.occupied_ms[key] = self.occupied_ms.get(key, 0) + row.occupied_ms
        day = row.site, row.day
        self.open_ms[day] = max(self.open_ms.get(day, 0), row.available_ms)


def month_span(month: date, sites: Iterable[Site]) -> tuple[int, int]:
    """Return the instants between which the local month lies in every zone of the sites; zones differ by hours."""
    bounds = [(day_bounds(month, site.zone)[0], day_bounds(next_month(month), site.zone)[0]) for site in sites]
    return min(start for start, _ in bounds), max(end for _, end in bounds)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month + timedelta(days=31)).replace(day=1)


def places_of(sites: Sequence[Site], first: Sequence[Zone], last: Sequence[Zone]) -> tuple[Place, ...]:
    """Return the telecentres, and the zones that are the same on the first and the last day of a month."""
    same = {zone.id: zone for zone in first}
    places = [Place(site.id, "site", frozenset({site.id})) for site in sites]
    for zone in last:
        if zone.id in same and same[zone.id].sites == zone.sites:
            level: Level = zone.level
            places.append(Place(zone.id if zone.level == "network" else ZONE + zone.id, level, frozenset(zone.sites)))
    return tuple(places)


def periods_of(month: str) -> list[Period]:
    """Return the days of a month, the ISO weeks that lie in it as a whole, and the month."""
    first = date.fromisoformat(f"{month}-01")
    days = [first + timedelta(days=number) for number in range((next_month(first) - first).days)]
    periods = [Period(day.isoformat(), "D", frozenset({day.isoformat()})) for day in days]
    for day in days:
        if day.weekday() == 0 and day + timedelta(days=6) <= days[-1]:
            week = [(day + timedelta(days=number)).isoformat() for number in range(7)]
            periods.append(Period(week_of(day), "W", frozenset(week)))
    return [*periods, Period(month, "M", frozenset(day.isoformat() for day in days))]


def week_of(day: date) -> str:
    """Return the name of the ISO week of a day, such as 2026-W47."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def used_in(month: str, sites: Sequence[Site], rows: Mapping[Kind, Sequence[OccupancyRow]]) -> tuple[Used, ...]:
    """Return the desks and rooms of a month from rows of local days, without the confidential rooms."""
    by_id = {site.id: site for site in sites}
    closed = {(site.id, room.id) for site in sites for room in site.rooms if room.confidential}
    found = []
    for kind, subject in SUBJECTS.items():
        for row in rows[kind]:
            day = day_of(row.start_ms, by_id[row.site].zone).isoformat() if row.site in by_id else ""
            if day[:7] == month and not (kind == "room" and (row.site, row.resource) in closed):
                times = row.available_ms, row.observed_ms, row.occupied_ms
                found.append(Used(subject, row.site, row.resource, day, *times))
    return tuple(sorted(found))


def came_in(month: str, rows: Iterable[VisitRow]) -> dict[tuple[str, str], Came]:
    """Return how many came by place and period, from rows of days, weeks and months."""
    known = {period.id for period in periods_of(month)}
    found = {}
    for row in rows:
        first = date.fromisoformat(row.day)
        period = {"day": row.day, "week": week_of(first), "month": row.day[:7]}[row.step]
        if period in known:
            place = row.place.removeprefix(ZONE) if row.place.startswith(f"{ZONE}reseau:") else row.place
            found[place, period] = Came(row.visits, row.unique_visitors, row.most_visits)
    return found


def month_table(month: Month) -> tuple[Table, dict[tuple[str, str, str], Facts]]:
    """Return the table of a month, and what the register says of each place and period."""
    periods = periods_of(month.month)
    sums = _sums(month, month.used)
    cells: list[Cell] = []
    facts: dict[tuple[str, str, str], Facts] = {}
    for place in month.places:
        for period in periods:
            for subject in SUBJECTS.values():
                known = sums.get((place.id, period.id, subject), _NONE)
                cells += _time_cells(place, period, subject, known)
                facts[place.id, period.id, subject] = Facts(len(known.occupied_ms), _open_hours(place, known))
    visits = {at: Visits(came.visits, inf) for at, came in month.came.items()}
    cells += _visit_cells(month, visits, month.came)
    facts |= {(place.id, period.id, PERSONS): Facts(None, None) for place in month.places for period in periods}
    return Table(month.places, periods, indicators(), cells), facts


_NONE = _Sum()


def _sums(month: Month, rows: Iterable[Used]) -> dict[tuple[str, str, str], _Sum]:
    around = _inverted((place.id, place.sites) for place in month.places)
    during = _inverted((period.id, period.parts) for period in periods_of(month.month))
    sums: dict[tuple[str, str, str], _Sum] = {}
    for row in rows:
        for place in around.get(row.site, ()):
            for period in during[row.day]:
                sums.setdefault((place, period, row.subject), _Sum()).add(row)
    return sums


def _inverted(groups: Iterable[tuple[str, frozenset[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, members in groups:
        for member in members:
            found.setdefault(member, []).append(name)
    return found


def _time_cells(place: Place, period: Period, subject: str, known: _Sum) -> Iterator[Cell]:
    occupied_ms = sum(known.occupied_ms.values())
    used = sum(1 for time_ms in known.occupied_ms.values() if time_ms > 0)
    coverage = known.observed_ms / known.available_ms if known.available_ms else 0.0
    yield Cell(
        place.id,
        period.id,
        f"{TIME}:{subject}",
        occupied_ms / MINUTE_MS,
        largest=max(known.occupied_ms.values(), default=0) / MINUTE_MS,
        resources=used,
        coverage=coverage,
        ceiling=known.observed_ms / MINUTE_MS,
    )
    if is_told(place, period.freq):
        rate = occupied_ms / known.observed_ms if known.observed_ms else None
        yield Cell(place.id, period.id, f"{RATE}:{subject}", rate, resources=used, coverage=coverage)


def is_told(place: Place, freq: Freq) -> bool:
    """Return whether anybody can ever get a figure: of a telecentre's day, sums alone are made."""
    return place.level != "site" or freq != "D"


class Visits(NamedTuple):
    """Visits in a base cell, and how many everybody must believe there were at most."""

    number: int
    ceiling: float


def _visit_cells(
    month: Month, visits: Mapping[tuple[str, str], Visits], came: Mapping[tuple[str, str], Came]
) -> Iterator[Cell]:
    """Yield visits and visitors; a zone's visits are those of its telecentres, added up, and its visitors its own."""
    periods = periods_of(month.month)
    for place in month.places:
        for period in periods:
            base = [visits.get((site, part), Visits(0, 0)) for site in place.sites for part in period.parts]
            number, ceiling = sum(one.number for one in base), sum(one.ceiling for one in base)
            known = came.get((place.id, period.id), NOBODY)
            is_base = len(base) == 1
            yield Cell(
                place.id,
                period.id,
                VISITS,
                number,
                largest=min(known.most, number),
                persons=known.persons,
                ceiling=ceiling if is_base else inf,
            )
            if is_told(place, period.freq):
                yield Cell(place.id, period.id, VISITORS, known.persons, persons=known.persons)


def _open_hours(place: Place, known: _Sum) -> float | None:
    """Return for how many hours a telecentre was open; a zone has no hours of its own."""
    return round(sum(known.open_ms.values()) / 3_600_000, 2) if place.level == "site" else None


# What came late.


def late_table(before: Month, after: Month) -> Table:
    """Return what a month has more than it had, as a table of its own: a figure of how much was added, and of whom.

    What has not changed is nothing, and everybody knows: whoever compares two revisions may know which telecentre was
    away. A figure in which anything became less counts nobody, so that the gate keeps it.
    """
    older = {row[:4]: row for row in before.used}
    newer = {row[:4]: row for row in after.used}
    more: list[Used] = []
    less: set[tuple[str, str, str]] = set()
    for key in sorted(older.keys() | newer.keys()):
        was, now = (rows.get(key, Used(*key, 0, 0, 0)) for rows in (older, newer))
        observed_ms, occupied_ms = now.observed_ms - was.observed_ms, now.occupied_ms - was.occupied_ms
        if min(observed_ms, occupied_ms) < 0:
            less.add((now.subject, now.site, now.day))
        if observed_ms or occupied_ms:
            most_ms = max(abs(observed_ms), abs(occupied_ms))
            more.append(Used(*key, most_ms, most_ms, max(0, occupied_ms)))
    sums = _sums(before, more)
    cells: list[Cell] = []
    for place in before.places:
        for period in periods_of(before.month):
            for subject in SUBJECTS.values():
                known = sums.get((place.id, period.id, subject), _NONE)
                fell = any((subject, site, part) in less for site in place.sites for part in period.parts)
                cells += (_kept(cell, fell=fell) for cell in _time_cells(place, period, subject, known))
    return Table(before.places, periods_of(before.month), indicators(), [*cells, *_late_visits(before, after)])


def _kept(cell: Cell, *, fell: bool) -> Cell:
    """Return a cell about nobody, so that it is kept, if anything in it became less."""
    if not fell:
        return cell
    return Cell(cell.place, cell.period, cell.indicator, cell.value, cell.largest, None, 0, 1.0, cell.ceiling)


def _late_visits(before: Month, after: Month) -> Iterator[Cell]:
    visits: dict[tuple[str, str], Visits] = {}
    came: dict[tuple[str, str], Came] = {}
    less: set[tuple[str, str]] = set()
    for at in before.came.keys() | after.came.keys():
        was, now = before.came.get(at, NOBODY), after.came.get(at, NOBODY)
        if now.visits < was.visits or now.persons < was.persons or at not in after.came:
            less.add(at)
        # That somebody counted and nobody came is more than was known.
        if was != now or at not in before.came:
            added = max(0, now.visits - was.visits)
            visits[at] = Visits(added, inf)
            # At least so many persons are behind what was added: those who had not come before.
            came[at] = Came(added, max(0, now.persons - was.persons), now.most)
    for place in before.places:
        for period in periods_of(before.month):
            at = place.id, period.id
            if at in less or any((site, part) in less for site in place.sites for part in period.parts):
                came[at] = NOBODY
    yield from _visit_cells(before, visits, came)


def had_nothing(month: Month) -> set[Figure]:
    """Return the places, periods and subjects of which everybody knows that there was nothing: nobody watched."""
    sums = _sums(month, month.used)
    periods = periods_of(month.month)
    found = set()
    for place in month.places:
        for period in periods:
            for subject in SUBJECTS.values():
                if not sums.get((place.id, period.id, subject), _NONE).observed_ms:
                    found.add(Figure(place.id, period.id, subject))
            if not any((site, part) in month.came for site in place.sites for part in period.parts):
                found.add(Figure(place.id, period.id, PERSONS))
    return found


# What is kept of a release, so that what came late can be told.


@dataclass(frozen=True, slots=True)
class Basis:
    """What a release was computed from, and by audience the figures that no later revision tells anew."""

    month: Month
    kept: Mapping[str, frozenset[Figure]]

    def later(self, now: Month) -> Month:
        """Return what is known now of the places that the release is about."""
        same = {place for place in self.month.places if place in now.places}
        ids = {place.id for place in same}
        sites = {place.id for place in self.month.places if place.level == "site"}
        came = {at: counts for at, counts in self.month.came.items() if at[0] not in ids}
        came |= {at: counts for at, counts in now.came.items() if at[0] in ids}
        used = tuple(row for row in now.used if row.site in sites)
        return Month(self.month.month, self.month.places, used, came)

    def encoded(self) -> bytes:
        """Return all of it as bytes, the same for the same basis."""
        content = {
            "month": self.month.month,
            "places": [[place.id, place.level, sorted(place.sites)] for place in self.month.places],
            "used": self.month.used,
            "came": sorted([*at, *came] for at, came in self.month.came.items()),
            "kept": {audience: sorted(figures) for audience, figures in sorted(self.kept.items())},
        }
        return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6)


def decode_basis(content: bytes) -> Basis:
    """Return the basis that was encoded."""
    read = json.loads(zlib.decompress(content))
    month = Month(
        read["month"],
        tuple(Place(name, level, frozenset(sites)) for name, level, sites in read["places"]),
        tuple(Used(*row) for row in read["used"]),
        {(place, period): Came(*counts) for place, period, *counts in read["came"]},
    )
    return Basis(
        month, {name: frozenset(Figure(*figure) for figure in figures) for name, figures in read["kept"].items()}
    )
