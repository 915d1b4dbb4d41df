"""Rows of figures that lie where no event can have put them: what settles days one by one would never come upon them.

A rebuild looks at the local days on which a site spoke, and at every row that lies in one of them. What lies elsewhere
is dropped first, for months are added up from days; and before that, what no program can have written: SQLite keeps any
text in a column of numbers, and both databases any text in a column of days. Each function runs inside the caller's
transaction.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import get_args

from hub.day_hours import is_packed
from hub.opening import Interval
from hub.store.connection import Connection
from hub.store.keeping import COLUMNS, KEYS, Found, Table, keep
from hub.store.rows import CountDifference
from hub.store.schema import statements
from hub.store.visit_places import zones_with_members
from hub.store.zones import ZONE
from hub.visits import Period, first_day

_SQL = statements("strays")

PERIODS = get_args(Period)

_DROP = statements("usage")

_MARKS = {
    "marks": (statements("timeline"), "marks_of_site", ("take_mark",)),
    "visit marks": (statements("visits"), "marks_of_place", ("take_mark", "drop_taken_day")),
}
"""Of each kind of marks, the statements that read those of a place, and that drop one."""

_END_OF_DATES_MS = 253_402_300_800_000
"""The first instant of the year 10000."""

_FIRST_YEAR, _LAST_YEAR = 1971, 9998
"""No figure is older than 2020. In these years the days beside a day, its week and its month are dates in any zone."""


def sites_with_figures(connection: Connection) -> list[str]:
    """Return every site that ever spoke, or has a figure of desks or rooms, or a mark."""
    return [row[0] for row in connection.execute(_SQL["sites"])]


def places_with_counts(connection: Connection) -> list[str]:
    """Return every site of the register, every zone, and whatever else has counts or marks; zones last.

    Sites mark them.
    """
    places = {row[0] for row in connection.execute(_SQL["places"])} | zones_with_members(connection).keys()
    return sorted(places, key=lambda place: (str(place).startswith(ZONE), str(place)))


def drop_unreadable(connection: Connection, site: str) -> list[CountDifference]:
    """Drop the figures of desks and rooms, and the marks, whose key is damaged: no day, or an instant that is none."""
    found = _drop_marks(connection, site, "marks")
    for table, keys in KEYS.items():
        for key in _damaged_keys(connection, table, ("month" if table == "month" else "day", *keys), site):
            connection.execute(_DROP[f"drop_{table}"], {"site": site, **key})
            found.append(_unreadable(site, table, key.values()))
    return found


def _damaged_keys(connection: Connection, table: Table, names: Sequence[str], site: str) -> list[dict[str, object]]:
    start = (*KEYS[table], *COLUMNS[table]).index("start_ms") + 1
    found = []
    for row in connection.execute(_SQL[table], {"site": site}):
        key = dict(zip(names, row, strict=False))
        is_readable = _is_readable({**key, "start_ms": row[start], "site": site})
        if not is_readable or (table == "hours" and not is_packed(row[-1])):
            found.append(key)
    return found


def drop_unreadable_counts(connection: Connection, place: str) -> list[CountDifference]:
    """Drop the counts of persons and doors, and the marks, whose key is damaged."""
    found = _drop_marks(connection, place, "visit marks")
    for step, day, *_ in connection.execute(_SQL["visits"], {"site": place}).fetchall():
        if not _is_readable({"step": step, "day": day, "site": place}):
            connection.execute(_SQL["drop_visits"], {"site": place, "step": step, "day": day})
            found.append(_unreadable(place, "visits", (day, step)))
    for door, start_ms, what, day, _ in connection.execute(_SQL["doors"], {"site": place}).fetchall():
        key = {"door": door, "start_ms": start_ms, "what": what}
        if not _is_readable({**key, "day": day, "site": place}):
            connection.execute(_SQL["drop_door"], {"site": place, **key})
            found.append(_unreadable(place, "doors", (day, *key.values())))
    return found


def _drop_marks(connection: Connection, place: str, what: str) -> list[CountDifference]:
    """Drop the marks of what is no day: nothing can be computed of it, and a rebuild computes everything anyway."""
    sql, reading, dropping = _MARKS[what]
    days = [row[0] for row in connection.execute(sql[reading], {"site": place})]
    damaged = [day for day in days if not _is_readable({"site": place, "day": day})]
    for name in dropping:
        connection.executemany(sql[name], [{"site": place, "day": day} for day in damaged])
    return [_unreadable(place, what, (day,)) for day in damaged]


def _is_readable(key: Mapping[str, object]) -> bool:
    """Return whether a row's key is of what it should be: an instant, local days, and names."""
    return all(
        isinstance(value, int) and 0 <= value < _END_OF_DATES_MS
        if name == "start_ms"
        else isinstance(value, str) and (name not in ("day", "month") or _is_day(value))
        for name, value in key.items()
    )


@lru_cache(4096)
def _is_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return day.isoformat() == text and _FIRST_YEAR <= day.year <= _LAST_YEAR


def _unreadable(place: str, what: str, key: Iterable[object]) -> CountDifference:
    """Return a row as a difference: what it was found under, for nothing else of it can be relied upon."""
    site, day, *names = (value if isinstance(value, int | str) else repr(value) for value in (place, *key))
    return CountDifference(str(site), what, "unreadable row", str(day), (day, *names), ())


def drop_strays(connection: Connection, site: str, days: Mapping[str, Interval]) -> list[Found]:
    """Drop the figures of desks and rooms that lie in none of these local days, given with their bounds."""
    starts = sorted(days.values())
    months = {f"{day[:7]}-01" for day in days}

    def lies_within(at_ms: int) -> bool:
        place = bisect_right(starts, at_ms, key=lambda bounds: bounds[0])
        return place > 0 and at_ms < starts[place - 1][1]

    belongs: Mapping[Table, Callable[[str, int], bool]] = {
        "hours": lambda day, _: day in days,
        "day": lambda day, _: day in days,
        "level": lambda day, _: day in days,
        "session": lambda _, start_ms: lies_within(start_ms),
        "booking": lambda _, start_ms: lies_within(start_ms),
        "month": lambda month, _: month in months,
    }
    return [one for table in KEYS for one in _drop(connection, table, site, belongs[table])]


def _drop(connection: Connection, table: Table, site: str, belongs: Callable[[str, int], bool]) -> Iterator[Found]:
    width = len(KEYS[table])
    start = (*KEYS[table], *COLUMNS[table]).index("start_ms") + 1
    rows = [row for row in connection.execute(_SQL[table], {"site": site}) if not belongs(row[0], row[start])]
    for period, *row in rows:
        where = {"site": site, "month" if table == "month" else "day": period}
        yield from keep(connection, table, where, {tuple(row[:width]): tuple(row[width:])}, {})


def drop_stray_visits(connection: Connection, place: str) -> list[CountDifference]:
    """Drop the counts of persons of what is no period: a week that does not begin on a Monday."""
    found: list[CountDifference] = []
    for step, day, *counts in connection.execute(_SQL["visits"], {"site": place}).fetchall():
        if step not in PERIODS or first_day(step, date.fromisoformat(day)).isoformat() != day:
            connection.execute(_SQL["drop_visits"], {"site": place, "step": step, "day": day})
            found.append(CountDifference(place, "visits", step, day, tuple(counts), ()))
    return found


def drop_doors(connection: Connection, site: str) -> list[CountDifference]:
    """Drop all that is counted of the doors of a site that the register does not hold."""
    found: list[CountDifference] = []
    for door, start_ms, what, day, times in connection.execute(_SQL["doors"], {"site": site}).fetchall():
        connection.execute(_SQL["drop_door"], {"site": site, "door": door, "start_ms": start_ms, "what": what})
        found.append(CountDifference(site, f"{door} {what}", "hour", day, (times,), ()))
    return found
