"""A database that is away: pages say so in one sentence with what still holds, programs get 503, nothing crashes."""

import asyncio
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.app import refresh_board
from hub.health import Away
from hub.live import LiveBoard
from hub.store import Store
from hub.texts import LANGUAGES
from tests.support.telecentres import HEALTHY, MIDNIGHT_MS, NOON_MS, cantal, now_of, put_history, status_of
from tests.support.web import app_on, ask

ANSWERED_LIVE = ["/", "/sites/murat", "/sites/murat/devices", "/api/v1/live", "/api/v1/sites/murat/devices"]
ANSWERED_LATER = [
    *("/api/v1/sites", "/api/v1/occupancy?from=2026-11-20&to=2026-11-21"),
    "/api/v1/decisions?site=murat&from=2026-11-20&to=2026-11-21",
]
AWAY = "La base de données ne répond pas ou n'enregistre rien depuis 12:00."
SENTENCE = "The database does not answer: try again in a minute; /api/v1/live still tells what is true now."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = cantal(tmp_path)
    put_history(opened, "murat", [(MIDNIGHT_MS, "desk-01", "occupied")], until=NOON_MS)
    yield opened
    opened.close()


@pytest.fixture
def board() -> LiveBoard:
    board = LiveBoard()
    board.take_now(now_of("murat", "vovuxo", rooms=("booked",)), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    return board


@pytest.fixture
def app(store: Store, board: LiveBoard) -> FastAPI:
    app = app_on(store, board)
    take_away(store)
    return app


def take_away(store: Store) -> None:
    """Put a folder where the database was: nobody can read that, whoever runs the test."""
    store.close()
    store.file.rename(store.file.with_suffix(".kept"))
    store.file.mkdir()


def bring_back(store: Store) -> None:
    store.file.rmdir()
    store.file.with_suffix(".kept").rename(store.file)


def text_of(app: FastAPI, path: str, language: str = "fr") -> str:
    found = ask(app, path, headers={"accept-language": language})
    assert found.status_code == 200, found.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", found.text)))


@pytest.mark.parametrize("path", ANSWERED_LIVE)
def test_what_is_live_is_answered_without_the_database(app: FastAPI, path: str) -> None:
    assert ask(app, path).status_code == 200


def test_the_board_says_that_the_database_is_away_and_what_still_holds(
    app: FastAPI, store: Store, board: LiveBoard
) -> None:
    asyncio.run(refresh_board(board, store, lambda: NOON_MS))
    app.state.context.stream.beat()
    page = text_of(app, "/")
    assert AWAY in page
    assert "L'état en direct reste vrai, les portes décident seules" in page
    assert "libres sur 6" in page


def test_a_telecentres_page_keeps_its_live_part_and_says_what_is_missing(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat")
    assert "Poste 1" in page
    assert "les chiffres et l'historique manquent ici" in page
    assert "Taux d'occupation" not in page


def test_the_technicians_page_keeps_its_devices(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat/devices")
    assert "reader-02" in page
    assert "La base de données ne répond pas" in page
    assert ask(app, "/api/v1/sites/murat/devices").json()["undeclared"] is None


@pytest.mark.parametrize("path", ANSWERED_LATER)
def test_a_program_that_asks_for_figures_gets_503_and_one_sentence(app: FastAPI, path: str) -> None:
    refused = ask(app, path)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    assert refused.json() == {"field": "", "message": SENTENCE}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_statistics_is_one_sentence_that_leads_back_to_the_board(app: FastAPI, language: str) -> None:
    refused = ask(app, "/statistics", headers={"accept-language": language})
    assert refused.status_code == 503
    assert refused.text.count("<h1>") == 1
    assert 'href="/"' in refused.text


def test_metrics_leave_out_what_only_the_database_knows(app: FastAPI) -> None:
    text = ask(app, "/metrics").text
    assert "telecentre_events " not in text
    assert 'telecentre_attention{reason="database_away",grade="alarm"} 1' in text


def test_metrics_do_not_ask_a_database_that_takes_nothing(store: Store, board: LiveBoard) -> None:
    away = replace(HEALTHY, database_open=False, database_away=Away(NOON_MS))
    app = app_on(store, board, health=away)
    app.state.context.stream.beat()
    text = ask(app, "/metrics").text
    assert "telecentre_events " not in text
    assert "telecentre_database_open 0" in text
    assert 'telecentre_attention{reason="database_away",grade="alarm"} 1' in text


def test_when_the_database_is_back_the_figures_are(app: FastAPI, store: Store, board: LiveBoard) -> None:
    assert ask(app, "/api/v1/sites").status_code == 503
    assert board.look(NOON_MS).database_away == Away(NOON_MS)
    bring_back(store)
    asyncio.run(refresh_board(board, store))
    assert board.look(NOON_MS).database_away is None
    assert ask(app, "/api/v1/sites").status_code == 200
    assert "Taux d'occupation" in text_of(app, "/sites/murat")
