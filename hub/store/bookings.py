"""What came of the bookings of rooms: a function of the events that say so, and of the register.

A booking is a room and a start. Of several events about one, the last by `t` counts, then by stream and position: in
whatever order they came. An event counts when its `t` was told by a clock that was set, and lies within a day after the
start that it names; so an event bears on the local day of its start alone.
"""

import json
from collections.abc import Iterable
from functools import lru_cache

from hub.indicators import Outcome
from hub.opening import Interval
from hub.store.connection import Connection
from hub.store.keeping import Rows, rows_by_key
from hub.store.rows import BookingRow
from hub.store.schema import statements

KIND = "booking_judged"

MAX_WAIT_MS = 86_400_000
"""People are waited for a day at most (`ghost_after_s`)."""

_SQL = statements("bookings")


def start_of(value: str, at_ms: int | None) -> int | None:
    """Return when the booking starts that an event at an instant is about; None when the two do not fit together."""
    start_ms, _ = _booking(value)
    return start_ms if at_ms is not None and start_ms <= at_ms <= start_ms + MAX_WAIT_MS else None


def judged(connection: Connection, site: str, day: str, span: Interval, rooms: Iterable[str]) -> Rows:
    """Return what came of each booking of these rooms that starts in a span of a day, half-open, by room and start."""
    start, end = span
    key = {"site": site, "start_ms": start, "end_ms": end + MAX_WAIT_MS}
    counted = set(rooms)
    found: Rows = {}
    for room, value, at_ms in connection.execute(_SQL["judged"], key) if counted else ():
        start_ms, outcome = _booking(value)
        if room in counted and start <= start_ms < end and start_of(value, at_ms) is not None:
            found[room, start_ms] = (outcome, day)
    return found


def kept(connection: Connection, site: str, span: Interval) -> Rows:
    """Return the stored rows of the bookings that start in a span, as `judged` does."""
    return rows_by_key(_between(connection, site, span), 2)


def sums(connection: Connection, site: str, span: Interval) -> tuple[int, int, int]:
    """Return how many stored bookings start in a span, of how many it is known whether anybody came, and nobody did."""
    key = {"site": site, "start_ms": span[0], "end_ms": span[1]}
    count, known, no_shows = connection.execute(_SQL["bookings_of_month"], key).fetchone()
    return int(count), int(known or 0), int(no_shows or 0)


def read_bookings(connection: Connection, site: str, span: Interval) -> list[BookingRow]:
    """Return the bookings of a site's rooms that start in a span, in order of time."""
    rows = _between(connection, site, span)
    return [BookingRow(site, resource, day, start_ms, outcome) for resource, start_ms, outcome, day in rows]


def _between(connection: Connection, site: str, span: Interval) -> Iterable[tuple[str, int, Outcome, str]]:
    key = {"site": site, "start_ms": span[0], "end_ms": span[1]}
    return connection.execute(_SQL["bookings_between"], key)


@lru_cache(1024)
def _booking(value: str) -> tuple[int, str]:
    """Return start and outcome that an event's value names; an agent says the same again after a storage error."""
    booking = json.loads(value)
    return int(booking["start"]), str(booking["outcome"])
