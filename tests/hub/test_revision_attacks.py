"""Whoever reads every revision of a month, and knows which telecentres were away, finds out no more than from one."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

import hub.disclosure
from hub.cells import Cell, Table
from hub.disclosure import AGREEMENT_K, LOWEST_K, NARROWEST_SHARE, PUBLIC_K, Figure, Release, disclose, revise
from hub.suppression import Pattern
from tests.support.attacker import least
from tests.support.attendance import VISITS, Visit, random_network, table_of
from tests.support.long_form import CAMPAIGN_MINUTES

MONTHS = 40 + round(200 * CAMPAIGN_MINUTES)
ATTACKED = 4
SLACK = 1e-6

Key = tuple[str, str]


@dataclass(frozen=True)
class Published:
    """What a month tells over its revisions: tables of what was added each time, and the values told after each."""

    k: int
    added: tuple[Table, ...]
    told: tuple[dict[Key, float], ...]


def publish(seed: int) -> Published:
    """Publish a random month three times, with zones and weeks that overlap; each time more has come in."""
    rng = random.Random(seed)
    visits, places, periods = random_network(seed)
    k = rng.choice([LOWEST_K, AGREEMENT_K, PUBLIC_K])
    away = {(visit.site, visit.part): rng.choice([0, 0, 0, 1, 2]) for visit in visits}
    part = rng.random() < 0.5
    arrivals = [away[it.site, it.part] if not part or rng.random() < 0.5 else 0 for it in visits]
    waves = [[visit for visit, wave in zip(visits, arrivals, strict=True) if wave == n] for n in range(3)]
    added = [table_of(waves[0], places, periods)]
    added += [
        changed_only(table_of(wave, places, periods), wave, random.Random(f"listened {seed} {number}"))
        for number, wave in enumerate(waves[1:])
    ]
    first = disclose(added[0], k)
    told = [values(first.verdicts)]
    kept: frozenset[Figure] = frozenset()
    shown = {Figure(it.place, it.period, VISITS.subject) for it in first.verdicts if it.value is not None}
    for number in (1, 2):
        whole = table_of([visit for wave in waves[: number + 1] for visit in wave], places, periods)
        revision = revise(whole, disclose(added[number], k), shown, kept)
        kept = revision.kept
        told.append(values(revision.verdicts))
    return Published(k, tuple(added), tuple(told))


def values(verdicts: Sequence[hub.disclosure.Verdict]) -> dict[Key, float]:
    return {(it.place, it.period): it.value for it in verdicts if it.indicator == VISITS.id and it.value is not None}


def changed_only(table: Table, late: Sequence[Visit], longer: random.Random) -> Table:
    """Let everybody know where nothing was added, and nobody where a telecentre was heard for longer."""
    changed = {(visit.site, visit.part) for visit in late}
    share = longer.choice([0.0, 0.1, 0.5])
    sites = {place.id for place in table.places if place.level == "site"}
    base = {period.id for period in table.periods if period.parts == {period.id}}
    changed |= {(site, part) for site in sorted(sites) for part in sorted(base) if longer.random() < share}

    def known(cell: Cell) -> Cell:
        is_base = cell.place in sites and cell.period in base and cell.indicator == VISITS.id
        return replace(cell, ceiling=0.0) if is_base and (cell.place, cell.period) not in changed else cell

    return replace(table, cells=[known(cell) for cell in table.cells])


class Reader:
    """Solves for all revisions together: what each telecentre had at first, and what came each time."""

    def __init__(self, month: Published) -> None:
        self._sites = {place.id: sorted(place.sites) for place in month.added[0].places}
        self._parts = {period.id: sorted(period.parts) for period in month.added[0].periods}
        self._columns: dict[tuple[int, str, str], int] = {}
        self._bounds: list[tuple[float, float]] = []
        for wave, table in enumerate(month.added):
            for cell in table.cells:
                is_base = self._sites[cell.place] == [cell.place] and self._parts[cell.period] == [cell.period]
                if cell.indicator == VISITS.id and is_base:
                    self._columns[wave, cell.place, cell.period] = len(self._bounds)
                    self._bounds.append((0.0, cell.ceiling))
        sums = [
            (self.row(range(wave + 1), *at), value)
            for wave, told in enumerate(month.told)
            for at, value in told.items()
        ]
        self._sums = np.array([row for row, _ in sums]).reshape(len(sums), len(self._bounds))
        self._values = np.array([value for _, value in sums])

    def row(self, waves: Sequence[int], place: str, period: str) -> list[float]:
        row = [0.0] * len(self._bounds)
        for wave in waves:
            for site in self._sites[place]:
                for part in self._parts[period]:
                    row[self._columns[wave, site, part]] = 1.0
        return row

    def range_of(self, waves: Sequence[int], place: str, period: str) -> tuple[float, float]:
        row = np.array(self.row(waves, place, period))
        known = self._bounds, self._sums, self._values
        return least(row, *known), -least(-row, *known)


def room_of(table: Table, cell: Cell) -> float:
    """Return how much higher a figure could be for all that everybody knows."""
    sites = next(place.sites for place in table.places if place.id == cell.place)
    parts = next(period.parts for period in table.periods if period.id == cell.period)
    base = (it for it in table.cells if it.indicator == VISITS.id and it.place in sites and it.period in parts)
    return sum(it.ceiling - (it.value or 0) for it in base)


def finds(seed: int) -> Iterator[tuple[int, int, str, str, str]]:
    """Yield what is found out of figures about too few: of the first release, and of what came each time."""
    month = publish(seed)
    reader = Reader(month)
    rng = random.Random(seed)
    for wave, table in enumerate(month.added):
        small = [
            cell
            for cell in table.cells
            if cell.indicator == VISITS.id and (cell.persons or 0) < month.k and (cell.value or room_of(table, cell))
        ]
        for cell in rng.sample(small, min(ATTACKED, len(small))):
            value = cell.value or 0.0
            wanted = max(3, NARROWEST_SHARE * value)
            lowest, highest = reader.range_of([wave], cell.place, cell.period)
            if highest < value + min(wanted, room_of(table, cell)) - SLACK * max(1, value):
                yield seed, wave, cell.place, cell.period, f"{value} is at most {highest}"
            if lowest > value - min(wanted, value) + SLACK * max(1, value):
                yield seed, wave, cell.place, cell.period, f"{value} is at least {lowest}"


def computed(seed: int) -> Iterator[tuple[int, int, str, str, str]]:
    """Yield what can be computed after each revision: figures that it does not tell as they are then."""
    month = publish(seed)
    reader = Reader(month)
    rng = random.Random(seed)
    for wave, told in enumerate(month.told):
        so_far = month.added[: wave + 1]
        hidden = [
            (cell.place, cell.period)
            for cell in month.added[0].cells
            if cell.indicator == VISITS.id and (cell.place, cell.period) not in told
        ]
        known = [{(it.place, it.period): it for it in table.cells if it.indicator == VISITS.id} for table in so_far]
        for at in rng.sample(hidden, min(ATTACKED, len(hidden))):
            if not any(
                cells[at].value or room_of(table, cells[at]) for cells, table in zip(known, so_far, strict=True)
            ):
                continue
            lowest, highest = reader.range_of(range(wave + 1), *at)
            if highest - lowest < VISITS.step - SLACK * max(1, highest):
                yield seed, wave, *at, f"it is from {lowest} to {highest}"


def found() -> Iterator[tuple[int, int, str, str, str]]:
    for seed in range(MONTHS):
        yield from finds(seed)
        yield from computed(seed)


def test_a_solver_over_all_revisions_of_a_month_recovers_nothing_hidden_and_narrows_nothing_small() -> None:
    assert list(found()) == []


def test_revisions_by_a_gate_that_protects_only_what_is_confidential_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pattern, "loosen", lambda self, at: self._firm.pop(at, None))
    assert any(next(computed(seed), None) for seed in range(MONTHS))


def test_revisions_tell_something_anew() -> None:
    assert sum(len(told) for seed in range(20) for told in publish(seed).told[1:]) > 20


# Wrong ways to revise, each of which somebody might choose; the solver must find something.


def test_to_publish_the_month_again_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(table: Table, late: Release, _told: set[Figure], kept: frozenset[Figure]) -> hub.disclosure.Revision:
        return hub.disclosure.Revision(disclose(table, late.k).verdicts, kept)

    monkeypatch.setattr(f"{__name__}.revise", again)
    assert next(found(), None) is not None


def test_to_forget_what_was_kept_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = revise
    monkeypatch.setattr(f"{__name__}.revise", lambda table, late, told, _kept: right(table, late, told, frozenset()))
    assert next(found(), None) is not None


def test_to_tell_what_was_hidden_before_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = revise

    def all_told(table: Table, late: Release, _told: set[Figure], kept: frozenset[Figure]) -> hub.disclosure.Revision:
        return right(table, late, {Figure(it.place, it.period, VISITS.subject) for it in table.cells}, kept)

    monkeypatch.setattr(f"{__name__}.revise", all_told)
    assert next(found(), None) is not None
