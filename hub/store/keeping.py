"""Keeping the tables of figures equal to what was computed: only rows that differ are written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hub.day_hours import unpack_hours
from hub.levels import Peaks
from hub.store.connection import Connection
from hub.store.schema import statements

_SQL = statements("usage")

Table = Literal["hours", "day", "level", "session", "booking", "month"]
Row = tuple[object, ...]
Key = tuple[str | int, ...]
Rows = dict[Key, Row]

KEYS: Mapping[Table, tuple[str, ...]] = {
    "hours": ("resource",),
    "day": ("resource", "start_ms"),
    "level": ("kind",),
    "session": ("resource", "start_ms"),
    "booking": ("resource", "start_ms"),
    "month": ("kind",),
}
"""What tells the rows of one site and day (or month) apart."""

_FIGURE = ("end_ms", "kind", "available_ms", "observed_ms", "occupied_ms", "outside_ms", "ghost_ms")
_PEAKS = Peaks._fields
COLUMNS: Mapping[Table, tuple[str, ...]] = {
    "hours": ("start_ms", "kind", "hours"),
    "day": _FIGURE,
    "level": ("start_ms", "end_ms", *_PEAKS, "profile"),
    "session": ("end_ms", "active_ms", "begun", "ended", "day", "kind"),
    "booking": ("outcome", "day"),
    "month": (
        *("start_ms", "end_ms", "first_day", "last_day", "days", "resources"),
        *("available_ms", "observed_ms", "occupied_ms", "outside_ms", "ghost_ms", "place_days"),
        *_PEAKS,
        *("peak_sum", "peak_days", "sessions", "closed", "dwell_mean_ms", "dwell_median_ms", "dwell_p90_ms"),
        *("bookings", "judged", "no_shows", "told"),
    ),
}
"""What a row says, in order: the values of a statement are where it is, what tells it apart, and these."""

PACKED = {"hours", "profile", "told"}
"""What no person reads."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored row that the events do not bear out; a side is empty when the row is missing there."""

    site: str
    resource: str
    """The desk or room; of levels and months, which kind of place."""
    day: str
    """The local day; of a month, its first one."""
    start_ms: int
    step: Table | Literal["hour"]
    stored: dict[str, object] | None
    computed: dict[str, object] | None
    """What differs, by column."""


class Found(NamedTuple):
    """A row that was not what was computed."""

    table: Table
    where: Mapping[str, str]
    key: Key
    before: Row | None
    after: Row | None


def rows_by_key(rows: Iterable[Sequence[Any]], keys: int) -> Rows:
    """Return rows by their first columns, which tell them apart."""
    return {tuple(row[:keys]): tuple(row[keys:]) for row in rows}


def keep(connection: Connection, table: Table, where: Mapping[str, str], stored: Rows, computed: Rows) -> list[Found]:
    """Make rows what was computed, writing only those that differ; return these."""
    if stored == computed:
        return []
    keys = sorted(stored.keys() | computed.keys())
    found = [Found(table, where, key, stored.get(key), computed.get(key)) for key in keys]
    found = [one for one in found if one.before != one.after]
    dropped = [{**where, **dict(zip(KEYS[table], one.key, strict=True))} for one in found if one.after is None]
    if dropped:
        connection.executemany(_SQL[f"drop_{table}"], dropped)
    # Of a session and of a booking, the row itself says its day: that on which it began.
    first = [value for name, value in where.items() if name not in COLUMNS[table]]
    connection.insert(_SQL[f"put_{table}"], [(*first, *one.key, *one.after) for one in found if one.after is not None])
    return found


def differences(found: Iterable[Found]) -> Iterator[Difference]:
    """Yield what was different, by the names of the columns; of packed hours, each hour."""
    for one in found:
        hours = list(_hours_apart(one)) if one.table == "hours" else []
        yield from (_difference(hour, "hour") for hour in hours) if hours else [_difference(one, one.table)]


def _difference(found: Found, step: Table | Literal["hour"]) -> Difference:
    table, where, key, before, after = found
    names = _FIGURE if step == "hour" else COLUMNS[table]
    pairs = zip(names, before or [None] * len(names), after or [None] * len(names), strict=True)
    differing = [(name, was, is_now) for name, was, is_now in pairs if was != is_now and name not in PACKED]
    start_ms = key[1] if len(key) > 1 else dict(zip(names, after or before or (), strict=True))["start_ms"]
    return Difference(
        site=where["site"],
        resource=str(key[0]),
        day=where.get("day") or where["month"],
        start_ms=int(str(start_ms)),
        step=step,
        stored=None if before is None else {name: was for name, was, _ in differing},
        computed=None if after is None else {name: is_now for name, _, is_now in differing},
    )


def _hours_apart(found: Found) -> Iterator[Found]:
    """Yield the hours of a place and day that differ; none of a day that is there on one side alone."""
    if found.before is None or found.after is None:
        return
    stored, computed = _by_start(found.before), _by_start(found.after)
    for start in sorted(stored.keys() | computed.keys()):
        if (before := stored.get(start)) != (after := computed.get(start)):
            yield found._replace(key=(found.key[0], start), before=before, after=after)


def _by_start(row: Row) -> dict[int, Row]:
    """Return packed hours as rows of their own, by start."""
    _, kind, packed = row
    hours = unpack_hours(packed) if isinstance(packed, bytes) else ()
    return {start: (end, kind, *lengths) for start, end, *lengths in hours}
