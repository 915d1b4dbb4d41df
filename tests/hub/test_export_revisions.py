"""Revisions: what was published stays, and what came late is told only where it could be told alone."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.store import Store
from tests.support.october import FIRST_MS, HOUR_MS, OF_MONTH, export, figures, hear, heard, october, settle
from tests.support.telecentres import put_history


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a hub that heard three and published their month, for the public in the folder `one`."""
    folder = heard(tmp_path_factory.mktemp("three"), (("aurillac", 8), ("saint-flour", 5), ("murat", 4)))
    done = export(folder / "hub.toml", folder / "one", "--json")
    (folder / "one.json").write_text(done.output, encoding="utf-8")
    return folder


@pytest.fixture
def late(three: Path, tmp_path: Path) -> Path:
    """Return the settings of a hub that published three telecentres' October 2025; Mauriac was away all month."""
    shutil.copytree(three, tmp_path, dirs_exist_ok=True)
    return tmp_path / "hub.toml"


def test_a_telecentre_that_comes_back_after_the_release_makes_a_revision_in_which_each_row_says_its_own(
    late: Path, tmp_path: Path
) -> None:
    first = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    hear(late, "mauriac", 4)
    second = json.loads(export(late, tmp_path / "two", "--json").output)
    assert [(it["revision"], it["is_new"]) for it in (first, second)] == [(1, True), (2, True)]
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert one.keys() == two.keys()
    was, now = one["mauriac", *OF_MONTH], two["mauriac", *OF_MONTH]
    assert (was["valeur"], was["obs_status"], was["revision"]) == ("", "M", "1")
    assert (now["valeur"], now["obs_status"], now["revision"]) == ("15360", "A", "2")
    assert float(two["reseau:cantal", *OF_MONTH]["valeur"]) == float(one["reseau:cantal", *OF_MONTH]["valeur"]) + 15360
    assert two["aurillac", *OF_MONTH] == one["aurillac", *OF_MONTH]


def test_what_a_small_telecentre_sends_late_is_in_no_figure_that_was_published(late: Path, tmp_path: Path) -> None:
    hear(late, "mauriac", 2)
    done = json.loads(export(late, tmp_path / "two", "--json").output)
    assert (done["revision"], done["is_new"]) == (1, False)
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_a_figure_that_was_kept_once_is_kept_for_ever(late: Path, tmp_path: Path) -> None:
    hear(late, "mauriac", 2)
    hear(late, "allanche", 4)
    export(late, tmp_path / "two")
    hear(late, "ydes", 3)
    export(late, tmp_path / "three")
    one, two, three = (figures(tmp_path / name) for name in ("one", "two", "three"))
    network, territory = ("reseau:cantal", *OF_MONTH), ("zone:haute-auvergne", *OF_MONTH)
    assert [known[network]["revision"] for known in (one, two, three)] == ["1", "2", "3"]
    # Its part of the first delay was of two desks; that of the second, of three, would tell the first by subtraction.
    assert one[territory] == two[territory] == three[territory]


def test_a_confidential_figure_stays_so_in_later_revisions(late: Path, tmp_path: Path) -> None:
    hidden = {key for key, row in figures(tmp_path / "one").items() if row["conf_status"] == "C"}
    hear(late, "allanche", 4)
    export(late, tmp_path / "two")
    two = figures(tmp_path / "two")
    assert hidden
    assert all(two[key]["valeur"] == "" for key in hidden)


def test_an_agreement_gets_the_same_data_as_the_public_whenever_it_asks(late: Path, tmp_path: Path) -> None:
    hear(late, "mauriac", 2)
    assert json.loads(export(late, tmp_path / "all", "--audience", "agreement", "--json").output)["revision"] == 1
    public, agreed = figures(tmp_path / "one"), figures(tmp_path / "all")
    shown = {key: row["valeur"] for key, row in public.items() if row["valeur"]}
    assert shown
    assert all(agreed[key]["valeur"] == value for key, value in shown.items())


def test_the_revision_that_is_printed_is_that_of_the_files_whatever_another_audience_got(
    late: Path, tmp_path: Path
) -> None:
    hear_a_week(late, "mauriac")  # the public is told of months alone, and this would be a week
    told = {}
    for name, audience in (("all", "agreement"), ("public", "public")):
        answer = json.loads(export(late, tmp_path / name, "--json", "--audience", audience).output)
        told[name] = answer["revision"], answer["is_same"], of_page(tmp_path / name)
    assert told == {"all": (2, False, "révision 2."), "public": (1, True, "révision 1.")}
    assert "revision 1 of 2025-10, as an earlier export froze it," in export(late, tmp_path / "again").output
    hear(late, "allanche", 4)
    assert "revision 3 of 2025-10, " in export(late, tmp_path / "three").output
    assert of_page(tmp_path / "three") == "révision 3."


def hear_a_week(config: Path, site: str) -> None:
    """Let a hub hear the first whole week of a telecentre's October."""
    first_ms, end_ms = (FIRST_MS + 24 * day * HOUR_MS for day in (5, 12))
    with closing(Store(config.parent / "hub.db")) as store:
        changes = october(store, site, 4)
        week = [(max(at, first_ms), desk, state) for at, desk, state in changes if at == FIRST_MS or at >= first_ms]
        put_history(store, site, week, until=end_ms)
        settle(store)


def of_page(folder: Path) -> str:
    """Return which revision the page of a release says it is, for those who cite it."""
    return (folder / "METHODE.md").read_text(encoding="utf-8").splitlines()[2].split(", ")[-1]


def test_a_release_that_was_damaged_in_the_database_is_not_written(late: Path, tmp_path: Path) -> None:
    with sqlite3.connect(late.parent / "hub.db") as database:
        database.execute("update release_file set content = x'00' where name = 'indicateurs.csv'")
    database.close()
    done = export(late, tmp_path / "two")
    assert (done.exit_code, "is damaged in the database" in done.output) == (1, True)
    assert not (tmp_path / "two").exists()
