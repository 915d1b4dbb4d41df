"""What an agent does with its outbox, and what the outbox tells it: used by the tests of the outbox."""

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.events import Event, decode
from edge.config import OutboxSettings
from edge.core.sender import Positions
from edge.outbox import Outbox, prepare_folder, read_status
from tests.support.events import T0_MS
from tests.support.waiting import eventually

DAY_MS = 86_400_000
PATIENCE_S = 60.0


class Agent:
    """An agent reduced to its outbox."""

    def __init__(self, folder: Path, *, quota_mb: int = 200, wall_ms: int = T0_MS) -> None:
        self.settings = OutboxSettings(folder=folder, quota_mb=quota_mb)
        self.wall_ms = wall_ms
        self.passed_s = 0.0
        """Time that a test lets pass without waiting for it; an event makes the outbox look."""
        self.new_streams = 0
        self.put_count = 0
        self.crashes: list[BaseException] = []
        self.outbox = Outbox(
            self.settings,
            boot="b" * 32,
            new_id=lambda: uuid.uuid4().hex,
            wall_ms=lambda: self.wall_ms,
            on_new_stream=self._new_stream,
            on_crash=self.crashes.append,
            mono_s=lambda: time.monotonic() + self.passed_s,
        )

    def _new_stream(self) -> None:
        self.new_streams += 1

    def start(self) -> "Agent":
        self.outbox.start()
        return self

    def stop(self) -> None:
        self.outbox.stop(PATIENCE_S)
        assert self.crashes == []

    def put(self, *events: Event, person: str | None = None) -> None:
        for event in events:
            assert self.outbox.put(event, person)
        self.put_count += len(events)

    def store(self, *events: Event, person: str | None = None) -> None:
        """Put events and wait until they are stored."""
        eventually(lambda: self.outbox.status().storage == "ok", what="the file opened")
        before = read_status(self.settings).events
        self.put(*events, person=person)
        eventually(lambda: read_status(self.settings).events >= before + len(events), what="events stored")
        eventually(self._knows_the_file, what="the commit is known")

    def _knows_the_file(self) -> bool:
        in_file = read_status(self.settings).streams
        return [item.last for item in self.outbox.held()] == [item.last for item in in_file]

    def answer(self, **seq: int) -> None:
        """Acknowledge as an answered Hello does, and wait until the outbox has taken it; s0 is the oldest stream."""
        streams = [item.stream for item in self.outbox.held()]
        of = {streams[int(name[1:])]: position for name, position in seq.items()}
        self.outbox.acknowledge(Positions(of, answered=True))


def stored_count(outbox: Outbox) -> int:
    return sum(item.last for item in outbox.held())


def ups(outbox: Outbox) -> list[int]:
    """The `up` of every event that can be sent, in order."""
    found: list[int] = []
    for item in outbox.held():
        for first in range(item.first, item.last + 1, 200):
            rows = outbox.read(item.stream, first, min(item.last, first + 199))
            assert rows is not None
            found += [decode(line).up for line, _ in rows[1]]
    return found


def statement(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "outbox.db", isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "outbox"
    prepare_folder(place)
    return place


@pytest.fixture
def agent(folder: Path) -> Iterator[Agent]:
    running = Agent(folder).start()
    yield running
    running.stop()
