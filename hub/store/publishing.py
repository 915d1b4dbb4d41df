"""Reading a month of all telecentres at once, for a release: some statements, however many telecentres there are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from sys import intern
from typing import NamedTuple

from hub.opening import Interval, opened
from hub.store.connection import Connection
from hub.store.register import Calendar, read_calendars
from hub.store.rows import Kind
from hub.store.schema import statements
from hub.store.zones import Zone, read_zones

Use = tuple[str, str, int, int, int]
"""A desk or room and a local day; for how long it was available, observed, occupied."""

_SQL = statements("publishing")
_TOTALS = statements("totals")


class DayRow(NamedTuple):
    """One desk or room on one local day, for a release; `sessions` are those that began on it. For inside alone."""

    site: str
    resource: str
    day: str
    """The local day, as text."""
    available_ms: int
    observed_ms: int
    occupied_ms: int
    sessions: int


def read_days(connection: Connection, kind: Kind, month: Interval, first: date, end: date) -> Iterator[DayRow]:
    """Yield what each desk or room did on each local day from `first` to before `end`, by site, resource and day.

    A day for which nothing was heard has its available time and no other. What was confidential on any day since the
    first one is left out. `month` holds these days of every time zone.
    """
    asked = {"kind": kind, "first": first.isoformat(), "end": end.isoformat()}
    closed = set(connection.execute(_SQL["confidential"], {"first": asked["first"]}))
    days = [first + timedelta(days=number) for number in range((end - first).days)]
    begun = _begun(connection.execute(_SQL["sessions"], {**asked, "start_ms": month[0], "end_ms": month[1]}))
    used = groupby(connection.execute(_SQL["days"], asked), key=itemgetter(0))
    heard = next(used, None)
    for site, calendar in read_calendars(connection).items():
        rows: list[Use] = []
        if heard is not None and heard[0] == site:
            rows = [(intern(resource), intern(day), *times) for _, resource, day, *times in heard[1]]
            heard = next(used, None)
        rows += _silent(calendar, kind, days, {row[:2] for row in rows})
        counts = begun.pop(site, Counter())
        rows += ((*at, 0, 0, 0) for at in counts.keys() - {row[:2] for row in rows})
        rows.sort()
        name = intern(site)
        yield from (DayRow(name, *row, counts[row[:2]]) for row in rows if (site, row[0]) not in closed)


def pending_before(connection: Connection, day: date, until_ms: int) -> int:
    """Return how much is still to be computed that bears on days before a local day, which begins before `until_ms`.

    What the telecentres send today is computed all the time, and need not be waited for. That day itself counts: what
    began at midnight may go on.
    """
    asked = {"day": day.isoformat(), "until_ms": until_ms}
    return int(connection.execute(_SQL["pending"], asked).fetchone()[0])


def last_heard_ms(connection: Connection) -> int | None:
    """Return the instant of the last event heard from any site, or None when none was."""
    heard: int | None = connection.execute(_TOTALS["last_heard"]).fetchone()[0]
    return heard


def read_zones_of(connection: Connection, first: date, end: date) -> list[list[Zone]]:
    """Return the zones as they were on `first`, and on each later local day before `end` that changed one, in order."""
    between = {"first": first.isoformat(), "end": end.isoformat()}
    changes = [row[0] for row in connection.execute(_SQL["changes_of_zones"], between)]
    return [read_zones(connection, day) for day in (between["first"], *changes)]


def _begun(rows: Iterable[tuple[str, str, str]]) -> dict[str, Counter[tuple[str, str]]]:
    """Return how many sessions began, by site: of each desk or room on each day."""
    return {
        site: Counter((intern(resource), intern(day)) for _, resource, day in of_site)
        for site, of_site in groupby(rows, key=itemgetter(0))
    }


def _silent(calendar: Calendar, kind: Kind, days: Sequence[date], heard: set[tuple[str, str]]) -> Iterator[Use]:
    """Yield the days on which desks or rooms count and of which nothing was heard."""
    places = [place for place in calendar.places if place.kind == kind]
    for day in days:
        name = intern(day.isoformat())
        silent = [place.resource for place in places if (place.resource, name) not in heard and place.counts_on(name)]
        if silent and calendar.since <= name:
            hours = opened(calendar.opening_hours(name), calendar.zone, day)
            open_ms = sum(until_ms - from_ms for from_ms, until_ms in hours)
            yield from ((resource, name, open_ms, 0, 0) for resource in silent)
