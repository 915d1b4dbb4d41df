"""Doors over HTTP: by hour to year, of a door, a telecentre or a zone; the same as CSV; a remedy when refused."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.routes.doors import CSV_HEADER
from tests.support.entries import ADA, BEA, Tap, put_taps
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, cantal
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
FRIDAY_MS = NINE_MS - 24 * HOUR_MS
EVENING_MS = MIDNIGHT_MS + 20 * HOUR_MS
WEEKEND = {"from": "2026-11-20", "to": "2026-11-22"}
YEAR = {"from": "2026-01-01", "to": "2027-01-01", "step": "year"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """On Saturday two came to Murat, one too early at first, a stranger was refused, and the door was forced."""
    store = cantal(tmp_path, now_ms=EVENING_MS)
    put_taps(
        store,
        "murat",
        [
            (FRIDAY_MS, ADA, "GRANTED"),
            (NINE_MS - 3 * HOUR_MS, ADA, "DENIED_OUT_OF_TIME_RANGE"),
            (NINE_MS, ADA, "GRANTED"),
            (NINE_MS + HOUR_MS, BEA, "GRANTED"),
            (NINE_MS + 2 * HOUR_MS, None, "DENIED_UNKNOWN_CREDENTIAL"),
        ],
        until=EVENING_MS,
        alarms=((EVENING_MS - HOUR_MS, "FORCED_OPEN"),),
    )
    full: Tap = (NINE_MS + 4 * HOUR_MS, BEA, "DENIED_UPPER_OCCUPANCY_LIMIT")
    put_taps(store, "ydes", [(NINE_MS + 3 * HOUR_MS, ADA, "GRANTED"), full], until=EVENING_MS)
    yield app_on(store, LiveBoard(), now_ms=EVENING_MS)
    store.close()


def figures(app: FastAPI, **asked: str) -> list[dict[str, object]]:
    answer = ask(app, "/api/v1/doors", {**WEEKEND, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["figures"]
    return found


def test_a_door_tells_what_it_did_and_why_it_refused(app: FastAPI) -> None:
    _, saturday = figures(app, site="murat")
    assert saturday == {
        "place": "murat",
        "level": "resource",
        "site_id": "murat",
        "door": "door-01",
        "start": "2026-11-21T00:00:00+01:00",
        "end": "2026-11-22T00:00:00+01:00",
        "granted": 2,
        "refused": 2,
        "refused_demand": None,
        "refused_out_of_hours": 1,
        "refusals": {"DENIED_OUT_OF_TIME_RANGE": 1, "DENIED_UNKNOWN_CREDENTIAL": 1},
        "forced": 1,
        "held_open": 0,
    }


def test_doors_can_be_asked_by_the_hour(app: FastAPI) -> None:
    hours = figures(app, site="ydes", step="hour")
    assert [(one["start"], one["granted"]) for one in hours] == [
        ("2026-11-21T12:00:00+01:00", 1),
        ("2026-11-21T13:00:00+01:00", 0),
    ]


@pytest.mark.parametrize(("step", "start"), [("quarter", "2026-10-01T00:00:00+02:00"), ("year", YEAR["from"])])
def test_doors_can_be_asked_by_quarter_and_year(app: FastAPI, step: str, start: str) -> None:
    (one,) = figures(app, site="murat", **{**YEAR, "step": step})
    assert str(one["start"]).startswith(start)
    assert (one["granted"], one["refused"], one["forced"]) == (3, 2, 1)


def test_of_a_telecentre_its_doors_are_added_up(app: FastAPI) -> None:
    murat, ydes = figures(app, by="site", **YEAR)
    assert [(one["place"], one["level"], one["site_id"], one["door"]) for one in (murat, ydes)] == [
        ("murat", "site", "murat", None),
        ("ydes", "site", "ydes", None),
    ]
    assert (murat["granted"], ydes["granted"], ydes["refused_demand"]) == (3, 1, 1)


@pytest.mark.parametrize("asked", [{"zone": "reseau:cantal"}, {"by": "zone"}])
def test_of_a_zone_its_telecentres_are_added_up(app: FastAPI, asked: dict[str, str]) -> None:
    year = next(one for one in figures(app, **YEAR, **asked) if one["place"] == "reseau:cantal")
    assert (year["place"], year["level"], year["site_id"], year["door"]) == ("reseau:cantal", "zone", None, None)
    assert (year["granted"], year["refused"], year["refused_demand"], year["refused_out_of_hours"]) == (4, 3, 1, 1)


def test_each_door_of_a_zone_can_be_told_apart(app: FastAPI) -> None:
    doors = figures(app, zone="reseau:cantal", by="resource", **YEAR)
    assert [(one["site_id"], one["door"]) for one in doors] == [("murat", "door-01"), ("ydes", "door-01")]


@pytest.mark.parametrize(
    ("asked", "field", "remedy"),
    [
        ({"site": "paris"}, "site", "see /api/v1/sites"),
        ({"zone": "paris"}, "zone", "see /api/v1/sites"),
        ({"site": "murat", "zone": "reseau:cantal"}, "zone", "leave one of them out"),
        ({"site": "murat", "by": "zone"}, "by", "name a 'zone' instead"),
        ({"by": "door"}, "by", "must be 'resource', 'site' or 'zone'"),
        ({"from": "yesterday"}, "from", "must be a date such as"),
        ({"from": "2026-11-21T10:00:00"}, "from", "needs its offset"),
        ({"from": "2026-11-23", "to": "2026-11-24"}, "from", "ask from today or before"),
        ({"to": "2026-11-19"}, "from", "exchange the two"),
        ({"to": "2045-11-20"}, "from", "ask in parts"),
        ({"to": ""}, "to", "must be a date such as"),
        ({"step": "minute"}, "step", "'hour', 'day', 'week', 'month', 'quarter' or 'year'"),
        ({"format": "xlsx"}, "format", "must be 'json' or 'csv'"),
        ({"kind": "desk"}, "kind", "see /docs"),
    ],
)
def test_a_wrong_question_gets_its_field_and_a_remedy(
    app: FastAPI, asked: dict[str, str], field: str, remedy: str
) -> None:
    refused = ask(app, "/api/v1/doors", {**WEEKEND, **asked})
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert remedy in refused.json()["message"]


def test_csv_says_the_same_and_what_nobody_told_is_an_empty_cell(app: FastAPI) -> None:
    asked = {**WEEKEND, "site": "murat"}
    header, _, row = csv.reader(
        io.StringIO(ask(app, "/api/v1/doors", asked, {"accept": "text/csv"}).text), delimiter=";"
    )
    assert tuple(header) == CSV_HEADER
    assert row == [
        *("murat", "ressource", "murat", "door-01", "2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00"),
        *("2", "2", "", "1", "1", "0"),
    ]
    answer = ask(app, "/api/v1/doors", {**YEAR, "zone": "reseau:cantal", "format": "csv"})
    _, row = csv.reader(io.StringIO(answer.text), delimiter=";")
    assert row[:4] + row[6:] == ["reseau:cantal", "zone", "", "", "4", "3", "1", "1", "1", "0"]
    assert 'filename="portes-reseau-cantal-2026-01-01-2027-01-01.csv"' in answer.headers["content-disposition"]
