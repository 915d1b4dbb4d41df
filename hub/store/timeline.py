"""Keeping timeline and figures equal to what the events say, however late and in whatever order they came.

Two steps, each restartable: *walk* brings the timeline forward over events not yet walked and names the local days that
this changed; *settle* computes the figures of such days from the timeline. Both run inside the caller's transaction.

An event that comes into an older stream than the last, or gets its instant late, changes what follows it: the streams
after it are walked again from there. That is rare (streams come oldest first), and exact.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from hub.opening import Interval, day_bounds, days_between
from hub.statistics import BREAK_KINDS, STATE_KINDS, Change, Heard, walk
from hub.store.bookings import KIND as BOOKING_KIND
from hub.store.bookings import start_of
from hub.store.connection import Connection
from hub.store.keeping import Difference, differences
from hub.store.register import read_calendar
from hub.store.rows import CountDifference
from hub.store.schema import statements
from hub.store.settling import first_settled, settle_days
from hub.store.strays import drop_strays, drop_unreadable
from hub.store.timing import put_times_right

MAX_WALK_EVENTS = 20_000
"""Events walked in one transaction: some 0.2 s, so that new history does not wait long behind old."""

_SQL = statements("timeline")


class _Stream(NamedTuple):
    stream: str
    position: int
    ordinal: int | None
    folded: int
    heard_ms: int | None
    first_at: int | None


def sites_to_walk(connection: Connection, most: int, after: str = "") -> list[str]:
    """Return sites after one, in order of their ids, that have events not yet walked."""
    return [row[0] for row in connection.execute(_SQL["sites_to_walk"], {"most": most, "after": after})]


def is_pending(connection: Connection) -> bool:
    """Return whether any figure is still to be computed."""
    return bool(connection.execute(_SQL["pending"]).fetchone()[0])


def walk_site(connection: Connection, site: str, most: int = MAX_WALK_EVENTS) -> Interval | None:
    """Walk at most `most` events of a site, in order; return the closed interval in which anything changed."""
    rows = [_Stream(*row) for row in connection.execute(_SQL["streams"], {"site": site})]
    streams = [row for row in rows if row.first_at is not None]
    first = _first_to_walk(rows, streams)
    if first is None:
        return None
    heard_before = max((row.heard_ms for row in rows if row.heard_ms is not None), default=None)
    continues = first < len(streams) and streams[first].ordinal == first and streams[first].folded > 0
    forgotten = _forget_from(connection, site, rows, first + 1 if continues else first)
    heard_ms = streams[first].heard_ms if continues else streams[first - 1].heard_ms if first > 0 else None
    changed = [heard_before, forgotten, streams[0].first_at if heard_ms is None and streams else None]
    if heard_ms is None:  # its first sign of life may be another one than before
        changed.append(first_settled(connection, site))
    standing = {row[0]: Change(*row) for row in connection.execute(_SQL["standing"], {"site": site})}
    before = dict(standing)
    for ordinal in range(first, len(streams)):
        folded = streams[ordinal].folded if continues and ordinal == first else 0
        stream = streams[ordinal]._replace(ordinal=ordinal, folded=folded)
        touched, heard_ms, walked = _walk_stream(connection, site, stream, (standing, heard_ms), most)
        changed += touched
        most -= walked
        if most <= 0:
            break
    moved = [(site, *change) for name, change in standing.items() if before.get(name) != change]
    connection.insert(_SQL["put_standing"], moved)
    instants = [at_ms for at_ms in [*changed, heard_ms] if at_ms is not None]
    return (min(instants), max(instants)) if instants else None


def _first_to_walk(rows: list[_Stream], streams: list[_Stream]) -> int | None:
    """Return the first place in the order of streams at which the walk and the events differ."""
    places = [n for n, stream in enumerate(streams) if stream.ordinal != n or stream.folded < stream.position]
    # A stream that lost its instants (its boot's clock was tied to UTC anew) leaves changes behind it.
    places += [row.ordinal for row in rows if row.first_at is None and row.ordinal is not None]
    return min(places, default=None)


def _forget_from(connection: Connection, site: str, rows: list[_Stream], ordinal: int) -> int | None:
    """Undo the walk of every stream from a place on; return the first instant at which that changed anything."""
    walked = [row.stream for row in rows if row.ordinal is not None and row.ordinal >= ordinal]
    if not walked:
        return None
    key = {"site": site, "ordinal": ordinal}
    first: int | None = connection.execute(_SQL["first_forgotten"], key).fetchone()[0]
    connection.execute(_SQL["forget_changes"], key)
    connection.executemany(_SQL["forget_walk"], [{"site": site, "stream": stream} for stream in walked])
    connection.execute(_SQL["forget_standing"], {"site": site})
    connection.execute(_SQL["restore_standing"], {"site": site})
    return first


def _walk_stream(
    connection: Connection, site: str, stream: _Stream, so_far: tuple[dict[str, Change], int | None], most: int
) -> tuple[list[int], int | None, int]:
    """Walk one stream on, write its changes; return the instants touched, the last heard, and how many were walked."""
    standing, heard_ms = so_far
    key = {"site": site, "stream": stream.stream, "folded": stream.folded, "position": stream.position}
    rows = connection.execute(_SQL["events"], {**key, "most": most}).fetchall()
    last = rows[-1][0] if len(rows) == most else stream.position
    missing = [row[0] for row in connection.execute(_SQL["missing"], {**key, "last": last})]
    stood_since = {name: change.start_ms for name, change in standing.items()}
    changes, heard_ms = walk(_heard(rows, missing), standing, heard_ms)
    # Of several changes at one instant, the last one holds.
    last_of = {(resource, start_ms): state for resource, start_ms, state in changes}
    following: list[tuple[object, ...]] = []
    replacing: list[tuple[object, ...]] = []
    for (resource, start_ms), state in last_of.items():
        # States of a place never go back in time: what begins after all that stood cannot be there already.
        group = replacing if start_ms == stood_since.get(resource) else following
        group.append((site, resource, start_ms, stream.ordinal, state))
    connection.insert(_SQL["put_change"], following, new=True)
    connection.insert(_SQL["put_change"], replacing)
    connection.execute(_SQL["walked"], {**key, "ordinal": stream.ordinal, "folded": last, "heard_ms": heard_ms})
    # What came of a booking counts where the booking starts, maybe on the day before.
    starts = [start_of(value, at_ms) for _, kind, _, at_ms, value in rows if kind == BOOKING_KIND]
    touched = [change.start_ms for change in changes] + [start for start in starts if start is not None]
    return touched, heard_ms, len(rows)


def _heard(rows: list[tuple[int, str, str, int | None, str]], missing: list[int]) -> Iterator[Heard]:
    """Yield the events in order of seq, with a break at each position whose content nobody has."""
    gone = iter(missing)
    next_gone = next(gone, None)
    for seq, kind, subject, at_ms, value in rows:
        while next_gone is not None and next_gone < seq:
            yield Heard(None, breaks=True)
            next_gone = next(gone, None)
        if kind in STATE_KINDS:
            yield Heard(at_ms, subject, _state(value))
        else:
            yield Heard(at_ms, breaks=kind in BREAK_KINDS)
    if next_gone is not None:
        yield Heard(None, breaks=True)


@lru_cache(64)
def _state(value: str) -> str:
    """Return the state that an event's value names: a dozen values, asked for hundreds of thousands of times."""
    return str(json.loads(value)["state"])


def changed_days(connection: Connection, site: str, span: Interval) -> list[str]:
    """Return the local days that a changed interval touches; none for a site that the register does not hold."""
    calendar = read_calendar(connection, site)
    return [] if calendar is None else [day.isoformat() for day in days_between(*span, calendar.zone)]


def mark(connection: Connection, site: str, days: list[str]) -> None:
    """Note that the figures of these days are to be computed."""
    connection.insert(_SQL["mark"], [(site, day) for day in days])


def mark_all(connection: Connection, site: str, from_day: str) -> None:
    """Note that every figure of a site from a local day on is to be computed: its register changed."""
    if days := set(_days_told(connection, site)):
        days |= {row[0] for row in connection.execute(_SQL["days_with_figures"], {"site": site})}
        mark(connection, site, sorted(day for day in days if day >= from_day))


def _days_told(connection: Connection, site: str) -> dict[str, Interval]:
    """Return the local days on which a site spoke or may have been spoken of, in order, with their bounds.

    None of a site that the register does not hold.
    """
    calendar = read_calendar(connection, site)
    first_at, heard_ms = connection.execute(_SQL["span"], {"site": site}).fetchone()
    if calendar is None or heard_ms is None:
        return {}
    # A clock that was set back puts states before the first instant that was told.
    changed_ms = connection.execute(_SQL["first_forgotten"], {"site": site, "ordinal": 0}).fetchone()[0]
    first_ms = min(first_at, heard_ms, heard_ms if changed_ms is None else changed_ms)
    return {day.isoformat(): day_bounds(day, calendar.zone) for day in days_between(first_ms, heard_ms, calendar.zone)}


def sites_marked(connection: Connection, most: int) -> list[str]:
    """Return the sites of the newest `most` marked days."""
    return sorted({row[0] for row in connection.execute(_SQL["marks"], {"most": most})})


def settle_marks(connection: Connection, most: int, sites: set[str]) -> int:
    """Compute the figures of the newest `most` marked days, as far as their sites are ours; return how many were.

    Whoever has a site's lock sees every mark of it, and no other can be made before the transaction ends.
    """
    taken = [row for row in connection.execute(_SQL["marks"], {"most": most}).fetchall() if row[0] in sites]
    for site, marked in groupby(sorted(taken), key=lambda row: str(row[0])):
        _settle_taken(connection, site, [day for _, day in marked])
    return len(taken)


def _settle_taken(connection: Connection, site: str, days: list[str]) -> Iterator[Difference]:
    connection.executemany(_SQL["take_mark"], [{"site": site, "day": day} for day in days])
    return settle_days(connection, site, days)


def rebuild_site(connection: Connection, site: str) -> list[Difference | CountDifference]:
    """Compute instants, timeline and figures of a site anew from its events alone; return all that was different.

    What was walked by instants that were wrong is not taken for pending work: what that changes is told.
    """
    instants = put_times_right(connection, site)
    unreadable = drop_unreadable(connection, site)
    while not instants and (span := walk_site(connection, site)) is not None:
        mark(connection, site, changed_days(connection, site, span))
    _settle_taken(connection, site, _marked(connection, site))
    _forget_from(connection, site, [_Stream(*row) for row in connection.execute(_SQL["streams"], {"site": site})], 0)
    connection.execute(_SQL["forget_changes"], {"site": site, "ordinal": 0})
    connection.execute(_SQL["forget_standing"], {"site": site})
    while walk_site(connection, site) is not None:
        pass
    days = _days_told(connection, site)
    strays = differences(drop_strays(connection, site, days))
    return [*instants, *unreadable, *strays, *settle_days(connection, site, list(days))]


def _marked(connection: Connection, site: str) -> list[str]:
    return [row[0] for row in connection.execute(_SQL["marks_of_site"], {"site": site})]
