"""What operators must see (each alarm that is promised), on the board's own page and for programs, from what causes it.

Causes, not rows: a batch, a Hello, a status as they come; the store, the board and the page are the real ones.
"""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.messages import Held, Hello, Status
from hub.live import LiveBoard
from hub.store.writer import Writer
from tests.hub.routes.test_attention import as_second_agent
from tests.hub.test_receiver import STREAM, batch, desk
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal, now_of, status_of
from tests.support.web import app_on, ask

Cause = Callable[[LiveBoard, Writer], None]


def no_heartbeat(board: LiveBoard, _: Writer) -> None:
    board.take_now(now_of("murat", "v", as_of=NOON_MS - 10 * MINUTE_MS), NOON_MS - 10 * MINUTE_MS)
    board.take_status(status_of("murat", at=NOON_MS - 10 * MINUTE_MS), NOON_MS - 10 * MINUTE_MS)


def old_backlog_while_online(board: LiveBoard, _: Writer) -> None:
    board.take_status(status_of("murat", depth=9, oldest_at=NOON_MS - 90 * MINUTE_MS), NOON_MS)


def filling_quota(board: LiveBoard, _: Writer) -> None:
    board.take_status(with_outbox(status_of("murat"), size_bytes=71, quota_bytes=100), NOON_MS)


def unreadable_line(_: LiveBoard, writer: Writer) -> None:
    writer.receive(batch(desk(), b"{nonsense", desk()), NOON_MS)


def lost_positions(_: LiveBoard, writer: Writer) -> None:
    writer.greet(Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=4, last=9)]), NOON_MS)


def two_agents(board: LiveBoard, _: Writer) -> None:
    status = status_of("murat")
    for said in (status, as_second_agent(status), status):
        board.take_status(said, NOON_MS)


def another_version(_: LiveBoard, writer: Writer) -> None:
    writer.refuse("murat", "version", NOON_MS, b'{"v":2')


def with_outbox(status: Status, **changes: int) -> Status:
    assert status.report is not None
    outbox = status.report.outbox.model_copy(update=changes)
    return status.model_copy(update={"report": status.report.model_copy(update={"outbox": outbox})})


CAUSES: dict[str, Cause] = {
    "stale": no_heartbeat,
    "backlog": old_backlog_while_online,
    "quota": filling_quota,
    "quarantined": unreadable_line,
    "gap": lost_positions,
    "contested": two_agents,
    "other_version": another_version,
}


def shown(folder: Path, cause: Cause) -> tuple[list[dict[str, str]], str]:
    """Let one thing happen to Murat; return the points that concern it, and the text of the board's page."""
    store = cantal(folder)
    board = LiveBoard()
    board.take_now(now_of("murat", "vovvvv", rooms=("free",)), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    writer = store.writer()
    with writer.transaction():
        cause(board, writer)
    writer.close()
    app = app_on(store, board)
    alarms = ask(app, "/api/v1/alarms?lang=fr").json()["alarms"]
    page = ask(app, "/").text
    store.close()
    return [alarm for alarm in alarms if alarm["site_id"] == "murat"], re.sub(r"\s+", " ", html.unescape(page))


@pytest.mark.parametrize("reason", CAUSES)
def test_what_was_promised_to_be_seen_is_on_the_board(tmp_path: Path, reason: str) -> None:
    (alarm,), page = shown(tmp_path, CAUSES[reason])
    assert alarm["reason"] == reason
    assert "Murat" in alarm["sentence"]
    for text in (alarm["sentence"], alarm["remedy"]):
        assert re.sub(r"\s+", " ", text) in page


def test_a_site_that_works_is_not_on_the_list(tmp_path: Path) -> None:
    assert shown(tmp_path, lambda _board, _writer: None)[0] == []
