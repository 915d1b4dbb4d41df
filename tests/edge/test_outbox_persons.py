"""Who an event was about: gone on time, and never because a clock was wrong."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from contract.events import Clock, encode
from edge.config import OutboxSettings
from edge.outbox import read_status
from edge.outbox.lifetime import Lifetime, Stamp
from edge.outbox.schema import MIGRATIONS
from tests.support.events import PERSON, T0_MS, access, at, desk
from tests.support.outbox_agent import DAY_MS, Agent, folder, statement
from tests.support.waiting import eventually

__all__ = ["folder"]  # fixtures

DAY_S = 86_400.0
TEN_YEARS_MS = 3_650 * DAY_MS


def persons(folder: Path) -> list[object]:
    return [row[0] for row in statement(folder, "SELECT person FROM outbox ORDER BY ordinal, seq")]


def badge(folder: Path, *, clock: Clock = "synced", acknowledged: bool = False) -> None:
    """Let an agent live for the time that a badge takes."""
    agent = Agent(folder).start()
    agent.store(access(1).model_copy(update={"clock": clock}), person=PERSON)
    if acknowledged:
        agent.answer(s0=1)
    agent.stop()


def live(folder: Path, days: float, *, clock: Clock, running: bool = True) -> list[object]:
    """Let an agent start, see the clock, run until so many days have passed; return the persons that are left.

    Without `running` the days passed before it started.
    """
    ended_ms = T0_MS + round(days * DAY_MS)
    # Both clocks tell of the same days: a wall clock that stood still while the agent ran would be set back at the end.
    agent = Agent(folder, wall_ms=T0_MS if running else ended_ms).start()
    before = len(statement(folder, "SELECT 1 FROM outbox"))
    agent.store(at(agent.wall_ms, desk(2, clock=clock)))
    # The look that this makes due comes with the next event.
    agent.passed_s = days * DAY_S if running else 120.0
    agent.wall_ms = ended_ms
    agent.store(at(agent.wall_ms, desk(3, clock=clock)))
    # If time passed before the look was made due, it is due later: stopping looks once more.
    agent.passed_s += 120.0
    agent.stop()
    return persons(folder)[:before]


def test_an_agent_that_starts_ten_years_ahead_blanks_nobody(folder: Path) -> None:
    badge(folder)
    agent = Agent(folder, wall_ms=T0_MS + TEN_YEARS_MS).start()
    eventually(lambda: agent.outbox.status().storage == "ok", what="opened, and looked for old persons")
    agent.stop()
    assert persons(folder) == [PERSON]


@pytest.mark.parametrize("clock", ["unsynced", "holdover"])
def test_a_clock_set_by_hand_ten_years_ahead_blanks_nobody(folder: Path, clock: Clock) -> None:
    badge(folder)
    assert live(folder, 3_650, clock=clock, running=False) == [PERSON]


@pytest.mark.parametrize(("days", "left"), [(6, PERSON), (8, None)])
@pytest.mark.parametrize("running", [True, False])
def test_a_person_is_blanked_7_days_after_acknowledgement(
    folder: Path, days: int, left: str | None, running: bool
) -> None:
    badge(folder, acknowledged=True)
    assert live(folder, days, clock="synced", running=running) == [left]
    assert read_status(OutboxSettings(folder=folder)).events == 3


@pytest.mark.parametrize(("days", "left"), [(0, PERSON), (6, PERSON), (8, None)])
def test_the_7_days_begin_at_the_acknowledgement_although_the_clock_was_not_yet_set(
    folder: Path, days: int, left: str | None
) -> None:
    badge(folder, clock="unsynced", acknowledged=True)
    agent = Agent(folder).start()
    agent.store(desk(2))  # sixty years, as the clock sees it
    agent.passed_s = days * DAY_S + 120.0
    agent.store(desk(3))
    agent.passed_s += 120.0
    agent.stop()
    assert persons(folder)[0] == left


@pytest.mark.parametrize(("days", "left"), [(89, PERSON), (91, None)])
@pytest.mark.parametrize("running", [True, False])
def test_a_person_is_blanked_at_90_days_in_any_case(folder: Path, days: int, left: str | None, running: bool) -> None:
    badge(folder)
    assert live(folder, days, clock="synced", running=running) == [left]


@pytest.mark.parametrize(("days", "left"), [(89, PERSON), (91, None)])
def test_a_pi_that_never_sees_a_right_clock_blanks_after_90_days_of_running(
    folder: Path, days: int, left: str | None
) -> None:
    badge(folder, clock="unsynced")
    assert live(folder, days, clock="unsynced") == [left]


def test_the_days_of_many_short_lives_add_up(folder: Path) -> None:
    badge(folder, clock="unsynced")
    left = [live(folder, 31, clock="unsynced")[0] for _ in range(3)]
    assert left == [PERSON, PERSON, None]


def test_a_person_of_an_unset_clock_is_as_old_as_the_next_event_that_has_one(folder: Path) -> None:
    badge(folder, clock="unsynced")
    assert live(folder, 0, clock="synced") == [PERSON]
    assert live(folder, 91, clock="synced", running=False)[0] is None


def test_a_hub_that_lost_the_event_keeps_its_person_for_the_next_sending(folder: Path) -> None:
    badge(folder, acknowledged=True)
    agent = Agent(folder, wall_ms=T0_MS + DAY_MS).start()
    eventually(lambda: len(agent.outbox.held()) == 1, what="opened")
    agent.answer(s0=0)
    agent.stop()
    assert live(folder, 8, clock="synced") == [PERSON]


def test_an_outbox_of_the_first_form_goes_on_with_its_events_and_persons(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "outbox.db", isolation_level=None)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="sure_ages")
        connection.execute("INSERT INTO stream VALUES (1, ?, ?, 1, 1, 0)", ("e" * 32, "b" * 32))
        row = (encode(access(1)), PERSON, T0_MS)
        connection.execute("INSERT INTO outbox VALUES (1, 1, ?, ?, ?, TRUE, NULL)", row)
        connection.execute("INSERT INTO tally VALUES ('acknowledged_ms', 77)")
    assert live(folder, 89, clock="unsynced") == [PERSON]
    report = read_status(OutboxSettings(folder=folder))
    assert (report.events, report.acknowledged_at) == (3, 77)
    assert live(folder, 2, clock="unsynced")[0] is None


def test_neither_clock_runs_ahead_of_the_truth() -> None:
    now_s = [1000.0]
    lifetime = Lifetime(Stamp(lived_ms=5_000, sure_ms=T0_MS), lambda: now_s[0])
    now_s[0] += 2.0
    assert lifetime.now() == Stamp(7_000, T0_MS + 2_000)
    assert lifetime.synced(T0_MS + 40 * DAY_MS), "forty days without power"
    assert not lifetime.synced(T0_MS + 40 * DAY_MS + 60_000)
    now_s[0] += 1.0
    assert lifetime.now() == Stamp(8_000, T0_MS + 40 * DAY_MS + 61_000)
    assert not lifetime.synced(T0_MS)
    assert lifetime.now() == Stamp(8_000, T0_MS), "a synchronised clock is believed when it is set back, too"
