import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from contract.events import EdgeStarted, Event, EventsRefused, Start, decode
from edge.config import OutboxSettings
from edge.core.sender import Positions
from edge.outbox import Outbox, OutboxReport, StorageError, prepare_folder, read_status
from edge.outbox.outbox import QUEUE_EVENTS
from tests.support.events import PERSON, T0_MS, access, alive, desk
from tests.support.waiting import eventually

DAY_MS = 86_400_000
PATIENCE_S = 60.0


class Agent:
    """What an agent does with its outbox, and what it is told by it."""

    def __init__(self, folder: Path, *, quota_mb: int = 200, wall_ms: int = T0_MS) -> None:
        self.settings = OutboxSettings(folder=folder, quota_mb=quota_mb)
        self.wall_ms = wall_ms
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


# --- Storing and reading ------------------------------------------------------------------------------------------


def test_an_event_is_stored_and_read_back_as_it_was_put(agent: Agent) -> None:
    agent.store(access(1), person=PERSON)
    agent.store(desk(2))
    (held,) = agent.outbox.held()
    boot, rows = agent.outbox.read(held.stream, 1, 2) or ("", [])
    assert boot == "b" * 32
    assert [(decode(line), person) for line, person in rows] == [(access(1), PERSON), (desk(2), None)]


def test_positions_count_from_one_without_holes_whatever_the_grouping(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(1234)])
    (held,) = agent.outbox.held()
    assert (held.first, held.last) == (1, 1234)
    assert ups(agent.outbox) == list(range(1234))


def test_an_empty_stream_never_exists(folder: Path) -> None:
    Agent(folder).start().stop()
    assert read_status(OutboxSettings(folder=folder)).streams == ()


def test_each_start_begins_a_stream_of_its_own_with_its_first_event(folder: Path) -> None:
    for number in range(3):
        agent = Agent(folder).start()
        agent.store(desk(number))
        agent.stop()
    streams = read_status(OutboxSettings(folder=folder)).streams
    assert [(item.first, item.last) for item in streams] == [(1, 1)] * 3
    assert len({item.stream for item in streams}) == 3


def test_stopping_stores_what_was_put(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.put(*[desk(number) for number in range(700)])
    agent.stop()
    assert read_status(agent.settings).events == 700


def test_a_person_that_is_no_credential_id_is_our_own_bug(agent: Agent) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        agent.outbox.put(access(1), "04:A2:24:1B")


def test_an_event_too_large_is_stored_as_lost_with_its_size(agent: Agent) -> None:
    value = Start.model_construct(version="x" * 3000)
    agent.store(EdgeStarted.model_construct(subject="agent", t=T0_MS, clock="synced", up=7, value=value))
    (held,) = agent.outbox.held()
    _, rows = agent.outbox.read(held.stream, 1, 1) or ("", [])
    lost = decode(rows[0][0])
    assert (lost.kind, lost.up, lost.t) == ("lost", 7, T0_MS)
    assert lost.value.size_bytes > 3000  # type: ignore[union-attr]  # the kind was just checked


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE outbox SET line = x'7b0a7d' WHERE seq = 2",
        "UPDATE outbox SET line = zeroblob(5000) WHERE seq = 2",
        "DELETE FROM outbox WHERE seq = 2",
    ],
)
def test_a_row_that_cannot_be_read_back_is_sent_as_lost_under_its_own_position(agent: Agent, damage: str) -> None:
    agent.store(desk(1), desk(2), desk(3))
    statement(agent.settings.folder, damage)
    (held,) = agent.outbox.held()
    _, rows = agent.outbox.read(held.stream, 1, 3) or ("", [])
    assert [decode(line).kind for line, _ in rows] == ["desk_state_changed", "lost", "desk_state_changed"]
    assert agent.outbox.read(held.stream, 1, 3) == ("b" * 32, rows), "the same bytes at every reading"


def test_an_access_event_does_not_wait_for_the_group(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(desk(0))
    stored = threading.Event()
    agent.outbox.on_stored(stored.set)
    times_s = []
    for number in range(20):
        stored.clear()
        begin_s = time.perf_counter()
        agent.outbox.put(access(number), None)
        assert stored.wait(PATIENCE_S)
        times_s.append(time.perf_counter() - begin_s)
    agent.stop()
    assert sorted(times_s)[10] < 0.1, "half of them are quicker than the group's 100 ms"


# --- Acknowledgement, status --------------------------------------------------------------------------------------


def test_the_depth_is_what_the_hub_does_not_have(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(10)])
    stream = agent.outbox.held()[0].stream
    assert agent.outbox.status().depth == 10
    agent.outbox.acknowledge(Positions({stream: 4}, answered=False))
    assert agent.outbox.status().depth == 6
    agent.outbox.acknowledge(Positions({stream: 3}, answered=False))
    assert agent.outbox.status().depth == 6, "an advance moves up only"
    agent.answer(s0=1)
    assert agent.outbox.status().depth == 9, "an answered Hello is the truth"


def test_the_status_names_stream_age_and_size(agent: Agent) -> None:
    assert agent.outbox.status().stream is None
    agent.store(desk(1))
    status = agent.outbox.status()
    assert status.stream == agent.outbox.held()[0].stream
    assert (status.oldest_at, status.acknowledged_at, status.storage) == (T0_MS, None, "ok")
    assert 0 < status.size_bytes < status.quota_bytes == 200_000_000
    agent.wall_ms += 5
    agent.answer(s0=1)
    assert agent.outbox.status().acknowledged_at == T0_MS + 5
    assert agent.outbox.status().oldest_at is None


def test_acknowledged_positions_survive_a_restart(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(10)])
    agent.answer(s0=7)
    agent.stop()
    report = read_status(agent.settings)
    assert (report.streams[0].acknowledged, report.depth, report.events) == (7, 3, 10)


def test_the_report_is_all_zero_where_no_agent_ever_ran(tmp_path: Path) -> None:
    settings = OutboxSettings(folder=tmp_path / "nowhere", quota_mb=5)
    assert read_status(settings) == OutboxReport(settings.folder, 0, 0, None, 0, 5_000_000, ())


def test_the_report_reads_while_the_agent_runs(agent: Agent) -> None:
    agent.store(desk(1), desk(2))
    report = read_status(agent.settings)
    assert (report.events, report.depth, report.oldest_at) == (2, 2, T0_MS)
    assert [(item.first, item.last, item.committed) for item in report.streams] == [(1, 2, 2)]


def test_a_file_that_is_no_outbox_is_reported_in_one_sentence(folder: Path) -> None:
    (folder / "outbox.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"outbox.db: cannot be read"):
        read_status(OutboxSettings(folder=folder))


# --- Storage trouble ----------------------------------------------------------------------------------------------


def test_without_its_marker_nothing_is_buffered_under_a_mount_point(tmp_path: Path) -> None:
    mount_point = tmp_path / "data"
    mount_point.mkdir()
    agent = Agent(mount_point).start()
    agent.put(desk(1))
    eventually(lambda: agent.outbox.status().storage == "degraded", what="degraded")
    assert list(mount_point.iterdir()) == []
    prepare_folder(mount_point)
    eventually(lambda: stored_count(agent.outbox) == 1, what="stored once the data partition is there")
    agent.stop()
    assert agent.new_streams == 0, "its first events waited; no state needs to be said again"


def test_preparing_a_folder_twice_changes_nothing(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    prepare_folder(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_second_agent_on_the_same_folder_stores_nothing(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    agent.store(desk(1))
    second = Agent(agent.settings.folder).start()
    second.put(desk(2))
    eventually(lambda: "in use by another agent" in caplog.text, what="the sentence in the log")
    second.stop()
    assert read_status(agent.settings).events == 1
    assert "events_lost=1" in caplog.text


def test_a_corrupt_file_is_moved_aside_and_never_deleted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(2000)])
    agent.stop()
    content = bytearray((folder / "outbox.db").read_bytes())
    content[8192:16384] = os.urandom(8192)
    (folder / "outbox.db").write_bytes(content)
    agent = Agent(folder).start()
    agent.store(desk(1))
    agent.stop()
    (aside,) = folder.glob("outbox.db.corrupt-*")
    assert aside.read_bytes() == content
    assert read_status(agent.settings).events == 1
    assert "moved aside" in caplog.text


def test_a_full_queue_refuses_without_blocking_and_tells_it_when_there_is_storage(tmp_path: Path) -> None:
    agent = Agent(tmp_path / "outbox").start()
    for number in range(QUEUE_EVENTS):
        agent.put(desk(number))
    begin_s = time.perf_counter()
    assert not agent.outbox.put(desk(0), None)
    assert not agent.outbox.put(alive(0), None)
    assert time.perf_counter() - begin_s < 1.0
    assert agent.outbox.status().refused_count == 2
    prepare_folder(agent.settings.folder)
    eventually(lambda: stored_count(agent.outbox) == QUEUE_EVENTS + 1, what="all that waited is stored")
    eventually(lambda: agent.new_streams == 1, what="states are asked for again")
    (held,) = agent.outbox.held()
    _, rows = agent.outbox.read(held.stream, 1, 1) or ("", [])
    told = decode(rows[0][0])
    agent.stop()
    assert isinstance(told, EventsRefused)
    assert told.value.counts == {"desk_state_changed": 1, "edge_alive": 1}


def run_child(folder: Path, *arguments: object, wrap: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a child; leaving its `with` block waits for its end."""
    command = [*wrap, sys.executable, "-m", "tests.support.outbox_child", str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told_by(child: subprocess.Popen[str], what: str) -> dict[str, object]:
    assert child.stdout is not None
    for line in child.stdout:
        told: dict[str, object] = json.loads(line)
        assert not str(told["what"]).startswith("crash"), told
        if told["what"] == what:
            return told
    raise AssertionError(f"the child ended with code {child.wait()} and never said {what}")


def all_ups(folder: Path) -> list[int]:
    """Every stored event in order, after a look at the file that shares no code with the outbox."""
    rows = statement(folder, "SELECT ordinal, seq, line FROM outbox ORDER BY ordinal, seq")
    by_stream: dict[object, list[object]] = {}
    for ordinal, seq, _ in rows:
        by_stream.setdefault(ordinal, []).append(seq)
    for seqs in by_stream.values():
        assert seqs == list(range(1, len(seqs) + 1)), "a hole in a stream"
    events = [json.loads(line) for _, _, line in rows if isinstance(line, bytes)]
    return [event["up"] for event in events if event["kind"] == "desk_state_changed"]


def test_nothing_that_was_said_to_be_stored_is_lost_by_a_kill(folder: Path) -> None:
    seed = Random().getrandbits(32)
    print(f"seed={seed}")  # noqa: T201 -- a failure must be replayable
    random = Random(seed)
    for number in range(5):
        held: dict[str, int] = {}
        with run_child(folder, number * 1_000_000, 1_000_000) as child:
            told_by(child, "started")
            timer = threading.Timer(random.uniform(0.02, 0.4), child.kill)
            timer.start()
            for line in child.stdout or ():
                if line.endswith("}\n"):
                    held = json.loads(line)["held"]
            timer.join()
        assert statement(folder, "PRAGMA integrity_check") == [("ok",)]
        streams = read_status(OutboxSettings(folder=folder)).streams
        in_file = {item.stream: item.last for item in streams}
        assert all(in_file[stream] >= last for stream, last in held.items())
        assert all(last >= 1 for last in in_file.values())
    found = all_ups(folder)
    assert found == sorted(set(found)), "no event twice, none out of order"


def test_a_full_disk_makes_events_wait_and_nothing_is_lost_or_doubled(folder: Path) -> None:
    with run_child(folder, 0, 4_000, 300_000) as child:
        told_by(child, "degraded")
        assert child.stdin is not None
        child.stdin.write("space again\n")
        child.stdin.flush()
        told_by(child, "new_stream")
        told_by(child, "stopped")
    assert all_ups(folder) == list(range(4_000))
    assert len(statement(folder, "SELECT * FROM stream")) == 2


@pytest.mark.needs_ptrace
@pytest.mark.parametrize("sync", [24, 27, 30])
def test_a_commit_that_raised_but_was_durable_counts_as_stored(folder: Path, tmp_path: Path, sync: int) -> None:
    log = tmp_path / "strace.log"
    inject = f"inject=fdatasync:error=EIO:when={sync}"
    wrap = ("strace", "-f", "-o", str(log), "-e", "trace=fdatasync", "-e", inject)
    probe = subprocess.run(["strace", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("the kernel does not allow ptrace")
    with run_child(folder, 0, 4_000, wrap=wrap) as child:
        told_by(child, "stopped")
    assert "(INJECTED)" in log.read_text()
    assert all_ups(folder) == list(range(4_000))
    assert len(statement(folder, "SELECT * FROM stream")) == 2


# --- Quota, age, persons ------------------------------------------------------------------------------------------


def fill(agent: Agent, make: Callable[[int], Event], *, until: Callable[[], bool]) -> None:
    """Put events until something happens, and wait until all of them are stored or refused."""
    for number in range(100):
        agent.put(*[make(100 * number + count) for count in range(100)])
        settle(agent)
        if until():
            return
    raise AssertionError("10,000 events fit: the quota does nothing")


def settle(agent: Agent) -> None:
    def settled() -> bool:
        return stored_count(agent.outbox) + agent.outbox.status().refused_count >= agent.put_count

    eventually(settled, what="everything put is stored or refused")


def test_a_full_outbox_refuses_the_least_important_first_and_tells_it_when_there_is_room(folder: Path) -> None:
    agent = Agent(folder, quota_mb=1).start()
    fill(agent, desk, until=lambda: agent.outbox.status().refused_count > 0)
    assert agent.outbox.status().size_bytes >= 0.9 * 1_000_000
    depth = agent.outbox.status().depth
    agent.store(access(1))
    assert agent.outbox.status().depth > depth, "access events are refused last"
    held = agent.outbox.held()[0]
    agent.answer(s0=held.last)
    eventually(lambda: agent.outbox.status().size_bytes <= 0.7 * 1_000_000, what="pruned to 70 %")
    assert agent.outbox.held()[0].first > 1
    agent.store(desk(1))
    last = agent.outbox.held()[0].last
    _, rows = agent.outbox.read(held.stream, held.last + 1, last) or ("", [])
    told = [decode(line) for line, _ in rows]
    assert isinstance(told[0], EventsRefused)
    assert told[0].value.counts["desk_state_changed"] >= 1
    eventually(lambda: agent.new_streams == 1, what="states are asked for again")
    agent.stop()


def test_unacknowledged_events_are_never_deleted_for_space(folder: Path) -> None:
    agent = Agent(folder, quota_mb=1).start()
    fill(agent, desk, until=lambda: agent.outbox.status().refused_count > 0)
    agent.answer(s0=0)
    agent.stop()
    assert read_status(agent.settings).streams[0].first == 1


def test_at_95_percent_acknowledged_events_go_even_without_a_link(folder: Path) -> None:
    agent = Agent(folder, quota_mb=1).start()
    agent.store(*[desk(number) for number in range(2_000)])
    stream = agent.outbox.held()[0].stream
    agent.outbox.acknowledge(Positions({stream: 2_000}, answered=False))
    fill(agent, desk, until=lambda: agent.outbox.held()[0].first > 1)
    agent.stop()
    assert agent.outbox.status().refused_count == 0


def test_acknowledged_events_are_pruned_after_30_days_and_still_counted(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(100)])
    agent.stop()
    agent = Agent(folder, wall_ms=T0_MS + 29 * DAY_MS).start()
    agent.store(desk(100))
    agent.wall_ms += 2 * DAY_MS
    agent.store(desk(101))
    agent.answer(s0=100, s1=1)
    eventually(lambda: len(agent.outbox.held()) == 1, what="the old stream is forgotten")
    assert agent.outbox.held()[0].first == 1
    agent.stop()
    assert read_status(agent.settings).events == 102


def test_acknowledged_events_stay_30_days(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(100)])
    agent.wall_ms += 29 * DAY_MS
    agent.store(desk(100))
    agent.answer(s0=101)
    agent.stop()
    assert read_status(agent.settings).streams[0].first == 1


def test_a_clock_that_is_not_set_prunes_nothing(folder: Path) -> None:
    agent = Agent(folder, wall_ms=0).start()
    agent.store(*[desk(number, clock="unsynced") for number in range(50)])
    agent.wall_ms = T0_MS
    agent.answer(s0=50)
    agent.store(desk(50, clock="synced"))
    agent.answer(s0=51)
    agent.stop()
    assert read_status(agent.settings).streams[0].first == 1, "rows of 1970 are not 50 years old"


def test_rows_that_were_just_pruned_are_not_taken_for_lost(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(100)])
    agent.wall_ms += 31 * DAY_MS
    agent.store(desk(100))
    agent.answer(s0=100)
    eventually(lambda: agent.outbox.held()[0].first == 101, what="pruned")
    held = agent.outbox.held()[0]
    assert agent.outbox.read(held.stream, 100, 101) is None
    agent.stop()


def persons(folder: Path) -> list[object]:
    return [row[0] for row in statement(folder, "SELECT person FROM outbox ORDER BY ordinal, seq")]


@pytest.mark.parametrize(("days", "left"), [(6, PERSON), (8, None)])
def test_a_person_is_blanked_7_days_after_acknowledgement(folder: Path, days: int, left: str | None) -> None:
    agent = Agent(folder).start()
    agent.store(access(1), person=PERSON)
    agent.answer(s0=1)
    agent.stop()
    Agent(folder, wall_ms=T0_MS + days * DAY_MS).start().stop()
    assert persons(folder) == [left]
    assert read_status(OutboxSettings(folder=folder)).events == 1


@pytest.mark.parametrize(("days", "left"), [(89, PERSON), (91, None)])
def test_a_person_is_blanked_at_90_days_in_any_case(folder: Path, days: int, left: str | None) -> None:
    agent = Agent(folder).start()
    agent.store(access(1), person=PERSON)
    agent.stop()
    Agent(folder, wall_ms=T0_MS + days * DAY_MS).start().stop()
    assert persons(folder) == [left]


def test_a_hub_that_lost_the_event_keeps_its_person_for_the_next_sending(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(access(1), person=PERSON)
    agent.answer(s0=1)
    agent.stop()
    agent = Agent(folder, wall_ms=T0_MS + DAY_MS).start()
    eventually(lambda: len(agent.outbox.held()) == 1, what="opened")
    agent.answer(s0=0)
    agent.stop()
    Agent(folder, wall_ms=T0_MS + 8 * DAY_MS).start().stop()
    assert persons(folder) == [PERSON]
