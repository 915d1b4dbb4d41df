"""Occupancy over HTTP: each figure with its coverage, a closed question refused with its field, CSV that is safe."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.exports import to_csv
from hub.live import LiveBoard
from hub.routes.figures import Figure, by_site, pooled
from hub.routes.occupancy import CSV_HEADER
from hub.store import OccupancyRow
from tests.support.telecentres import MIDNIGHT_MS, Change, cantal, put_history
from tests.support.web import app_on, ask

HOUR_MS = 3_600_000
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
DAY = {"from": "2026-11-21", "to": "2026-11-22"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Saturday evening; Murat was open 9 to 12 and seen all that time, its first desk occupied from 10 to 11."""
    now_ms = MIDNIGHT_MS + 20 * HOUR_MS
    store = cantal(tmp_path, now_ms=now_ms)
    at_eight = NINE_MS - HOUR_MS
    seen: list[Change] = [(at_eight, f"desk-{n:02}", "vacant") for n in range(1, 7)]
    busy: list[Change] = [(NINE_MS + HOUR_MS, "desk-01", "occupied"), (NINE_MS + 2 * HOUR_MS, "desk-01", "vacant")]
    put_history(store, "murat", [*seen, *busy], until=NINE_MS + 4 * HOUR_MS)
    half: list[Change] = [(at_eight, f"desk-{n:02}", "vacant") for n in range(1, 5)]
    put_history(store, "ydes", half, until=NINE_MS + 2 * HOUR_MS)
    yield app_on(store, LiveBoard(), now_ms=now_ms)
    store.close()


def figures(app: FastAPI, **asked: str) -> list[dict[str, object]]:
    answer = ask(app, "/api/v1/occupancy", {**DAY, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["figures"]
    return found


def test_a_day_of_one_site_pools_its_desks(app: FastAPI) -> None:
    assert figures(app, site="murat") == [
        {
            "site_id": "murat",
            "resource": None,
            "resources": 6,
            "start": "2026-11-21T00:00:00+01:00",
            "end": "2026-11-22T00:00:00+01:00",
            "available_ms": 6 * 3 * HOUR_MS,
            "observed_ms": 6 * 3 * HOUR_MS,
            "occupied_ms": HOUR_MS,
            "coverage": 1.0,
            "occupancy_rate": 0.0556,
            "status": "A",
        }
    ]


def test_each_desk_can_be_asked_for(app: FastAPI) -> None:
    found = figures(app, site="murat", by="resource")
    assert [(one["resource"], one["occupied_ms"]) for one in found][:2] == [("desk-01", HOUR_MS), ("desk-02", 0)]


def test_hours_are_the_hours_in_which_the_site_is_open(app: FastAPI) -> None:
    found = figures(app, site="murat", step="hour")
    assert [(one["start"], one["occupied_ms"]) for one in found] == [
        ("2026-11-21T09:00:00+01:00", 0),
        ("2026-11-21T10:00:00+01:00", HOUR_MS),
        ("2026-11-21T11:00:00+01:00", 0),
    ]


@pytest.mark.parametrize(("first_ms", "available_h", "coverage"), [(-HOUR_MS, 3, 0.3333), (HOUR_MS, 2, 0.5)])
def test_the_first_day_of_a_site_counts_from_its_first_sign_of_life(
    tmp_path: Path, first_ms: int, available_h: int, coverage: float
) -> None:
    """Open 9 to 12, installed before or at 10, watched until 10 or 11: what came before was not in service."""
    store = cantal(tmp_path, now_ms=MIDNIGHT_MS + 20 * HOUR_MS)
    heard = NINE_MS + first_ms
    put_history(
        store, "ydes", [(heard, f"desk-{n:02}", "vacant") for n in range(1, 5)], until=max(heard, NINE_MS) + HOUR_MS
    )
    app = app_on(store, LiveBoard(), now_ms=MIDNIGHT_MS + 20 * HOUR_MS)
    (one,) = figures(app, site="ydes")
    assert (one["available_ms"], one["coverage"]) == (4 * available_h * HOUR_MS, coverage)
    hours = figures(app, site="ydes", step="hour")
    assert [hour["available_ms"] for hour in hours] == [4 * HOUR_MS] * available_h
    store.close()


def test_a_rate_with_two_thirds_coverage_is_uncertain(app: FastAPI) -> None:
    (one,) = figures(app, site="ydes")
    assert (one["coverage"], one["status"], one["occupancy_rate"]) == (0.6667, "U", 0.0)


def test_what_nobody_observed_is_null_and_never_zero(app: FastAPI) -> None:
    (one,) = figures(app, site="mauriac")
    assert (one["observed_ms"], one["coverage"], one["occupancy_rate"], one["status"]) == (0, 0.0, None, "M")


def test_all_sites_are_answered_when_none_is_named(app: FastAPI) -> None:
    assert len(figures(app)) == 10


def test_a_date_and_the_instant_of_its_local_midnight_ask_the_same(app: FastAPI) -> None:
    by_instant = figures(app, site="murat", **{"from": "2026-11-21T00:00:00+01:00", "to": "2026-11-21T23:00:00Z"})
    assert by_instant == figures(app, site="murat")


def test_the_end_is_not_included(app: FastAPI) -> None:
    ten = {"from": "2026-11-21T09:00:00+01:00", "to": "2026-11-21T10:00:00+01:00"}
    assert [one["start"] for one in figures(app, site="murat", step="hour", **ten)] == ["2026-11-21T09:00:00+01:00"]


def test_an_empty_period_has_no_figures(app: FastAPI) -> None:
    assert figures(app, site="murat", to="2026-11-21") == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"site": "paris"}, "site"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-21T10:00:00"}, "from"),
        ({"from": "2026-13-01"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"to": "2026-11-20"}, "from"),
        ({"to": "2045-11-20"}, "from"),
        ({"to": ""}, "to"),
        ({"from": "2026-11-23", "to": "2026-11-24"}, "from"),
        ({"from": "2027-01-01", "to": "2028-01-01", "site": "murat"}, "from"),
        ({"step": "minute"}, "step"),
        ({"step": "hour", "to": "2036-01-01", "by": "resource"}, "step"),
        ({"kind": "person"}, "kind"),
        ({"format": "xlsx"}, "format"),
        ({"who": "me"}, "who"),
    ],
)
def test_a_wrong_question_gets_its_field_and_one_sentence(app: FastAPI, asked: dict[str, str], field: str) -> None:
    refused = ask(app, "/api/v1/occupancy", {**DAY, **asked})
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert refused.json()["message"].endswith(".")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"to": "2026-11-20"}, "'from' must not be after 'to': exchange the two."),
        ({"from": "2026-11-22", "to": "2026-11-23"}, "'from' is in the future, and there are no figures of it yet: "),
        ({"from": "2026-11-21T10:00:00"}, "'from' is an instant and needs its offset, such as Z or +01:00."),
        ({"step": "hour", "to": "2036-01-01"}, "This would be more than 100000 figures: ask for one site or zone, "),
        ({"site": "paris"}, "'site' must be the id of a telecentre in the register: see /api/v1/sites."),
    ],
)
def test_the_sentence_says_what_to_do(app: FastAPI, asked: dict[str, str], sentence: str) -> None:
    assert ask(app, "/api/v1/occupancy", {**DAY, **asked}).json()["message"].startswith(sentence)


def test_a_period_that_has_begun_is_answered_as_far_as_it_has_come(app: FastAPI) -> None:
    assert [one["start"] for one in figures(app, site="murat", to="2027-01-01")] == ["2026-11-21T00:00:00+01:00"]


def test_a_missing_field_is_named(app: FastAPI) -> None:
    refused = ask(app, "/api/v1/occupancy", {"to": "2026-11-21"})
    assert refused.json() == {"field": "from", "message": "'from' is missing."}


def test_csv_comes_by_name_or_by_accept_header(app: FastAPI) -> None:
    named = ask(app, "/api/v1/occupancy", {**DAY, "site": "murat", "format": "csv"})
    preferred = ask(app, "/api/v1/occupancy", {**DAY, "site": "murat"}, {"accept": "text/csv"})
    assert named.headers["content-type"] == "text/csv; charset=utf-8"
    assert named.text == preferred.text
    assert 'filename="occupation-desk-murat-2026-11-21-2026-11-22.csv"' in named.headers["content-disposition"]


def test_csv_has_semicolons_points_and_no_byte_order_mark(app: FastAPI) -> None:
    answer = ask(app, "/api/v1/occupancy", {**DAY, "site": "ydes", "format": "csv"})
    assert answer.content.startswith(b"id_telecentre;")
    header, row = csv.reader(io.StringIO(answer.text), delimiter=";")
    assert tuple(header) == CSV_HEADER
    assert row == [
        *("ydes", "", "poste", "4", "2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00"),
        *("720.0", "480.0", "0.0", "0.6667", "0.0", "U"),
    ]


def test_a_missing_rate_is_an_empty_cell(app: FastAPI) -> None:
    answer = ask(app, "/api/v1/occupancy", {**DAY, "site": "mauriac", "format": "csv"})
    assert answer.text.splitlines()[1].endswith(";0.0;;M")


def test_an_answer_that_did_not_change_is_not_sent_again(app: FastAPI) -> None:
    first = ask(app, "/api/v1/occupancy", DAY)
    again = ask(app, "/api/v1/occupancy", DAY, {"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert ask(app, "/api/v1/occupancy", DAY, {"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0"]
)
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    table = to_csv(["name"], [[text]])
    cell = list(csv.reader(io.StringIO(table, newline=""), delimiter=";"))[1][0]
    assert cell == f"'{text}"


def test_numbers_and_missing_cells_stay_what_they_are() -> None:
    assert to_csv(["a", "b", "c"], [[-1.5, None, 0]]) == "a;b;c\r\n-1.5;;0\r\n"


@pytest.mark.parametrize(
    ("observed", "status"), [(100, "A"), (80, "A"), (79, "U"), (50, "U"), (49, "M"), (1, "M"), (0, "M")]
)
def test_coverage_decides_what_is_published(observed: int, status: str) -> None:
    figure = Figure("murat", None, 0, 1, 1, 100, observed, 0)
    assert figure.status == status
    assert (figure.rate is None) == (status == "M")


def test_a_closed_day_has_no_coverage() -> None:
    assert Figure("murat", None, 0, 1, 1, 0, 0, 0).coverage is None


def test_rates_are_pooled_and_not_averaged() -> None:
    rows = [OccupancyRow("murat", "desk-01", 0, 9, 100, 100, 100), OccupancyRow("murat", "desk-02", 0, 9, 300, 300, 0)]
    (figure,) = pooled(rows, by_site)
    assert figure.rate == 0.25
