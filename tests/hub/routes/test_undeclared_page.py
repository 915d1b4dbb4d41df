"""What the register does not hold is told to the technician, with what to do, in four languages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.routes.cards import view_of
from hub.routes.device_lines import undeclared_table
from hub.store import Undeclared
from hub.texts import LANGUAGES, words
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, NOON_MS, Change, cantal, now_of, put_history, status_of
from tests.support.web import app_on, ask

NINE_MS = MIDNIGHT_MS + 9 * 60 * MINUTE_MS


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Murat has six desks in the register, and speaks of a ninth since Friday."""
    store, board = cantal(tmp_path), LiveBoard()
    friday_ms = NINE_MS - 24 * 60 * MINUTE_MS
    said: list[Change] = [(friday_ms, "desk-09", "vacant"), (NINE_MS, "desk-09", "occupied")]
    put_history(store, "murat", said, until=NOON_MS)
    board.take_now(now_of("murat", "vvvvvv"), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    yield app_on(store, board)
    store.close()


def text_of(app: FastAPI, path: str, language: str) -> str:
    found = ask(app, path, {"lang": language})
    assert found.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.text)).replace("&#39;", "'")


def test_the_page_names_it_with_its_count_its_first_and_its_last_change_and_a_remedy(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat/devices", "fr")
    assert "Poste 9 desk-09 2 le 20 nov. 2026 à 09:00 09:00" in page
    assert "telecentre-hub site import network.toml" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_what_to_do(app: FastAPI, language: str) -> None:
    page = text_of(app, "/sites/murat/devices", language)
    assert words(language)("devices.undeclared_why").replace("\u00a0", " ") in page
    assert "telecentre-hub site import network.toml" in page


def test_a_telecentre_that_speaks_of_nothing_else_has_no_such_table(app: FastAPI) -> None:
    assert words("fr")("devices.undeclared") not in text_of(app, "/sites/ydes/devices", "fr")


def test_programs_are_told_the_same(app: FastAPI) -> None:
    assert ask(app, "/api/v1/sites/ydes/devices").json()["undeclared"] == []
    (told,) = ask(app, "/api/v1/sites/murat/devices", {"lang": "en"}).json()["undeclared"]
    assert told.pop("remedy").startswith("Declare them in network.toml, then run telecentre-hub site import")
    assert told == {
        "id": "desk-09",
        "events": 2,
        "at_least": False,
        "first_at": "2026-11-20T08:00:00Z",
        "last_at": "2026-11-21T08:00:00Z",
    }


def test_a_count_that_ended_at_its_bound_says_so(app: FastAPI) -> None:
    board: LiveBoard = app.state.context.board
    frame = board.look(NOON_MS)
    place = Undeclared("door-02", 2_000, is_more=True, first_ms=NINE_MS, last_ms=NOON_MS)
    (row,) = undeclared_table([place], frame.sites["murat"], view_of(frame, words("fr")))
    assert row == ("Porte 2", "door-02", "au moins 2\u202f000", "09:00", "12:00")
