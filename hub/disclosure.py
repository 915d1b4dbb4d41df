"""The gate of publication: of a table of figures, what may be published, and why the rest may not. Pure.

A cell is one indicator of a place (a telecentre, or a zone of several) in a period. It is hidden for one of these
reasons, in the codes of SDMX (CL_CONF_STATUS) that the audit counts by:

- `N`: the grain is finer than this audience gets (a telecentre's day is never public).
- `A`: fewer than `k` persons stand behind it, or fewer than three desks or rooms. None at all is fewer, too: a zero
  says of each member that they did not come.
- `O`: one person or one desk makes more than 85 % of it, the (n, k) rule of dominance with n = 1.
- `D`: safe by itself, and hidden so that the others cannot be computed from sums (complementary suppression).

The published file says `F`, `N` or `C` (confidential), never which of `A`, `O`, `D`: `A` alone would tell that fewer
than eleven came. Indicators of one subject share their fate, so that a rate never tells the count it was made of; what
is computed with is the subject's additive measures, from which rates and means are made.

Time of desks and rooms names nobody (no table joins a desk to a badge), so that desks are counted and not persons. In
a telecentre of four desks that may still be about one person: where persons are known, they must be `k` as well.

Source: domain.md 5.1 (rules of INSEE) and R5; docs/decisions/0024 and docs/method.md tell it at length.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, NamedTuple

from hub.margins import Atom, Coordinate, Margins, Measure
from hub.remainders import Contributors, Remainders
from hub.suppression import Need, Pattern

PUBLIC_K = 11
"""Persons behind a public figure."""

AGREEMENT_K = 5
"""Persons behind a figure that an agreement lets somebody have."""

LOWEST_K = 3
"""Fewer contributors than this are never published, to nobody, of persons or of desks."""

LARGEST_K = 100
"""A threshold beyond this is a mistake: each step up to it is walked."""

DOMINANT_SHARE = 0.85
"""What one contributor may make of a value at most."""

NARROWEST_SHARE = 0.30
"""A hidden value must be possible this share higher and lower. Above 1 / 0.85 - 1, which undoes a dominance."""

NARROWEST_STEPS = 3
"""And at least so many steps of its indicator: 30 % of two visits is nothing."""

PUBLISHED_COVERAGE = 0.80
"""From this coverage on a figure is normal (`A`); below it, of low reliability (`U`)."""

UNCERTAIN_COVERAGE = 0.50
"""Below this coverage a figure is missing (`M`)."""

MAX_CELLS = 1_000_000
"""A table beyond this is cut into releases by its maker: at this size the gate takes minutes."""

Level = Literal["site", "valley", "territory", "network", "massif"]
Freq = Literal["H", "D", "W", "M", "Q", "A"]
"""CL_FREQ: hour, day, week, month, quarter, year."""

Reason = Literal["F", "N", "A", "O", "D"]
ConfStatus = Literal["F", "N", "C"]
ObsStatus = Literal["A", "U", "M"]

FREQS: Sequence[Freq] = ("H", "D", "W", "M", "Q", "A")
FINEST_BY_AGREEMENT: Mapping[Level, Freq] = {
    "site": "W",
    "valley": "D",
    "territory": "D",
    "network": "D",
    "massif": "D",
}
FINEST_PUBLIC: Mapping[Level, Freq] = {"site": "M", "valley": "M", "territory": "W", "network": "D", "massif": "D"}


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be told of one cell."""

    place: str
    period: str
    indicator: str
    value: float | None
    conf_status: ConfStatus
    obs_status: ObsStatus
    coverage: float | None


class AuditLine(NamedTuple):
    """How many cells of a kind ended with which reason: numbers only, for whoever answers for the release."""

    subject: str
    level: Level
    freq: Freq
    reason: Reason
    cells: int


@dataclass(frozen=True, slots=True)
class Release:
    """What may be published, in order of place, period and indicator; the audit is not part of it."""

    k: int
    verdicts: tuple[Verdict, ...]
    audit: tuple[AuditLine, ...]


def disclose(table: Table, k: int = PUBLIC_K) -> Release:
    """Return what of a table may be published to an audience with threshold `k`.

    What a larger `k` publishes is part of what each smaller one does, so that releases to several audiences, laid
    together, tell no more than the freest of them.

    Raises:
        TableError: `k` is below three, or the table contradicts itself.
    """
    if not LOWEST_K <= k <= LARGEST_K:
        raise TableError(f"the threshold is {k}, and must be from {LOWEST_K} to {LARGEST_K}")
    gate = _Checked(table)
    verdicts: list[Verdict] = []
    audit: Counter[tuple[str, Level, Freq, Reason]] = Counter()
    for subject in sorted(gate.subjects):
        reasons = _reasons(gate, subject, k)
        for cell in gate.subjects[subject]:
            reason = reasons[cell.place, cell.period]
            verdicts.append(_verdict(cell, gate.indicators[cell.indicator], reason))
            audit[subject, gate.places[cell.place].level, gate.periods[cell.period].freq, reason] += 1
    verdicts.sort(key=lambda verdict: (verdict.place, verdict.period, verdict.indicator))
    return Release(k, tuple(verdicts), tuple(AuditLine(*key, count) for key, count in sorted(audit.items())))


def obs_status(coverage: float | None) -> ObsStatus:
    """Return what a coverage allows to say; what is not measured by coverage is normal."""
    if coverage is None or coverage >= PUBLISHED_COVERAGE:
        return "A"
    return "U" if coverage >= UNCERTAIN_COVERAGE else "M"


def _verdict(cell: Cell, indicator: Indicator, reason: Reason) -> Verdict:
    status = "M" if cell.value is None else obs_status(cell.coverage)
    shown = cell.value if reason == "F" and status != "M" else None
    return Verdict(
        place=cell.place,
        period=cell.period,
        indicator=cell.indicator,
        value=None if shown is None else round(shown, indicator.decimals),
        conf_status="F" if reason == "F" else "N" if reason == "N" else "C",
        obs_status=status,
        coverage=cell.coverage,
    )


def _reasons(gate: "_Checked", subject: str, k: int) -> dict[Coordinate, Reason]:
    """Return for each place and period of a subject why it is hidden, or `F`."""
    cells = gate.subjects[subject]
    behind = _behind(cells)
    pattern = Pattern(gate.margins, gate.measures(subject), {at: 1.0 + people.number for at, people in behind.items()})
    remainders = Remainders(gate.margins, pattern, behind)
    unsafe: dict[Coordinate, Reason] = {}
    kept: set[Coordinate] = set()
    missing = set(behind) - {(cell.place, cell.period) for cell in cells if _is_known(cell)}
    for coordinate in sorted(missing):
        pattern.hide(coordinate)
    for threshold in range(LOWEST_K, k + 1):
        found = {at: reason for at, reason in _unsafe(cells, threshold).items() if at not in unsafe}
        unsafe.update(found)
        too_fine = gate.too_fine(behind, threshold) - kept
        kept |= too_fine
        for coordinate in sorted(found.keys() | too_fine):
            pattern.hide(coordinate)
        remainders.complete(threshold, LOWEST_K)
        for coordinate in sorted(found, key=gate.coarse_first):
            pattern.protect(coordinate, gate.needs(subject, coordinate))
        pattern.give_back()
        remainders.complete(threshold, LOWEST_K)
    return {at: _reason(at, pattern, unsafe, kept, missing) for at in behind}


def _reason(
    at: Coordinate,
    pattern: Pattern,
    unsafe: Mapping[Coordinate, Reason],
    kept: set[Coordinate],
    missing: set[Coordinate],
) -> Reason:
    if at in kept:
        return "N"
    if at in unsafe:
        return unsafe[at]
    return "F" if at in missing or pattern.is_published(at) else "D"


def _is_known(cell: Cell) -> bool:
    return cell.value is not None and obs_status(cell.coverage) != "M"


def _behind(cells: Iterable[Cell]) -> dict[Coordinate, Contributors]:
    """Return who stands behind each place and period: the fewest of its indicators."""
    found: dict[Coordinate, Contributors] = {}
    for cell in cells:
        at = cell.place, cell.period
        found[at] = Contributors(cell.persons, cell.resources).fewest(found.get(at))
    return found


def _unsafe(cells: Iterable[Cell], k: int) -> dict[Coordinate, Reason]:
    """Return the places and periods that may not be published for their own sake; small comes before dominant."""
    found: dict[Coordinate, Reason] = {}
    for cell in cells:
        at = cell.place, cell.period
        if not Contributors(cell.persons, cell.resources).are_enough(k, LOWEST_K):
            found[at] = "A"
        elif cell.value is not None and cell.largest > DOMINANT_SHARE * cell.value:
            found.setdefault(at, "O")
    return found


class _Checked:
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
        measure = Measure(self.margins, base)
        for cell in cells:
            computed, given = measure.value(cell.place, cell.period), cell.value or 0.0
            if abs(computed - given) > 1e-6 * max(1.0, abs(given)):
                raise TableError(f"{_name(cell)} is {given:g}, and its base cells add up to {computed:g}")
        if indicator.step <= 0:
            raise TableError(f"the step of '{indicator.id}' must be above zero")
        return measure

    def measures(self, subject: str) -> list[Measure]:
        """Return the additive measures of a subject."""
        return [measure for _, measure in self._measures[subject]]

    def needs(self, subject: str, at: Coordinate) -> list[Need]:
        """Return how far a hidden place and period must be able to lie from the truth, in each measure."""
        found = []
        for indicator, measure in self._measures[subject]:
            value = measure.value(*at)
            wanted = max(NARROWEST_STEPS * indicator.step, NARROWEST_SHARE * value)
            found.append(Need(up=min(wanted, measure.room(*at)), down=min(wanted, value)))
        return found

    def too_fine(self, coordinates: Iterable[Coordinate], k: int) -> set[Coordinate]:
        """Return the places and periods that are finer than an audience gets."""
        finest = FINEST_PUBLIC if k >= PUBLIC_K else FINEST_BY_AGREEMENT
        return {
            (place, period)
            for place, period in coordinates
            if FREQS.index(self.periods[period].freq) < FREQS.index(finest[self.places[place].level])
        }

    def coarse_first(self, at: Coordinate) -> tuple[int, int, Coordinate]:
        """Order by size, the largest first: what is hidden for them helps the smaller."""
        return -len(self.margins.sites[at[0]]), -len(self.margins.parts[at[1]]), at


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
