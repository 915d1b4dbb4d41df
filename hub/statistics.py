"""From the set of a site's events to its figures: how long each desk and room was observed and occupied. Pure.

A site's events are walked in order: streams by the first instant they know, within a stream by seq. The walk writes a
timeline: from each instant on, a resource is in a state, until its next one; the last state counts up to the last
instant heard from the site, never to the wall clock. Whatever order the events came in, the figures are the same.

- What was known ends at the event heard just before a break: the agent started, or positions whose content nobody has.
- A state without an instant to believe begins at the event heard just before it, as unknown: kept, not counted.
- The states of one resource never go back in time: a clock set back makes an earlier state shorter, not a later one.

Source: domain.md 3.2 as docs/method.md tells it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.opening import Interval

STATE_KINDS = frozenset({"desk_state_changed", "room_state_changed"})
BREAK_KINDS = frozenset({"edge_started", "events_refused", "lost"})
"""Events after which nothing said before holds: the agent began anew, or events are missing that nobody has."""

UNKNOWN = "unknown"
OCCUPIED = frozenset({"occupied", "in_call"})
OBSERVED = OCCUPIED | {"vacant", "free", "booked", "ghost"}
"""States in which a resource is watched and in service; `unknown` and `out_of_service` are neither."""


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
    """How long one resource was available, observed and occupied in one interval."""

    start_ms: int
    end_ms: int
    available_ms: int
    observed_ms: int
    occupied_ms: int


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
    """Return one figure for each of the `hours` of a day, in order.

    `changes` are the (start, state) of one resource within the day, in order; `carried` is its state at the day's
    beginning; nothing counts as observed after `horizon_ms`. `opened` are the opening intervals of the day, in order.
    """
    known = _known(changes, carried, horizon_ms, hours[0][0], hours[-1][1])
    result: list[Figure] = []
    for start, end in hours:
        open_here = [(max(a, start), min(b, end)) for a, b in opened if a < end and b > start]
        available = sum(b - a for a, b in open_here)
        observed = occupied = 0
        if available:
            for from_ms, to_ms, in_use in known:
                if from_ms >= end:
                    break
                if to_ms <= start:
                    continue
                length = sum(max(0, min(b, to_ms) - max(a, from_ms)) for a, b in open_here)
                observed += length
                occupied += length if in_use else 0
        result.append(Figure(start, end, available, observed, occupied))
    return result


def _known(
    changes: Sequence[tuple[int, str]], carried: str | None, horizon_ms: int | None, start: int, end: int
) -> list[tuple[int, int, bool]]:
    """Return when the resource was observed within the day, in order, and whether it was in use."""
    limit = end if horizon_ms is None else min(end, horizon_ms)
    known: list[tuple[int, int, bool]] = []
    at, state = start, carried if horizon_ms is not None else None
    for next_at, next_state in [*changes, (limit, UNKNOWN)]:
        until = min(next_at, limit)
        if state in OBSERVED and until > at:
            known.append((at, until, state in OCCUPIED))
        at, state = next_at, next_state
    return known
