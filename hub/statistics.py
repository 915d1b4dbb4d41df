"""From the set of a site's events to its figures: how long each desk and room was observed and occupied. Pure.

A site's events are walked in order: streams by the first instant they know, within a stream by seq. The walk writes a
timeline: from each instant on, a resource is in a state, until its next one; the last state counts up to the last
instant heard from the site, never to the wall clock. Whatever order the events came in, the figures are the same.

- What was known ends at the event heard just before a break: the agent started, or positions whose content nobody has.
- A state without an instant to believe begins at the event heard just before it, as unknown: kept, not counted.
- The states of one resource never go back in time: a clock set back makes an earlier state shorter, not a later one.

Source: domain.md 3.2 as docs/method.md tells it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hub.opening import Interval

PUBLISHED_PCT = 80
"""From this coverage on a rate is published (`A`)."""

UNCERTAIN_PCT = 50
"""From this coverage on a rate is published as of low reliability (`U`); below it is missing (`M`)."""

COUNTED_PCT = 95
"""From this coverage on a count of persons is normal (`A`); below it is of low reliability (`U`), and never missing."""

Status = Literal["A", "U", "M"]
"""SDMX CL_OBS_STATUS: normal, low reliability, missing."""

STATE_KINDS = frozenset({"desk_state_changed", "room_state_changed"})
BREAK_KINDS = frozenset({"edge_started", "events_refused", "lost"})
"""Events after which nothing said before holds: the agent began anew, or events are missing that nobody has."""

UNKNOWN = "unknown"
OUT_OF_SERVICE = "out_of_service"
GHOST = "ghost"
OCCUPIED = frozenset({"occupied", "in_call"})
OBSERVED = OCCUPIED | {"vacant", "free", "booked", GHOST}
"""States in which a resource is watched and in service; `unknown` and `out_of_service` are neither."""

Stretch = tuple[int, int, str]
"""From one instant to a later one, a resource is in a state."""


class Heard(NamedTuple):
    """One event as the walk sees it; a position whose content nobody has is a break without an instant."""

    at_ms: int | None
    resource: str | None = None
    """The desk or room whose state this is; empty for every other event."""
    state: str = UNKNOWN
    breaks: bool = False


class Change(NamedTuple):
    """From `start_ms` on, a resource is in `state`."""

    resource: str
    start_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Figure:
    """How long one resource was available, observed, occupied, and in use outside the opening hours, in one interval.

    Ghost time, of a room, is observed time for which it was booked and nobody came.
    """

    start_ms: int
    end_ms: int
    available_ms: int
    observed_ms: int
    occupied_ms: int
    outside_ms: int = 0
    ghost_ms: int = 0


def status(available_ms: int, observed_ms: int) -> Status:
    """Return what the coverage of a figure allows to say."""
    if available_ms <= 0 or observed_ms <= 0:
        return "M"
    covered = observed_ms * 100
    if covered >= available_ms * PUBLISHED_PCT:
        return "A"
    return "U" if covered >= available_ms * UNCERTAIN_PCT else "M"


def walk(events: Iterable[Heard], standing: dict[str, Change], heard_ms: int | None) -> tuple[list[Change], int | None]:
    """Return the changes that further events of a site bring, and the last instant heard from it.

    `standing` holds the last change of each resource and is brought forward. A later change of the same resource at the
    same instant replaces the earlier one.
    """
    changes: list[Change] = []
    for at_ms, resource, state, breaks in events:
        if breaks and heard_ms is not None:
            for known in list(standing.values()):
                _note(Change(known.resource, heard_ms, UNKNOWN), standing, changes)
        if resource is not None:
            if at_ms is not None:
                _note(Change(resource, at_ms, state), standing, changes)
            elif heard_ms is not None and resource in standing:
                _note(Change(resource, heard_ms, UNKNOWN), standing, changes)
        if at_ms is not None and (heard_ms is None or at_ms > heard_ms):
            heard_ms = at_ms
    return changes, heard_ms


def _note(change: Change, standing: dict[str, Change], changes: list[Change]) -> None:
    before = standing.get(change.resource)
    if before is not None:
        if before.state == change.state:
            return
        if before.start_ms > change.start_ms:
            change = change._replace(start_ms=before.start_ms)
    standing[change.resource] = change
    changes.append(change)


def figures(
    changes: Sequence[tuple[int, str]],
    carried: str | None,
    horizon_ms: int | None,
    opened: Sequence[Interval],
    hours: Sequence[Interval],
) -> list[Figure]:
    """Return one figure for each of the `hours` of a day, in order; they follow one another without a gap.

    `changes` are the (start, state) of one resource within these hours, in order; `carried` is its state at their
    beginning; nothing counts as known after `horizon_ms`. `opened` are the opening intervals of the day, in order.
    """
    starts = [start for start, _ in hours]
    available = [_overlap(opened, from_ms, to_ms) for from_ms, to_ms in hours]
    observed, occupied, outside, ghost = ([0] * len(hours) for _ in range(4))
    for first, last, state in stretches(changes, carried, horizon_ms, (starts[0], hours[-1][1])):
        if state == UNKNOWN:
            continue
        for n in range(bisect_right(starts, first) - 1, bisect_left(starts, last)):
            from_ms, to_ms = max(first, hours[n][0]), min(last, hours[n][1])
            length = _overlap(opened, from_ms, to_ms)
            if state == OUT_OF_SERVICE:
                available[n] -= length
                continue
            observed[n] += length
            if state in OCCUPIED:
                occupied[n] += length
                outside[n] += to_ms - from_ms - length
            elif state == GHOST:
                ghost[n] += length
    return [Figure(*hours[n], available[n], observed[n], occupied[n], outside[n], ghost[n]) for n in range(len(hours))]


def stretches(
    changes: Iterable[tuple[int, str]], before: str | None, horizon_ms: int | None, bounds: Interval
) -> list[Stretch]:
    """Return how long a resource was in which state within `bounds`, in order, none of them empty, up to the horizon.

    `changes` are the (start, state) within the bounds, in order; `before` is the state at their beginning.
    """
    start, end = bounds
    limit = start if horizon_ms is None else min(end, horizon_ms)
    found: list[Stretch] = []
    at, state = start, before
    for next_at, next_state in [*changes, (limit, UNKNOWN)]:
        until = min(next_at, limit)
        if until > at and state is not None:
            found.append((at, until, state))
        at, state = max(at, next_at), next_state
    return found


def _overlap(opened: Sequence[Interval], from_ms: int, to_ms: int) -> int:
    """Return for how long a site is open within an interval."""
    length = 0
    for start, end in opened:
        if start < to_ms and end > from_ms:
            length += min(end, to_ms) - max(start, from_ms)
    return length
