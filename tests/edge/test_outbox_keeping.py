from collections.abc import Callable
from pathlib import Path

import pytest

from contract.events import Event, EventsRefused, decode
from edge.config import OutboxSettings
from edge.core.sender import Positions
from edge.outbox import read_status
from tests.support.events import PERSON, T0_MS, access, desk
from tests.support.outbox_agent import DAY_MS, Agent, folder, statement, stored_count
from tests.support.waiting import eventually

__all__ = ["folder"]  # fixtures


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


def test_a_clock_set_by_hand_ten_years_ahead_prunes_nothing(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(50)])
    agent.wall_ms += 3_650 * DAY_MS
    agent.answer(s0=50)
    agent.store(desk(50, clock="holdover"))
    agent.answer(s0=51)
    agent.stop()
    assert read_status(agent.settings).streams[0].first == 1


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
