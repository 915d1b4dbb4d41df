"""What each telecentre's outbox holds: every statement of its agent, in order, as the agent dated it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, SECOND_MS
from simulators.year_judging import judge_bookings
from simulators.year_lives import Chronicle, Life, Phase
from simulators.year_presence import Story
from simulators.year_sensing import Told

ALIVE_EVERY_MS = 30 * MINUTE_MS
"""`alive_interval_s = 1800`: a sixth of what is usual, or half of the year would be signs of life."""

FIRST_WORDS_MS = 2 * SECOND_MS
"""After the agent has started, the sensors have been read once."""


class Statement(NamedTuple):
    """One event: when the agent stored it, when it was really true, and what it says."""

    said_ms: int
    true_ms: int
    kind: str
    subject: str
    value: tuple[tuple[str, str | int], ...]
    person: str | None = None


class Entry(NamedTuple):
    """A statement as it lies in the outbox, under its clock."""

    statement: Statement
    t_ms: int
    clock: str
    up_ms: int


@dataclass(frozen=True, slots=True)
class Stream:
    """All entries of one life of the agent; the position of the first is 1."""

    life: Life
    entries: tuple[Entry, ...]


def make_streams(
    chronicle: Chronicle, told: dict[str, list[Told]], story: Story, doors: Sequence[str]
) -> tuple[Stream, ...]:
    """Return the streams of a telecentre; `told` is what its sensors would say if the agent never slept."""
    said = [statement for resource, statements in told.items() for statement in _states(resource, statements)]
    heard = sorted([*said, *_doors(story, doors)], key=lambda statement: statement.said_ms)
    streams: list[Stream] = []
    at = 0
    for life in chronicle.lives:
        while at < len(heard) and heard[at].said_ms <= life.begin_ms + FIRST_WORDS_MS:
            at += 1
        entries = [*_first_words(life, told)]
        while at < len(heard) and heard[at].said_ms < life.end_ms:
            entries.append(_not_before(heard[at], life.begin_ms + FIRST_WORDS_MS))
            at += 1
        entries += [*_own_words(life), *_of_bookings(life, entries, story)]
        entries.sort(key=lambda statement: statement.said_ms)
        streams.append(Stream(life, tuple(_dated(life, entry) for entry in entries)))
    return tuple(streams)


def _states(resource: str, told: list[Told]) -> Iterator[Statement]:
    for one in told:
        yield _state(resource, one)


def _state(resource: str, told: Told) -> Statement:
    kind = "desk_state_changed" if resource.startswith("desk") else "room_state_changed"
    return Statement(told.said_ms, told.true_ms, kind, resource, (("state", told.state),))


def _doors(story: Story, doors: Sequence[str]) -> Iterator[Statement]:
    """Yield what readers and doors say: a door opens and shuts after each badge that is let in.

    Of several doors, the second of the moment says at which one somebody is.
    """
    for at_ms, reason, credential in story.badges:
        door = _at(doors, at_ms)
        access = (("door", door), ("reason", reason), ("assurance", "uid"))
        yield Statement(at_ms, at_ms, "access_decided", door.replace("door", "reader"), access, credential)
        if reason == "GRANTED":
            yield _leaf(door, at_ms + 1, "unlocked", "NORMAL")
            yield _leaf(door, at_ms + 9 * SECOND_MS, "locked", "NORMAL")
    for at_ms, shut_ms, alarm in story.alarms:
        door = _at(doors, at_ms)
        yield _leaf(door, at_ms, "open", alarm)
        yield _leaf(door, shut_ms, "locked", "NORMAL")


def _at(doors: Sequence[str], at_ms: int) -> str:
    return doors[at_ms // SECOND_MS % len(doors)]


def _leaf(door: str, at_ms: int, state: str, alarm: str) -> Statement:
    return Statement(at_ms, at_ms, "door_state_changed", door, (("state", state), ("alarm", alarm)))


def _first_words(life: Life, told: dict[str, list[Told]]) -> Iterator[Statement]:
    """Yield what an agent says when it starts: that it did, and what every sensor says by now."""
    yield Statement(life.begin_ms, life.begin_ms, "edge_started", "agent", (("version", "year"),))
    at_ms = life.begin_ms + FIRST_WORDS_MS
    if at_ms >= life.end_ms:
        return
    for resource, statements in told.items():
        last = next((one for one in reversed(statements) if one.said_ms <= at_ms), None)
        if last is not None:
            yield _state(resource, Told(at_ms, at_ms, last.state))


def _of_bookings(life: Life, said: list[Statement], story: Story) -> Iterator[Statement]:
    """Yield what an agent says of its rooms' bookings, from what it has said of the rooms."""
    known_ms = life.begin_ms + FIRST_WORDS_MS
    for room, meetings in story.rooms.items():
        states = [one for one in said if one.subject == room]
        told = [Told(one.said_ms, one.true_ms, str(dict(one.value)["state"])) for one in states]
        for one in judge_bookings(life, known_ms, meetings, told):
            value = (("start", one.start_ms), ("outcome", one.outcome))
            yield Statement(one.said_ms, one.true_ms, "booking_judged", room, value)


def _own_words(life: Life) -> Iterator[Statement]:
    for phase in life.phases[1:]:
        step = next(before.error_ms for before in reversed(life.phases) if before.begin_ms < phase.begin_ms)
        yield Statement(phase.begin_ms, phase.begin_ms, "clock_set", "clock", (("step_ms", -step),))
    for at_ms in range(life.begin_ms + ALIVE_EVERY_MS, life.end_ms, ALIVE_EVERY_MS):
        yield Statement(at_ms, at_ms, "edge_alive", "agent", ())


def _not_before(statement: Statement, begin_ms: int) -> Statement:
    return statement._replace(true_ms=max(statement.true_ms, begin_ms))


def _dated(life: Life, statement: Statement) -> Entry:
    """Return a statement with the time that the clock showed; a clock that is set counts at once."""
    phase: Phase = [one for one in life.phases if one.begin_ms <= statement.said_ms][-1]
    # A booking whose time was over before the machine began is told from its beginning: no agent counts below zero.
    up_ms = max(0, statement.true_ms - life.booted_ms)
    return Entry(statement, statement.true_ms + phase.error_ms, phase.clock, up_ms)
