"""Desks, rooms and doors of which a telecentre speaks and that the register does not hold: kept, and in no figure.

What they said is in the timeline like that of any other: once they are declared, their figures are computed from it.
"""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from hub.opening import day_bounds, day_of
from hub.statistics import UNKNOWN
from hub.store.connection import Connection
from hub.store.schema import statements

MAX_PLACES = 50
"""Of one telecentre that are told: more is a box with another one's settings, and the first ones show that."""

MAX_COUNTED = 10_000
"""Changes of state counted for one place: some months of a desk, found in a few milliseconds."""

MAX_DOOR_EVENTS = 2_000
"""The last ones of a telecentre, among which doors are looked for: some days."""

_SQL = statements("undeclared")


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A desk, room or door that the register does not hold, and what was heard of it."""

    resource: str
    changes: int
    is_more: bool
    """There may be more changes than were counted; of a door, for it is looked for among the last ones only."""
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
        changes, first_ms = connection.execute(_SQL["count_said"], {**key, "most": MAX_COUNTED}).fetchone()
        if changes:
            last_ms = connection.execute(_SQL["last_said"], key).fetchone()[0]
            found.append(Undeclared(resource, changes, changes == MAX_COUNTED, first_ms, last_ms))
    doors = connection.execute(_SQL["doors"], {"site": site, "most": MAX_DOOR_EVENTS}).fetchall()
    found += [Undeclared(door, changes, True, *span) for door, changes, *span in doors[:MAX_PLACES]]
    return sorted(found, key=lambda place: place.resource)


def first_day(connection: Connection, site: str, resource: str, zone: ZoneInfo) -> str | None:
    """Return the local day on which a resource was first heard of, None when it never was."""
    first_ms = connection.execute(_SQL["first_said"], {"site": site, "resource": resource}).fetchone()[0]
    return None if first_ms is None else day_of(first_ms, zone).isoformat()
