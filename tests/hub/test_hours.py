"""What is read of hours desk by desk is what the tables hold, whatever happened to a desk, however old the hub is."""

import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.day_hours import pack_hours, unpack_hours
from hub.network import Network, NetworkTable, SiteTable
from hub.opening import day_bounds, day_of
from hub.store import Asked, OccupancyRow, Store
from hub.store.connection import Engine
from tests.support.telecentres import Change, put_history, store_in

PARIS = ZoneInfo("Europe/Paris")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SITE = "murat"
KNOWN, FIRST, GONE, END = date(2026, 8, 24), date(2026, 9, 1), date(2026, 9, 15), date(2026, 9, 19)
"""In the register; first heard of; the third desk is taken away; last heard of."""
NOW_MS = day_bounds(date(2026, 10, 15), PARIS)[0]
YEARS = 2
HOURS_OF_AN_EARLIER_BUILD = "create table hour_figure (site text not null, start_ms bigint not null)"


@contextmanager
def lived(home: Path | Engine) -> Iterator[Store]:
    """One telecentre, open until 18:30: desk 2 is in use beyond, and out of service for a day and a half."""
    network = NetworkTable(id="n", name="N", time_zone="Europe/Paris", opening_hours="Mo-Fr 08:00-18:30")
    with closing(store_in(home, lambda: NOW_MS)) as store:
        for today, desks in ((KNOWN, 3), (GONE, 2)):
            table = Network(network=network, site=[SiteTable(id=SITE, name=SITE, desks=desks, visio_rooms=1)])
            store.import_network(table, today=today)
        at = day_bounds(FIRST, PARIS)[0] + 9 * HOUR_MS
        changes: list[Change] = [(at, desk, "vacant") for desk in ("desk-01", "desk-02", "desk-03")]
        for day in range((END - FIRST).days):
            morning = at + day * DAY_MS
            changes += [(morning + 20 * 60_000, "desk-01", "occupied"), (morning + HOUR_MS, "desk-01", "vacant")]
            if day not in (2, 3):
                changes += [(morning + HOUR_MS, "desk-02", "occupied"), (morning + 12 * HOUR_MS, "desk-02", "vacant")]
        changes += [(at + 2 * DAY_MS + HOUR_MS, "desk-02", "out_of_service")]
        changes += [(at + 4 * DAY_MS - 2 * HOUR_MS, "desk-02", "vacant")]
        put_history(store, SITE, sorted(changes), until=day_bounds(END, PARIS)[0])
        settle(store)
        yield store


def settle(store: Store) -> None:
    """Bring every figure up to the events."""
    with closing(store.writer()) as writer:
        pending = True
        while pending:
            with writer.transaction():
                pending = writer.settle_slice()


def put_years_before(store: Store) -> None:
    """Give the telecentre the same hours every four weeks of the years before."""
    columns = "site, resource, kind, day, start_ms, hours"
    with store.changed() as connection:
        rows = connection.execute(f"select {columns} from day_hours where site = ?", (SITE,)).fetchall()  # noqa: S608 - columns
        for back in range(1, YEARS * 13):
            weeks = timedelta(weeks=4 * back)
            earlier_ms = weeks.days * DAY_MS
            moved = [
                (
                    *(SITE, resource, kind, (date.fromisoformat(day) - weeks).isoformat(), start_ms - earlier_ms),
                    pack_hours(
                        (hour[0] - earlier_ms, hour[1] - earlier_ms, *hour[2:]) for hour in unpack_hours(packed)
                    ),
                )
                for _, resource, kind, day, start_ms, packed in rows
            ]
            connection.insert(f"insert into day_hours ({columns}) values (?, ?, ?, ?, ?, ?)", moved)  # noqa: S608 - columns


def expected(store: Store, kind: str, span: tuple[int, int]) -> list[OccupancyRow]:
    """Return what the tables hold of hours in a span, and of the days without figures what the register says."""
    hours, settled = held(store, kind)
    places = {"desk": {"desk-01", "desk-02", "desk-03"}, "room": {"room-01"}}[kind]
    for day in (KNOWN + timedelta(days=n) for n in range((day_of(NOW_MS, PARIS) - KNOWN).days)):
        there = places - {"desk-03"} if day >= GONE else places
        opens = day_bounds(day, PARIS)[0] + 8 * HOUR_MS
        for place in there if day.weekday() < 5 else ():
            if (place, day.isoformat()) not in settled:
                begins = [opens + n * HOUR_MS for n in range(11)]
                hours += [
                    (place, at, at + HOUR_MS, min(HOUR_MS, opens + 21 * HOUR_MS // 2 - at), 0, 0, 0, 0) for at in begins
                ]
    return [OccupancyRow(SITE, *row) for row in sorted(hours) if span[0] <= row[1] < span[1] and row[3]]


def held(store: Store, kind: str) -> tuple[list[tuple[Any, ...]], set[tuple[str, str]]]:
    """Return the hours of desks or of rooms as they stand in the table, and of which places and days it has any row."""
    with store.seen() as connection:
        asked = "select resource, day, hours from day_hours where site = ? and kind = ?"
        rows = connection.execute(asked, (SITE, kind)).fetchall()
    hours = [
        (resource, *words)
        for resource, _, packed in rows
        for words in (struct.unpack(">qqiiiii", packed[at : at + 36]) for at in range(0, len(packed), 36))
    ]
    return hours, {(resource, day) for resource, day, _ in rows}


def spans() -> list[tuple[int, int]]:
    """Whole days, days that are cut within an hour, days before anything was heard, and all there is."""
    first, end = day_bounds(FIRST, PARIS)[0], day_bounds(END, PARIS)[1]
    cut = first + 2 * DAY_MS + 10 * HOUR_MS + 17, first + 3 * DAY_MS + 18 * HOUR_MS + 1
    return [(first, end), cut, (first - 8 * DAY_MS, first + DAY_MS), (first - YEARS * 366 * DAY_MS, NOW_MS)]


def test_hours_are_told_desk_by_desk_as_the_tables_hold_them(home: Path | Engine) -> None:
    with lived(home) as store:
        for span in spans():
            for kind in ("desk", "room"):
                assert store.occupancy(SITE, kind, "hour", *span) == expected(store, kind, span)
                assert store.occupancy(None, kind, "hour", *span) == expected(store, kind, span)
        whole = store.occupancy(SITE, "desk", "hour", *spans()[0])
        third = {day_of(row.start_ms, PARIS) for row in whole if row.resource == "desk-03"}
        assert max(third) < GONE
        lost = FIRST + timedelta(days=3)
        assert lost not in {day_of(row.start_ms, PARIS) for row in whole if row.resource == "desk-02"}
        assert any(row.outside_ms and row.available_ms for row in whole)


def test_hours_are_the_same_when_years_of_them_are_in_the_table(home: Path | Engine) -> None:
    with lived(home) as store:
        put_years_before(store)
        for span in spans():
            assert store.occupancy(SITE, "desk", "hour", *span) == expected(store, "desk", span)


@pytest.mark.parametrize("zone", [ZoneInfo("America/Martinique"), ZoneInfo("Pacific/Kiritimati")], ids=str)
def test_hours_are_those_of_a_span_of_utc_far_from_it_in_the_east_and_in_the_west(
    home: Path | Engine, zone: ZoneInfo
) -> None:
    network = NetworkTable(id="n", name="N", time_zone=str(zone), opening_hours="24/7")
    midnight = day_bounds(date(2026, 9, 4), ZoneInfo("UTC"))[0]
    with closing(store_in(home, lambda: NOW_MS)) as store:
        table = Network(network=network, site=[SiteTable(id=SITE, name=SITE, desks=1, visio_rooms=0)])
        store.import_network(table, today=KNOWN)
        put_history(store, SITE, [(midnight - 3 * DAY_MS, "desk-01", "occupied")], until=midnight + 5 * DAY_MS)
        cuts = [midnight + day * DAY_MS + hour * HOUR_MS for day in range(3) for hour in (0, 23)]
        for start, end in combinations(cuts, 2):
            hours = range(start, end, HOUR_MS)
            in_use = [(at, at + HOUR_MS, *[HOUR_MS] * 3) for at in hours]
            assert store.occupancy(SITE, "desk", "hour", start, end) == [
                OccupancyRow(SITE, "desk-01", *row) for row in in_use
            ]
            assert [
                (row.start_ms, row.end_ms, row.available_ms, row.observed_ms, row.occupied_ms)
                for row in store.hours(SITE, "desk", start, end)
            ] == in_use


def test_hours_in_which_a_telecentre_was_closed_count_when_they_were_in_use(home: Path | Engine) -> None:
    with lived(home) as store:
        first, end = spans()[0]
        places = [Asked(SITE, "site", (SITE,))]
        told = {
            row.start_ms: row.values["outside_ms"]
            for row in store.indicators(places, "desk", "hour", lambda _: (first, end))
        }
        outside_ms, available_ms = Counter[int](), Counter[int]()
        for _, start_ms, _, available, _, _, outside, _ in held(store, "desk")[0]:
            outside_ms[int(start_ms)] += int(outside)
            available_ms[int(start_ms)] += int(available)
        assert {at: outside for at, outside in told.items() if outside} == +outside_ms
        closed = [at for at in outside_ms if not available_ms[at]]
        assert closed
        assert not {row.start_ms for row in store.occupancy(SITE, "desk", "hour", first, end)} & set(closed)


def test_a_database_of_an_earlier_build_computes_its_hours_anew(home: Path | Engine) -> None:
    with lived(home) as store:
        first, end = spans()[0]
        before = store.occupancy(SITE, "desk", "hour", first, end)
        days = store.occupancy(SITE, "desk", "day", first, end)
        with store.changed() as connection:
            connection.execute("drop table day_hours")
            connection.execute("drop index dirty_newest")
            connection.execute(HOURS_OF_AN_EARLIER_BUILD)
            connection.execute("delete from migration where version = 16")
    with closing(store_in(home, lambda: NOW_MS)) as store:
        assert {row.observed_ms for row in store.occupancy(SITE, "desk", "hour", first, end)} == {0}
        assert store.occupancy(SITE, "desk", "day", first, end) == days
        settle(store)
        assert store.occupancy(SITE, "desk", "hour", first, end) == before
        assert store.rebuild() == []
