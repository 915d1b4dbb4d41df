"""The technician's page and its answer: every device, how it is, since when, what was wrong, and what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from contract.events import Access, AccessDecided, encode
from contract.messages import BatchHeader, DeviceStatus, RadarStatus, Status
from hub.live import LiveBoard
from hub.receiver import Batch
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal, now_of, status_of
from tests.support.web import app_on, ask

SETTINGS = "8 8 5 / 50 50 40 30 20 15 15 15 15 / 0 0 40 40 30 30 20 20 20"
DEVICES = [
    DeviceStatus(id="reader-01", kind="reader", health="ok", since=NOON_MS, last_fault="silent"),
    DeviceStatus(id="desk-01-pin", kind="pin", health="unknown", since=None),
    DeviceStatus(
        id="desk-02-radar",
        kind="radar",
        health="degraded",
        since=NOON_MS - 9 * MINUTE_MS,
        fault="drifted",
        noise_count=7,
    ),
    DeviceStatus(id="room-01-bookings", kind="bookings", health="down", since=NOON_MS, fault="refused"),
]


def report_of(site: str, at: int) -> Status:
    status = status_of(site, at=at, depth=12, oldest_at=at - MINUTE_MS)
    assert status.report is not None
    radars = [RadarStatus(id="desk-02-radar", firmware="2.44.24073110", settings=SETTINGS)]
    report = status.report.model_copy(update={"devices": DEVICES, "radars": radars, "clock": "holdover"})
    return status.model_copy(update={"report": report})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Serve Murat as it is, Mauriac that said goodbye half an hour ago, and eight that were never heard."""
    store, board = cantal(tmp_path), LiveBoard()
    board.take_now(now_of("murat", "vvvvvv"), NOON_MS)
    board.take_status(report_of("murat", NOON_MS), NOON_MS)
    gone = NOON_MS - 30 * MINUTE_MS
    board.take_now(now_of("mauriac", "vvvvv", as_of=gone), gone)
    board.take_status(report_of("mauriac", gone), gone)
    board.take_status(Status(site="mauriac", online=False), gone)
    yield app_on(store, board)
    store.close()


def answer(app: FastAPI, site: str) -> httpx.Response:
    return ask(app, f"/api/v1/sites/{site}/devices", {"lang": "fr"})


def text_of(app: FastAPI, path: str) -> str:
    found = ask(app, path, {"lang": "fr"})
    assert found.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.text)).replace("&#39;", "'")


def test_every_device_is_told_with_its_state_its_last_fault_and_a_remedy(app: FastAPI) -> None:
    found = {device["id"]: device for device in answer(app, "murat").json()["devices"]}
    assert [device["health"] for device in found.values()] == ["ok", "unknown", "degraded", "down"]
    assert found["reader-01"]["last_fault"] == "silent"
    assert found["reader-01"]["sentence"] == "Dernier défaut\u00a0: L'appareil est branché mais ne dit plus rien."
    assert found["room-01-bookings"]["remedy"].startswith("Corrigez le mot de passe ou le jeton du calendrier")
    assert found["desk-01-pin"]["since"] is None
    assert found["desk-01-pin"]["sentence"] == "On ne sait pas encore comment va l'appareil."


def test_a_radar_says_its_firmware_its_settings_and_that_they_drifted(app: FastAPI) -> None:
    radar = answer(app, "murat").json()["devices"][2]
    assert (radar["firmware"], radar["settings"], radar["fault"]) == ("2.44.24073110", SETTINGS, "drifted")
    page = text_of(app, "/sites/murat/devices")
    assert f"Micrologiciel 2.44.24073110. Réglages lus dans le module, différents de son fichier. {SETTINGS}" in page
    assert "7 messages illisibles depuis le démarrage du boîtier." in page


def test_the_box_says_its_version_clock_outbox_and_rights(app: FastAPI) -> None:
    found = answer(app, "murat").json()
    assert (found["agent"]["version"], found["agent"]["clock"]) == ("0.1.0", "holdover")
    assert (found["outbox"]["depth"], found["rights"]["version"], found["online"]) == (12, 1, True)
    page = text_of(app, "/sites/murat/devices")
    for told in ("Version du logiciel 0.1.0", "Événements en attente 12", "réglée depuis le démarrage", "3,0 Go"):
        assert told in page


def test_what_needs_a_person_comes_first_on_the_page(app: FastAPI) -> None:
    page = ask(app, "/sites/murat/devices").text
    rows = re.findall(r'<li class="(\w+)" data-key="([\w-]+)"', page)
    assert rows == [
        ("down", "room-01-bookings"),
        ("degraded", "desk-02-radar"),
        ("unknown", "desk-01-pin"),
        ("ok", "reader-01"),
    ]


def test_a_telecentre_that_has_gone_shows_its_last_report_as_stale_and_nothing_as_well(app: FastAPI) -> None:
    page = ask(app, "/sites/mauriac/devices").text
    assert "Données périmées depuis\u00a011:30" in page
    assert set(re.findall(r'<li class="(\w+)"', page)) == {"stale"}
    assert "is-ok" not in page
    assert "dernier état connu\u00a0: fonctionne" in page
    found = answer(app, "mauriac").json()
    assert (found["online"], found["as_of"]) == (False, "2026-11-21T10:30:00Z")
    assert [device["health"] for device in found["devices"]] == ["ok", "unknown", "degraded", "down"]


def test_a_telecentre_that_never_reported_has_no_device(app: FastAPI) -> None:
    found = answer(app, "ydes").json()
    assert (found["agent"], found["outbox"], found["devices"]) == (None, None, [])
    assert "Ce télécentre n'a encore rien dit de ses appareils." in text_of(app, "/sites/ydes/devices")


def test_a_telecentre_that_does_not_exist_has_no_devices(app: FastAPI) -> None:
    refused = answer(app, "paris")
    assert (refused.status_code, refused.json()["field"]) == (422, "site_id")
    assert ask(app, "/sites/paris/devices").status_code == 404
    assert ask(app, "/sites/paris/devices/stream").status_code == 404
    assert ask(app, "/api/v1/sites/murat/devices", {"who": "me"}).status_code == 422


def test_the_page_of_a_telecentre_leads_to_its_devices_and_back(app: FastAPI) -> None:
    assert 'href="/sites/murat/devices?lang=de"' in ask(app, "/sites/murat", {"lang": "de"}).text
    assert 'href="/sites/murat?lang=de"' in ask(app, "/sites/murat/devices", {"lang": "de"}).text


def test_without_javascript_the_page_reloads_itself(app: FastAPI) -> None:
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in ask(app, "/sites/murat/devices").text


def test_a_telecentre_shows_the_last_decisions_at_its_door_and_nobody(tmp_path: Path) -> None:
    store, header = cantal(tmp_path), {"site": "murat", "stream": "5" * 32, "boot": "b" * 32, "first": 1, "sent_at": 0}
    values = [
        Access(door="door-01", reason="DENIED_LOCKOUT", assurance="none"),
        Access(door="door-01", reason="GRANTED", assurance="secured", passback=True),
    ]
    lines = [
        encode(AccessDecided(subject="reader-01", value=value, t=NOON_MS - n * MINUTE_MS, clock="synced", up=9))
        for value, n in zip(values, (2, 1), strict=True)
    ]
    writer = store.writer()
    with writer.transaction():
        persons = {1: "k7q2m9x4", 2: "k7q2m9x4"}
        writer.receive(Batch(BatchHeader.model_validate({**header, "n": 2, "persons": persons}), lines), NOON_MS)
    writer.close()
    page = text_of(app_on(store, LiveBoard()), "/sites/murat")
    assert "11:59 La porte s'ouvre. Ce badge venait déjà d'entrer." in page
    assert "11:58 Le lecteur fait une pause : trop de cartes ont été refusées. Attendez une demi-minute" in page
    assert "k7q2m9x4" not in page
    assert "Personne n'a présenté de badge." in text_of(app_on(store, LiveBoard()), "/sites/ydes")
    store.close()
