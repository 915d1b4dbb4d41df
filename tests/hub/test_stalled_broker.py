"""A broker that keeps the connection and has stopped to deliver: the hub connects anew."""

import pytest

import hub.stall
from contract.messages import Status
from contract.topics import topic_for
from hub.stall import MAX_OWING, STALLED_S, Stall
from tests.hub.test_ingest import Bench, bench, broker
from tests.hub.test_receiver import NOW, batch, desk
from tests.support.telecentres import status_of
from tests.support.waiting import eventually

__all__ = ["bench", "broker"]  # fixtures

SOON_S = 0.3


def report(bench: Bench, *, depth: int) -> None:
    """Let a site say what it still keeps for the hub."""
    told = status_of("murat", at=NOW, depth=depth).model_dump_json().encode()
    bench.edge.publish(topic_for("murat", "status"), told)
    eventually(lambda: bench.board.statuses, what="the status is heard")


def test_a_broker_that_delivers_nothing_although_a_site_keeps_events_is_left_and_found_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start()
    report(bench, depth=3)
    assert bench.ingest.health().broker_reconnections == 0, "two minutes are not over"
    monkeypatch.setattr(hub.stall, "STALLED_S", SOON_S)
    eventually(lambda: bench.ingest.health().broker_reconnections >= 1, what="connected anew")
    assert "broker=stalled" in caplog.text
    monkeypatch.undo()
    eventually(lambda: bench.ingest.health().broker_connected, what="connected")
    bench.edge.send(batch(desk()))
    eventually(lambda: bench.edge.position() == 1, what="history flows")


def test_a_broker_is_not_left_while_no_site_keeps_events(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.stall, "STALLED_S", SOON_S)
    bench.start()
    report(bench, depth=0)
    turns = bench.ingest.health().progress
    eventually(lambda: bench.ingest.health().progress >= turns + 10, what="several looks")
    assert bench.ingest.health().broker_reconnections == 0


def test_names_that_nobody_registered_take_no_more_room_than_a_network() -> None:
    stall = Stall(0.0)
    murat = status_of("murat", at=NOW, depth=1)
    for number in range(MAX_OWING + 500):
        stall.told(murat.model_copy(update={"site": f"nobody-{number}"}))
    assert len(stall.owing) == MAX_OWING
    assert not stall.is_on(STALLED_S - 1)
    assert stall.is_on(STALLED_S)


def test_who_holds_nothing_is_not_remembered() -> None:
    stall = Stall(0.0)
    holds, has_told = status_of("murat", at=NOW, depth=1), status_of("murat", at=NOW, depth=0)
    for now in (holds, has_told, holds, Status(site="murat", online=False)):
        stall.told(now)
        assert stall.owing == ({"murat"} if now is holds else set())
    assert not stall.is_on(2 * STALLED_S)
