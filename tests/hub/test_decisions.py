"""Why a door opened or stayed shut: asked of the hub, answered without anybody's name."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from contract.events import Access, AccessDecided, AccessReason, Door, DoorStateChanged, Event, encode
from contract.messages import BatchHeader
from hub.app import create_app
from hub.config import DatabaseSettings, HubSettings
from hub.health import Health
from hub.live import LiveBoard
from hub.network import Network
from hub.receiver import Batch
from hub.store import Store
from hub.store.connection import Engine
from tests.support.telecentres import store_in

NOON_MS = 1_795_258_800_000  # 2026-11-21T11:00:00Z, noon in Murat
NETWORK = Network.model_validate(
    {
        "network": {"id": "cantal", "name": "Cantal", "time_zone": "Europe/Paris", "opening_hours": "24/7"},
        "site": [{"id": "murat", "name": "Murat", "desks": 1}, {"id": "ydes", "name": "Ydes", "desks": 1}],
    }
)
WELL = Health(
    broker_connected=True,
    database_open=True,
    incarnation=None,
    queue_depth=0,
    messages=0,
    events_stored=0,
    messages_refused=0,
    messages_dropped={},
    database_failures=0,
    broker_reconnections=0,
    committed_at_ms=None,
    progress=0,
)


def _store_decisions(store: Store, site: str, *decided: tuple[int, AccessReason]) -> None:
    lines = [
        encode(
            AccessDecided(
                subject="reader-01",
                value=Access(door="door-01", reason=reason, assurance="uid"),
                t=at_ms,
                clock="synced",
                up=at_ms - NOON_MS + 1_000_000,
            )
        )
        for at_ms, reason in decided
    ]
    header = BatchHeader(
        site=site, stream="5" * 32, boot="b" * 32, first=1, n=len(lines), sent_at=NOON_MS, persons={1: "k7q2m9x4"}
    )
    writer = store.writer()
    with writer.transaction():
        writer.receive(Batch(header, lines), NOON_MS + 60_000)
    writer.close()


def _put(store: Store, site: str, event: Event) -> None:
    """Store one event of a stream of its own."""
    header = BatchHeader(site=site, stream="6" * 32, boot="b" * 32, first=1, n=1, sent_at=NOON_MS)
    writer = store.writer()
    with writer.transaction():
        writer.receive(Batch(header, [encode(event)]), NOON_MS + 60_000)
    writer.close()


@pytest.fixture
def store(home: Path | Engine) -> Store:
    store = store_in(home, lambda: NOON_MS + 120_000)
    store.import_network(NETWORK)
    return store


@pytest.fixture
def app(store: Store, tmp_path: Path) -> Iterator[FastAPI]:
    _store_decisions(store, "murat", (NOON_MS, "GRANTED"), (NOON_MS + 5_000, "DENIED_UNKNOWN_CREDENTIAL"))
    _store_decisions(store, "ydes", (NOON_MS, "DENIED_CREDENTIAL_EXPIRED"))
    settings = HubSettings(database=DatabaseSettings(file=tmp_path / "hub.sqlite"))
    yield create_app(settings, store, LiveBoard(), lambda: WELL, now_ms=lambda: NOON_MS + 120_000)
    store.close()


def _asked(app: FastAPI, **asked: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get("/api/v1/decisions", params=asked)

    return asyncio.run(ask())


def test_the_decisions_of_one_site_come_in_order_of_time(app: FastAPI) -> None:
    decisions = _asked(app, **{"site": "murat", "from": "2026-11-21"}).json()["decisions"]
    assert [each["reason"] for each in decisions] == ["GRANTED", "DENIED_UNKNOWN_CREDENTIAL"]
    assert decisions[0] == {
        "reader": "reader-01",
        "door": "door-01",
        "reason": "GRANTED",
        "assurance": "uid",
        "card": None,
        "at": "2026-11-21T11:00:00Z",
        "received_at": "2026-11-21T11:01:00Z",
        "sentence": "La porte s'ouvre.",
        "remedy": "Entrez.",
        "notes": [],
        "remarks": [],
    }


def test_what_was_unusual_about_a_decision_is_told_in_words(store: Store, app: FastAPI) -> None:
    value = Access(
        door="door-01", reason="GRANTED", assurance="secured", time="high_water", passback=True, emergency=True
    )
    _put(store, "murat", AccessDecided(subject="reader-01", value=value, t=NOON_MS + 20_000, clock="synced", up=20))
    last = _asked(app, **{"site": "murat", "from": "2026-11-21", "lang": "en"}).json()["decisions"][-1]
    assert last["notes"] == ["high_water", "passback", "emergency"]
    assert last["remarks"][2] == "It was an emergency badge, after the list of rights had ended."


def _unused(at_ms: int, door: str = "door-01") -> DoorStateChanged:
    value = Door(state="locked", alarm="NORMAL", unused=True)
    return DoorStateChanged(subject=door, value=value, t=at_ms, clock="synced", up=at_ms - NOON_MS + 1_000_000)


@pytest.mark.parametrize(
    ("after_ms", "door", "is_told"),
    [(4_000, "door-01", True), (4_000, "door-02", False), (40_000, "door-01", False)],
)
def test_that_nobody_opened_is_told_of_the_badge_that_was_let_in_last(
    store: Store, app: FastAPI, after_ms: int, door: str, is_told: bool
) -> None:
    _put(store, "murat", _unused(NOON_MS + after_ms, door))
    decisions = _asked(app, **{"site": "murat", "from": "2026-11-21"}).json()["decisions"]
    assert [each["notes"] for each in decisions] == [["unused"] if is_told else [], []]


def test_a_decision_is_told_in_the_language_that_is_asked_for(app: FastAPI) -> None:
    refused = _asked(app, **{"site": "murat", "from": "2026-11-21", "lang": "en"}).json()["decisions"][1]
    assert refused["sentence"] == "This badge is not known here."


def test_a_period_of_decisions_is_half_open(app: FastAPI) -> None:
    between = {"site": "murat", "from": "2026-11-21T11:00:00Z", "to": "2026-11-21T11:00:05Z"}
    assert [each["reason"] for each in _asked(app, **between).json()["decisions"]] == ["GRANTED"]


def test_no_decision_names_a_person(app: FastAPI) -> None:
    assert "k7q2m9x4" not in _asked(app, **{"site": "murat", "from": "2026-11-21"}).text


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"site": "paris", "from": "2026-11-21"}, "site"),
        ({"site": "murat", "from": "noon"}, "from"),
        ({"site": "murat"}, "from"),
        ({"site": "murat", "from": "2030-01-01"}, "from"),
        ({"site": "murat", "from": "2030-01-01", "to": "2030-01-02"}, "from"),
        ({"site": "murat", "from": "2026-11-21", "to": "2026-11-20"}, "from"),
        ({"site": "murat", "from": "2010-11-21", "to": "2026-11-21"}, "from"),
        ({"site": "murat", "from": "2026-11-21", "who": "me"}, "who"),
    ],
)
def test_a_wrong_question_is_told_which_field_is_wrong(app: FastAPI, asked: dict[str, str], field: str) -> None:
    refused = _asked(app, **asked)
    assert refused.status_code == 422
    assert refused.json()["field"] == field


def test_what_is_wrong_with_a_card_is_said_with_what_to_do_about_it(store: Store, app: FastAPI) -> None:
    value = Access(door="door-01", reason="DENIED_VERIFICATION_FAILED", assurance="none", card="phone")
    _put(store, "murat", AccessDecided(subject="reader-01", value=value, t=NOON_MS + 9_000, clock="synced", up=1))
    refused = _asked(app, **{"site": "murat", "from": "2026-11-21", "lang": "fr"}).json()["decisions"][-1]
    assert refused["card"] == "phone"
    assert refused["sentence"] == "Un téléphone ne peut pas servir de badge ici."
    assert refused["remedy"].startswith("Présentez votre badge")
