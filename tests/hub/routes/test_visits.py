"""Persons over HTTP: how many, never who; a wrong question refused with its field; CSV that says the same."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.routes.visits import CSV_HEADER, TOO_LONG
from tests.support.entries import ADA, BEA, put_taps
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, cantal
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
FRIDAY_MS = NINE_MS - 24 * HOUR_MS
EVENING_MS = MIDNIGHT_MS + 20 * HOUR_MS
WEEKEND = {"from": "2026-11-20", "to": "2026-11-22"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Ada came on Friday, Ada and Bea on Saturday, and Ada went to Ydes at noon; somebody else was refused."""
    store = cantal(tmp_path, now_ms=EVENING_MS)
    put_taps(
        store,
        "murat",
        [
            (FRIDAY_MS, ADA, "GRANTED"),
            (NINE_MS, ADA, "GRANTED"),
            (NINE_MS + 10 * MINUTE_MS, ADA, "GRANTED"),
            (NINE_MS + HOUR_MS, BEA, "GRANTED"),
            (NINE_MS + 2 * HOUR_MS, None, "DENIED_UNKNOWN_CREDENTIAL"),
        ],
        until=EVENING_MS,
    )
    put_taps(store, "ydes", [(NINE_MS + 3 * HOUR_MS, ADA, "GRANTED")], until=EVENING_MS)
    yield app_on(store, LiveBoard(), now_ms=EVENING_MS)
    store.close()


def figures(app: FastAPI, path: str = "/api/v1/visits", **asked: str) -> list[dict[str, object]]:
    answer = ask(app, path, {**WEEKEND, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["figures"]
    return found


def test_a_day_of_one_site_says_how_many_came(app: FastAPI) -> None:
    friday, saturday = figures(app, site="murat")
    assert saturday == {
        "place": "murat",
        "level": "site",
        "start": "2026-11-21T00:00:00+01:00",
        "end": "2026-11-22T00:00:00+01:00",
        "status": "provisional",
        "visits": 2,
        "half_days": 2,
        "unique_visitors": 2,
        "new_visitors": 1,
    }
    assert (friday["visits"], friday["new_visitors"]) == (1, 1)


def test_a_person_counts_once_in_a_zone(app: FastAPI) -> None:
    (week,) = figures(app, zone="reseau:cantal", step="week", **{"from": "2026-11-16"})
    assert (week["place"], week["level"]) == ("reseau:cantal", "zone")
    assert (week["visits"], week["unique_visitors"]) == (4, 2)


def test_every_site_is_answered_when_none_is_named(app: FastAPI) -> None:
    assert {one["place"] for one in figures(app)} == {"murat", "ydes"}


def test_nobody_is_named_and_no_one_persons_share_is_told(app: FastAPI) -> None:
    text = ask(app, "/api/v1/visits", WEEKEND).text
    assert [word for word in (ADA, BEA, "most") if word in text] == []


@pytest.mark.parametrize("path", ["/api/v1/visits", "/api/v1/doors"])
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"site": "paris"}, "site"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-21T10:00:00"}, "from"),
        ({"from": "2026-11-23", "to": "2026-11-24"}, "from"),
        ({"to": "2026-11-19"}, "from"),
        ({"to": "2045-11-20"}, "from"),
        ({"to": ""}, "to"),
        ({"step": "minute"}, "step"),
        ({"zone": "paris"}, "zone"),
        ({"format": "xlsx"}, "format"),
        ({"kind": "desk"}, "kind"),
    ],
)
def test_a_wrong_question_gets_its_field_and_one_sentence(
    app: FastAPI, path: str, asked: dict[str, str], field: str
) -> None:
    refused = ask(app, path, {**WEEKEND, **asked})
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert refused.json()["message"].endswith(".")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"step": "hour"}, "'step' must be 'day', 'week' or 'month'."),
        *(({"step": step}, TOO_LONG) for step in ("quarter", "year")),
        ({"zone": "paris"}, "'zone' must be the id of a zone in the register: see /api/v1/sites."),
        (
            {"zone": "reseau:cantal", "site": "murat"},
            "'zone' and 'site' exclude one another: leave one of them out.",
        ),
    ],
)
def test_a_step_finer_than_kept_and_a_wrong_zone_are_told(app: FastAPI, asked: dict[str, str], sentence: str) -> None:
    assert ask(app, "/api/v1/visits", {**WEEKEND, **asked}).json()["message"] == sentence


def test_csv_says_the_same(app: FastAPI) -> None:
    answer = ask(app, "/api/v1/visits", {**WEEKEND, "site": "murat", "format": "csv"})
    header, _, row = csv.reader(io.StringIO(answer.text), delimiter=";")
    assert tuple(header) == CSV_HEADER
    assert row == [
        *("murat", "telecentre", "2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00"),
        *("provisoire", "2", "2", "2", "1"),
    ]
    assert 'filename="visites-murat-2026-11-20-2026-11-22.csv"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("path", ["/api/v1/visits", "/api/v1/doors"])
def test_an_answer_that_did_not_change_is_not_sent_again(app: FastAPI, path: str) -> None:
    first = ask(app, path, WEEKEND)
    assert ask(app, path, WEEKEND, {"if-none-match": first.headers["etag"]}).status_code == 304
