"""The tables of docs/method.md about what is published come out as written: a valley, and what comes late."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from hub.disclosure import PUBLIC_K, disclose
from tests.support.attendance import VISITS, base_periods, site_places, table_from, zone
from tests.support.attended import attend, register, told
from tests.support.october import OF_MONTH, export, figures, hear, run
from tests.support.telecentres import CANTAL
from tests.test_docs import METHOD, table_rows

MONTH = "2026-10"
NUMBERS = {"two": 2, "three": 3}
SATURDAY = 5
FIGURES_OF_LATE = ("its month", "the network's month")


def page() -> str:
    return METHOD.read_text(encoding="utf-8")


def test_the_valley_is_published_as_the_page_says() -> None:
    rows = {name: (int(persons), shown) for name, persons, shown, _ in table_rows(page(), "telecentre", "persons")}
    sites = {name: persons for name, (persons, _) in rows.items() if name != "valley"}
    assert list(sites) == ["a", "b", "c"]
    places = [*site_places(list(sites)), zone("valley", "valley", list(sites))]
    table = table_from({(site, MONTH): persons for site, persons in sites.items()}, places, base_periods([MONTH]))
    released = {it.place: it.value for it in disclose(table, PUBLIC_K).verdicts if it.indicator == VISITS.id}
    assert released == {name: None if shown == "no" else int(shown) for name, (_, shown) in rows.items()}
    assert rows["valley"][0] == sum(sites.values())


def test_why_the_valley_is_published_so_is_what_the_page_says() -> None:
    rows = table_rows(page(), "telecentre", "persons")
    persons = {name: int(count) for name, count, *_ in rows}
    why = {name: text for name, *_, text in rows}
    assert why["a"] == f"fewer than {PUBLIC_K}"
    assert persons["a"] < PUBLIC_K <= persons["b"]
    assert why["valley"] == f"a and b together are {persons['a'] + persons['b']}"
    assert persons["valley"] - persons["c"] - persons["b"] == persons["a"]


def late_rows() -> list[list[str]]:
    return table_rows(page(), "late, of a telecentre that was away", *FIGURES_OF_LATE)


def test_the_page_has_two_rows_about_what_comes_late() -> None:
    assert [re.match(r"(\w+) desks in use", row[0]) is not None for row in late_rows()] == [True, True]


@pytest.mark.parametrize(("story", "of_site", "of_network"), late_rows())
def test_what_comes_late_is_told_or_kept_as_the_page_says(
    tmp_path: Path, story: str, of_site: str, of_network: str
) -> None:
    config = hub_without_mauriac(tmp_path)
    export(config, tmp_path / "one")
    hear(config, "mauriac", NUMBERS[story.split(maxsplit=1)[0]])
    last = json.loads(export(config, tmp_path / "two", "--json").output)
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    for place, written in (("mauriac", of_site), ("reseau:cantal", of_network)):
        was, now = one[place, *OF_MONTH], two[place, *OF_MONTH]
        if written == "told, revision 2":
            assert (last["revision"], now["revision"]) == (2, "2")
            assert now["valeur"] not in ("", was["valeur"])
        else:
            assert written in ("stays empty", "stays as in revision 1")
            assert now == was
            assert (now["valeur"] == "") == (written == "stays empty")


def heard_rows() -> list[list[str]]:
    return table_rows(page(), "heard", "couverture")


def test_the_page_has_an_example_of_each_status_of_persons() -> None:
    assert {status for _, _, status in heard_rows()} == {"A", "U", "M"}


@pytest.mark.parametrize(("story", "coverage", "status"), heard_rows())
def test_visits_have_the_status_that_the_page_says(tmp_path: Path, story: str, coverage: str, status: str) -> None:
    days = [number for number in range(1, 32) if date(2025, 10, number).weekday() < SATURDAY]
    (heard,) = map(int, re.findall(r"\d+", story))
    config = register(tmp_path, ["ydes"], desks=1)
    if heard:
        attend(config, "ydes", range(1, days[heard - 1] + 1))
    assert export(config, tmp_path / "out").exit_code == 0
    assert told(tmp_path / "out", "ydes")[1::2] == (status, coverage)


def hub_without_mauriac(folder: Path) -> Path:
    """Return the settings of a hub that heard three telecentres of the network for a month, and Mauriac not at all."""
    file = folder / "hub.toml"
    file.write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    assert run("site", "import", CANTAL, "--config", file).exit_code == 0
    for site, used in (("aurillac", 8), ("saint-flour", 5), ("murat", 4)):
        hear(file, site, used)
    return file
