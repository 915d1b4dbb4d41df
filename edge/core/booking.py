"""What came of a room's bookings: whether anybody was there in time, as far as its sensors have seen.

A booking is judged once, over the time from 15 minutes before its start until it would be released (or ends): somebody
was there, nobody was, or the sensors have seen too little of it. Whoever is in the room counts, with or without a
badge. The sensors' word on a moment is final only when their settling and hold times are over, so the judgement is
said that much later; it is true from the end of the time that it is about.

What is not known in time is not judged: bookings that were not known then, and those before the agent started.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from contract.events import BookingJudged, BookingOfRoom, BookingOutcome
from edge.core.effects import Publish
from edge.core.moment import Moment
from edge.core.observations import Booking
from edge.core.occupancy import Change, PresenceRules

SEEN_ENOUGH = 0.8
"""The share of its time in which the sensors must have worked for a booking to be judged: that of a sure figure."""

_SEEN = ("occupied", "vacant")

MAX_SAID = 200
"""As many as a calendar of four days may hold: none of them is said twice, though the clock goes back."""

MAX_CHANGES = 1_000
"""A sensor that changes faster in half an hour is chattering, and in doubt long before."""


@dataclass(frozen=True, slots=True)
class Wait:
    """From how long before a start people count, and until when they are waited for.

    After `settled_s` the sensors' word on a moment does not change any more.
    """

    early_s: float
    grace_s: float
    settled_s: float


def wait_of(early_s: float, grace_s: float, presence: PresenceRules) -> Wait:
    """Return the waits of a room with these sensors."""
    return Wait(early_s, grace_s, max(presence.hold_s, presence.settle_s + presence.bridge_s))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of the booking that starts at `start_ms`; true from `since`."""

    start_ms: int
    outcome: BookingOutcome
    since: Moment


@dataclass(frozen=True, slots=True)
class Watch:
    """What the bookings of one room are judged by.

    `seen` is what the sensors said of late, in order; `done_s` is up to when all that was due has been judged; `said`
    has the starts of the bookings that were.
    """

    seen: tuple[Change, ...]
    done_s: float
    said: tuple[int, ...] = ()


def notice(watch: Watch, wait: Wait, changes: tuple[Change, ...]) -> Watch:
    """Return the watch after changes of the room's presence, which are true in the order in which they come."""
    seen = watch.seen
    for change in changes:
        needed_from_s = change.since.mono_s - (wait.early_s + wait.grace_s + wait.settled_s)
        over = sum(one.since.mono_s <= needed_from_s for one in seen)
        seen = (*seen[max(0, over - 1) :], change)[-MAX_CHANGES:]
    return replace(watch, seen=seen)


def deadlines(watch: Watch, wait: Wait, bookings: tuple[Booking, ...], at: Moment) -> Iterator[float]:
    """Give when, on the monotonic clock, bookings are judged; `at` places their wall times on it."""
    for booking in _distinct(bookings):
        due_s = _due_s(booking, wait, at)
        if due_s > watch.done_s:
            yield due_s


def judge(watch: Watch, wait: Wait, bookings: tuple[Booking, ...], at: Moment) -> tuple[Watch, tuple[Judgement, ...]]:
    """Return the watch at `at`, and what came of the bookings that were due since."""
    judgements: dict[int, Judgement] = {}
    for booking in _distinct(bookings):
        if booking.start_ms in watch.said or not watch.done_s < _due_s(booking, wait, at) <= at.mono_s:
            continue
        until_s = _mono_s(_until_ms(booking, wait), at)
        outcome = _outcome(watch.seen, _mono_s(booking.start_ms, at) - wait.early_s, until_s)
        judgements[booking.start_ms] = Judgement(booking.start_ms, outcome, at.moved_to(until_s))
    said = (*watch.said, *judgements)[-MAX_SAID:]
    return replace(watch, done_s=max(watch.done_s, at.mono_s), said=said), tuple(judgements.values())


def skip(watch: Watch, at: Moment) -> Watch:
    """Return the watch once other bookings are known: of these, what was due before `at` is not judged any more."""
    return replace(watch, done_s=max(watch.done_s, at.mono_s))


def published(room: str, judgement: Judgement) -> Publish:
    """Return the event that says what came of a booking of a room."""
    at, value = judgement.since, BookingOfRoom(start=judgement.start_ms, outcome=judgement.outcome)
    return Publish(BookingJudged(subject=room, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms))


def _outcome(seen: tuple[Change, ...], from_s: float, until_s: float) -> BookingOutcome:
    ends_s = [*(change.since.mono_s for change in seen[1:]), until_s]
    spans = [
        (change.state, min(end_s, until_s) - max(change.since.mono_s, from_s))
        for change, end_s in zip(seen, ends_s, strict=True)
        if change.state in _SEEN and max(change.since.mono_s, from_s) < min(end_s, until_s)
    ]
    if sum(length_s for _, length_s in spans) < SEEN_ENOUGH * (until_s - from_s):
        return "unknown"
    return "came" if any(state == "occupied" for state, _ in spans) else "no_show"


def _distinct(bookings: tuple[Booking, ...]) -> Iterable[Booking]:
    """Return the bookings by their starts: those that start together are one, the longest."""
    return {one.start_ms: one for one in sorted(bookings, key=lambda one: one.end_ms)}.values()


def _due_s(booking: Booking, wait: Wait, at: Moment) -> float:
    """Return when a booking is judged: at a whole millisecond, so that the moment of that instant agrees."""
    return _mono_s(ceil(_until_ms(booking, wait) + wait.settled_s * 1000), at)


def _until_ms(booking: Booking, wait: Wait) -> float:
    return min(booking.start_ms + wait.grace_s * 1000, booking.end_ms)


def _mono_s(wall_ms: float, at: Moment) -> float:
    return at.mono_s + (wall_ms - at.wall_ms) / 1000
