"""The figures of one month as a table for the gate: telecentres and their zones, by day, whole week and month. Pure.

Time of desks and of visio rooms, and how many came. Confidential rooms are left out. Every telecentre's day is in the
table, because sums are made of it; the gate does not let it through.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import NamedTuple

from hub.cells import Cell, Freq, Indicator, Level, Period, Place, Table
from hub.heard import UNHEARD, Heard, coverage_of, longer_of
from hub.opening import day_bounds
from hub.release import Facts
from hub.store import Kind, Site, VisitRow, Zone
from hub.store.publishing import DayRow

MINUTE_MS = 60_000

SUBJECTS: Mapping[Kind, str] = {"desk": "poste", "room": "salle_visio"}
"""What is told of, as the file names it."""

TIME, RATE = "temps_occupe", "taux_occupation"
SESSIONS, TURNOVER = "sessions", "rotation"
PERSONS = "personnes"
"""The subject of the counts of persons."""

ALL_SUBJECTS = (*SUBJECTS.values(), PERSONS)

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
    sessions: int
    """Those that began on this day, while the place was there for use."""


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

    def about(self, subject: str) -> "Month":
        """Return what there is of one subject; of persons, a row of how far each telecentre was heard on each day."""
        if subject == PERSONS:
            heard = ((*at, *known) for at, known in sorted(heard_in(self).items()))
            rows = (Used(PERSONS, site, "", day, open_ms, heard_ms, 0, 0) for site, day, open_ms, heard_ms in heard)
            return Month(self.month, self.places, tuple(rows), self.came)
        return Month(self.month, self.places, tuple(row for row in self.used if row.subject == subject), {})


def indicators(subjects: Collection[str] = ALL_SUBJECTS) -> tuple[Indicator, ...]:
    """Return what is told of; an hour of a desk and one visit are the smallest differences that tell something."""
    found = []
    for subject in _measured(subjects):
        found.append(Indicator(f"{TIME}:{subject}", subject, additive=True, step=60))
        found.append(Indicator(f"{RATE}:{subject}", subject, additive=False, decimals=2))
        found.append(Indicator(f"{SESSIONS}:{subject}", subject, additive=True))
        found.append(Indicator(f"{TURNOVER}:{subject}", subject, additive=False, decimals=2))
    if PERSONS in subjects:
        found.append(Indicator(VISITS, PERSONS, additive=True, is_counted=True))
        found.append(Indicator(VISITORS, PERSONS, additive=False, is_counted=True, counts_persons=True))
    return tuple(found)


def _measured(subjects: Collection[str]) -> list[str]:
    """Return those subjects whose time is measured."""
    return [subject for subject in SUBJECTS.values() if subject in subjects]


@dataclass
class Sum:
    """What a place had in a period: of all its desks together, and of each one."""

    available_ms: int = 0
    observed_ms: int = 0
    occupied_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    open_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    sessions: dict[tuple[str, str], int] = field(default_factory=dict)
    place_days: int = 0

    def add(self, row: Used) -> None:
        """Add a desk or room on a day."""
        self.place_days += row.available_ms > 0
        self.available_ms += row.available_ms
        self.observed_ms += row.observed_ms
        key = row.site, row.resource
        self.occupied_ms[key] = self.occupied_ms.get(key, 0) + row.occupied_ms
        self.sessions[key] = self.sessions.get(key, 0) + row.sessions
        day = row.site, row.day
        self.open_ms[day] = max(self.open_ms.get(day, 0), row.available_ms)


class Total(NamedTuple):
    """What a place had in a period; desks of different telecentres are different desks, so that totals add up."""

    available_ms: int = 0
    observed_ms: int = 0
    occupied_ms: int = 0
    largest_ms: int = 0
    used: int = 0
    sessions: int = 0
    most_sessions: int = 0
    taken: int = 0
    place_days: int = 0
    resources: int = 0
    open_ms: int = 0

    @classmethod
    def of(cls, known: Sum) -> "Total":
        """Return the total of one telecentre."""
        times, sessions = known.occupied_ms.values(), known.sessions.values()
        return cls(
            known.available_ms,
            known.observed_ms,
            sum(times),
            max(times),
            sum(1 for time_ms in times if time_ms > 0),
            sum(sessions),
            max(sessions),
            sum(1 for number in sessions if number > 0),
            known.place_days,
            len(times),
            sum(known.open_ms.values()),
        )

    @classmethod
    def of_all(cls, totals: Sequence["Total"]) -> "Total":
        """Return the total of several telecentres."""
        sums = cls(*(sum(column) for column in zip(*totals, strict=True)))
        return sums._replace(
            largest_ms=max(one.largest_ms for one in totals), most_sessions=max(one.most_sessions for one in totals)
        )


def month_span(month: date, sites: Iterable[Site]) -> tuple[int, int]:
    """Return the instants between which the local month lies in every zone of the sites; zones differ by hours."""
    bounds = [(day_bounds(month, site.zone)[0], day_bounds(next_month(month), site.zone)[0]) for site in sites]
    return min(start for start, _ in bounds), max(end for _, end in bounds)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month + timedelta(days=31)).replace(day=1)


def places_of(sites: Sequence[Site], days: Sequence[Sequence[Zone]]) -> tuple[Place, ...]:
    """Return the telecentres, and of the zones on each day of a month those that were the same on every one."""
    members = [{zone.id: zone.sites for zone in zones} for zones in days]
    places = [Place(site.id, "site", frozenset({site.id})) for site in sites]
    for zone in days[-1] if days else ():
        if all(of_day.get(zone.id) == zone.sites for of_day in members):
            level: Level = zone.level
            places.append(Place(place_of(zone), level, frozenset(zone.sites)))
    return tuple(places)


def place_of(zone: Zone) -> str:
    """Return what a release calls a zone."""
    return zone.id if zone.level == "network" else ZONE + zone.id


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


def used_in(rows: Mapping[Kind, Iterable[DayRow]]) -> tuple[Used, ...]:
    """Return the desks and rooms of a month from rows of their local days.

    Of a day on which a place was closed, sessions are left out as its time is: everybody knows that nothing is told of
    it. A handful of sessions on the Sundays of a network would else hide its weeks (docs/decisions/0040).
    """
    return tuple(
        Used(SUBJECTS[kind], *row[:6], row.sessions if row.available_ms else 0)
        for kind, of_kind in rows.items()
        for row in of_kind
    )


def came_in(month: str, places: Iterable[Place], rows: Iterable[VisitRow]) -> dict[tuple[str, str], Came]:
    """Return how many came to these places by period, from rows of days, weeks and months of any place."""
    known = {period.id for period in periods_of(month)}
    told_of = {place.id for place in places}
    found = {}
    for row in rows:
        first = date.fromisoformat(row.day)
        period = {"day": row.day, "week": week_of(first), "month": row.day[:7]}[row.step]
        place = row.place.removeprefix(ZONE) if row.place.startswith(f"{ZONE}reseau:") else row.place
        if period in known and place in told_of:
            found[place, period] = Came(row.visits, row.unique_visitors, row.most_visits)
    return found


def month_table(
    month: Month, subjects: Collection[str] = ALL_SUBJECTS
) -> tuple[Table, dict[tuple[str, str, str], Facts]]:
    """Return the table of a month, and what the register says of each place and period."""
    periods = periods_of(month.month)
    sums = sums_of(month, month.used) if _measured(subjects) else {}
    cells: list[Cell] = []
    facts: dict[tuple[str, str, str], Facts] = {}
    for subject in _measured(subjects):
        for place in month.places:
            for period in periods:
                known = sums.get((place.id, period.id, subject), NOTHING)
                cells += time_cells(place, period, subject, known)
                hours, was_available = _open_hours(place, known), known.available_ms > 0
                facts[place.id, period.id, subject] = Facts(known.resources, hours, was_available=was_available)
    if PERSONS in subjects:
        visits = {at: Visits(came.visits, inf) for at, came in month.came.items()}
        cells += visit_cells(month, visits, month.came, heard_in(month))
        # Where nothing was open, their coverage itself is none.
        beside = Facts(None, None, was_available=True)
        facts |= {(place.id, period.id, PERSONS): beside for place in month.places for period in periods}
    return Table(month.places, periods, indicators(subjects), cells), facts


NOTHING = Total()
"""What a place had that nobody watched."""


def sums_of(month: Month, rows: Iterable[Used]) -> dict[tuple[str, str, str], Total]:
    """Return what each place had in each period, by subject, of rows of a month; where it had none, nothing."""
    periods = periods_of(month.month)
    during = _inverted((period.id, period.parts) for period in periods)
    sums: dict[tuple[str, str, str], Total] = {}
    # One telecentre after the other: what is known of each of its desks is not needed for long.
    for (subject, site), of_site in groupby(sorted(rows), key=itemgetter(0, 1)):
        known: dict[str, Sum] = {}
        for row in of_site:
            for name in during[row.day]:
                if name not in known:
                    known[name] = Sum()
                known[name].add(row)
        sums |= {(site, name, subject): Total.of(one) for name, one in known.items()}
    for place in month.places:
        if place.level != "site":
            for period in periods:
                for subject in SUBJECTS.values():
                    ats = ((site, period.id, subject) for site in sorted(place.sites))
                    parts = [sums[one] for one in ats if one in sums]
                    if parts:
                        sums[place.id, period.id, subject] = Total.of_all(parts)
    return sums


def _inverted(groups: Iterable[tuple[str, frozenset[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, members in groups:
        for member in members:
            found.setdefault(member, []).append(name)
    return found


def time_cells(place: Place, period: Period, subject: str, known: Total) -> Iterator[Cell]:
    """Yield the time, the sessions, and what is made of them."""
    coverage = known.observed_ms / known.available_ms if known.available_ms else 0.0
    yield Cell(
        place.id,
        period.id,
        f"{TIME}:{subject}",
        known.occupied_ms / MINUTE_MS,
        largest=known.largest_ms / MINUTE_MS,
        resources=known.used,
        coverage=coverage,
        ceiling=known.observed_ms / MINUTE_MS,
    )
    yield Cell(
        place.id,
        period.id,
        f"{SESSIONS}:{subject}",
        known.sessions,
        largest=known.most_sessions,
        resources=known.taken,
        coverage=coverage,
        ceiling=inf if known.observed_ms or known.sessions else 0.0,
    )
    if is_told(place, period.freq):
        rate = known.occupied_ms / known.observed_ms if known.observed_ms else None
        yield Cell(place.id, period.id, f"{RATE}:{subject}", rate, resources=known.used, coverage=coverage)
        turnover = known.sessions / known.place_days if known.place_days else None
        yield Cell(place.id, period.id, f"{TURNOVER}:{subject}", turnover, resources=known.taken, coverage=coverage)


def is_told(place: Place, freq: Freq) -> bool:
    """Return whether anybody can ever get a figure: of a telecentre's day, sums alone are made."""
    return place.level != "site" or freq != "D"


class Visits(NamedTuple):
    """Visits in a base cell, and how many everybody must believe there were at most."""

    number: int
    ceiling: float


def heard_in(month: Month) -> dict[tuple[str, str], Heard]:
    """Return by telecentre and day how far it was heard, as its best known desk or room tells: at least for so long.

    Of a day that nobody counted, such as one that came after the journal was forgotten, nothing was heard.
    """
    found: dict[tuple[str, str], Heard] = {}
    for row in month.used:
        at = row.site, row.day
        heard_ms = row.observed_ms if at in month.came else 0
        found[at] = longer_of(found.get(at, UNHEARD), Heard(row.available_ms, heard_ms))
    return found


def visit_cells(
    month: Month,
    visits: Mapping[tuple[str, str], Visits],
    came: Mapping[tuple[str, str], Came],
    heard: Mapping[tuple[str, str], Heard],
) -> Iterator[Cell]:
    """Yield visits, and the month's visitors.

    A zone's visits are those of its telecentres, added up, and its visitors its own.
    """
    periods = periods_of(month.month)
    for place in month.places:
        for period in periods:
            base = [visits.get((site, part), Visits(0, 0)) for site in place.sites for part in period.parts]
            number, ceiling = sum(one.number for one in base), sum(one.ceiling for one in base)
            known = came.get((place.id, period.id), NOBODY)
            is_base = len(base) == 1
            coverage = coverage_of(heard, place.sites, period.parts)
            yield Cell(
                place.id,
                period.id,
                VISITS,
                number,
                largest=min(known.most, number),
                persons=known.persons,
                coverage=coverage,
                ceiling=ceiling if is_base else inf,
            )
            if period.freq == "M":
                # Regulars make a week's visitors nearly the month's: one of the two would have to be hidden.
                yield Cell(place.id, period.id, VISITORS, known.persons, persons=known.persons, coverage=coverage)


def _open_hours(place: Place, known: Total) -> float | None:
    """Return for how many hours a telecentre was open, as its desks or rooms tell; a zone has no hours of its own."""
    return round(known.open_ms / 3_600_000, 2) if place.level == "site" and known.resources else None
