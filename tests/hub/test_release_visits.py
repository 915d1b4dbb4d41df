"""Visits of a telecentre whose data has not arrived: a release says so, and its letter tells nobody who came."""

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.commands.export import read_month
from hub.disclosure import disclose_to
from hub.heard import UNHEARD, Heard, coverage_of, longer_of
from hub.judging import AUDIENCES
from hub.observatory import PERSONS, Came, Month, Used, heard_in, month_table
from hub.statistics import COUNTED_PCT
from hub.store import Store
from hub.store.register import read_sites
from tests.support.attended import SITES, WHOLE, attend, register, told
from tests.support.october import FIRST_MS, HOUR_MS, export, figures

NETWORK = "reseau:cantal"
DAYS = {"silent": (range(1, 11),), "lost": (range(1, 11), range(21, 32))}
"""Of one telecentre: silent since the tenth; or heard again from the 21st on, and what was between is lost."""


@pytest.fixture(scope="module", params=list(DAYS))
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a story of DAYS, and the folder of a hub that published it to each audience."""
    folder = tmp_path_factory.mktemp(request.param)
    publish(heard(folder, DAYS[request.param]))
    return request.param, folder


def heard(folder: Path, days: Iterable[range], persons: range = range(30)) -> Path:
    """Let a hub hear three telecentres all month, and of the fourth these days; return its settings."""
    config = register(folder)
    for site in SITES[:3]:
        attend(config, site)
    for some in days:
        attend(config, SITES[3], some, persons)
    return config


def publish(config: Path) -> None:
    for audience in AUDIENCES:
        done = export(config, config.parent / audience, "--audience", audience)
        assert done.exit_code == 0, done.output


def test_a_count_that_lacks_days_is_of_low_reliability_and_says_how_much_was_heard(
    released: tuple[str, Path],
) -> None:
    story, folder = released
    of_site = {"silent": ("270", "U", "F", "0.35"), "lost": ("570", "U", "F", "0.74")}
    of_network = {"silent": ("2700", "U", "F", "0.84"), "lost": ("3000", "U", "F", "0.93")}
    assert told(folder / "agreement", "ydes") == of_site[story]
    assert told(folder / "agreement", NETWORK) == of_network[story]
    assert told(folder / "agreement", "murat") == ("810", "A", "F", "1.0")
    assert told(folder / "agreement", "ydes", name="visiteurs_uniques") == ("30", *of_site[story][1:])


def test_weeks_and_days_of_a_zone_are_normal_where_all_of_it_was_heard_and_say_so_where_not(
    released: tuple[str, Path],
) -> None:
    _, folder = released
    assert told(folder / "public", NETWORK, "2025-10-08") == ("120", "A", "F", "1.0")
    assert told(folder / "public", NETWORK, "2025-10-15") == ("90", "U", "F", "0.75")
    assert [told(folder / "public", NETWORK, week)[1::2] for week in ("2025-W41", "2025-W42")] == [
        ("A", "1.0"),
        ("U", "0.75"),
    ]


def test_what_nobody_counted_is_missing_and_what_was_lost_is_never_told_as_a_normal_zero(
    released: tuple[str, Path],
) -> None:
    story, folder = released
    week = told(folder / "agreement", "ydes", "2025-W42")
    assert week == {"silent": ("", "M", "F", "0.0"), "lost": ("", "U", "C", "0.0")}[story]


def test_a_day_on_which_all_are_closed_has_no_coverage(released: tuple[str, Path]) -> None:
    _, folder = released
    assert told(folder / "public", NETWORK, "2025-10-04")[1::2] == ("A", "")
    assert told(folder / "public", NETWORK, "2025-10-05")[1::2] == ("A", "")


def test_no_value_and_no_secret_depends_on_how_much_was_heard(released: tuple[str, Path]) -> None:
    _, folder = released
    month = month_of(folder / "hub.toml")
    table, _ = month_table(month, (PERSONS,))
    unheard = replace(table, cells=[replace(cell, coverage=None) for cell in table.cells])
    assert {cell.coverage for cell in table.cells} > {None, 1.0}
    for k in AUDIENCES.values():
        one, two = (
            [
                (it.place, it.period, it.indicator, it.value, it.conf_status)
                for it in disclose_to(each, (k,))[k].verdicts
            ]
            for each in (table, unheard)
        )
        assert one == two


def test_the_letters_do_not_say_whether_anybody_came(tmp_path: Path) -> None:
    letters = []
    for number, persons in enumerate((range(0), range(1))):
        (tmp_path / str(number)).mkdir()
        publish(heard(tmp_path / str(number), DAYS["lost"], persons))
        rows = [figures(tmp_path / str(number) / audience) for audience in AUDIENCES]
        letters.append(
            [{key: (row["obs_status"], row["couverture"]) for key, row in of.items() if PERSONS in key} for of in rows]
        )
    assert letters[0] == letters[1]
    assert {status for of in letters[0] for status, _ in of.values()} == {"A", "U"}


def test_what_a_release_says_of_persons_is_the_same_whether_their_subject_is_judged_alone(
    released: tuple[str, Path],
) -> None:
    _, folder = released
    month = month_of(folder / "hub.toml")
    alone, _ = month_table(month.about(PERSONS), (PERSONS,))
    among, _ = month_table(month)
    assert list(alone.cells) == [cell for cell in among.cells if cell.indicator.endswith(PERSONS)]
    assert len(month.about(PERSONS).used) == len(SITES) * len(WHOLE)


# Revisions.


@pytest.mark.parametrize(("story", "days"), [("silent", range(11, 32)), ("lost", range(11, 21))])
def test_a_month_becomes_normal_when_enough_persons_come_late(tmp_path: Path, story: str, days: range) -> None:
    config = heard(tmp_path, DAYS[story])
    publish(config)
    attend(config, "ydes", days, range(15, 45))
    again = json.loads(export(config, tmp_path / "again", "--json").output)
    assert (again["revision"], again["is_new"]) == (2, True)
    assert told(tmp_path / "again", NETWORK) == ("3240", "A", "F", "1.0")
    assert figures(tmp_path / "again")[NETWORK, "2025-10", "visites", PERSONS]["revision"] == "2"


@pytest.mark.parametrize("persons", [range(0), range(2), range(30, 33)])
def test_what_was_listened_to_late_makes_nothing_normal_where_few_or_nobody_came(
    tmp_path: Path, persons: range
) -> None:
    assert not persons_of_revision(tmp_path, persons)


def test_a_revision_that_forgets_that_it_listened_tells_that_nobody_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.lateness.heard_in", lambda _: {})
    assert persons_of_revision(tmp_path, range(0))


def persons_of_revision(folder: Path, persons: range) -> set[tuple[str, ...]]:
    """Return which figures of persons are told anew when lost days come late, on which these came."""
    config = heard(folder, DAYS["lost"])
    publish(config)
    attend(config, "ydes", range(11, 21), persons)
    export(config, folder / "again")
    before, after = figures(folder / "public"), figures(folder / "again")
    return {key for key, row in after.items() if key[3] == PERSONS and row != before[key]}


# How much was heard.


def test_a_telecentre_was_heard_for_as_long_as_its_best_known_desk_or_room() -> None:
    rows = [use("desk-01", 600, 0), use("desk-02", 600, 450), use("room-01", 300, 300)]
    assert heard_in(month_with(rows, {"2025-10-01"})) == {("murat", "2025-10-01"): Heard(600, 450)}
    assert longer_of(UNHEARD, Heard(600, 450)) == Heard(600, 450)


def test_a_day_of_which_nobody_counts_any_more_who_came_was_not_heard() -> None:
    assert heard_in(month_with([use("desk-01", 600, 600)], set())) == {("murat", "2025-10-01"): Heard(600, 0)}


def test_coverage_adds_up_telecentres_and_days_and_there_is_none_where_nothing_was_open() -> None:
    known = {("a", "1"): Heard(600, 600), ("b", "1"): Heard(300, 0), ("a", "2"): Heard(0, 0)}
    assert coverage_of(known, ["a"], ["1", "2"]) == 1.0
    assert coverage_of(known, ["a", "b"], ["1", "2"]) == 600 / 900
    assert coverage_of(known, ["a"], ["2"]) is None
    assert coverage_of(known, ["c"], ["1"]) is None


def test_a_telecentre_without_desks_and_rooms_has_no_coverage(tmp_path: Path) -> None:
    config = register(tmp_path, ("ydes",), desks=0)
    attend(config, "ydes", range(1, 11))
    export(config, tmp_path / "out", "--audience", "agreement")
    assert told(tmp_path / "out", "ydes") == ("270", "A", "F", "")


def test_the_page_of_a_release_says_from_which_coverage_on_a_count_is_normal(released: tuple[str, Path]) -> None:
    page = (released[1] / "public" / "METHODE.md").read_text(encoding="utf-8")
    assert f"`A` à partir de {COUNTED_PCT / 100:.2f}".replace(".", ",") in page


def use(resource: str, available_ms: int, observed_ms: int) -> Used:
    return Used("poste", "murat", resource, "2025-10-01", available_ms, observed_ms, 0, 0)


def month_with(rows: Iterable[Used], counted: Iterable[str]) -> Month:
    return Month("2025-10", (), tuple(rows), {("murat", day): Came(3, 2, 2) for day in counted})


def month_of(config: Path) -> Month:
    """Return all that the release of a hub is computed from."""
    with closing(Store(config.parent / "hub.db")) as store, store.seen() as connection:
        return read_month(connection, date(2025, 10, 1), read_sites(connection), FIRST_MS + 60 * 24 * HOUR_MS)
