"""The restore drill: what a hub had taken after its backup comes back from the telecentre's own memory."""

import hashlib
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from click.testing import CliRunner

from hub.__main__ import main
from hub.config import BrokerSettings
from hub.ingest import Ingest
from hub.live import LiveBoard
from hub.store import Store
from hub.store.lock import claimed
from tests.edge.test_link import Linked
from tests.support.brokers import RunningBroker, broker
from tests.support.events import PERSON, T0_MS, access, desk
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.telecentres import cantal
from tests.support.waiting import eventually

__all__ = ["agent", "broker", "folder"]  # fixtures

Row = tuple[str, int, bytes]
"""Stream, position and the digest of one event's bytes."""


@contextmanager
def running_hub(file: Path, port: int) -> Iterator[Ingest]:
    """Run the hub's part that takes history, as `telecentre-hub serve` does."""
    crashes: list[BaseException] = []
    with claimed(file):
        store = Store(file, now_ms=lambda: T0_MS)
        ingest = Ingest(
            BrokerSettings(port=port),
            store,
            LiveBoard(store.sites()),
            now_ms=lambda: T0_MS,
            new_id=lambda: uuid.uuid4().hex,
            on_crash=crashes.append,
        )
        ingest.start()
        try:
            yield ingest
        finally:
            ingest.stop(20)
            store.close()
    assert crashes == []


def run(*arguments: str | Path) -> str:
    """Run a command of the hub that ends well; return what it prints."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def at_the_edge(agent: Agent) -> set[Row]:
    """Return every event that the outbox holds."""
    found: set[Row] = set()
    for held in agent.outbox.held():
        for first in range(held.first, held.last + 1, 200):
            rows = agent.outbox.read(held.stream, first, min(held.last, first + 199))
            assert rows is not None
            lines = enumerate((line for line, _ in rows[1]), start=first)
            found |= {(held.stream, seq, hashlib.sha256(line).digest()) for seq, line in lines}
    return found


def at_the_hub(file: Path) -> list[Row]:
    """Return every event that the hub holds."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("select stream, seq, digest from event order by stream, seq").fetchall()


def test_events_acknowledged_after_the_backup_come_back_from_the_edge(
    agent: Agent, broker: RunningBroker, tmp_path: Path
) -> None:
    file, config, copy = tmp_path / "hub.db", tmp_path / "hub.toml", tmp_path / "copy.db"
    config.write_text('[database]\nfile = "hub.db"\n')
    cantal(tmp_path, now_ms=T0_MS).close()
    linked = Linked(agent, broker.port)
    linked.link.start()
    try:
        with running_hub(file, broker.port) as first:
            agent.store(*[desk(number) for number in range(600)])
            eventually(linked.drained, what="the hub has the first events")
            assert "600 events" in run("backup", copy, "--config", config)
            agent.store(*[desk(number) for number in range(600, 1_000)])
            agent.store(access(1_000), person=PERSON)
            eventually(linked.drained, what="the hub has acknowledged the later events too")
            assert "1 access events no longer" in run("erase", PERSON, "--reason", "asked", "--config", config)
            incarnation = first.health().incarnation
        assert len(at_the_hub(file)) == 1_001
        restored = run("restore", copy, "--config", config)
        assert "600 events" in restored
        assert "1 erasures replayed" in restored
        assert len(at_the_hub(file)) == 600
        with running_hub(file, broker.port) as second:
            eventually(lambda: len(at_the_hub(file)) == 1_001, what="the later events come back")
            eventually(linked.drained, what="they are acknowledged again")
            assert second.health().incarnation not in (None, incarnation)
    finally:
        linked.link.stop(20)
    rows = at_the_hub(file)
    assert set(rows) == at_the_edge(agent)
    assert len(rows) == len(set(rows))
    assert "0 differences" in run("rebuild", "--config", config)
    status = run("status", "--config", config)
    assert "1001 events" in status
    assert "restored" in status
    assert "0 gaps" in status
    assert "0 access events name a credential" in status, "the edge sent the event again, and the person is forgotten"
