"""Desks, rooms and doors of which a telecentre speaks and that the register does not hold: kept, and in no figure.

What desks and rooms said is in the timeline like that of any other: once they are declared, their figures are computed
from it. What doors did is counted like that of any other: once they are declared, it is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from hub.opening import day_bounds, day_of
from hub.statistics import UNKNOWN
from hub.store.connection import Connection
from hub.store.doors import spoken_in_hour
from hub.store.schema import statements

MAX_PLACES = 50
"""Of one telecentre that are told: more is a box with another one's settings, and the first ones show that."""

MAX_COUNTED = 10_000
"""Changes of state counted for one desk or room, and for one door hours by reason: some months, a few milliseconds."""

MAX_DOOR_CHANGES = 2_000
"""The last ones of a telecentre, among which changes of state of a door are looked for: some days. What a door decided
is found however long ago it was."""

_SQL = statements("undeclared")


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A desk, room or door that the register does not hold, and what was heard of it."""

    resource: str
    events: int
    """Changes of state, and of a door decisions, too."""
    is_more: bool
    """There may be more than were counted."""
    first_ms: int
    last_ms: int


def read_undeclared(connection: Connection, site: str, zone: ZoneInfo) -> list[Undeclared]:
    """Return what a registered site speaks of that the register does not hold, in order of name.

    Of a place that was taken out of the register, what came on that day or before does not count: its sensor is
    unplugged after the file is written, or before; and a restart makes everything unknown, also what is gone.
    """
    found: list[Undeclared] = []
    for resource, ended in connection.execute(_SQL["spoken_of"], {"site": site, "most": MAX_PLACES}).fetchall():
        from_ms = 0 if ended is None else day_bounds(date.fromisoformat(ended), zone)[1]
        key = {"site": site, "resource": resource, "from_ms": from_ms, "but": "" if ended is None else UNKNOWN}
        events, first_ms = connection.execute(_SQL["count_said"], {**key, "most": MAX_COUNTED}).fetchone()
        if events:
            last_ms = connection.execute(_SQL["last_said"], key).fetchone()[0]
            found.append(Undeclared(resource, events, events == MAX_COUNTED, first_ms, last_ms))
    return sorted([*found, *_doors(connection, site, zone)], key=lambda place: place.resource)


def _doors(connection: Connection, site: str, zone: ZoneInfo) -> Iterator[Undeclared]:
    """Yield the doors: those that decided ever, and those that changed their state among the last."""
    periods = connection.execute(_SQL["doors"], {"site": site}).fetchall()
    held = {door for door, until in periods if until is None}
    ended = dict(sorted((door, until) for door, until in periods if until is not None))
    changes: dict[str, list[int]] = {}
    recent = connection.execute(_SQL["door_changes"], {"site": site, "most": MAX_DOOR_CHANGES}).fetchall()
    for door, at_ms in recent:
        changes.setdefault(door, []).append(at_ms)
    names = changes.keys() | {row[0] for row in connection.execute(_SQL["doors_counted"], {"site": site})}
    for door in sorted(names - held)[:MAX_PLACES]:
        from_ms = day_bounds(date.fromisoformat(ended[door]), zone)[1] if door in ended else 0
        key = {"site": site, "door": door, "from_ms": from_ms}
        done, decided, rows, first_ms = connection.execute(_SQL["count_done"], {**key, "most": MAX_COUNTED}).fetchone()
        said = [at_ms for at_ms in changes.get(door, ()) if at_ms >= from_ms]
        instants = list(said)
        if rows:
            # They are counted by the hour; the page tells the instant.
            last_ms = connection.execute(_SQL["last_done"], key).fetchone()[0]
            instants += [one for hour in (first_ms, last_ms) for one in spoken_in_hour(connection, site, door, hour)]
        if instants:
            events = max(int(done or 0), int(decided or 0) + len(said))
            is_more = rows == MAX_COUNTED or len(recent) == MAX_DOOR_CHANGES
            yield Undeclared(door, events, is_more, min(instants), max(instants))


def first_day(connection: Connection, site: str, resource: str, zone: ZoneInfo) -> str | None:
    """Return the local day on which a resource was first heard of, None when it never was."""
    first_ms = connection.execute(_SQL["first_said"], {"site": site, "resource": resource}).fetchone()[0]
    return None if first_ms is None else day_of(first_ms, zone).isoformat()
