"""What the release of a month must say, from the truth of each telecentre: every figure, and who is behind it. Pure.

Of each desk or room on each day there is a row; a figure is made of the rows of its place and period. The definitions
are those of docs/method.md; whether a figure may be told is not asked here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from simulators.year_ask import resources
from simulators.year_calendar import HOUR_MS, MINUTE_MS, bounds_of, day_of
from simulators.year_indicators import status
from simulators.year_persons import Passage, visits
from simulators.year_sessions import begun_in, sessions
from simulators.year_spans import Measure, both
from simulators.year_truth import Truth
from simulators.year_zones import Zone, days_between

DESKS, ROOMS, PERSONS = "poste", "salle_visio", "personnes"

NORMAL = Fraction(95, 100)
"""Of the opening hours of a place, so much must have been heard for a count of persons to be a normal one."""


class Place(NamedTuple):
    """A telecentre or a zone, as a release names it, with its telecentres."""

    id: str
    level: str
    sites: frozenset[str]


class Period(NamedTuple):
    """A day, a week or the month, as a release names it, with its days."""

    id: str
    freq: str
    days: tuple[date, ...]


class Row(NamedTuple):
    """A desk or a room on one local day; times in milliseconds."""

    resource: tuple[str, str]
    available_ms: int
    observed_ms: int
    occupied_ms: int
    sessions: int


class Part(NamedTuple):
    """An additive figure: its value, the most that one desk or person makes of it, how many have a part in it."""

    value: float
    largest: float
    behind: int


class Figure(NamedTuple):
    """What a release says of one subject of a place in a period, before it is asked what may be told."""

    values: Mapping[str, float | None]
    """By indicator, to the last digit; None where it is a share of nothing."""
    obs_status: str
    coverage: float | None
    resources: int | None
    open_hours: float | None
    parts: Mapping[str, Part]


def month_after(month: date) -> date:
    """Return the first day of the month that follows."""
    return (month + timedelta(days=31)).replace(day=1)


def periods_of(month: date) -> list[Period]:
    """Return the days of a month, the ISO weeks that lie in it as a whole, and the month."""
    days = days_between(month, month_after(month))
    weeks: dict[str, list[date]] = {}
    for day in days:
        year, week, _ = day.isocalendar()
        weeks.setdefault(f"{year}-W{week:02d}", []).append(day)
    found = [Period(day.isoformat(), "D", (day,)) for day in days]
    found += [Period(name, "W", tuple(week)) for name, week in weeks.items() if len(week) == 7]
    return [*found, Period(f"{month:%Y-%m}", "M", tuple(days))]


def places_of(month: date, truths: Iterable[Truth], zones: Iterable[Zone]) -> list[Place]:
    """Return the telecentres, and the zones that had the same ones on every day of a month."""
    found = [Place(truth.place.id, "telecentre", frozenset({truth.place.id})) for truth in truths]
    for zone in zones:
        sites = {zone.sites(day) for day in days_between(month, month_after(month))}
        if len(sites) == 1:
            name = zone.id if zone.level == "network" else f"zone:{zone.id}"
            found.append(Place(name, _LEVELS[zone.level], sites.pop()))
    return found


_LEVELS = {"valley": "vallee", "territory": "territoire", "network": "reseau", "massif": "massif"}


class MonthTruth:
    """One month of all telecentres, as far as the hub can know it now."""

    def __init__(
        self, month: date, places: Sequence[Place], truths: Iterable[Truth], passages: Mapping[str, Sequence[Passage]]
    ) -> None:
        self.month = month
        self.places = places
        self.periods = periods_of(month)
        self._truths = {truth.place.id: truth for truth in truths}
        self._rows: defaultdict[tuple[str, str, date], list[Row]] = defaultdict(list)
        for truth in self._truths.values():
            for subject in (DESKS, ROOMS):
                for day, row in _rows(truth, subject, self.periods[-1].days):
                    self._rows[truth.place.id, subject, day].append(row)
        self._passages = {site: _by_day(found) for site, found in passages.items()}
        self._visits = {site: _by_day(visits(found)) for site, found in passages.items()}

    def figure(self, place: Place, period: Period, subject: str) -> Figure:
        """Return one figure."""
        return self._persons(place, period) if subject == PERSONS else self._time(place, period, subject)

    def ceiling(self, site: str, day: date, indicator: str) -> float | None:
        """Return the most that everybody must believe a figure of a telecentre's day to be; None: no bound."""
        name, subject = indicator.split(":")
        if subject == PERSONS:
            return None if self._is_counted(site, day) else 0.0
        rows = self._rows[site, subject, day]
        observed_ms = sum(row.observed_ms for row in rows)
        if name == "temps_occupe":
            return observed_ms / MINUTE_MS
        return None if observed_ms or any(row.sessions for row in rows) else 0.0

    def place_days(self, site: str, day: date, subject: str) -> int:
        """Return how many desks or rooms of a telecentre were there for use on a day."""
        return sum(row.available_ms > 0 for row in self._rows[site, subject, day])

    def _time(self, place: Place, period: Period, subject: str) -> Figure:
        rows = [row for site in sorted(place.sites) for day in period.days for row in self._rows[site, subject, day]]
        available_ms, observed_ms = sum(row.available_ms for row in rows), sum(row.observed_ms for row in rows)
        time_ms = _part((row.resource, row.occupied_ms) for row in rows)
        time = Part(time_ms.value / MINUTE_MS, time_ms.largest / MINUTE_MS, time_ms.behind)
        begun = _part((row.resource, row.sessions) for row in rows)
        days = sum(row.available_ms > 0 for row in rows)
        values = {
            "temps_occupe": time.value,
            "taux_occupation": sum(row.occupied_ms for row in rows) / observed_ms if observed_ms else None,
            "sessions": begun.value,
            "rotation": begun.value / days if days else None,
        }
        return Figure(
            values=values,
            obs_status=status(available_ms, observed_ms) if observed_ms or begun.value else "M",
            coverage=observed_ms / available_ms if available_ms else None,
            resources=len({row.resource for row in rows}),
            open_hours=self._open_hours(place, period, subject) if len(place.sites) == 1 and rows else None,
            parts={"temps_occupe": time, "sessions": begun},
        )

    def _open_hours(self, place: Place, period: Period, subject: str) -> float:
        (site,) = place.sites
        longest = (max((row.available_ms for row in self._rows[site, subject, day]), default=0) for day in period.days)
        return sum(longest) / HOUR_MS

    def _persons(self, place: Place, period: Period) -> Figure:
        at = [(site, day) for site in sorted(place.sites) for day in period.days]
        begun = Counter(one.person for site, day in at for one in self._visits[site].get(day, ()))
        came = {one.person for site, day in at for one in self._passages[site].get(day, ())}
        counted = any(self._is_counted(site, day) for site, day in at)
        times = [self._heard(site, day) for site, day in at]
        open_ms, heard_ms = sum(time[0] for time in times), sum(time[1] for time in times)
        partly = open_ms > 0 and Fraction(heard_ms, open_ms) < NORMAL
        return Figure(
            values={"visites": begun.total(), "visiteurs_uniques": len(came)},
            obs_status="M" if not counted else "U" if partly else "A",
            coverage=heard_ms / open_ms if open_ms else None,
            resources=None,
            open_hours=None,
            parts={"visites": Part(begun.total(), max(begun.values(), default=0), len(came))},
        )

    def heard_ms(self, site: str, day: date) -> int:
        """Return for how much of its opening hours a telecentre was heard on a day, at least."""
        return self._heard(site, day)[1]

    def _heard(self, site: str, day: date) -> tuple[int, int]:
        """Return for how long any desk or room was there for use on a day, and for how long one of them was known."""
        rows = [row for subject in (DESKS, ROOMS) for row in self._rows[site, subject, day]]
        available = [row.available_ms for row in rows]
        return max(available, default=0), max((row.observed_ms for row in rows), default=0)

    def _is_counted(self, site: str, day: date) -> bool:
        """Return whether who came on a day was counted: the telecentre was heard before its end and after it began."""
        truth = self._truths[site]
        begin_ms, end_ms = bounds_of(day)
        return truth.first_ms is not None and truth.first_ms < end_ms and begin_ms < truth.heard_ms


def _rows(truth: Truth, subject: str, days: Sequence[date]) -> Iterator[tuple[date, Row]]:
    """Yield each desk or room on each day on which the register has it; confidential rooms are left out."""
    closed = {room.id for room in truth.place.rooms if room.confidential}
    for resource in resources(truth, "desk" if subject == DESKS else "room"):
        if resource in closed:
            continue
        times = [Measure(of(resource)) for of in (truth.available, truth.observed, truth.occupied)]
        begun, held = sessions(truth, resource), truth.held(resource)
        for day in days:
            span = bounds_of(day)
            if both(held, [span]):
                available_ms, observed_ms, occupied_ms = (measure.within(*span) for measure in times)
                # Of a day on which the place is closed, no session is told.
                number = len(begun_in(begun, span)) if available_ms else 0
                yield day, Row((truth.place.id, resource), available_ms, observed_ms, occupied_ms, number)


def _part(parts: Iterable[tuple[tuple[str, str], int]]) -> Part:
    sums: Counter[tuple[str, str]] = Counter()
    for key, number in parts:
        sums[key] += number
    return Part(sums.total(), max(sums.values(), default=0), sum(number > 0 for number in sums.values()))


def _by_day(found: Iterable[Passage]) -> dict[date, list[Passage]]:
    days: dict[date, list[Passage]] = {}
    for one in found:
        days.setdefault(day_of(one.at_ms), []).append(one)
    return days
