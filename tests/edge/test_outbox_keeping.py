from collections import Counter
from collections.abc import Callable
from pathlib import Path

from contract.events import Event, EventsRefused, decode
from edge.core.sender import Positions
from edge.outbox import read_status
from edge.outbox.file import OutboxFile
from edge.outbox.ledger import Ledger
from edge.outbox.writer import Attempt, Waiting, Writer
from tests.support.events import T0_MS, access, at, desk
from tests.support.outbox_agent import DAY_MS, Agent, folder, stored_count
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
    agent = Agent(folder).start()
    agent.store(at(T0_MS + 29 * DAY_MS, desk(100)))
    agent.store(at(T0_MS + 31 * DAY_MS, desk(101)))
    agent.answer(s0=100, s1=1)
    eventually(lambda: len(agent.outbox.held()) == 1, what="the old stream is forgotten")
    assert agent.outbox.held()[0].first == 1
    agent.stop()
    assert read_status(agent.settings).events == 102


def test_acknowledged_events_stay_30_days(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(100)])
    agent.store(at(T0_MS + 29 * DAY_MS, desk(100)))
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
    agent.store(at(agent.wall_ms, desk(50, clock="holdover")))
    agent.answer(s0=51)
    agent.stop()
    assert read_status(agent.settings).streams[0].first == 1


def test_rows_that_were_just_pruned_are_not_taken_for_lost(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(100)])
    agent.store(at(T0_MS + 31 * DAY_MS, desk(100)))
    agent.answer(s0=100)
    eventually(lambda: agent.outbox.held()[0].first == 101, what="pruned")
    held = agent.outbox.held()[0]
    assert agent.outbox.read(held.stream, 100, 101) is None
    agent.stop()


def test_room_is_made_for_what_is_coming(folder: Path) -> None:
    agent = Agent(folder, quota_mb=1).start()
    fill(agent, desk, until=lambda: agent.outbox.status().size_bytes > 0.55 * 1_000_000)
    agent.stop()
    file = OutboxFile(folder, aside_suffix="never")
    ledger = Ledger(1_000_000)
    ledger.reload(file.streams(), None)
    (held,) = ledger.held()
    ledger.acknowledge(Positions({held.stream: held.last}, answered=True), T0_MS)
    writer = Writer(file, ledger, boot="b" * 32, new_id=lambda: "e" * 32, wall_ms=lambda: T0_MS, mono_s=lambda: 0.0)
    size_bytes = file.size_bytes()
    coming = [Waiting(desk(number), None) for number in range(2_500)]
    assert size_bytes < 0.7 * 1_000_000, "no room would be made for what is there already"
    writer.store(Attempt(coming, Counter()))
    file.close()
    assert ledger.status().refused_count == 0
    assert ledger.held()[-1].last == len(coming)
