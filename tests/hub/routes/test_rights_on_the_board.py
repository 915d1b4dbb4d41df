"""What animators see of the lists of rights: on the board, on a telecentre's page, in the API, among the alarms."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.events import Access, AccessDecided, Rejection, RightsApplied, RightsRefused, encode
from contract.events import Issue as Applied
from contract.messages import BatchHeader, RightsStatus, Status
from hub.live import LiveBoard
from hub.receiver import Batch
from hub.store import Store
from hub.store.issues import NewIssue, put_issue, put_site_key, read_issued
from hub.store.rows import Issued
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal, now_of, status_of
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
LATEST = Issued(
    "murat",
    version=NOON_MS - HOUR_MS,
    issued_at_ms=NOON_MS - HOUR_MS,
    expires_at_ms=NOON_MS + 167 * HOUR_MS,
    badges=12,
    revoked_at_ms=NOON_MS - 2 * HOUR_MS,
    needed_version=NOON_MS - HOUR_MS,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = cantal(tmp_path)
    yield made
    made.close()


def with_list(version: int) -> Status:
    status = status_of("murat")
    assert status.report is not None
    rights = RightsStatus(
        version=version,
        issued_at=version,
        expires_at=version + 168 * HOUR_MS,
        credentials=12,
        trusted_at=NOON_MS,
    )
    return status.model_copy(update={"report": status.report.model_copy(update={"rights": rights})})


def board_with(version: int, issued: Issued) -> LiveBoard:
    board = LiveBoard()
    board.take_now(now_of("murat", "vovvvv", rooms=("free",)), NOON_MS)
    board.take_status(with_list(version), NOON_MS)
    board.take_issued([issued])
    return board


def text_of(store: Store, board: LiveBoard, path: str) -> str:
    page = ask(app_on(store, board), path).text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def test_a_confirmed_revocation_is_a_figure_of_zero_on_board_page_and_api(store: Store) -> None:
    board = board_with(NOON_MS - HOUR_MS, LATEST)
    assert "Droits : 11:00 · badge révoqué : 0 s" in text_of(store, board, "/")
    page = text_of(store, board, "/sites/murat")
    for line in (
        "Liste en vigueur 11:00",
        "Âge de la liste 60 min",
        "Badges 12",
        "Expire le 28 nov. 2026 à 11:00",
        "Dernière révocation 10:00",
        "Un badge révoqué pourrait encore ouvrir pendant 0 s",
    ):
        assert line in page
    sites = ask(app_on(store, board), "/api/v1/live").json()["sites"]
    (murat,) = [site["rights"] for site in sites if site["site_id"] == "murat"]
    assert murat == {
        "version": NOON_MS - HOUR_MS,
        "issued_at": "2026-11-21T10:00:00.000Z",
        "expires_at": "2026-11-28T10:00:00.000Z",
        "badges": 12,
        "latest_version": NOON_MS - HOUR_MS,
        "latest_issued_at": "2026-11-21T10:00:00.000Z",
        "revoked_at": "2026-11-21T09:00:00.000Z",
        "may_open_s": 0,
        "is_too_large": False,
        "is_held": False,
        "has_leapt": False,
    }


def test_an_older_list_is_told_with_the_time_that_it_still_has(store: Store) -> None:
    board = board_with(NOON_MS - 3 * HOUR_MS, LATEST)
    assert "Droits : 09:00 · badge révoqué : 165,0 h" in text_of(store, board, "/")
    assert "Un badge révoqué pourrait encore ouvrir la porte de Murat pendant 165,0 h au plus." in text_of(
        store, board, "/sites/murat"
    )


def test_the_list_of_a_site_that_is_no_longer_heard_stays_on_the_board(store: Store) -> None:
    board = board_with(NOON_MS - 3 * HOUR_MS, LATEST)
    board.take_status(Status(site="murat", online=False), NOON_MS)
    assert "Droits : 09:00 · badge révoqué : 165,0 h" in text_of(store, board, "/")


def test_where_the_hub_issues_nothing_nothing_is_shown(store: Store) -> None:
    board = LiveBoard()
    board.take_now(now_of("murat", "vovvvv"), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    assert "badge révoqué" not in text_of(store, board, "/")
    assert "Droits d'accès" not in text_of(store, board, "/sites/murat")


def receive(store: Store, *lines: bytes, first: int = 1) -> None:
    writer = store.writer()
    header = BatchHeader(site="murat", stream="5" * 32, boot="b" * 32, first=first, n=len(lines), sent_at=NOON_MS)
    with writer.transaction():
        writer.receive(Batch(header, list(lines)), NOON_MS)
    writer.close()


def test_a_list_that_was_refused_and_an_emergency_opening_are_alarms(store: Store) -> None:
    refusal = Rejection(reason="signature")
    refused = RightsRefused(subject="rights", value=refusal, t=NOON_MS, clock="synced", up=5)
    usual = Access(door="door-01", reason="GRANTED", assurance="secured")
    opened = [
        AccessDecided(subject="reader-01", value=value, t=NOON_MS, clock="synced", up=5)
        for value in (usual, usual.model_copy(update={"emergency": True}))
    ]
    receive(store, encode(refused), *(encode(one) for one in opened))
    alarms = {alarm.reason: alarm.times for alarm in store.recorded().alarms}
    assert alarms == {"rights_refused": 1, "emergency_opened": 1}
    found = ask(app_on(store, LiveBoard()), "/api/v1/alarms?lang=fr").json()["alarms"]
    sentences = {alarm["reason"]: alarm["sentence"] for alarm in found if alarm["grade"] == "alarm"}
    assert sentences["rights_refused"] == "1 liste de droits de Murat a été refusée par le boîtier."
    assert "Un badge de secours a ouvert 1 fois la porte de Murat" in sentences["emergency_opened"]


def test_the_history_of_a_site_says_which_list_is_in_force_when_it_is_not_heard(store: Store) -> None:
    with store.changed() as connection:
        put_site_key(connection, "murat", "ab" * 32, NOON_MS)
        for version in (NOON_MS, NOON_MS + 5):
            put_issue(connection, NewIssue("murat", version, 1, version, version + HOUR_MS, 3, b"sealed"))
    for seq, version in enumerate((NOON_MS + 5, NOON_MS), start=1):
        value = Applied(version=version, badges=3)
        said = RightsApplied(subject="rights", value=value, t=NOON_MS, clock="synced", up=5)
        receive(store, encode(said), first=seq)
    with store.seen() as connection:
        (murat,) = read_issued(connection)
    assert (murat.applied_version, murat.applied_expires_at_ms) == (NOON_MS + 5, NOON_MS + 5 + HOUR_MS)
    assert replace(murat, revoked_at_ms=None) == murat
