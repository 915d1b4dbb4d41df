"""Telecentres of one zone in several time zones: a date is a local date in each, and a period is named by its first."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.network import Network
from hub.store import Store
from tests.support.comings import ms
from tests.support.entries import put_taps
from tests.support.web import app_on, ask

NOW_MS = ms("2026-11-25 12:00")
NETWORK = Network.model_validate(
    {
        "network": {
            "id": "manche",
            "name": "Manche",
            "time_zone": "Europe/Paris",
            "opening_hours": "Mo-Su 08:00-20:00",
        },
        "site": [
            {"id": "aberdeen", "name": "Aberdeen", "time_zone": "Europe/London", "desks": 1},
            {"id": "murat", "name": "Murat", "desks": 1},
        ],
        "zone": [{"id": "nord", "name": "Nord", "level": "valley", "sites": ["aberdeen", "murat"]}],
    }
)
COMINGS = {"2026-09-15": 1, "2026-10-15": 2, "2026-11-09": 3, "2026-11-19": 4, "2026-11-20": 5, "2026-11-21": 6}
"""How many persons came to each of the two telecentres on each day."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    store = Store(tmp_path / "hub.db", now_ms=lambda: NOW_MS)
    store.import_network(NETWORK, today=date(2026, 8, 1))
    for site in ("aberdeen", "murat"):
        taps = [
            (ms(f"{day} {10 + n}:00"), f"{site[0]}aaaaa{n:02}", "GRANTED")
            for day, persons in COMINGS.items()
            for n in range(persons)
        ]
        put_taps(store, site, taps, until=NOW_MS)  # type: ignore[arg-type]  # one of the reasons
    yield app_on(store, LiveBoard(), now_ms=NOW_MS)
    store.close()


def visits(app: FastAPI, first: str, end: str, step: str, **asked: str) -> list[tuple[str, int]]:
    """Return when each period of a place begins, and how many visits it had."""
    answer = ask(app, "/api/v1/visits", {"from": first, "to": end, "step": step, **asked})
    assert answer.status_code == 200, answer.text
    return [(one["start"], one["visits"]) for one in answer.json()["figures"]]


@pytest.mark.parametrize("zone", ["nord", "reseau:manche"])
@pytest.mark.parametrize(
    ("step", "first", "end", "expected"),
    [
        ("day", "2026-11-20", "2026-11-21", [("2026-11-20T00:00:00Z", 10)]),
        ("day", "2026-11-19", "2026-11-21", [("2026-11-19T00:00:00Z", 8), ("2026-11-20T00:00:00Z", 10)]),
        ("week", "2026-11-09", "2026-11-16", [("2026-11-09T00:00:00Z", 6)]),
        ("week", "2026-11-16", "2026-11-23", [("2026-11-16T00:00:00Z", 30)]),
        ("month", "2026-10-01", "2026-11-01", [("2026-10-01T00:00:00+01:00", 4)]),
        ("month", "2026-09-01", "2026-11-01", [("2026-09-01T00:00:00+01:00", 2), ("2026-10-01T00:00:00+01:00", 4)]),
    ],
)
def test_dates_select_the_periods_of_a_zone_by_their_local_day(
    app: FastAPI, zone: str, step: str, first: str, end: str, expected: list[tuple[str, int]]
) -> None:
    assert visits(app, first, end, step, zone=zone) == expected


def test_each_telecentre_is_told_in_its_own_time(app: FastAPI) -> None:
    assert visits(app, "2026-11-20", "2026-11-21", "day") == [
        ("2026-11-20T00:00:00Z", 5),
        ("2026-11-20T00:00:00+01:00", 5),
    ]
    assert visits(app, "2026-11-20", "2026-11-21", "day", site="murat") == [("2026-11-20T00:00:00+01:00", 5)]


def test_an_instant_selects_the_periods_of_a_zone_that_begin_after_it_anywhere(app: FastAPI) -> None:
    whole, cut = "2026-11-20T00:00:00+01:00", "2026-11-20T00:00:00Z"
    assert visits(app, whole, "2026-11-21", "day", zone="nord") == [(cut, 10)]
    assert visits(app, cut, "2026-11-21", "day", zone="nord") == [], "it had begun in Murat an hour before"
    assert visits(app, cut, "2026-11-21", "day", site="aberdeen") == [(cut, 5)]


def test_visits_doors_and_indicators_name_a_period_alike(app: FastAPI) -> None:
    period = {"from": "2026-11-20", "to": "2026-11-21", "zone": "nord"}
    for path in ("visits", "doors", "indicators"):
        (one,) = ask(app, f"/api/v1/{path}", period).json()["figures"]
        assert (one["start"], one["end"]) == ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"), path


def test_the_indicators_of_a_zone_are_told_in_one_time_before_its_first_telecentre_was_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub.db", now_ms=lambda: NOW_MS)
    alone = {"site": [NETWORK.site[1]], "zone": []}
    store.import_network(NETWORK.model_copy(update=alone), today=date(2026, 9, 1))
    store.import_network(NETWORK, today=date(2026, 11, 1))
    app = app_on(store, LiveBoard(), now_ms=NOW_MS)
    asked = {"from": "2026-10-01", "to": "2026-12-01", "zone": "nord", "step": "month"}
    starts = [one["start"] for one in ask(app, "/api/v1/indicators", asked).json()["figures"]]
    assert starts == ["2026-10-01T00:00:00+01:00", "2026-11-01T00:00:00Z"]
    store.close()


@pytest.mark.parametrize(
    ("place", "step", "expected"),
    [
        ("zone:nord", "month", ["36", "4", "2"]),
        ("zone:reseau:manche", "month", ["36", "4", "2"]),
        ("zone:nord", "week", ["0", "30", "6", "0"]),
        ("aberdeen", "month", ["18", "2", "1"]),
        ("murat", "month", ["18", "2", "1"]),
    ],
)
def test_the_page_shows_the_visits_of_each_period(app: FastAPI, place: str, step: str, expected: list[str]) -> None:
    page = ask(app, "/statistics", {"lang": "fr", "place": place, "step": step}).text
    row = re.search(r'<th scope="row">Visites</th>(.*?)</tr>', page.partition('class="closely"')[2], re.DOTALL)
    assert row is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[1], re.DOTALL)
    assert [number for cell in cells for number in re.findall(r"^\s*(\d+)", re.sub(r"<[^>]+>", " ", cell))] == expected
