"""What machines ask, and what guards every answer."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.routes.health import family
from hub.store import Store
from tests.support.telecentres import HEALTHY, NOON_MS, cantal, now_of, status_of
from tests.support.web import app_on, ask

PATHS = [
    *("/", "/sites/murat", "/statistics", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"),
    *("/api/v1/sites", "/api/v1/live", "/api/v1/occupancy", "/static/board.css", "/nowhere", "/api/v1/nothing"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = cantal(tmp_path)
    yield store
    store.close()


@pytest.fixture
def app(store: Store) -> FastAPI:
    board = LiveBoard()
    board.take_now(now_of("murat", "vovuxo", rooms=("booked",)), NOON_MS)
    board.take_status(status_of("murat", depth=3), NOON_MS)
    return app_on(store, board)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_security_headers(app: FastAPI, path: str) -> None:
    headers = ask(app, path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-cache", "no-store")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_a_loopback_host_is_answered(app: FastAPI, host: str) -> None:
    assert ask(app, "/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.org", "localhost.example.org", "127.0.0.1.example.org", "192.168.1.4:8000", "", "localhost:x"]
)
def test_a_foreign_host_is_refused_so_that_no_name_can_be_rebound_to_us(app: FastAPI, host: str) -> None:
    refused = ask(app, "/api/v1/live", headers={"host": host})
    assert refused.status_code == 400
    assert "content-security-policy" in refused.headers


def test_the_register_is_answered_in_order_of_name(app: FastAPI) -> None:
    sites = ask(app, "/api/v1/sites").json()["sites"]
    assert [site["name"] for site in sites][:3] == ["Allanche", "Aurillac", "Chaudes-Aigues"]
    confidential = [room["confidential"] for site in sites for room in site["rooms"]]
    assert sum(confidential) == 1


def test_the_live_answer_has_every_site(app: FastAPI) -> None:
    answer = ask(app, "/api/v1/live").json()
    assert answer["generated_at"] == "2026-11-21T11:00:00.000Z"
    assert len(answer["sites"]) == 10
    murat = next(site for site in answer["sites"] if site["site_id"] == "murat")
    assert murat["online"]
    assert murat["doors"] == [
        {"id": "door-01", "state": "locked", "since": "2026-11-21T10:22:00.000Z", "alarm": "NORMAL"}
    ]


def test_ready_means_that_history_is_being_taken(store: Store) -> None:
    assert ask(app_on(store, LiveBoard()), "/readyz").json()["ready"]
    away = ask(app_on(store, LiveBoard(), health=replace(HEALTHY, broker_connected=False)), "/readyz")
    assert away.status_code == 503
    assert away.json() == {"ready": False, "broker_connected": False, "database_open": True}


def test_metrics_are_in_the_exposition_format(app: FastAPI) -> None:
    text = ask(app, "/metrics").text
    sample = r'telecentre_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[0-9.e+]+'
    for line in text.splitlines():
        assert re.fullmatch(rf"# (HELP|TYPE) telecentre_\w+ .+|{sample}", line), line
    assert "telecentre_sites 10" in text
    assert "telecentre_sites_online 1" in text
    assert 'telecentre_site_backlog_events{site="murat"} 3' in text
    assert "telecentre_committed_timestamp_seconds 1795258800" in text


def metric(text: str, name: str) -> dict[str, float]:
    """Return the samples of one family by their labels."""
    found = re.findall(rf"^telecentre_{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_metrics_count_what_needs_a_person_by_reason(store: Store) -> None:
    board = LiveBoard()
    board.take_now(now_of("murat", "v", door=("unlocked", "DOOR_OPEN_TOO_LONG")), NOON_MS)
    board.take_status(status_of("murat", depth=9, oldest_at=NOON_MS - 2 * 3_600_000), NOON_MS)
    told = metric(ask(app_on(store, board), "/metrics").text, "attention")
    assert told['reason="backlog",grade="notice"'] == 1
    assert told['reason="DOOR_OPEN_TOO_LONG",grade="alarm"'] == 1
    assert told['reason="never",grade="stale"'] == 9, "the other nine of the register"
    assert told['reason="gap",grade="alarm"'] == 0, "a reason that is not told now is a zero, not a hole"


def test_metrics_count_refused_messages_by_why(store: Store) -> None:
    writer = store.writer()
    with writer.transaction():
        for site, why in (("murat", "version"), ("ydes", "version"), ("murat", "size")):
            writer.refuse(site, why, NOON_MS, b"x")
    writer.close()
    text = ask(app_on(store, LiveBoard()), "/metrics").text
    assert metric(text, "refused") == {'why="version"': 2, 'why="size"': 1}


@pytest.mark.parametrize(
    "path", ["/api/v1/live/stream?site=murat", "/api/v1/live?site=murat", "/api/v1/sites?site=murat"]
)
def test_a_field_that_a_question_does_not_have_is_refused(app: FastAPI, path: str) -> None:
    refused = ask(app, path)
    assert refused.status_code == 422
    assert refused.json() == {"field": "site", "message": "'site' is not a field of this question: see /docs."}


def test_a_label_of_a_metric_is_escaped() -> None:
    assert family("x", "gauge", "X.", [({"a": 'q"\\\n'}, 1)])[2] == 'telecentre_x{a="q\\"\\\\\\n"} 1'


def test_the_documentation_names_every_address_and_loads_nothing(app: FastAPI) -> None:
    page = ask(app, "/docs").text
    assert [path for path in ask(app, "/openapi.json").json()["paths"] if path not in page] == []
    assert "<script" not in page
    assert "cdn" not in page


def test_an_address_of_the_api_that_does_not_exist_is_told_in_json(app: FastAPI) -> None:
    missing = ask(app, "/api/v1/nothing")
    assert missing.status_code == 404
    assert missing.json() == {"field": "", "message": "There is nothing at this address: see /docs."}


def test_a_database_that_is_away_is_a_503_and_not_a_traceback(app: FastAPI, store: Store) -> None:
    store.close()
    store.file.unlink()
    refused = ask(app, "/api/v1/sites")
    assert refused.status_code == 503
    assert refused.json()["message"].startswith("The database")
    page = ask(app, "/statistics")
    assert (page.status_code, "La base de données ne répond pas." in page.text) == (503, True)


def test_nothing_is_served_outside_the_static_folder(app: FastAPI) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert ask(app, path).status_code == 404
