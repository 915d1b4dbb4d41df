"""Tables of figures as the gate of publication takes them, and what makes one of them trustworthy. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from hub.margins import Atom, Coordinate, Margins, Measure

MAX_CELLS = 2_000_000
"""A table beyond this is cut into releases by its maker: at this size the gate takes minutes."""

Level = Literal["site", "valley", "territory", "network", "massif"]
Freq = Literal["H", "D", "W", "M", "Q", "A"]
"""CL_FREQ: hour, day, week, month, quarter, year."""

FREQS: Sequence[Freq] = ("H", "D", "W", "M", "Q", "A")


class TableError(ValueError):
    """The table is not one that can be judged; nothing of it is published."""


@dataclass(frozen=True, slots=True)
class Place:
    """A telecentre, whose only site is itself, or a zone of several; zones may overlap."""

    id: str
    level: Level
    sites: frozenset[str]


@dataclass(frozen=True, slots=True)
class Period:
    """A period as the base periods it is made of; a base period is made of itself. Weeks and months may overlap."""

    id: str
    freq: Freq
    parts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Indicator:
    """What is measured; indicators of one subject are hidden together."""

    id: str
    subject: str
    additive: bool
    """Whether the value of a margin is the sum of its sites and base periods: visits are, rates and persons are not."""
    step: float = 1.0
    """The smallest difference that tells something: one visit, an hour of a desk."""
    decimals: int = 0
    is_counted: bool = False
    """Whether it is told however little of the time was heard: a count is at least what was counted."""
    counts_persons: bool = False
    """Whether it is how many different persons came: those of a place or period are among those of all around it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One indicator of a place in a period."""

    place: str
    period: str
    indicator: str
    value: float | None
    """None: nobody knows. The value of an additive indicator is always known: it is what was seen."""
    largest: float = 0.0
    """What the largest contributor makes of an additive value."""
    persons: int | None = None
    resources: int | None = None
    """Desks or rooms with a part in the value."""
    coverage: float | None = None
    """0 to 1; None where nothing is measured by coverage."""
    ceiling: float = inf
    """The most that everybody knows it can be: the time the desks were observed. Of base cells only."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures with all their margins, base cells (sites in base periods) among them, published or not."""

    places: Sequence[Place]
    periods: Sequence[Period]
    indicators: Sequence[Indicator]
    cells: Sequence[Cell]


class CheckedTable:
    """A table that was found to agree with itself, by subject."""

    def __init__(self, table: Table) -> None:
        if len(table.cells) > MAX_CELLS:
            raise TableError(f"the table has {len(table.cells)} cells, and at most {MAX_CELLS} are judged at once")
        self.places = {place.id: place for place in table.places}
        self.periods = {period.id: period for period in table.periods}
        self.indicators = {indicator.id: indicator for indicator in table.indicators}
        if (len(self.places), len(self.periods)) != (len(table.places), len(table.periods)):
            raise TableError("a place or a period stands twice in the table")
        self.margins = _margins(self.places, self.periods)
        self.subjects: dict[str, list[Cell]] = {indicator.subject: [] for indicator in table.indicators}
        self._measures: dict[str, list[tuple[Indicator, Measure]]] = {subject: [] for subject in self.subjects}
        self._nothing: dict[str, dict[Coordinate, bool]] = {subject: {} for subject in self.subjects}
        of_indicator = self._sorted(table.cells)
        for indicator in sorted(table.indicators, key=lambda it: it.id):
            cells = of_indicator[indicator.id]
            self.subjects[indicator.subject] += cells
            if indicator.additive:
                self._measures[indicator.subject].append((indicator, self._measure(indicator, cells)))
        for subject, measures in self._measures.items():
            if not measures and self.subjects[subject]:
                raise TableError(f"the subject '{subject}' has no additive indicator to compute margins with")

    def _sorted(self, cells: Sequence[Cell]) -> dict[str, list[Cell]]:
        found: dict[str, list[Cell]] = {indicator: [] for indicator in self.indicators}
        seen: set[tuple[str, str, str]] = set()
        for cell in sorted(cells, key=lambda it: (it.indicator, it.place, it.period)):
            key = cell.place, cell.period, cell.indicator
            if key in seen:
                raise TableError(f"{_name(cell)} stands twice in the table")
            seen.add(key)
            if cell.place not in self.places or cell.period not in self.periods or cell.indicator not in found:
                raise TableError(f"{_name(cell)} is of a place, period or indicator that the table does not name")
            _check(cell, additive=self.indicators[cell.indicator].additive)
            found[cell.indicator].append(cell)
        return found

    def _measure(self, indicator: Indicator, cells: list[Cell]) -> Measure:
        """Return an additive indicator by its base cells; every margin must be their sum."""
        is_site, parts = self.margins.is_site, self.margins.parts
        base = {
            (cell.place, cell.period): Atom(cell.value or 0.0, cell.ceiling)
            for cell in cells
            if is_site(cell.place) and parts[cell.period] == {cell.period}
        }
        measure = Measure(self.margins, base, indicator.step)
        for cell in cells:
            computed, given = measure.value(cell.place, cell.period), cell.value or 0.0
            if abs(computed - given) > 1e-6 * max(1.0, abs(given)):
                raise TableError(f"{_name(cell)} is {given:g}, and its base cells add up to {computed:g}")
        if indicator.step <= 0:
            raise TableError(f"the step of '{indicator.id}' must be above zero")
        return measure

    def measures(self, subject: str) -> list[tuple[Indicator, Measure]]:
        """Return the additive indicators of a subject, each with its measure."""
        return self._measures[subject]

    def has_nothing(self, subject: str, at: Coordinate) -> bool:
        """Return whether everybody knows that there was nothing to measure: a closed day."""
        known = self._nothing[subject].get(at)
        if known is None:
            known = all(measure.value(*at) + measure.room(*at) == 0 for _, measure in self._measures[subject])
            self._nothing[subject][at] = known
        return known


def _margins(places: Mapping[str, Place], periods: Mapping[str, Period]) -> Margins:
    margins = Margins(
        sites={place.id: place.sites for place in places.values()},
        parts={period.id: period.parts for period in periods.values()},
        freqs={period.id: period.freq for period in periods.values()},
    )
    for place in places.values():
        named = all(site in places and places[site].level == "site" for site in place.sites)
        if not place.sites or not named or (place.level == "site" and not margins.is_site(place.id)):
            raise TableError(f"the place '{place.id}' is not made of telecentres that the table names")
    for period in periods.values():
        if not period.parts or any(part not in periods or periods[part].parts != {part} for part in period.parts):
            raise TableError(f"the period '{period.id}' is not made of base periods that the table names")
    return margins


def _check(cell: Cell, *, additive: bool) -> None:
    numbers = [number for number in (cell.value, cell.largest, cell.coverage) if number is not None]
    if any(not isfinite(number) or number < 0 for number in numbers) or (cell.coverage or 0.0) > 1:
        raise TableError(f"{_name(cell)} has a number below zero or out of range")
    if additive and (cell.value is None or cell.value > cell.ceiling or cell.largest > cell.value):
        raise TableError(f"{_name(cell)} must have a value, at least its largest part and at most its ceiling")
    if cell.persons is None and cell.resources is None:
        raise TableError(f"{_name(cell)} does not say how many persons or resources stand behind it")
    if (cell.persons or 0) < 0 or (cell.resources or 0) < 0:
        raise TableError(f"{_name(cell)} has fewer than no contributors")


def _name(cell: Cell) -> str:
    return f"'{cell.indicator}' of '{cell.place}' in '{cell.period}'"
