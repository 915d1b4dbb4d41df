"""The truth of what came of bookings: those that the hub was told of, judged again by sets of moments. Pure.

An agent walks through its statements; here the time that counts is cut with the sets of moments in which the room was
known, and in use, in that life of the agent.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from simulators.year_calendar import Span, bounds_of, day_of
from simulators.year_judging import EARLY_MS, ENOUGH
from simulators.year_spans import both, union
from simulators.year_truth import IN_USE, KNOWN, Dated, Truth


class Booking(NamedTuple):
    """A booking of a room, and what came of it."""

    start_ms: int
    outcome: str


def bookings(truth: Truth, room: str) -> list[Booking]:
    """Return the bookings of a room that the hub was told of, in order; none before its first day."""
    if truth.first_ms is None:
        return []
    first_ms = bounds_of(day_of(truth.first_ms))[0]
    found: dict[int, str] = {}
    for life in truth.lives:
        said = [one.entry.statement for one in life if one.at_ms is not None and one.entry.clock != "unsynced"]
        for statement in said:
            start_ms = int(dict(statement.value).get("start", -1))
            if statement.subject == room and start_ms >= first_ms:
                found[start_ms] = _outcome((start_ms - EARLY_MS, statement.true_ms), _states(life, room))
    return [Booking(*one) for one in sorted(found.items())]


def _states(life: Sequence[Dated], room: str) -> list[tuple[Span, str]]:
    """Return when a room was in which state in one life, by the time that really was."""
    told = [one.entry.statement for one in life if one.entry.statement.subject == room]
    told = [one for one in told if one.kind == "room_state_changed"]
    ends = [*(one.true_ms for one in told[1:]), life[-1].entry.statement.said_ms]
    return [((one.true_ms, end), str(dict(one.value)["state"])) for one, end in zip(told, ends, strict=True)]


def _outcome(window: Span, states: Sequence[tuple[Span, str]]) -> str:
    known, used = (
        both(union(span for span, state in states if state in wanted), [window]) for wanted in (KNOWN, IN_USE)
    )
    if sum(end - begin for begin, end in known) * ENOUGH[1] < (window[1] - window[0]) * ENOUGH[0]:
        return "unknown"
    return "came" if used else "no_show"


def booked_in(found: Sequence[Booking], period: Span) -> list[str]:
    """Return what came of the bookings, which are in order, that start in a period."""
    first, last = (bisect_left(found, at_ms, key=lambda one: one.start_ms) for at_ms in period)
    return [one.outcome for one in found[first:last]]


def told_of(outcomes: Sequence[str]) -> dict[str, object]:
    """Return the figures of several bookings; those of which nobody knows are in the first one alone."""
    came, missed = outcomes.count("came"), outcomes.count("no_show")
    return {
        "bookings": len(outcomes) or None,
        "no_shows": missed if came + missed else None,
        "no_show_rate": missed / (came + missed) if came + missed else None,
    }
