"""Figures changed by hand, and figures of nothing that ever happened: what a rebuild must find, table by table."""

from pathlib import Path

from hub.network import read_network
from hub.store import Store
from hub.store.connection import Engine
from hub.store.keeping import COLUMNS
from tests.support.comings import Bench, alarm, coming, ms
from tests.support.telecentres import CANTAL, Change, put_bookings, put_history, store_in

NOW = "2026-11-03 12:00"
A_YEAR_MS = 365 * 86_400_000

_COLUMNS = {
    "day_hours": ("site", "day", "resource", *COLUMNS["hours"]),
    "day_figure": ("site", "day", "resource", "start_ms", *COLUMNS["day"]),
    "day_level": ("site", "day", "kind", *COLUMNS["level"]),
    "session": ("site", "resource", "start_ms", *COLUMNS["session"]),
    "booking": ("site", "resource", "start_ms", *COLUMNS["booking"]),
    "month_figure": ("site", "month", "kind", *COLUMNS["month"]),
    "visit_figure": (
        *("site", "step", "day", "visits", "half_days", "unique_visitors", "new_visitors"),
        *("most_visits", "most_half_days"),
    ),
    "door_figure": ("site", "door", "start_ms", "what", "day", "times"),
}

TABLES = tuple(_COLUMNS)
"""Every table of figures."""


def hub_that_was_used(home: Path | Engine) -> Store:
    """Return a store with a figure of every kind: Murat, from 30 October to 2 November 2026, and its zones."""
    store = store_in(home, lambda: ms(NOW))
    store.import_network(read_network(CANTAL))
    told: list[Change] = [
        (ms("2026-10-30 08:30"), "desk-01", "vacant"),
        (ms("2026-10-30 09:00"), "desk-01", "occupied"),
        (ms("2026-10-30 10:20"), "desk-01", "vacant"),
        (ms("2026-11-02 09:00"), "desk-01", "occupied"),
        (ms("2026-11-02 11:00"), "desk-01", "vacant"),
    ]
    put_history(store, "murat", told, until=ms("2026-11-02 12:00"))
    put_bookings(store, "murat", [(ms("2026-10-30 10:00"), "room-01", "came")])
    bench = Bench(store, [ms(NOW)])
    bench.come("murat", ("b0000001", "2026-10-30 09:00"), ("b0000001", "2026-11-02 09:00"))
    at_ms = ms("2026-10-30 17:00")
    said = [coming(at_ms, "DENIED_CREDENTIAL_EXPIRED"), alarm(at_ms + 60_000, "FORCED_OPEN")]
    bench.send("murat", [(line, None) for line in said])
    bench.settle()
    bench.writer.close()
    return store


def _copy(table: str, **other: str) -> str:
    """Return a statement that copies the first row of a table, with other values in some columns."""
    columns = _COLUMNS[table]
    values = ", ".join(other.get(column, column) for column in columns)
    return (
        f"insert into {table} ({', '.join(columns)}) select {values} from {table} order by {', '.join(columns)} limit 1"  # noqa: S608 - names of our own
    )


CHANGED_BY_HAND = {
    "hours": "delete from day_hours where resource = 'desk-01'",
    "day": "update day_figure set observed_ms = 5 where resource = 'desk-01'",
    "level": "update day_level set peak = 7",
    "session": "delete from session",
    "session of another day": "update session set day = '2026-10-31'",
    "booking": "update booking set outcome = 'no_show'",
    "month": "update month_figure set sessions = sessions + 1",
    "months": "delete from month_figure",
    "visits of a telecentre": "update visit_figure set visits = visits + 1 where site = 'murat'",
    "visits of a zone": "update visit_figure set unique_visitors = 0 where site = 'zone:est-cantal'",
    "visits of a network": "delete from visit_figure where site = 'zone:reseau:cantal'",
    "most visits of one person": "update visit_figure set most_visits = 9 where step = 'month'",
    "doors": "update door_figure set times = 8 where what = 'FORCED_OPEN'",
    "refusals": "delete from door_figure where what = 'DENIED_CREDENTIAL_EXPIRED'",
}
"""A statement that makes figures wrong, by what it changes."""

KEYS = {
    **dict.fromkeys(("day_hours", "day_figure", "session", "booking"), ("site", "resource", "day", "start_ms")),
    "day_level": ("site", "kind", "day", "start_ms"),
    "month_figure": ("site", "kind", "month", "start_ms"),
    "visit_figure": ("site", "step", "day"),
    "door_figure": ("site", "door", "what", "day", "start_ms"),
}
"""Of each table of figures, where a row stands."""


def damaged(table: str, column: str, value: str) -> str:
    """Return a statement that writes a value into a column of one row of a table."""
    keys = _COLUMNS[table][:4]
    one = f"select {', '.join(keys)} from {table} order by {', '.join(keys)} limit 1"  # noqa: S608 - names of our own
    return f"update {table} set {column} = {value} where ({', '.join(keys)}) = ({one})"  # noqa: S608 - see above


EARLIER = f"start_ms - {A_YEAR_MS}"
STRAYS = {
    "hours of a day without figures": _copy("day_hours", day="'2025-10-30'", start_ms=EARLIER),
    "hours of another day": _copy("day_hours", resource="'desk-99'", start_ms=EARLIER),
    "hours of nowhere": _copy("day_hours", site="'nowhere'"),
    "a day without hours": _copy("day_figure", day="'2025-10-30'", start_ms=EARLIER),
    "a day of nowhere": _copy("day_figure", site="'nowhere'"),
    "levels of a day without figures": _copy("day_level", day="'2025-10-30'", start_ms=EARLIER),
    "levels of nowhere": _copy("day_level", site="'nowhere'"),
    "a session of a day without figures": _copy("session", day="'2025-10-30'", start_ms=EARLIER),
    "a session where its day is not": _copy("session", start_ms=EARLIER),
    "a session of nowhere": _copy("session", site="'nowhere'"),
    "a booking of a day without figures": _copy("booking", day="'2025-10-30'", start_ms=EARLIER),
    "a booking where its day is not": _copy("booking", start_ms=EARLIER),
    "a booking of nowhere": _copy("booking", site="'nowhere'"),
    "a month without days": _copy("month_figure", month="'2025-10-01'"),
    "a month that begins on its second day": _copy("month_figure", month="'2026-10-02'"),
    "a month of a telecentre that never spoke": _copy("month_figure", site="'ydes'"),
    "a month of nowhere": _copy("month_figure", site="'nowhere'"),
    "visits of a day without any": _copy("visit_figure", step="'day'", day="'2025-10-30'"),
    "visits of a week from Wednesday on": _copy("visit_figure", step="'week'", day="'2026-10-28'"),
    "visits of a quarter": _copy("visit_figure", step="'quarter'", day="'2026-10-01'"),
    "visits of a zone that is gone": _copy("visit_figure", site="'zone:gone'"),
    "visits of nowhere": _copy("visit_figure", site="'nowhere'"),
    "a door of a day without events": _copy("door_figure", day="'2025-10-30'", start_ms=EARLIER),
    "a door of another hour": _copy("door_figure", start_ms=EARLIER),
    "a door of nowhere": _copy("door_figure", site="'nowhere'"),
}
"""A statement that adds a row that no event bears out, by what it is of."""
