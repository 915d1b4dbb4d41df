"""What an agent makes of each booking of a room: somebody came, nobody did, or its sensors saw too little. Pure.

An agent walks through what its sensors said in its own life, statement by statement, when the time for a booking is
over and their word on it is final.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, Span
from simulators.year_lives import Life
from simulators.year_presence import Meeting
from simulators.year_sensing import GHOST_MS, HOLD_MS, Told

EARLY_MS = 15 * MINUTE_MS
ENOUGH = (4, 5)
"""The share of the time in which the sensors must have worked (docs/rooms.md)."""


class Judged(NamedTuple):
    """What came of a booking: when the agent says it, from when on it is true, and what."""

    said_ms: int
    true_ms: int
    start_ms: int
    outcome: str


def window_of(booked: Span) -> Span:
    """Return the time in which somebody must be there for a booking."""
    return booked[0] - EARLY_MS, min(booked[0] + GHOST_MS, booked[1])


def judge_bookings(life: Life, known_ms: int, meetings: Iterable[Meeting], told: Sequence[Told]) -> Iterator[Judged]:
    """Yield what an agent says of the bookings of a room; `told` is what it says of the room from `known_ms` on.

    What is due while its clock is not set is said once it is.
    """
    for meeting in meetings:
        if meeting.booked is None:
            continue
        window = window_of(meeting.booked)
        said_ms = window[1] + HOLD_MS
        if not life.begin_ms < said_ms < life.end_ms:
            continue
        if _clock_at(life, said_ms) == "unsynced":
            said_ms = next((phase.begin_ms for phase in life.phases if phase.begin_ms > said_ms), life.end_ms)
        if said_ms < life.end_ms:
            yield Judged(said_ms, window[1], meeting.booked[0], _outcome(window, known_ms, told))


def _clock_at(life: Life, at_ms: int) -> str:
    return [phase.clock for phase in life.phases if phase.begin_ms <= at_ms][-1]


def _outcome(window: Span, known_ms: int, told: Sequence[Told]) -> str:
    watched, came, at_ms, state = 0, False, known_ms, "unknown"
    for true_ms, following in [*((one.true_ms, one.state) for one in told), (window[1], "unknown")]:
        begin, end = max(at_ms, window[0]), min(true_ms, window[1])
        if begin < end and state not in ("unknown", "out_of_service"):
            watched += end - begin
            came = came or state in ("occupied", "in_call")
        at_ms, state = max(at_ms, true_ms), following
    if watched * ENOUGH[1] < (window[1] - window[0]) * ENOUGH[0]:
        return "unknown"
    return "came" if came else "no_show"
