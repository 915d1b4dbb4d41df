"""The list of what needs a person: on the board, on a telecentre's page, as JSON; in four languages."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI

from contract.messages import RightsStatus, Status
from hub.alarms import GRADES, RECORDED, Reason
from hub.health import Away
from hub.live import Frame, LiveBoard
from hub.routes.attention import COUNTED, points, points_of
from hub.store import Alarm, GapRow, Recorded, RestoreRow, Store
from hub.store.rows import Issued
from hub.texts import LANGUAGES, words
from tests.hub.test_live import MURAT
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal, now_of, status_of
from tests.support.web import app_on, ask

EVERYTHING = Recorded(
    gaps=(GapRow("murat", "a" * 32, 1, 7, NOON_MS),),
    alarms=(
        *(Alarm("murat", reason, 2, NOON_MS, NOON_MS) for reason in RECORDED),
        Alarm("murat", "refused_size", 3, NOON_MS, NOON_MS),
        Alarm("murat", "refused_version", 2, NOON_MS, NOON_MS),
        Alarm("", "refused_topic", 1, NOON_MS, NOON_MS),
    ),
    restores=(RestoreRow(NOON_MS - 600 * MINUTE_MS, NOON_MS - MINUTE_MS, 12),),
)


def in_trouble(status: Status) -> Status:
    assert status.report is not None
    outbox = status.report.outbox.model_copy(
        update={"size_bytes": 900, "quota_bytes": 1_000, "refused_count": 4, "storage": "degraded"}
    )
    return status.model_copy(update={"report": status.report.model_copy(update={"outbox": outbox})})


def as_second_agent(status: Status) -> Status:
    assert status.report is not None
    return status.model_copy(update={"report": status.report.model_copy(update={"boot": "2" * 32})})


def troubled_board() -> LiveBoard:
    """Return a board on which Murat has every trouble that a heard site can have, and a stranger sends."""
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo"), NOON_MS)
    status = in_trouble(status_of("murat", depth=9, oldest_at=NOON_MS - 90 * MINUTE_MS))
    for said in (status, as_second_agent(status), status):
        board.take_status(said, NOON_MS)
    board.take_now(now_of("stranger", "v"), NOON_MS)
    board.take_recorded(EVERYTHING)
    return board


def with_rights(site: str, age_min: int, left_min: int) -> Status:
    """Return the status of a site whose list is so old, and has so long to go."""
    status = status_of(site)
    assert status.report is not None
    rights = RightsStatus(
        version=1,
        issued_at=NOON_MS - age_min * MINUTE_MS,
        expires_at=NOON_MS + left_min * MINUTE_MS,
        credentials=3,
        trusted_at=NOON_MS,
    )
    return status.model_copy(update={"report": status.report.model_copy(update={"rights": rights})})


def board_of_rights() -> LiveBoard:
    """Return a board with every trouble of lists, at Ydes, Riom and Mauriac; and its database is away."""
    board = LiveBoard([replace(MURAT, id=name, name=name.title()) for name in ("ydes", "riom", "mauriac")])
    for name, age_min, left_min in (("ydes", 9_000, -5), ("riom", 2_200, 480), ("mauriac", 60, 480)):
        board.take_now(now_of(name, "v"), NOON_MS)
        board.take_status(with_rights(name, age_min, left_min), NOON_MS)
    revoked = Issued("riom", version=1, revoked_at_ms=NOON_MS - 2 * MINUTE_MS)
    board.take_issued(
        [
            Issued("ydes", version=1, is_too_large=True, is_held=True, has_leapt=True),
            revoked,
            replace(revoked, site="mauriac", revoked_emergency=True),
        ]
    )
    board.take_database(NOON_MS - MINUTE_MS)
    return board


def test_a_revoked_badge_that_could_still_open_is_told_with_its_time_also_where_nothing_is_heard() -> None:
    board = board_of_rights()
    (point,) = [one for one in points(board.look(NOON_MS), words("fr")) if one.reason == "revocation_pending"]
    assert point.sentence == "Un badge révoqué pourrait encore ouvrir la porte de Riom pendant 8,0 h au plus."
    board.take_status(Status(site="riom", online=False), NOON_MS)
    assert point in points(board.look(NOON_MS), words("fr"))


def test_a_hub_that_issues_no_lists_says_once_whether_a_copy_or_its_clock_is_why() -> None:
    told = points(board_of_rights().look(NOON_MS), words("en"))
    held = [one for one in told if "telecentre-hub rights resume" in one.remedy]
    assert [one.reason for one in held] == ["rights_held", "rights_clock"]


def test_a_revocation_of_this_minute_asks_for_nobody_yet() -> None:
    board = board_of_rights()
    board.take_issued([Issued("riom", version=1, revoked_at_ms=NOON_MS)])
    reasons = {point.reason for point in points(board.look(NOON_MS + MINUTE_MS), words("fr"))}
    assert "revocation_pending" not in reasons
    reasons = {point.reason for point in points(board.look(NOON_MS + MINUTE_MS + 1), words("fr"))}
    assert "revocation_pending" in reasons


def test_a_telecentre_that_never_had_a_list_is_not_told_for_its_revocations() -> None:
    board = LiveBoard([MURAT])
    board.take_issued([Issued("murat", version=1, revoked_at_ms=NOON_MS - 60 * MINUTE_MS)])
    assert [point.reason for point in points(board.look(NOON_MS), words("fr"))] == ["never"]


def frames() -> list[Frame]:
    """Return frames that raise every reason between them."""
    silent = LiveBoard([MURAT, replace(MURAT, id="ydes", name="Ydes")])
    silent.take_now(now_of("murat", "v"), NOON_MS - 10 * MINUTE_MS)
    moved = LiveBoard([MURAT])
    moved.take_unwritten(Away(NOON_MS - MINUTE_MS, "database_moved"))
    boards = (troubled_board(), silent, board_of_rights(), moved)
    return [board.look(NOON_MS) for board in boards]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_its_sentence_and_its_remedy(language: str) -> None:
    found = [point for frame in frames() for point in points(frame, words(language))]
    assert {point.reason for point in found} == set(get_args(Reason))
    for point in found:
        assert point.sentence.endswith(".")
        assert point.remedy.endswith(".")
        assert "{" not in point.sentence + point.remedy
        assert "  " not in point.sentence
        if point.site_id is not None:
            assert any(name in point.sentence for name in ("Murat", "Ydes", "Riom", "Mauriac"))
        if point.reason in COUNTED:
            assert str(point.count) in point.sentence


def test_the_gravest_come_first() -> None:
    troubled, _, of_rights, moved = frames()
    found = points(troubled, words("fr"))
    grades = [point.grade for point in found]
    assert grades == sorted(grades, key=["alarm", "stale", "notice"].index)
    found += points(of_rights, words("fr")) + points(moved, words("fr"))
    assert {point.reason for point in found if point.grade == "alarm"} == {
        reason for reason, grade in GRADES.items() if grade == "alarm"
    }


def test_a_page_of_one_telecentre_tells_its_own_and_what_concerns_all() -> None:
    board = troubled_board()
    board.take_register([MURAT, replace(MURAT, id="ydes", name="Ydes")])
    frame = board.look(NOON_MS)
    assert {point.reason for point in points_of(frame, "ydes", words("fr"))} == {"restored"}
    mine = {point.reason for point in points_of(frame, "murat", words("fr"))}
    assert {"contested", "gap", "restored", "quota"} <= mine
    assert not {"unregistered", "unknown_messages"} & mine


def test_a_restore_names_both_moments() -> None:
    (point,) = [one for one in points(frames()[0], words("fr")) if one.reason == "restored"]
    assert "21 nov. 2026" in point.sentence
    assert "02:00" in point.sentence
    assert "11:59" in point.sentence


def test_a_board_is_drawn_anew_when_the_database_records_something() -> None:
    board = LiveBoard([MURAT])
    before = board.tick(NOON_MS)
    assert board.tick(NOON_MS).version == before.version
    board.take_recorded(EVERYTHING)
    after = board.tick(NOON_MS)
    assert (after.version, after.redraw) == (before.version + 1, True)
    assert after.recorded == EVERYTHING


def test_what_a_broker_remembers_proves_no_second_agent() -> None:
    board = LiveBoard([MURAT])
    status = status_of("murat")
    for said, retained in ((status, False), (as_second_agent(status), True), (status, False)):
        board.take_status(said, NOON_MS, retained=retained)
    assert board.look(NOON_MS).sites["murat"]["contested_at"] is None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = cantal(tmp_path)
    yield store
    store.close()


@pytest.fixture
def app(store: Store) -> FastAPI:
    writer = store.writer()
    with writer.transaction():
        writer.raise_alarm("murat", "suspect_time", NOON_MS, b"", 2)
        writer.raise_alarm("murat", "disk_went_back", NOON_MS)
    writer.close()
    board = LiveBoard()
    board.take_now(now_of("murat", "vovuxo", rooms=("booked",)), NOON_MS)
    board.take_status(in_trouble(status_of("murat", depth=3)), NOON_MS)
    return app_on(store, board)


def test_programs_get_the_same_list(app: FastAPI) -> None:
    answer = ask(app, "/api/v1/alarms", {"lang": "en"})
    assert answer.status_code == 200
    assert answer.headers["content-language"] == "en"
    alarms = {alarm["reason"]: alarm for alarm in answer.json()["alarms"] if alarm["site_id"] == "murat"}
    assert set(alarms) == {"storage", "refusing", "quota", "suspect_time", "disk_went_back"}
    assert alarms["quota"]["sentence"] == "The event memory at Murat is 90% full."
    assert alarms["suspect_time"]["count"] == 2
    assert alarms["suspect_time"]["since"] == "2026-11-21T11:00:00.000Z"
    assert alarms["storage"]["grade"] == "alarm"


def test_the_board_tells_what_the_database_recorded(app: FastAPI) -> None:
    assert "est revenue en arrière" in ask(app, "/").text


def test_the_page_of_a_telecentre_shows_its_outbox_and_what_to_do(app: FastAPI) -> None:
    text = ask(app, "/sites/murat", {"lang": "en"}).text
    assert "Outbox" in text
    for shown in ("Last acknowledgement", "0" * 32, "3.0 GB", "does not work", "90% full", "went back in time"):
        assert shown in text, shown
    assert "Outbox" not in ask(app, "/sites/aurillac", {"lang": "en"}).text, "nobody knows while it is silent"
