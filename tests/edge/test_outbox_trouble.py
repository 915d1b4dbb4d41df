import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from contract.events import EventsRefused, decode
from edge.config import OutboxSettings
from edge.outbox import prepare_folder, read_status
from edge.outbox.file import PAGE_BYTES, OutboxFile
from edge.outbox.ledger import Ledger
from edge.outbox.outbox import QUEUE_EVENTS
from edge.outbox.writer import Attempt, Waiting, Writer
from tests.support.events import alive, desk
from tests.support.outbox_agent import Agent, agent, folder, statement, stored_count
from tests.support.waiting import eventually

__all__ = ["agent", "folder"]  # fixtures


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
    for number in range(4):
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
@pytest.mark.parametrize("sync", [25, 30])
def test_a_failing_sync_loses_nothing_and_stores_nothing_twice(folder: Path, tmp_path: Path, sync: int) -> None:
    log = tmp_path / "strace.log"
    inject = f"inject=fdatasync:error=EIO:when={sync}"
    wrap = ("strace", "-f", "-o", str(log), "-e", "trace=fdatasync", "-e", inject)
    if (
        shutil.which("strace") is None
        or subprocess.run(["strace", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("strace is not installed, or the kernel does not allow ptrace")
    with run_child(folder, 0, 2_000, 0, wrap=wrap) as child:
        told_by(child, "stopped")
    assert "(INJECTED)" in log.read_text()
    assert all_ups(folder) == list(range(2_000))
    assert len(statement(folder, "SELECT * FROM stream")) == 2


def test_what_is_in_the_file_counts_as_stored_although_an_error_was_raised(folder: Path) -> None:
    running = Agent(folder).start()
    running.store(desk(1), desk(2))
    running.stop()
    file = OutboxFile(folder, aside_suffix="never")
    (stream,) = file.streams()
    for last, stored in ((2, True), (3, False), (0, False)):
        attempt = Attempt([], Counter(), stream=stream.stream, last=last)
        assert attempt.is_stored_in(file.streams(), {}) is stored
    assert not Attempt([], Counter(), stream="0" * 32, last=1).is_stored_in(file.streams(), {})
    file.close()


class CommitsAndRaises(OutboxFile):
    """A storage whose next commit is durable although it fails."""

    fails = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
        if self.fails:
            self.fails = False
            raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("durable", [True, False])
def test_refusals_are_counted_once_although_their_commit_raised(folder: Path, durable: bool) -> None:
    file = CommitsAndRaises(folder, aside_suffix="never")
    ledger = Ledger(quota_bytes=1)
    ledger.reload(file.streams(), None)
    writer = Writer(file, ledger, boot="b" * 32, new_id=lambda: "e" * 32, wall_ms=lambda: 0, mono_s=lambda: 0.0)
    writer.store(Attempt([Waiting(desk(0), None)], Counter()))
    attempt = Attempt([Waiting(desk(1), None), Waiting(alive(2), None)], Counter(edge_alive=3))
    if durable:
        file.fails = True
        with pytest.raises(sqlite3.OperationalError):
            writer.store(attempt)
    assert attempt.is_stored_in(file.streams(), file.refused()) is durable
    counted = Counter(file.refused())
    file.close()
    assert counted == ({"desk_state_changed": 2, "edge_alive": 4} if durable else {"desk_state_changed": 1})


def test_a_damaged_page_costs_only_the_rows_on_it_and_beneath_it(folder: Path) -> None:
    first = Agent(folder).start()
    first.store(*[desk(number) for number in range(2000)])
    first.stop()
    running = Agent(folder).start()
    running.store(desk(2000))
    with (folder / "outbox.db").open("r+b") as file:
        file.seek(40 * PAGE_BYTES)
        file.write(bytes(PAGE_BYTES))
    held = running.outbox.held()[0]
    kinds = []
    for begin in range(1, 2001, 200):
        _, rows = running.outbox.read(held.stream, begin, begin + 199) or ("", [])
        kinds += [decode(line).kind for line, _ in rows]
    running.stop()
    assert len(kinds) == 2000, "every position is said"
    assert 1 <= kinds.count("lost") <= 200
