import threading
import time
from pathlib import Path

import pytest

from contract.events import EdgeStarted, Start, decode
from edge.config import OutboxSettings
from edge.core.sender import Positions
from edge.outbox import OutboxReport, StorageError, read_status
from tests.support.events import PERSON, T0_MS, access, desk
from tests.support.outbox_agent import PATIENCE_S, Agent, agent, folder, statement, ups
from tests.support.waiting import eventually

__all__ = ["agent", "folder"]  # fixtures


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
    assert (status.oldest_at, status.acknowledged_at, status.storage) == (T0_MS + 1, None, "ok")
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


def test_the_report_says_what_the_status_document_says(agent: Agent) -> None:
    agent.store(desk(1), desk(2), desk(3))
    agent.wall_ms += 7
    agent.answer(s0=2)
    eventually(lambda: read_status(agent.settings).depth == 1, what="the position is in the file")
    report, status = read_status(agent.settings), agent.outbox.status()
    for name in ("stream", "depth", "oldest_at", "acknowledged_at", "storage", "quota_bytes", "size_bytes"):
        assert getattr(report, name) == getattr(status, name), name
    assert report.acknowledged_at == T0_MS + 7
    assert min(report.disk_free_bytes or 0, status.disk_free_bytes or 0) > 0


def test_the_last_acknowledgement_survives_a_restart(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(desk(1))
    agent.answer(s0=1)
    agent.stop()
    again = Agent(folder, wall_ms=T0_MS + 5_000).start()
    again.store(desk(2))
    assert again.outbox.status().acknowledged_at == T0_MS
    again.stop()


def test_a_folder_without_its_marker_is_no_storage(folder: Path) -> None:
    settings = OutboxSettings(folder=folder)
    assert read_status(settings).storage == "ok"
    (folder / "telecentre-outbox").unlink()
    assert read_status(settings).storage == "degraded"


def test_the_report_reads_while_the_agent_runs(agent: Agent) -> None:
    agent.store(desk(1), desk(2))
    report = read_status(agent.settings)
    assert (report.events, report.depth, report.oldest_at) == (2, 2, T0_MS + 1)
    assert [(item.first, item.last, item.committed) for item in report.streams] == [(1, 2, 2)]


def test_a_file_that_is_no_outbox_is_reported_in_one_sentence(folder: Path) -> None:
    (folder / "outbox.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"outbox.db: cannot be read"):
        read_status(OutboxSettings(folder=folder))
