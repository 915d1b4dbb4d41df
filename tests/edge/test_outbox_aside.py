"""Damaged outbox files that were moved aside: kept to be looked at, and gone when their persons must go."""

from pathlib import Path

import pytest

from contract.events import Clock
from edge.config import OutboxSettings
from edge.outbox import read_status
from edge.outbox.aside import forget_aside
from tests.support.events import PERSON, T0_MS, access, at, desk
from tests.support.outbox_agent import DAY_MS, Agent, folder
from tests.support.waiting import eventually

__all__ = ["folder"]  # fixtures


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("outbox.db.corrupt-*"))


def put_aside(folder: Path, at_ms: int, *endings: str) -> None:
    for ending in endings:
        (folder / f"outbox.db.corrupt-{at_ms}{ending}").write_bytes(PERSON.encode())


def visit(folder: Path, wall_ms: int, *, clock: Clock = "synced") -> None:
    """Let an agent start, store one event by its clock, and stop."""
    agent = Agent(folder, wall_ms=wall_ms)
    agent.put(at(wall_ms, desk(1, clock=clock)))
    agent.start()
    eventually(lambda: agent.outbox.status().depth > 0, what="the event is stored")
    agent.stop()


def moved_aside(folder: Path) -> Path:
    """Let an agent move a damaged file aside, and return it."""
    agent = Agent(folder).start()
    agent.store(access(1), person=PERSON)
    agent.stop()
    content = (folder / "outbox.db").read_bytes()
    (folder / "outbox.db").write_bytes(b"what the card made of it" + content[24:])
    visit(folder, T0_MS)
    (aside,) = folder.glob("outbox.db.corrupt-*")
    assert PERSON.encode() in aside.read_bytes()
    return aside


@pytest.mark.parametrize(("days", "there"), [(89, True), (90, False)])
def test_a_file_that_was_moved_aside_goes_after_90_days(
    folder: Path, days: int, there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    aside = moved_aside(folder)
    assert read_status(OutboxSettings(folder=folder)).aside_count == 1
    visit(folder, T0_MS + days * DAY_MS)
    assert aside.exists() == there
    report = read_status(OutboxSettings(folder=folder))
    assert (report.aside_count, report.aside_forgotten) == ((1, 0) if there else (0, 1))
    assert ("storage=forgotten" in caplog.text) == (not there)
    assert PERSON not in caplog.text


@pytest.mark.parametrize("clock", ["unsynced", "holdover"])
def test_a_clock_set_by_hand_deletes_nothing(folder: Path, clock: Clock) -> None:
    aside = moved_aside(folder)
    visit(folder, T0_MS + 400 * DAY_MS, clock=clock)
    assert aside.exists()


@pytest.mark.parametrize(("days", "left"), [(89, 1), (90, 0)])
def test_where_no_clock_was_ever_set_a_file_goes_once_its_successor_has_lived_90_days(
    folder: Path, days: int, left: int
) -> None:
    put_aside(folder, 12_345, "")
    put_aside(folder, T0_MS + 9 * 365 * DAY_MS, "")
    forget_aside(folder, None, days * DAY_MS)
    assert len(names(folder)) == 2 * left


def test_a_file_named_by_a_wrong_clock_has_its_90_days_from_when_the_clock_is_right(folder: Path) -> None:
    put_aside(folder, 12_345, "", "-wal")
    put_aside(folder, T0_MS + 9 * 365 * DAY_MS, "")
    assert forget_aside(folder, T0_MS, 0) == 0
    assert names(folder)[:2] == [f"outbox.db.corrupt-{T0_MS}", f"outbox.db.corrupt-{T0_MS}-wal"]
    assert forget_aside(folder, T0_MS + 1, 0) == 0
    assert len(names(folder)) == 3
    assert forget_aside(folder, T0_MS + 91 * DAY_MS, 0) == 3
    assert names(folder) == []


def test_a_journal_without_its_file_goes_too(folder: Path) -> None:
    put_aside(folder, T0_MS, "-wal", "-shm")
    assert forget_aside(folder, T0_MS + 90 * DAY_MS, 0) == 2
    assert names(folder) == []


def test_what_is_not_ours_stays(folder: Path) -> None:
    for name in ("outbox.db.corrupt-", "outbox.db.corrupt-1-copy", f"outbox.db.corrupt-{T0_MS}.txt", "notes"):
        (folder / name).write_text("somebody's")
    forget_aside(folder, T0_MS + 400 * DAY_MS, 0)
    assert len([path for path in folder.iterdir() if path.is_file() and path.read_text() == "somebody's"]) == 4


def test_a_disk_that_refuses_is_told_and_stops_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / f"outbox.db.corrupt-{T0_MS}").mkdir()
    put_aside(folder, T0_MS + 1, "")
    assert forget_aside(folder, T0_MS + 91 * DAY_MS, 0) == 1
    assert "storage=unforgotten" in caplog.text
