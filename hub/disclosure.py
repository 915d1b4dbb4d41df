"""The gate of publication: of a table of figures, what may be published, and why the rest may not. Pure.

A cell is one indicator of a place (a telecentre, or a zone of several) in a period. It is hidden for one of these
reasons, in the codes of SDMX (CL_CONF_STATUS) that the audit counts by:

- `N`: the grain is finer than this audience gets (a telecentre's day is never public).
- `A`: fewer than `k` persons stand behind it, or fewer than three desks or rooms. None at all is fewer, too: a zero
  says of each member that they did not come.
- `O`: one person or one desk makes more than 85 % of it, the (n, k) rule of dominance with n = 1.
- `D`: safe by itself, and hidden so that the others cannot be computed from sums (complementary suppression); or a
  count of persons that is too close to one inside it (`hub/nested.py`): it alone, and not the rest of its subject.

The published file says `F`, `N` or `C` (confidential), never which of `A`, `O`, `D`: `A` alone would tell that fewer
than eleven came. Indicators of one subject share their fate, so that a rate never tells the count it was made of; what
is computed with is the subject's additive measures, from which rates and means are made.

Time of desks and rooms names nobody (no table joins a desk to a badge), so that desks are counted and not persons. In
a telecentre of four desks that may still be about one person: where persons are known, they must be `k` as well.

Source: domain.md 5.1 (rules of INSEE) and R5; docs/decisions/0024 and docs/method.md tell it at length.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hub.cells import FREQS, Cell, CheckedTable, Freq, Indicator, Level, Table, TableError
from hub.margins import Coordinate, Margins
from hub.nested import Nested
from hub.remainders import Contributors, Remainders
from hub.statistics import COUNTED_PCT, PUBLISHED_PCT, UNCERTAIN_PCT
from hub.suppression import Pattern
from hub.swaps import Need

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

Reason = Literal["F", "N", "A", "O", "D"]
ConfStatus = Literal["F", "N", "C"]
ObsStatus = Literal["A", "U", "M"]

FINEST_BY_AGREEMENT: Mapping[Level, Freq] = {
    "site": "W",
    "valley": "D",
    "territory": "D",
    "network": "D",
    "massif": "D",
}
FINEST_PUBLIC: Mapping[Level, Freq] = {"site": "M", "valley": "M", "territory": "W", "network": "D", "massif": "D"}


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
    return disclose_to(table, (k,))[k]


def disclose_to(table: Table, thresholds: Collection[int]) -> dict[int, Release]:
    """Return what may be published to each of several audiences, by threshold; it costs as much as the largest alone.

    Raises:
        TableError: as for one.
    """
    for k in thresholds:
        if not LOWEST_K <= k <= LARGEST_K:
            raise TableError(f"the threshold is {k}, and must be from {LOWEST_K} to {LARGEST_K}")
    gate = CheckedTable(table)
    found = {subject: _reasons(gate, subject, thresholds) for subject in sorted(gate.subjects)}
    return {k: _release(gate, {subject: judged[k] for subject, judged in found.items()}, k) for k in thresholds}


class Figure(NamedTuple):
    """All indicators of one subject of a place in a period."""

    place: str
    period: str
    subject: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What a later release tells anew of what an earlier one told, and what none will tell anew any more."""

    verdicts: tuple[Verdict, ...]
    kept: frozenset[Figure]
    uncounted: frozenset[Figure] = frozenset()
    """The figures that are told without their count of persons."""


def revise(
    table: Table,
    late: Release,
    told: AbstractSet[Figure],
    kept: AbstractSet[Figure],
    uncounted: AbstractSet[Figure] = frozenset(),
) -> Revision:
    """Return which figures of a table may be told in the place of those published before.

    Args:
        table: the figures as they are now.
        late: what the gate lets through of what was added since, as a table of its own. Where nothing was, it is free.
        told: the figures that had a value, or of which everybody knew that there was nothing to tell.
        kept: the figures that an earlier revision has kept as they were.
        uncounted: the figures whose count of persons is hidden before, or from a freer audience; it stays so.
    """
    subjects = {indicator.id: indicator.subject for indicator in table.indicators}
    closed = {
        Figure(it.place, it.period, subjects[it.indicator]) for it in late.verdicts if it.conf_status != "F"
    } | kept
    gate = CheckedTable(table)
    for subject, cells in gate.subjects.items():
        small = (at for at in _unsafe(cells, late.k) if not gate.has_nothing(subject, at))
        closed |= {Figure(*at, subject) for at in small}
    anew = told - closed
    for subject in gate.subjects:
        for nested in _nested(gate, subject, late.k, anew - uncounted).values():
            nested.separate(late.k, lambda _: True)
            uncounted = uncounted | {Figure(*at, subject) for at in nested.hidden()}
    verdicts = [
        _verdict(
            cell,
            gate.indicators[cell.indicator],
            "D" if gate.indicators[cell.indicator].counts_persons and (*at, subject) in uncounted else "F",
            nothing=gate.has_nothing(subject, at),
        )
        for subject, cells in sorted(gate.subjects.items())
        for cell in cells
        if (*(at := (cell.place, cell.period)), subject) in anew
    ]
    return Revision(tuple(verdicts), frozenset(closed), frozenset(uncounted))


class _Judged(NamedTuple):
    """Why the figures of a subject are hidden at a threshold, or `F`."""

    reasons: Mapping[Coordinate, Reason]
    """By place and period, of all indicators together."""
    close: Mapping[str, AbstractSet[Coordinate]]
    """By count of persons, where it is hidden for being too close to another."""

    def reason(self, cell: Cell) -> Reason:
        """Return why a cell is hidden, or `F`."""
        at = cell.place, cell.period
        return "D" if self.reasons[at] == "F" and at in self.close.get(cell.indicator, ()) else self.reasons[at]


def _release(gate: CheckedTable, judged_of: Mapping[str, _Judged], k: int) -> Release:
    verdicts: list[Verdict] = []
    audit: Counter[tuple[str, Level, Freq, Reason]] = Counter()
    for subject, judged in judged_of.items():
        for cell in gate.subjects[subject]:
            reason = judged.reason(cell)
            nothing = gate.has_nothing(subject, (cell.place, cell.period))
            verdicts.append(_verdict(cell, gate.indicators[cell.indicator], reason, nothing=nothing))
            audit[subject, gate.places[cell.place].level, gate.periods[cell.period].freq, reason] += 1
    verdicts.sort(key=lambda verdict: (verdict.place, verdict.period, verdict.indicator))
    return Release(k, tuple(verdicts), tuple(AuditLine(*key, count) for key, count in sorted(audit.items())))


def obs_status(coverage: float | None, *, is_counted: bool = False) -> ObsStatus:
    """Return what a coverage allows to say; what has none is normal, and what is counted never missing."""
    if coverage is None or coverage * 100 >= (COUNTED_PCT if is_counted else PUBLISHED_PCT):
        return "A"
    if is_counted:
        return "U"
    return "U" if coverage * 100 >= UNCERTAIN_PCT else "M"


def _verdict(cell: Cell, indicator: Indicator, reason: Reason, *, nothing: bool) -> Verdict:
    status = "M" if nothing or cell.value is None else obs_status(cell.coverage, is_counted=indicator.is_counted)
    shown = cell.value if reason == "F" and status != "M" else None
    return Verdict(
        place=cell.place,
        period=cell.period,
        indicator=cell.indicator,
        value=None if shown is None else round(shown, indicator.decimals or None),
        conf_status="F" if reason == "F" else "N" if reason == "N" else "C",
        obs_status=status,
        coverage=cell.coverage,
    )


def _nested(gate: CheckedTable, subject: str, largest_k: int, among: AbstractSet[Figure]) -> dict[str, Nested]:
    """Return which of the counts of persons of some figures of a subject lie inside which, by indicator."""
    counts: dict[str, dict[Coordinate, float]] = {}
    for cell in gate.subjects[subject]:
        at = cell.place, cell.period
        counts_persons = gate.indicators[cell.indicator].counts_persons and cell.value is not None
        if counts_persons and (*at, subject) in among and not gate.has_nothing(subject, at):
            counts.setdefault(cell.indicator, {})[at] = cell.value or 0.0
    measures = [measure for _, measure in gate.measures(subject)]
    return {name: Nested(gate.margins, measures, known, largest_k) for name, known in sorted(counts.items())}


def _reasons(gate: CheckedTable, subject: str, thresholds: Collection[int]) -> dict[int, _Judged]:
    """Return by threshold why the figures of a subject are hidden."""
    by_threshold: dict[int, _Judged] = {}
    cells = gate.subjects[subject]
    behind = _behind(cells)
    # A month is worth its days: a day of the network goes before a telecentre's month.
    costs = {at: (1.0 + people.number) * len(gate.margins.parts[at[1]]) for at, people in behind.items()}
    pattern = Pattern(gate.margins, [measure for _, measure in gate.measures(subject)], costs)
    told = {at: people for at, people in behind.items() if not gate.has_nothing(subject, at)}
    remainders = Remainders(gate.margins, pattern, told)
    nested = _nested(gate, subject, max(thresholds), {Figure(*at, subject) for at in told})
    unsafe: dict[Coordinate, Reason] = {}
    kept: set[Coordinate] = set()
    missing = set(behind) - {(cell.place, cell.period) for cell in cells if _is_known(gate, cell)} | (
        set(behind) - set(told)
    )
    for coordinate in sorted(missing):
        pattern.hide(coordinate)
    for threshold in range(LOWEST_K, max(thresholds) + 1):
        found = {at: reason for at, reason in _unsafe(cells, threshold).items() if at in told and at not in unsafe}
        unsafe.update(found)
        too_fine = _too_fine(gate, behind, threshold) - kept
        kept |= too_fine
        for coordinate in sorted(found.keys() | too_fine):
            pattern.hide(coordinate)
        remainders.complete(threshold, LOWEST_K)
        for coordinate in sorted(found, key=lambda at: _coarse_first(gate.margins, at)):
            pattern.protect(coordinate, _needs(gate, subject, coordinate))
        remainders.complete(threshold, LOWEST_K)
        # What is hidden beside the confidential, what is too fine, and what is then hidden beside those.
        while firm := pattern.firm():
            for coordinate in sorted(firm, key=lambda at: _coarse_first(gate.margins, at)):
                pattern.loosen(coordinate)
            remainders.complete(threshold, LOWEST_K)
        for counts in nested.values():
            counts.separate(threshold, pattern.is_published)
        if threshold in thresholds:
            reasons = {at: _reason(at, pattern, unsafe, kept, missing) for at in behind}
            by_threshold[threshold] = _Judged(reasons, {name: counts.hidden() for name, counts in nested.items()})
    return by_threshold


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


def _is_known(gate: CheckedTable, cell: Cell) -> bool:
    is_counted = gate.indicators[cell.indicator].is_counted
    return cell.value is not None and obs_status(cell.coverage, is_counted=is_counted) != "M"


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


def _needs(gate: CheckedTable, subject: str, at: Coordinate) -> list[Need]:
    """Return how far a hidden place and period must be able to lie from the truth, in each measure."""
    found = []
    for indicator, measure in gate.measures(subject):
        value, room = measure.value(*at), measure.room(*at)
        wanted = max(NARROWEST_STEPS * indicator.step, NARROWEST_SHARE * value)
        found.append(Need(up=min(wanted, room), down=min(wanted, value)))
    return found


def _too_fine(gate: CheckedTable, coordinates: Iterable[Coordinate], k: int) -> set[Coordinate]:
    """Return the places and periods that are finer than an audience gets; a zone of two is as a telecentre."""
    finest = FINEST_PUBLIC if k >= PUBLIC_K else FINEST_BY_AGREEMENT
    least = {
        place.id: FREQS.index(finest["site" if len(place.sites) < LOWEST_K else place.level])
        for place in gate.places.values()
    }
    return {at for at in coordinates if FREQS.index(gate.periods[at[1]].freq) < least[at[0]]}


def _coarse_first(margins: Margins, at: Coordinate) -> tuple[int, int, Coordinate]:
    """Order by size, the largest first: what is hidden for them helps the smaller."""
    return -len(margins.sites[at[0]]), -len(margins.parts[at[1]]), at
