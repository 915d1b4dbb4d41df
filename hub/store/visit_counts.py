"""How many persons came to one place in each period: read from the journal, counted, and written down if different.

Inside the caller's transaction; in steps, because a zone of thousands of telecentres takes seconds as a whole.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from hub.store.connection import Connection
from hub.store.rows import CountDifference
from hub.store.schema import statements
from hub.store.visit_places import ALL_DAYS, FEW_SITES, Days, Members, belongs, time_zones, within
from hub.store.visitors import Visitors
from hub.visits import (
    ABSENT_MS,
    NOBODY,
    Comings,
    Counts,
    Entry,
    Period,
    added,
    bounds_of,
    count_persons,
    cuts,
    first_day,
    gather,
    half_of,
    next_day,
)

PERSONS_A_STEP = 1_000
"""Of a zone, counted together: some milliseconds."""

Counted = dict[tuple[Period, date], Counts]
"""Of one place, by period and its first day."""

PERIODS: tuple[Period, ...] = ("day", "week", "month")

_SQL = statements("visits")


def settle_place(connection: Connection, place: str, members: Members, days: Iterable[str]) -> list[CountDifference]:
    """Count the persons of a place in the periods in which these days lie, unless they are frozen.

    Return what was different before.
    """
    steps = count_place(connection, members, days)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return store_counts(connection, place, end.value)


def count_place(connection: Connection, members: Members, days: Iterable[str]) -> Generator[None, None, Counted]:
    """Count the persons of a place in the periods in which these days lie, unless they are frozen.

    Yield after each step, of some milliseconds.
    """
    zones = time_zones(connection, members)
    purged_ms = purged_until(connection)
    visitors = Visitors(connection, many=len(members) > FEW_SITES)
    if len(members) > FEW_SITES:
        yield from visitors.read_all()
    periods = {(period, first_day(period, date.fromisoformat(day))) for period in PERIODS for day in days}
    counted: Counted = {}
    for period, first in sorted(periods):
        if is_frozen(period, first, zones.values(), purged_ms):
            continue
        comings: Comings = {}
        there = within(members, first, next_day(period, first))
        for entries in _entries(connection, visitors, there, zones, (period, first)):
            gather(entries, comings)
            yield
        counts, persons = NOBODY, iter(comings.items())
        while some := list(islice(persons, PERSONS_A_STEP)):
            counts = added(counts, count_persons(some, partial(visitors.is_new, first=first)))
            yield
        counted[period, first] = counts
    return counted


def store_counts(connection: Connection, place: str, counted: Counted) -> list[CountDifference]:
    """Make the rows of a place what was counted; return what was different before."""
    found = [
        _store(connection, (place, period, first.isoformat()), counts) for (period, first), counts in counted.items()
    ]
    return [difference for differences in found for difference in differences]


def purged_until(connection: Connection) -> int:
    """Return before when entries may be forgotten."""
    purged_ms: int = connection.execute(_SQL["purged"]).fetchone()[0]
    return purged_ms


def is_frozen(period: Period, first: date, zones: Iterable[ZoneInfo], purged_ms: int) -> bool:
    """Return whether a part of a period's journal may be gone; of no site at all, by UTC."""
    start_ms = min((bounds_of(period, first, zone)[0] for zone in set(zones)), default=None)
    return (bounds_of(period, first, ZoneInfo("UTC"))[0] if start_ms is None else start_ms) < purged_ms


def _entries(
    connection: Connection,
    visitors: Visitors,
    members: Members,
    zones: Mapping[str, ZoneInfo],
    when: tuple[Period, date],
) -> Iterator[Iterator[Entry]]:
    """Yield who came in at each site of a place, while part of it, in a period and in the half hour before it."""
    halves = {zone: (cuts(*when, zone), bounds_of(*when, zone)) for zone in set(zones.values())}
    for site, days in members.items():
        if site in zones:
            instants, (start_ms, end_ms) = halves[zones[site]]
            between = {"site": site, "from_ms": start_ms - ABSENT_MS, "to_ms": end_ms}
            rows = connection.execute(_SQL["entries"], between).fetchall()
            yield _entries_of(rows, visitors, days, when[1], instants)


def _entries_of(
    rows: Iterable[tuple[str, int]], visitors: Visitors, days: Days, first: date, instants: Sequence[int]
) -> Iterator[Entry]:
    for credential, at_ms in rows:
        half = half_of(at_ms, instants)
        if days == ALL_DAYS or belongs(days, (first + timedelta(days=half // 2)).isoformat()):
            yield visitors.person(credential, at_ms), at_ms, half


def _store(connection: Connection, where: tuple[str, Period, str], counted: Counts) -> list[CountDifference]:
    """Make the row of a period what was counted; a live period without anybody has none."""
    key = dict(zip(("site", "step", "day"), where, strict=True))
    row = connection.execute(_SQL["figure"], key).fetchone()
    stored = NOBODY if row is None else Counts(*row)
    if stored == counted:
        return []
    if counted == NOBODY:
        connection.execute(_SQL["drop_figure"], key)
    else:
        connection.execute(_SQL["put_figure"], {**key, **counted._asdict()})
    return [CountDifference(where[0], "visits", where[1], where[2], tuple(stored), tuple(counted))]
