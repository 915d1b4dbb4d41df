"""Counts of persons, of which one lies inside another: whoever subtracts them learns of no few, and a gate that is
wrong is found out.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hub.cells import Table
from hub.disclosure import AGREEMENT_K, PUBLIC_K, Figure, Verdict, disclose_to, revise
from hub.nested import Nested
from tests.support.attendance import (
    VISITORS,
    VISITS,
    Visit,
    base_periods,
    random_network,
    site_places,
    table_of,
    zone,
)
from tests.support.long_form import CAMPAIGN_MINUTES

TABLES = 100 + round(1_000 * CAMPAIGN_MINUTES)
AUDIENCES = (AGREEMENT_K, PUBLIC_K)
OCTOBER = base_periods(["2026-10"])
VALLEY = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]

At = tuple[str, str]


def counts(verdicts: tuple[Verdict, ...], indicator: str = VISITORS.id) -> dict[At, float]:
    return {(it.place, it.period): it.value for it in verdicts if it.indicator == indicator and it.value is not None}


def differences(told: dict[At, float], table: Table, k: int) -> Iterator[tuple[At, At, float]]:
    """Yield each two counts of which one lies inside the other and that differ by fewer than `k`.

    Told of the tables alone: who can have come is who was counted in a telecentre on a day.
    """
    sites = {place.id: place.sites for place in table.places}
    parts = {period.id: period.parts for period in table.periods}
    base = {(cell.place, cell.period) for cell in table.cells if cell.indicator == VISITS.id and cell.ceiling > 0}
    atoms = {at: {(site, part) for site in sites[at[0]] for part in parts[at[1]]} & base for at in told}
    for inner, fewer in told.items():
        for outer, more in told.items():
            if atoms[inner] < atoms[outer] and more - fewer < k:
                yield inner, outer, more - fewer


def told_of(table: Table) -> Iterator[tuple[Table, dict[At, float], int]]:
    """Yield what each audience is told, and what an audience has that is told both."""
    releases = disclose_to(table, AUDIENCES)
    both = {at: value for k in AUDIENCES for at, value in counts(releases[k].verdicts).items()}
    yield from ((table, counts(releases[k].verdicts), k) for k in AUDIENCES)
    yield table, both, AGREEMENT_K


def found() -> Iterator[tuple[At, At, float]]:
    """Yield what somebody who subtracts finds out in random networks."""
    for seed in range(TABLES):
        for table, told, k in told_of(table_of(*random_network(seed))):
            yield from differences(told, table, k)


def test_no_two_counts_of_persons_that_are_told_differ_by_fewer_than_the_threshold() -> None:
    assert list(found()) == []


def test_a_gate_that_tells_every_count_of_persons_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Nested, "separate", lambda *_: None)
    assert any(found())


def test_a_gate_that_looks_at_each_audience_alone_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    separate = Nested.separate

    def forgetful(self: Nested, k: int, is_told: object) -> None:
        self._hidden.clear()
        separate(self, k, is_told)  # type: ignore[arg-type]  # It is passed on as it came.

    monkeypatch.setattr(Nested, "separate", forgetful)
    assert any(found())


def valley(a: int, b: int, c: int, everywhere: int = 0) -> Table:
    """Return a valley in which so many came to each telecentre alone, and so many to all three."""
    visits = [Visit(person, site, "2026-10") for person in range(everywhere) for site in "abc"]
    first = everywhere
    for site, number in zip("abc", (a, b, c), strict=True):
        visits += [Visit(first + person, site, "2026-10") for person in range(number)]
        first += number
    return table_of(visits, VALLEY, OCTOBER)


@pytest.mark.parametrize("others", [12, 11, 10, 1, 0])
def test_a_valley_is_told_if_eleven_came_there_and_never_to_its_largest_telecentre(others: int) -> None:
    found = counts(disclose_to(valley(0, others, others, everywhere=20), AUDIENCES)[PUBLIC_K].verdicts)
    assert found["a", "2026-10"] == 20
    assert found["b", "2026-10"] == found["c", "2026-10"] == 20 + others
    # Never at b, the largest, were those who came to c alone.
    assert found.get(("valley", "2026-10")) == (20 + 2 * others if others >= PUBLIC_K else None)


def test_visits_are_told_where_the_count_of_persons_is_not() -> None:
    release = disclose_to(valley(0, 1, 0, everywhere=20), AUDIENCES)[PUBLIC_K]
    assert counts(release.verdicts, VISITS.id)["valley", "2026-10"] == 61
    assert ("valley", "2026-10") not in counts(release.verdicts)


def test_a_valley_of_which_only_one_telecentre_was_heard_is_told_as_that_telecentre() -> None:
    table = valley(20, 0, 0)
    known = [
        replace(cell, ceiling=0.0) if cell.place in ("b", "c") and cell.indicator == VISITS.id else cell
        for cell in table.cells
    ]
    found = counts(disclose_to(replace(table, cells=known), AUDIENCES)[PUBLIC_K].verdicts)
    assert found["valley", "2026-10"] == found["a", "2026-10"] == 20


def test_a_count_hidden_once_stays_hidden_and_a_count_too_close_is_hidden_in_a_revision() -> None:
    table, nothing = valley(0, 1, 0, everywhere=20), table_of([], VALLEY, OCTOBER)
    late = replace(nothing, cells=[replace(cell, ceiling=0.0) for cell in nothing.cells])
    told = {Figure(place.id, "2026-10", VISITS.subject) for place in VALLEY}
    for uncounted in (frozenset[Figure](), frozenset({Figure("valley", "2026-10", VISITS.subject)})):
        revision = revise(table, disclose_to(late, AUDIENCES)[PUBLIC_K], told, frozenset(), uncounted)
        assert counts(revision.verdicts, VISITS.id)["valley", "2026-10"] == 61
        assert ("valley", "2026-10") not in counts(revision.verdicts)
        assert Figure("valley", "2026-10", VISITS.subject) in revision.uncounted
