"""What doors did: let in, refused and why, forced, left open; counted by the hour from the events, which name nobody.

These counts never freeze: their events stay. An alarm counts once, at the event that brings it: a door that is still
open says so again. Runs inside the caller's transaction. Source: domain.md 3.2 (refused demand); docs/method.md.
"""

import json
from collections import Counter
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.opening import HOUR_MS, Interval, day_bounds
from hub.store.connection import Connection
from hub.store.rows import CountDifference
from hub.store.schema import statements

GRANTED, FORCED, HELD_OPEN = "GRANTED", "FORCED_OPEN", "DOOR_OPEN_TOO_LONG"

_SQL = statements("doors")

_Cell = tuple[str, int, str]
"""Door, beginning of the hour, what it did."""


def settle_doors(connection: Connection, site: str, zone: ZoneInfo, day: str) -> list[CountDifference]:
    """Count what the doors of a site did on a local day; return what was different before."""
    bounds = day_bounds(date.fromisoformat(day), zone)
    rows = connection.execute(_SQL["figures_of_day"], {"site": site, "day": day})
    stored: Counter[_Cell] = Counter({(door, start_ms, what): times for door, start_ms, what, times in rows})
    counted = _counted(connection, site, bounds)
    differences: list[CountDifference] = []
    for cell in sorted(stored.keys() | counted.keys()):
        if stored[cell] == counted[cell]:
            continue
        door, start_ms, what = cell
        values = {"site": site, "door": door, "start_ms": start_ms, "what": what}
        if counted[cell]:
            connection.execute(_SQL["put_figure"], {**values, "day": day, "times": counted[cell]})
        else:
            connection.execute(_SQL["drop_figure"], values)
        differences.append(CountDifference(site, f"{door} {what}", "hour", day, (stored[cell],), (counted[cell],)))
    return differences


def _counted(connection: Connection, site: str, bounds: Interval) -> Counter[_Cell]:
    start_ms, end_ms = bounds
    between = {"site": site, "from_ms": start_ms, "to_ms": end_ms}
    counted: Counter[_Cell] = Counter()
    for at_ms, value in connection.execute(_SQL["decisions"], between):
        door, reason = _decision(value)
        counted[door, _hour(start_ms, at_ms), reason] += 1
    alarms: dict[str, str] = {}
    for door, at_ms, value in connection.execute(_SQL["changes"], between).fetchall():
        if door not in alarms:
            before = connection.execute(_SQL["before"], {"site": site, "door": door, "from_ms": start_ms}).fetchone()
            alarms[door] = "" if before is None else _alarm(before[0])
        alarm = _alarm(value)
        if alarm in (FORCED, HELD_OPEN) and alarm != alarms[door]:
            counted[door, _hour(start_ms, at_ms), alarm] += 1
        alarms[door] = alarm
    return counted


def _hour(start_ms: int, at_ms: int) -> int:
    """Return when the hour of a day begins in which an instant lies: cut from midnight, in real time."""
    return at_ms - (at_ms - start_ms) % HOUR_MS


@lru_cache(1024)
def _decision(value: str) -> tuple[str, str]:
    access = json.loads(value)
    return str(access["door"]), str(access["reason"])


@lru_cache(64)
def _alarm(value: str) -> str:
    return str(json.loads(value)["alarm"])


def spoken_in_hour(connection: Connection, site: str, door: str, start_ms: int) -> list[int]:
    """Return when a door decided or changed its state in the hour that begins then."""
    between = {"site": site, "from_ms": start_ms, "to_ms": start_ms + HOUR_MS}
    found = [at_ms for at_ms, value in connection.execute(_SQL["decisions"], between) if _decision(value)[0] == door]
    return found + [at_ms for subject, at_ms, _ in connection.execute(_SQL["changes"], between) if subject == door]


def next_change(connection: Connection, site: str, door: str, at_ms: int) -> int | None:
    """Return when a door spoke next after an instant: whether that was a new alarm depends on what it said before."""
    values = {"site": site, "door": door, "at_ms": at_ms}
    found: int | None = connection.execute(_SQL["next_change"], values).fetchone()[0]
    return found


def forget_doors(connection: Connection, site: str) -> None:
    """Drop every count of a site's doors: its days begin and end elsewhere."""
    connection.execute(_SQL["forget_figures"], {"site": site})


def instants_of_doors(connection: Connection, site: str) -> list[int]:
    """Return when anything happened at a site's doors."""
    return [row[0] for row in connection.execute(_SQL["instants"], {"site": site})]


def days_of_doors(connection: Connection, site: str) -> list[str]:
    """Return the local days of which a site's doors have counts."""
    return [row[0] for row in connection.execute(_SQL["days_with_figures"], {"site": site})]
