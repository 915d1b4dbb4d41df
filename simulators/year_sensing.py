"""From what really happens to what sensors make of it: late vacancies, people who sit still, dead sensors. Pure.

What is told of a desk or a room is a list of statements in the order in which they are made. An absence is told when
nobody was seen for five minutes, and is true from the last time that somebody was.
"""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from simulators.year_calendar import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Span
from simulators.year_presence import Meeting
from simulators.year_world import Room

SETTLE_MS = 2 * SECOND_MS
HOLD_MS = 5 * MINUTE_MS
GHOST_MS = 10 * MINUTE_MS
"""As a site that is shipped (docs/method.md, docs/rooms.md)."""

STILL_PER_HOUR = 0.25
"""How often in an hour somebody sits so still that a PIR sees nobody for more than the hold time."""


class Told(NamedTuple):
    """A statement about a desk or a room: when it is made, from when on it is true, and what."""

    said_ms: int
    true_ms: int
    state: str


class Fault(NamedTuple):
    """From `begin_ms` to `end_ms` a sensor says the same, whatever happens."""

    begin_ms: int
    end_ms: int
    state: str


def tell_desk(stays: Iterable[Span], faults: Iterable[Fault], begins_ms: int, random: Random) -> list[Told]:
    """Return what is told of a desk whose sensor begins at `begins_ms`, in the order in which it is told."""
    told = [Told(begins_ms, begins_ms, "vacant")]
    for begin, end in _merged(_seen(stays, random)):
        told += [Told(begin + SETTLE_MS, begin, "occupied"), Told(end + HOLD_MS, end, "vacant")]
    return _with_faults([one for one in told if one.true_ms >= begins_ms], faults)


def tell_room(
    room: Room, meetings: Iterable[Meeting], faults: Iterable[Fault], begins_ms: int, random: Random
) -> list[Told]:
    """Return what is told of a room whose sensor begins at `begins_ms`, in the order in which it is told."""
    told = [Told(begins_ms, begins_ms, "free")]
    for meeting in meetings:
        told += _meeting_told(room, meeting, random)
    told = sorted((one for one in told if one.true_ms >= begins_ms), key=lambda one: one.said_ms)
    return _with_faults(told, faults)


def _seen(stays: Iterable[Span], random: Random) -> list[Span]:
    """Return when a sensor sees somebody: not from the first to the last moment, and not while they sit still."""
    seen: list[Span] = []
    for begin, end in stays:
        at = begin
        while (still := at + round(random.expovariate(STILL_PER_HOUR / HOUR_MS))) < end - HOLD_MS:
            seen.append((at, still))
            # A gap of exactly a quarter of an hour, or a hair more, decides whether it is one session or two.
            gap = random.choice((900_000, 900_001, random.randrange(HOLD_MS, 25 * MINUTE_MS)))
            at = min(end, still + gap)
        if at < end:
            seen.append((at, end))
    return seen


def _merged(seen: list[Span]) -> list[Span]:
    """Return what is seen without the pauses that are shorter than the hold time."""
    merged: list[Span] = []
    for begin, end in sorted(seen):
        if merged and begin < merged[-1][1] + HOLD_MS:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end - begin > SETTLE_MS:
            merged.append((begin, end))
    return merged


def _meeting_told(room: Room, meeting: Meeting, random: Random) -> list[Told]:
    if meeting.booked is None or room.confidential:
        if meeting.used is None:
            return []
        state = "in_call" if meeting.in_call and not room.confidential else "occupied"
        begin, end = meeting.used
        return [Told(begin + SETTLE_MS, begin, state), Told(end + HOLD_MS, end, "free")]
    return _booked_told(meeting.booked, meeting, random)


def _booked_told(booked: Span, meeting: Meeting, random: Random) -> list[Told]:
    start, over = booked
    if meeting.used is None:
        return [_at(start, "booked"), _at(start + GHOST_MS, "ghost"), _at(over, "free")]
    begin, end = meeting.used
    told = [_at(start, "booked")] if start < begin else []
    if start + GHOST_MS < begin:
        told.append(_at(start + GHOST_MS, "ghost"))
    told.append(Told(begin + SETTLE_MS, begin, "occupied"))
    if meeting.in_call and begin + MINUTE_MS < end:
        # The display is switched on a moment later.
        at = begin + random.randrange(10 * SECOND_MS, MINUTE_MS)
        told.append(_at(at, "in_call"))
    if end >= over:
        return [*told, Told(end + HOLD_MS, end, "free")]
    # Whoever left before the end may come back: the room stays booked for a while.
    return [*told, Told(end + HOLD_MS, end, "booked"), _at(max(end + HOLD_MS, min(over, end + GHOST_MS)), "free")]


def _at(at_ms: int, state: str) -> Told:
    return Told(at_ms, at_ms, state)


def _with_faults(told: list[Told], faults: Iterable[Fault]) -> list[Told]:
    """Return the statements with those of a faulty sensor in their place."""
    for fault in sorted(faults):
        before = [one for one in told if one.said_ms < fault.begin_ms]
        hidden = [one for one in told if fault.begin_ms <= one.said_ms < fault.end_ms]
        after = [one for one in told if one.said_ms >= fault.end_ms]
        if not before:
            continue
        state = (hidden or before)[-1].state
        told = [
            *before,
            Told(fault.begin_ms, fault.begin_ms, fault.state),
            Told(fault.end_ms, fault.end_ms, state),
            *(one._replace(true_ms=max(one.true_ms, fault.end_ms)) for one in after),
        ]
    return told


def desk_faults(span: Span, occupied: str, random: Random) -> list[Fault]:
    """Return how a sensor fails in a year: dead for minutes or days, stuck until somebody notices, or taken away.

    `occupied` is what a stuck sensor says. They do not overlap.
    """
    faults: list[Fault] = []
    at = span[0]
    while (at := at + round(random.expovariate(1 / (45 * DAY_MS)))) < span[1]:
        kind = random.random()
        if kind < 0.7:
            end = at + round(min(4 * DAY_MS, random.lognormvariate(0, 2) * HOUR_MS)) + MINUTE_MS
            faults.append(Fault(at, end, "unknown"))
        elif kind < 0.9:
            noticed = at + random.randrange(2 * HOUR_MS, 20 * HOUR_MS)
            end = noticed + random.randrange(4 * HOUR_MS, 4 * DAY_MS)
            faults += [Fault(at, noticed, occupied), Fault(noticed, end, "unknown")]
        else:
            end = at + random.randrange(12 * HOUR_MS, 5 * DAY_MS)
            faults.append(Fault(at, end, "out_of_service"))
        at = end + HOUR_MS
    return [fault for fault in faults if fault.end_ms < span[1]]
