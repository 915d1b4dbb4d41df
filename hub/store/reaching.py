"""What a local day needs of the timeline: each place's states of that day, and of sessions that reach beyond it.

A session is a function of all states from its beginning to its end. It is looked at as a whole whichever of its days
has changed: from the last break before the day to the first one after it, a break being what no session lasts across.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.opening import Interval
from hub.sessions import Session, sessions
from hub.statistics import OBSERVED, OCCUPIED, Stretch, stretches
from hub.store.connection import Connection
from hub.store.schema import statements

PAGE = 16
"""Changes first asked for beyond a day: more than most sessions have there, and few enough to be read in vain."""

PLACES_AT_ONCE = 50
"""Asked of in one statement; SQLite takes 500."""

_SQL = statements("usage")

State = tuple[int, str]
"""From when on, and which."""


@dataclass(slots=True)
class PlaceDay:
    """One place in one local day."""

    before: State | None = None
    """What it was in when the day began, and since when."""
    changes: list[State] = field(default_factory=list)
    """Within the day, in order."""

    def stretches(self, horizon_ms: int | None, bounds: Interval) -> list[Stretch]:
        """Return what it was in within the bounds, which lie in the day."""
        before = self.before[1] if self.before is not None else None
        return stretches(self.changes, before, horizon_ms, bounds)

    def last_state(self) -> str | None:
        """Return what it is in when the day ends."""
        return self.changes[-1][1] if self.changes else self.before[1] if self.before is not None else None


def place_days(connection: Connection, site: str, bounds: Interval) -> dict[str, PlaceDay]:
    """Return every place of which anything was heard, in one local day."""
    key = {"site": site, "start_ms": bounds[0], "end_ms": bounds[1]}
    found = {
        resource: PlaceDay(None if since is None else (since, state))
        for resource, since, state in connection.execute(_SQL["edges"], key).fetchall()
    }
    for resource, start_ms, _, state in _changes(connection, site, bounds, list(found)):
        found[resource].changes.append((start_ms, state))
    return found


def _changes(
    connection: Connection, site: str, bounds: Interval, places: Sequence[str]
) -> list[tuple[str, int, int, str]]:
    """Return the changes of places between two instants, those of each place in order.

    Place by place in one statement: of several at once, PostgreSQL would rather read all that a site ever told.
    """
    rows: list[tuple[str, int, int, str]] = []
    for at in range(0, len(places), PLACES_AT_ONCE):
        some = places[at : at + PLACES_AT_ONCE]
        values = [value for place in some for value in (site, place, *bounds)]
        rows += connection.execute(" union all ".join([_SQL["changes"]] * len(some)), values).fetchall()
    return sorted(rows)


def sessions_across(
    connection: Connection, key: dict[str, str], place: PlaceDay, bounds: Interval, horizon_ms: int, merge_ms: int
) -> tuple[list[Session], Interval]:
    """Return the sessions of a place that touch a day, whole, and from when to when no other one begins.

    `key` names site and resource.
    """
    earlier, first = _reach_back(connection, key, place.before, bounds[0], merge_ms)
    states, end, last = [*earlier, *place.changes], bounds[1], place.last_state()
    if horizon_ms >= end:
        later, end, last = _reach_on(connection, key, last, (end, horizon_ms), merge_ms)
        states += later
    known = stretches(states, None, horizon_ms, (states[0][0], end)) if states else []
    return sessions(known, last, merge_ms), (first, end)


def _reach_back(
    connection: Connection, key: dict[str, str], before: State | None, day_ms: int, merge_ms: int
) -> tuple[list[State], int]:
    """Return the states before a day from the last break on, in order, and from when on sessions may begin after it."""
    if before is None:
        return [], day_ms
    since, state = before
    if state not in OCCUPIED and (state not in OBSERVED or day_ms - since > merge_ms):
        return [before], day_ms
    most = PAGE
    while True:
        rows = connection.execute(_SQL["earlier"], {**key, "start_ms": day_ms, "most": most}).fetchall()
        used, first, is_broken = _last_break(rows, day_ms, merge_ms)
        if is_broken or len(rows) < most:
            return rows[:used][::-1], first
        most *= PAGE


def _last_break(rows: Sequence[State], day_ms: int, merge_ms: int) -> tuple[int, int, bool]:
    """Return how many rows, newest first, reach to the break; when it ends; and whether there is one."""
    first = until = day_ms
    for n, (since, state) in enumerate(rows, start=1):
        if since >= until:
            continue
        if state in OCCUPIED:
            first = since
        elif state not in OBSERVED or first - since > merge_ms:
            return n, first, True
        until = since
    return len(rows), first, False


def _reach_on(
    connection: Connection, key: dict[str, str], state: str | None, span: Interval, merge_ms: int
) -> tuple[list[State], int, str | None]:
    """Return the states after a day up to the first break, in order, the instant at which it ends, and the last state.

    `state` is that of the place when the day ends; `span` is from there to the last instant heard.
    """
    most = PAGE
    while True:
        rows = connection.execute(_SQL["later"], {**key, "start_ms": span[0], "most": most}).fetchall()
        used, end = _next_break(rows, state, span, merge_ms)
        if end is not None or len(rows) < most:
            last = rows[used - 1][1] if used else state
            return rows[:used], max(span) if end is None else end, last
        most *= PAGE


def _next_break(rows: Sequence[State], state: str | None, span: Interval, merge_ms: int) -> tuple[int, int | None]:
    """Return how many rows lie before the first break, and when it ends; None if there is none among them."""
    at = empty_from = span[0]
    for n, (start, following) in enumerate(rows):
        if start > at and state not in OCCUPIED:
            if state not in OBSERVED or start - empty_from > merge_ms:
                return n, start
        elif start > at:
            empty_from = start
        at, state = start, following
    return len(rows), None
