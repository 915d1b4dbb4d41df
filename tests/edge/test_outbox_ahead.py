from contract.limits import MAX_BATCH_EVENTS
from edge.outbox.ahead import AHEAD_EVENTS, AHEAD_S, ReadAhead
from edge.outbox.read import read_rows
from edge.outbox.schema import FILE_NAME
from tests.support.events import PERSON, access, desk
from tests.support.outbox_agent import Agent, agent, folder

__all__ = ["agent", "folder"]  # fixtures


class Now:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_a_drain_gets_every_row_once_and_in_order(agent: Agent) -> None:
    agent.store(access(0), person=PERSON)
    agent.store(*[desk(number) for number in range(1, 2345)])
    (held,) = agent.outbox.held()
    reading = ReadAhead(agent.settings.folder, Now())
    sent = []
    for first in range(held.first, held.last + 1, MAX_BATCH_EVENTS):
        boot, rows = reading.rows(held.stream, first, min(first + MAX_BATCH_EVENTS - 1, held.last)) or ("", [])
        assert boot == "b" * 32
        sent += rows
    _, stored = read_rows(agent.settings.folder, held.stream, held.first, held.last) or ("", [])
    assert sent == [(line, person) for _, line, person in stored]


def test_rows_come_from_memory_for_ten_seconds_and_then_from_the_file(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(500)])
    (held,) = agent.outbox.held()
    now = Now()
    reading = ReadAhead(agent.settings.folder, now)
    assert reading.rows(held.stream, 1, 200) is not None
    agent.stop()
    (agent.settings.folder / FILE_NAME).unlink()
    assert reading.rows(held.stream, 201, 400) is not None
    now.s += AHEAD_S
    assert reading.rows(held.stream, 401, 450) is None


def test_rows_of_another_stream_or_outside_what_was_read_are_asked_of_the_file(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(AHEAD_EVENTS + 500)])
    (held,) = agent.outbox.held()
    reading = ReadAhead(agent.settings.folder, Now())
    assert reading.rows("f" * 32, 1, 1) is None
    assert reading.rows(held.stream, 201, 400) is not None
    assert [len((reading.rows(held.stream, first, first + 99) or ("", []))[1]) for first in (1, 1101)] == [100, 100]


def test_a_stream_is_not_read_beyond_what_it_has(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(3)])
    (held,) = agent.outbox.held()
    reading = ReadAhead(agent.settings.folder, Now())
    assert reading.rows(held.stream, 2, 4) is None
    assert len((reading.rows(held.stream, 2, 3) or ("", []))[1]) == 2
