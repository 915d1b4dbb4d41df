"""The gate by examples that can be followed by hand: who is hidden, what is hidden beside them, what is told of it."""

from dataclasses import replace

import pytest

from hub.cells import Cell, Indicator, Period, Place, Table, TableError
from hub.disclosure import AGREEMENT_K, PUBLIC_K, Release, disclose, disclose_to, obs_status
from tests.support.attendance import (
    MINUTES,
    RATE,
    VISITS,
    Use,
    Visit,
    base_periods,
    desk_table,
    site_places,
    table_from,
    table_of,
    zone,
)

OCTOBER = base_periods(["2026-10"])
MONTHS = base_periods(["2026-10", "2026-11", "2026-12"])
QUARTER = Period("2026-Q4", "Q", frozenset(period.id for period in MONTHS))


def hidden(release: Release, indicator: str = VISITS.id) -> set[tuple[str, str]]:
    """Return the places and periods that the release does not show."""
    return {(it.place, it.period) for it in release.verdicts if it.indicator == indicator and it.value is None}


def status(release: Release, place: str, period: str, indicator: str = VISITS.id) -> tuple[float | None, str, str]:
    (found,) = [it for it in release.verdicts if (it.place, it.period, it.indicator) == (place, period, indicator)]
    return found.value, found.conf_status, found.obs_status


def reasons(release: Release) -> dict[str, int]:
    """Return how many cells ended with each reason."""
    found: dict[str, int] = {}
    for line in release.audit:
        found[line.reason] = found.get(line.reason, 0) + line.cells
    return found


def test_eleven_persons_may_be_told_of_in_public_and_ten_may_not() -> None:
    table = table_from({("murat", "2026-10"): 11, ("ydes", "2026-10"): 10}, site_places(["murat", "ydes"]), OCTOBER)
    release = disclose(table)
    assert status(release, "murat", "2026-10") == (11, "F", "A")
    assert status(release, "ydes", "2026-10") == (None, "C", "A")


@pytest.mark.parametrize(("persons", "shown"), [(4, None), (5, 5), (10, 10)])
def test_five_persons_are_enough_by_agreement(persons: int, shown: int | None) -> None:
    table = table_from({("murat", "2026-10"): persons}, site_places(["murat"]), OCTOBER)
    assert status(disclose(table, AGREEMENT_K), "murat", "2026-10")[0] == shown


@pytest.mark.parametrize("k", [2, 0, -1, 101])
def test_no_threshold_below_three_can_be_asked_for(k: int) -> None:
    with pytest.raises(TableError, match="must be from 3"):
        disclose(table_from({}, site_places(["murat"]), OCTOBER), k)


def test_an_empty_telecentre_is_hidden_as_well_because_its_zero_tells_of_each_member() -> None:
    assert hidden(disclose(table_from({}, site_places(["murat"]), OCTOBER))) == {("murat", "2026-10")}


def test_beside_a_small_telecentre_the_smallest_that_covers_it_is_hidden_too() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 4, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    release = disclose(table)
    assert hidden(release) == {("a", "2026-10"), ("b", "2026-10")}
    assert status(release, "valley", "2026-10") == (54, "F", "A")
    assert reasons(release) == {"A": 2, "D": 2, "F": 4}


def test_what_is_hidden_for_its_own_sake_and_for_another_looks_the_same() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 4, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    release = disclose(table)
    assert status(release, "a", "2026-10") == status(release, "b", "2026-10") == (None, "C", "A")


def test_over_places_and_months_the_four_corners_of_a_rectangle_are_hidden() -> None:
    # oct nov dec
    #  3   20  40   a      The 3 is covered by the rectangle of a and b, October and November: its other corners are
    # 25   30  45   b      the cheapest that hold enough. Every sum over a row or a column stays.
    # 50   55  60   c
    sites = ["a", "b", "c"]
    counts = [[3, 20, 40], [25, 30, 45], [50, 55, 60]]
    persons = {
        (site, month.id): count
        for site, row in zip(sites, counts, strict=True)
        for month, count in zip(MONTHS, row, strict=True)
    }
    table = table_from(persons, [*site_places(sites), zone("net", "network", sites)], [*MONTHS, QUARTER])
    corners = {(site, month) for site in ("a", "b") for month in ("2026-10", "2026-11")}
    assert hidden(disclose(table)) == corners


def test_two_by_two_with_its_sums_leaves_nothing_but_the_sums() -> None:
    months = MONTHS[:2]
    persons = {("a", months[0].id): 3, ("a", months[1].id): 20, ("b", months[0].id): 25, ("b", months[1].id): 30}
    both = Period("both", "Q", frozenset(month.id for month in months))
    table = table_from(persons, [*site_places(["a", "b"]), zone("net", "network", ["a", "b"])], [*months, both])
    assert hidden(disclose(table)) == set(persons)


def test_those_left_over_from_a_sum_must_be_enough_together() -> None:
    # Either of a and b covers the other, but the valley minus c would be about four persons.
    places = [*site_places(["a", "b", "c", "d"]), zone("valley", "valley", ["a", "b", "c", "d"])]
    visits = [Visit(person, site, "2026-10", 3) for person, site in enumerate("aabb")]
    visits += [Visit(person + 10, "c", "2026-10") for person in range(20)]
    visits += [Visit(person + 40, "d", "2026-10") for person in range(30)]
    release = disclose(table_of(visits, places, OCTOBER))
    assert hidden(release) == {("a", "2026-10"), ("b", "2026-10"), ("c", "2026-10")}


def test_days_left_over_from_a_month_must_be_enough_together() -> None:
    days = base_periods(["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"], "D")
    month = Period("2026-10", "M", frozenset(day.id for day in days))
    counts = {"2026-10-01": 2, "2026-10-02": 2, "2026-10-03": 20, "2026-10-04": 30}
    visits = [Visit(person, "abc"[person % 3], day, 3) for day, count in counts.items() for person in range(count)]
    table = table_of(visits, [*site_places("abc"), zone("net", "network", "abc")], [*days, month])
    shown = {it.period for it in disclose(table).verdicts if it.place == "net" and it.value is not None}
    assert shown == {"2026-10", "2026-10-04"}


def test_one_person_who_makes_most_of_a_value_hides_it() -> None:
    visits = [Visit(0, "a", "2026-10", 90), *(Visit(person, "a", "2026-10") for person in range(1, 12))]
    release = disclose(table_of(visits, site_places(["a"]), OCTOBER))
    assert hidden(release) == {("a", "2026-10")}
    assert reasons(release) == {"O": 2}


def test_one_person_who_makes_85_percent_is_not_more_than_85_percent() -> None:
    visits = [Visit(0, "a", "2026-10", 85), *(Visit(person, "a", "2026-10") for person in range(1, 16))]
    assert hidden(disclose(table_of(visits, site_places(["a"]), OCTOBER))) == set()


def test_a_telecentres_days_and_weeks_are_not_public_whoever_came() -> None:
    parts = ["2026-10-01", "2026-10-02"]
    week = Period("2026-W40", "W", frozenset(parts))
    persons = {(site, part): 50 for site in "abc" for part in parts}
    places = [*site_places("abc"), zone("net", "network", "abc")]
    table = table_from(persons, places, [*base_periods(parts, "D"), week])
    release = disclose(table)
    assert status(release, "a", "2026-10-01") == (None, "N", "A")
    assert status(release, "a", "2026-W40") == (None, "N", "A")
    assert status(release, "net", "2026-10-01") == (150, "F", "A")
    assert status(disclose(table, AGREEMENT_K), "a", "2026-W40") == (100, "F", "A")


def test_a_week_that_would_tell_a_day_which_is_too_fine_is_hidden_beside_it() -> None:
    week = Period("2026-W40", "W", frozenset({"2026-10-01"}))
    persons = {(site, "2026-10-01"): 50 for site in "abc"}
    table = table_from(persons, site_places("abc"), [*base_periods(["2026-10-01"], "D"), week])
    release = disclose(table, AGREEMENT_K)
    assert {status(release, site, "2026-W40") for site in "abc"} == {(None, "C", "A")}


def test_the_days_of_a_network_of_two_telecentres_are_as_little_public_as_theirs() -> None:
    places = [*site_places("ab"), zone("net", "network", "ab")]
    table = table_from({("a", "2026-10-01"): 50, ("b", "2026-10-01"): 50}, places, base_periods(["2026-10-01"], "D"))
    assert status(disclose(table), "net", "2026-10-01") == (None, "N", "A")


def test_indicators_of_one_subject_share_their_fate() -> None:
    table = table_from({("a", "2026-10"): 4}, site_places(["a"]), OCTOBER)
    mean = Indicator("visites_par_usager", "attendance", additive=False, decimals=1)
    cells = [*table.cells, Cell("a", "2026-10", mean.id, 1.0, persons=50)]
    release = disclose(replace(table, indicators=(*table.indicators, mean), cells=cells))
    assert hidden(release, mean.id) == {("a", "2026-10")}


def test_subjects_do_not_touch_one_another() -> None:
    table = table_from({("a", "2026-10"): 4}, site_places(["a"]), OCTOBER)
    calls = Indicator("appels", "calls", additive=True)
    cells = [*table.cells, Cell("a", "2026-10", calls.id, 40, largest=1, persons=40)]
    release = disclose(replace(table, indicators=(*table.indicators, calls), cells=cells))
    assert status(release, "a", "2026-10", calls.id) == (40, "F", "A")


def four_desks(*shares: float, persons: int | None = None) -> Release:
    uses = [Use("murat", desk, "2026-10", 10_000 * share, 10_000) for desk, share in enumerate(shares)]
    table = desk_table(uses, site_places(["murat"]), OCTOBER)
    return disclose(replace(table, cells=[replace(cell, persons=persons) for cell in table.cells]))


def test_time_of_desks_counts_desks_because_it_names_nobody() -> None:
    assert status(four_desks(0.5, 0.4, 0.303, 0), "murat", "2026-10", RATE.id) == (0.3, "F", "A")


def test_a_telecentre_of_four_desks_of_which_two_were_used_is_hidden() -> None:
    assert hidden(four_desks(0.5, 0.4, 0, 0), MINUTES.id) == {("murat", "2026-10")}


def test_a_telecentre_of_four_desks_of_which_one_makes_nearly_all_is_hidden() -> None:
    assert reasons(four_desks(0.9, 0.01, 0.01, 0.01)) == {"O": 2}


def test_where_the_persons_at_the_desks_are_known_they_must_be_enough_as_well() -> None:
    assert hidden(four_desks(0.5, 0.4, 0.3, 0.2, persons=2), RATE.id) == {("murat", "2026-10")}
    assert hidden(four_desks(0.5, 0.4, 0.3, 0.2, persons=11), RATE.id) == set()


def test_a_full_telecentre_covers_nobody_upwards_because_no_desk_can_be_used_longer_than_seen() -> None:
    # b is full: it cannot take what would make a lower. So c, which is larger and has room, is hidden with a.
    uses = [Use("a", desk, "2026-10", 4_000 * (desk < 2), 10_000) for desk in range(4)]
    uses += [Use("b", desk, "2026-10", 3_000, 3_000) for desk in range(4)]
    uses += [Use("c", desk, "2026-10", 5_000, 10_000) for desk in range(4)]
    uses += [Use("d", desk, "2026-10", 9_000, 10_000) for desk in range(4)]
    places = [*site_places("abcd"), zone("net", "network", "abcd")]
    assert ("c", "2026-10") in hidden(disclose(desk_table(uses, places, OCTOBER)), MINUTES.id)


@pytest.mark.parametrize(
    ("coverage", "told"), [(None, "A"), (1.0, "A"), (0.8, "A"), (0.79, "U"), (0.5, "U"), (0.49, "M"), (0.0, "M")]
)
def test_coverage_says_what_a_figure_is_worth(coverage: float | None, told: str) -> None:
    assert obs_status(coverage) == told


@pytest.mark.parametrize(("coverage", "told"), [(None, "A"), (1.0, "A"), (0.95, "A"), (0.949, "U"), (0.0, "U")])
def test_coverage_never_takes_away_what_was_counted(coverage: float | None, told: str) -> None:
    assert obs_status(coverage, is_counted=True) == told
    cells = [Cell("a", "2026-10", VISITS.id, 60, largest=2, persons=40, coverage=coverage)]
    release = disclose(Table(site_places(["a"]), OCTOBER, (replace(VISITS, is_counted=True),), cells))
    assert status(release, "a", "2026-10") == (60, "F", told)


def test_a_figure_that_is_missing_is_empty_and_not_called_confidential() -> None:
    cells = [Cell("a", "2026-10", VISITS.id, 60, largest=2, persons=40, coverage=0.4)]
    release = disclose(Table(site_places(["a"]), OCTOBER, (VISITS,), cells))
    assert status(release, "a", "2026-10") == (None, "F", "M")


def test_a_closed_day_is_missing_and_hides_nothing_beside_it() -> None:
    parts = ["2026-10-03", "2026-10-04"]
    uses = [Use(site, desk, "2026-10-03", 200, 600) for site in "abc" for desk in range(4)]
    uses += [Use(site, desk, "2026-10-04", 0, 0) for site in "abc" for desk in range(4)]
    periods = [*base_periods(parts, "D"), Period("2026-10", "M", frozenset(parts))]
    table = desk_table(uses, [*site_places("abc"), zone("net", "network", "abc")], periods)
    release = disclose(table)
    assert status(release, "net", "2026-10-03", MINUTES.id) == (2400, "F", "A")
    assert status(release, "net", "2026-10-04", RATE.id) == (None, "F", "M")


def test_a_missing_figure_of_few_persons_is_protected_like_any_other() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 4, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    cells = [replace(cell, coverage=0.1 if cell.place == "a" else 1.0) for cell in table.cells]
    assert hidden(disclose(replace(table, cells=cells))) == {("a", "2026-10"), ("b", "2026-10")}


def test_a_missing_figure_of_enough_persons_cannot_be_computed_either() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 15, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    cells = [replace(cell, coverage=0.1 if cell.place == "a" else 1.0) for cell in table.cells]
    release = disclose(replace(table, cells=cells))
    assert status(release, "a", "2026-10") == (None, "F", "M")
    assert status(release, "b", "2026-10") == (None, "C", "A")
    assert status(release, "c", "2026-10") == (30, "F", "A")


def test_what_everybody_knows_to_be_nothing_hides_nothing_beside_it() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 0, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    closed = [replace(it, ceiling=0.0) if it.place == "a" and it.indicator == VISITS.id else it for it in table.cells]
    assert hidden(disclose(replace(table, cells=closed))) == {("a", "2026-10")}


def test_the_audit_counts_every_cell_once_and_has_no_value_and_no_name_in_it() -> None:
    places = [*site_places(["a", "b", "c"]), zone("valley", "valley", ["a", "b", "c"])]
    table = table_from({("a", "2026-10"): 4, ("b", "2026-10"): 20, ("c", "2026-10"): 30}, places, OCTOBER)
    release = disclose(table)
    assert sum(line.cells for line in release.audit) == len(table.cells) == len(release.verdicts)
    assert {line.level for line in release.audit} == {"site", "valley"}
    assert release.k == PUBLIC_K


GOOD = Cell("a", "2026-10", VISITS.id, 20, largest=1, persons=20)
A = Place("a", "site", frozenset({"a"}))
VALLEY = Place("valley", "valley", frozenset({"a"}))


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([GOOD, GOOD], "stands twice"),
        ([replace(GOOD, place="nowhere")], "does not name"),
        ([replace(GOOD, period="never")], "does not name"),
        ([replace(GOOD, indicator="nothing")], "does not name"),
        ([replace(GOOD, value=-1)], "below zero"),
        ([replace(GOOD, value=float("nan"))], "out of range"),
        ([replace(GOOD, value=float("inf"))], "out of range"),
        ([replace(GOOD, coverage=1.1)], "out of range"),
        ([replace(GOOD, value=None)], "must have a value"),
        ([replace(GOOD, largest=21)], "at least its largest part"),
        ([replace(GOOD, ceiling=19)], "at most its ceiling"),
        ([replace(GOOD, persons=None)], "how many persons or resources"),
        ([replace(GOOD, persons=-1)], "fewer than no"),
        ([GOOD, replace(GOOD, place="valley", value=21)], "add up to 20"),
        ([replace(GOOD, place="valley")], "add up to 0"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_in_a_sentence(cells: list[Cell], sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        disclose(Table([A, VALLEY], OCTOBER, (VISITS,), cells))


@pytest.mark.parametrize(
    "places",
    [
        [A, A],
        [A, Place("valley", "valley", frozenset())],
        [A, Place("valley", "valley", frozenset({"a", "b"}))],
        [A, VALLEY, Place("net", "network", frozenset({"valley"}))],
        [Place("a", "site", frozenset({"a", "b"})), Place("b", "site", frozenset({"b"}))],
    ],
)
def test_places_that_are_not_made_of_telecentres_are_refused(places: list[Place]) -> None:
    with pytest.raises(TableError, match="place"):
        disclose(Table(places, OCTOBER, (VISITS,), []))


def test_a_subject_without_anything_that_adds_up_is_refused() -> None:
    rate = Indicator("taux", "time", additive=False)
    with pytest.raises(TableError, match="no additive indicator"):
        disclose(Table([A], OCTOBER, (rate,), [Cell("a", "2026-10", rate.id, 0.5, persons=20)]))


def test_an_empty_table_is_an_empty_release() -> None:
    assert disclose(Table([], [], [], [])) == Release(PUBLIC_K, (), ())


def test_subjects_judged_by_themselves_are_together_the_release_of_the_whole_table() -> None:
    places, visitors = site_places(["a", "b", "c"]), {("a", "2026-10"): 4, ("b", "2026-10"): 20, ("c", "2026-10"): 30}
    places.append(zone("v", "valley", ["a", "b", "c"]))
    visits = table_from(visitors, places, OCTOBER)
    uses = [Use(site, desk, "2026-10", 600.0 * desk, 9000.0) for site in "abc" for desk in range(4)]
    desks = desk_table(uses, places, OCTOBER)
    both = Table(places, OCTOBER, (*visits.indicators, *desks.indicators), [*visits.cells, *desks.cells])
    whole = disclose_to(both, [AGREEMENT_K, PUBLIC_K])
    parts = [disclose_to(part, [AGREEMENT_K, PUBLIC_K]) for part in (visits, desks)]
    for k, release in whole.items():
        assert set(release.verdicts) == {verdict for part in parts for verdict in part[k].verdicts}
        assert release.audit == tuple(sorted(line for part in parts for line in part[k].audit))
