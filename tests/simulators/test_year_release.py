"""What the year says a release must be, on a world that a person can work out; and that a wrong file is told."""

from datetime import date, timedelta

import pytest

from simulators.year_ask_release import Key, compare_file, rows_of, written
from simulators.year_persons import passages
from simulators.year_release import DESKS, PERSONS, ROOMS, MonthTruth, Place, periods_of, places_of
from simulators.year_tally import Tally
from simulators.year_world import YEAR
from simulators.year_zones import LEAVES, RETURNS, ZONES, Belonging, Zone, days_between, zones_from
from tests.support.year_outbox import TUESDAY, alive, badge, state, stream, truth

MARCH = date(2026, 3, 1)
MURAT = Place("murat", "telecentre", frozenset({"murat"}))


def month() -> MonthTruth:
    """Return a March with one morning, from 08:00 to 10:00: two desks, one of them in use from 08:30 to 09:30."""
    one = truth(
        stream(
            alive("07:00"),
            state("07:00", "desk-01", "vacant"),
            state("07:00", "desk-02", "vacant"),
            badge("08:25", "anna"),
            state("08:30", "desk-01", "occupied"),
            badge("08:40", "anna"),
            state("09:30", "desk-01", "vacant"),
            badge("09:45", "bruno"),
            alive("10:30"),
        )
    )
    return MonthTruth(MARCH, [MURAT], [one], {"murat": passages(one, {})})


def test_a_month_has_its_days_its_whole_weeks_and_itself() -> None:
    periods = periods_of(MARCH)
    assert [one.id for one in periods if one.freq == "W"] == ["2026-W10", "2026-W11", "2026-W12", "2026-W13"]
    assert [one.freq for one in periods].count("D") == 31
    assert periods[-1].id == "2026-03"


def test_the_figures_of_a_morning_are_those_that_a_person_works_out() -> None:
    of = month()
    figure = of.figure(MURAT, next(one for one in of.periods if one.id == TUESDAY.isoformat()), DESKS)
    assert figure.values == {"temps_occupe": 60.0, "taux_occupation": 0.25, "sessions": 1, "rotation": 0.5}
    assert (figure.obs_status, figure.coverage, figure.resources, figure.open_hours) == ("A", 1.0, 2, 2.0)
    assert figure.parts["temps_occupe"] == (60.0, 60.0, 1)


def test_persons_are_counted_by_their_visits_and_by_who_they_are() -> None:
    figure = month().figure(MURAT, periods_of(MARCH)[-1], PERSONS)
    assert figure.values == {"visites": 2, "visiteurs_uniques": 2}
    assert figure.parts["visites"] == (2, 1, 2)


@pytest.mark.parametrize(
    ("until", "told"),
    [("10:30", ("A", 1.0)), ("09:54", ("A", 0.95)), ("09:53", ("U", 113 / 120)), ("08:30", ("U", 0.25))],
)
def test_a_count_is_as_good_as_the_time_for_which_its_telecentre_was_heard(until: str, told: tuple[str, float]) -> None:
    # The first desk is unknown all the while: the second one tells that the telecentre was heard.
    one = truth(stream(state("07:00", "desk-02", "vacant"), badge("08:10", "anna"), alive(until)))
    of = MonthTruth(MARCH, [MURAT], [one], {"murat": passages(one, {})})
    figure = of.figure(MURAT, next(one for one in of.periods if one.id == TUESDAY.isoformat()), PERSONS)
    assert (figure.obs_status, figure.coverage) == told
    assert figure.values == {"visites": 1, "visiteurs_uniques": 1}


def test_of_a_day_on_which_nobody_watched_there_is_no_figure_and_everybody_knows() -> None:
    of = month()
    day = periods_of(MARCH)[0]
    assert [of.figure(MURAT, day, subject).obs_status for subject in (DESKS, ROOMS, PERSONS)] == ["M", "M", "M"]
    assert of.ceiling("murat", day.days[0], "temps_occupe:poste") == 0
    assert of.ceiling("murat", TUESDAY, "temps_occupe:poste") == 240
    assert of.ceiling("murat", TUESDAY, "visites:personnes") is None


def test_a_zone_that_changes_within_a_month_is_no_place_of_it() -> None:
    names = {
        month: {place.id for place in places_of(month, [], ZONES)} for month in (MARCH, LEAVES.replace(day=1), RETURNS)
    }
    assert "zone:cere" in names[MARCH]
    assert "zone:sud-cantal" not in names[MARCH]
    assert "zone:cere" not in names[LEAVES.replace(day=1)]


def test_a_play_that_begins_on_the_day_of_a_change_begins_with_what_a_hub_is_told_then() -> None:
    (cere,) = (zone for zone in zones_from(RETURNS) if zone.id == "cere")
    assert list(cere.changes()) == []
    assert "murat" in cere.sites(RETURNS.replace(day=1))
    assert "zone:cere" in {place.id for place in places_of(RETURNS, [], zones_from(RETURNS))}


def test_a_play_that_begins_before_a_change_knows_of_it_and_of_none_that_is_over() -> None:
    changes = {day for zone in zones_from(RETURNS - timedelta(days=1)) for day in zone.changes()}
    assert changes == {RETURNS}
    assert zones_from(YEAR[0]) == ZONES


def test_a_zone_has_the_telecentres_of_each_day() -> None:
    zone = Zone("cere", "Cère", "valley", (Belonging("aurillac"), Belonging("murat", None, LEAVES)))
    before, after = days_between(LEAVES.replace(day=LEAVES.day - 1), LEAVES.replace(day=LEAVES.day + 1))
    assert [sorted(zone.sites(day)) for day in (before, after)] == [["aurillac", "murat"], ["aurillac"]]
    assert zone.sites_within([before, after]) == {"aurillac", "murat"}


def file_of(truth: MonthTruth) -> dict[Key, dict[str, str]]:
    """Return the file of a release in which nothing is confidential."""

    def text(value: float | None) -> str:
        return "" if value is None else str(value)

    return {
        key: {
            "valeur": "" if told.obs_status == "M" else text(told.value),
            "obs_status": told.obs_status,
            "conf_status": "F",
            "couverture": text(told.coverage),
            "nb_ressources": text(told.resources),
            "heures_ouverture": text(told.open_hours),
            "revision": "1",
        }
        for key, told in rows_of(truth, "public")
    }


ROW = ("murat", "2026-03", "temps_occupe", DESKS)


def differing(now: dict[Key, dict[str, str]], before: dict[Key, dict[str, str]]) -> list[str]:
    """Return the names of what is found to be different in a file."""
    tally = Tally()
    compare_file("public", before, now, month(), tally)
    return [name for _, name in tally.differing]


def test_a_file_that_says_the_truth_is_equal() -> None:
    assert differing(file_of(month()), {}) == []


def test_a_count_of_persons_that_says_that_all_was_heard_is_found() -> None:
    one = truth(stream(state("07:00", "desk-02", "vacant"), badge("08:10", "anna"), alive("09:00")))
    of = MonthTruth(MARCH, [MURAT], [one], {"murat": passages(one, {})})
    tally, rows = Tally(), file_of(of)
    rows["murat", "2026-03", "visites", PERSONS]["obs_status"] = "A"
    compare_file("public", {}, rows, of, tally)
    assert [name for _, name in tally.differing] == ["obs_status"]


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("valeur", "temps_occupe:poste"),
        ("obs_status", "obs_status"),
        ("couverture", "couverture"),
        ("nb_ressources", "nb_ressources"),
        ("heures_ouverture", "heures_ouverture"),
    ],
)
def test_a_row_that_says_something_else_is_found(column: str, name: str) -> None:
    rows = file_of(month())
    rows[ROW][column] = "77"
    assert differing(rows, {}) == [name]


def test_a_confidential_row_with_a_value_a_missing_row_and_one_too_many_are_found() -> None:
    rows = file_of(month())
    rows[ROW]["conf_status"] = "C"
    assert differing(rows, {}) == ["temps_occupe:poste"]
    rows[ROW]["valeur"] = ""
    assert differing(rows, {}) == []
    del rows[ROW]
    assert differing(rows, {}) == ["temps_occupe:poste"]
    rows = file_of(month())
    rows["murat", "2026-03-10", "visites", PERSONS] = rows[ROW]
    assert differing(rows, {}) == ["visites:personnes"]


def test_a_row_of_an_earlier_revision_must_be_what_it_was_and_a_later_one_the_truth() -> None:
    before = file_of(month())
    before[ROW]["valeur"] = "30.0"
    assert differing(before, before) == []
    later = file_of(month())
    assert differing(later, before) == ["temps_occupe:poste"]
    later[ROW] = {**before[ROW], "valeur": "60.0", "revision": "2"}
    assert differing(later, before) == []
    later[ROW]["valeur"] = "61.0"
    assert differing(later, before) == ["temps_occupe:poste"]


def test_what_is_written_for_attackers_holds_every_part_of_every_figure() -> None:
    content = written(month())
    assert ["murat", "2026-03", "temps_occupe:poste", 60.0, 60.0, 1] in content["figures"]
    assert content["places"] == {"murat": ["murat"]}
    assert content["ceilings"]["temps_occupe:poste"][f"murat {TUESDAY}"] == 240
    assert content["heard"][f"murat {TUESDAY}"] == 120 * 60_000
    assert content["place_days"][DESKS][f"murat {TUESDAY}"] == 2
