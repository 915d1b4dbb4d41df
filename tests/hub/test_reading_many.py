"""What is read for many at once says the same as what is read one by one."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.network import Network, NetworkTable, SiteTable
from hub.opening import day_bounds
from hub.store import Asked, IndicatorRow, Store, StoreDownError, StoreRefusedError
from hub.store.connection import Engine
from hub.store.hours import HourRow
from hub.store.months import FEW_SITES, packed, unpacked
from hub.store.rows import Kind
from tests.support.postgres import Postgres
from tests.support.telecentres import MIDNIGHT_MS, NOON_MS, Change, cantal, put_history, store_in
from tests.support.waiting import PATIENCE_S, eventually

KINDS: tuple[Kind, ...] = ("desk", "room")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PARIS = ZoneInfo("Europe/Paris")
SEPTEMBER = date(2026, 9, 1)
CROWD = [f"site-{number:03}" for number in range(FEW_SITES + 6)]
EARLY, LATE, UNHEARD, ABROAD, SILENT, BLIND = CROWD[:6]
"""Heard from before September on; from its day of registration on; only later than that; elsewhere; never; and one that
knows nothing of its desks."""


@contextmanager
def network(home: Path | Engine, now_ms: int, names: Sequence[str] = CROWD[:6]) -> Iterator[Store]:
    table = NetworkTable(id="n", name="N", time_zone="Europe/Paris", opening_hours="Mo-Fr 08:00-19:00")
    sites = [
        SiteTable(id=name, name=name, desks=3, visio_rooms=1, time_zone="Indian/Reunion" if name == ABROAD else None)
        for name in names
    ]
    with closing(store_in(home, lambda: now_ms)) as store:
        store.import_network(Network(network=table, site=sites), today=date(2026, 9, 8))
        for name, day in ((EARLY, date(2026, 8, 20)), (LATE, date(2026, 9, 8)), (UNHEARD, date(2026, 9, 10))):
            put_history(store, name, busy(day), until=day_bounds(date(2026, 10, 2), PARIS)[0])
        put_history(store, ABROAD, busy(date(2026, 8, 20)), until=day_bounds(date(2026, 10, 2), PARIS)[0])
        blind: list[Change] = [(day_bounds(date(2026, 8, 20), PARIS)[0], "desk-01", "unknown")]
        put_history(store, BLIND, blind, until=day_bounds(date(2026, 10, 2), PARIS)[0])
        settle(store)
        yield store


def settle(store: Store) -> None:
    with closing(store.writer()) as writer:
        pending = True
        while pending:
            with writer.transaction():
                pending = writer.settle_slice()


def busy(first: date) -> list[Change]:
    """The third desk is never heard of."""
    start = day_bounds(first, PARIS)[0] + 9 * HOUR_MS
    changes: list[Change] = [(start, "desk-01", "vacant"), (start, "desk-02", "vacant")]
    for day in range((date(2026, 9, 20) - first).days):
        at = start + day * DAY_MS
        changes += [(at + HOUR_MS, "desk-01", "occupied"), (at + 3 * HOUR_MS, "desk-01", "vacant")]
        if day % 3 == 0:
            changes += [(at + 4 * HOUR_MS, "desk-02", "occupied"), (at + 12 * HOUR_MS, "desk-02", "vacant")]
    return changes


def month(zone: ZoneInfo) -> tuple[int, int]:
    return day_bounds(SEPTEMBER, zone)[0], day_bounds(date(2026, 10, 1), zone)[0]


def two_months(zone: ZoneInfo) -> tuple[int, int]:
    return day_bounds(date(2026, 8, 1), zone)[0], day_bounds(date(2026, 10, 1), zone)[0]


def asked(store: Store, names: list[str]) -> list[IndicatorRow]:
    places = [Asked(name, "site", (name,)) for name in names]
    return [
        row
        for bounds in (month, two_months)
        for kind in KINDS
        for row in sorted(store.indicators(places, kind, "month", bounds), key=lambda row: (row.place, row.start_ms))
    ]


def test_months_of_many_telecentres_are_those_of_each_alone(home: Path | Engine) -> None:
    with network(home, day_bounds(date(2026, 10, 5), PARIS)[0], CROWD) as store:
        together = asked(store, CROWD)
        alone = [row for name in CROWD for row in asked(store, [name])]
        assert sorted(together, key=repr) == sorted(alone, key=repr)
        september = {
            row.place: row.values for row in together if row.start_ms == month(PARIS)[0] and row.bookings is None
        }
        assert september[EARLY]["sessions"] == 19 + 7
        assert september[LATE]["sessions"] == 12 + 4
        assert september[SILENT]["observed_ms"] == 0
        blind = september[BLIND]
        assert (blind["sessions"], blind["peak"], blind["min_free"], blind["dwell_median_ms"]) == (0, None, None, None)
        # What was not heard of its first two days is missing time, not a shorter month.
        late, unheard = september[LATE]["available_ms"], september[UNHEARD]["available_ms"]
        assert late == unheard


def test_months_that_an_older_hub_has_kept_are_told_from_their_days_until_they_are_kept_anew(
    home: Path | Engine,
) -> None:
    now_ms = day_bounds(date(2026, 10, 5), PARIS)[0]
    with network(home, now_ms, CROWD) as store:
        before, kept = asked(store, CROWD), months_kept(store)
        assert kept
        with store.changed() as older:
            older.execute("alter table month_figure drop column told")
            older.execute("delete from migration where version = 15")
    with closing(store_in(home, lambda: now_ms)) as store:
        assert months_kept(store) == 0
        assert asked(store, CROWD) == before
        settle(store)
        assert months_kept(store) == kept
        assert asked(store, CROWD) == before
        assert store.rebuild() == []


def months_kept(store: Store) -> int:
    with store.seen() as connection:
        return int(connection.execute("select count(*) from month_figure where told is not null").fetchone()[0])


integers = st.integers(-(2**31), 2**31 - 1) | st.none()
times = st.integers(-(2**63), 2**63 - 1) | st.none()
means = st.floats(allow_nan=False) | st.none()


@given(
    st.tuples(
        *([integers] + [times] * 5 + [integers]),
        *([integers, times, integers, integers] + [times] * 3 + [integers] * 2),
        *(integers, integers, means, means, times, integers, integers, integers),
    )
)
def test_what_is_unknown_of_a_month_stays_unknown(told: tuple[float | None, ...]) -> None:
    assert [row[1:] for row in unpacked([packed(told)] * 2)] == [told, told]


@pytest.mark.parametrize("days", [60, 0])
def test_the_hours_of_a_telecentre_are_those_of_its_desks_added_up(home: Path | Engine, days: int) -> None:
    """Long after, and while an hour of the last day is under way."""
    end = day_bounds(date(2026, 9, 9), PARIS)[0] + 15 * HOUR_MS + 1_234
    start = end - 9 * DAY_MS
    with network(home, end + days * DAY_MS) as store:
        pooled = {name: store.hours(name, "desk", start, end) for name in CROWD[:5]}
        for name, hours in pooled.items():
            expected: dict[int, HourRow] = {}
            for row in store.occupancy(name, "desk", "hour", start, end):
                known = expected.get(row.start_ms, HourRow(row.start_ms, row.end_ms, 0, row.resource, 0, 0, 0))
                expected[row.start_ms] = HourRow(
                    row.start_ms,
                    row.end_ms,
                    known.resources + 1,
                    min(known.resource, row.resource),
                    known.available_ms + row.available_ms,
                    known.observed_ms + row.observed_ms,
                    known.occupied_ms + row.occupied_ms,
                )
            assert hours == [expected[at] for at in sorted(expected)]
        assert any(hour.occupied_ms for hour in pooled[EARLY])
        assert pooled[SILENT]


def test_a_telecentre_that_the_register_does_not_hold_has_no_hours(home: Path | Engine) -> None:
    with network(home, MIDNIGHT_MS) as store:
        assert store.hours("nowhere", "desk", MIDNIGHT_MS - DAY_MS, MIDNIGHT_MS) == []
        assert store.sites("nowhere") == []
        assert store.sites(EARLY) == [site for site in store.sites() if site.id == EARLY]


def test_a_name_that_is_no_text_of_a_database_is_no_telecentre(home: Path | Engine) -> None:
    with closing(store_in(home)) as store:
        assert store.sites("murat\0") == []


def test_a_question_that_a_database_refuses_spoils_no_other(home: Path | Engine) -> None:
    with closing(cantal(home)) as store:
        known = store.hours("murat", "desk", NOON_MS - DAY_MS, NOON_MS)
        with suppress(StoreRefusedError):
            assert store.hours("murat\0", "desk", NOON_MS - DAY_MS, NOON_MS) == []
        assert store.hours("murat", "desk", NOON_MS - DAY_MS, NOON_MS) == known
        assert len(store.sites()) == 10


def test_all_that_is_asked_of_a_server_at_once_is_of_one_state(postgres: Postgres, tmp_path: Path) -> None:
    server = postgres.database(tmp_path)
    renamed = "select count(*) from site where name = 'renamed'"
    halted = "select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and not granted"
    found: list[list[tuple[int, ...]]] = []
    with closing(cantal(server)) as store, closing(server.guest()) as gate, closing(server.reader()) as reader:
        gate.execute("select pg_advisory_lock(7)")
        wait = "select 1 from pg_advisory_xact_lock(7)"
        asking = Thread(target=lambda: found.extend(reader.ask((renamed, ()), (wait, ()), (renamed, ()))))
        asking.start()
        eventually(lambda: gate.execute(halted).fetchone() == (1,), what="the question waits in its middle")
        with store.changed() as connection:
            connection.execute("update site set name = 'renamed'")
        gate.execute("select pg_advisory_unlock(7)")
        asking.join(PATIENCE_S)
        assert found == [[(0,)], [(1,)], [(0,)]]
        assert reader.ask((renamed, ())) == [[(10,)]]


@pytest.mark.parametrize("before", range(4, 8))
def test_a_reader_whose_question_was_cut_off_answers_the_next(postgres: Postgres, tmp_path: Path, before: int) -> None:
    """psycopg prepares what is asked the sixth time: also what the server skips because something before it failed."""
    server = postgres.database(tmp_path)
    questions = (("select count(*) from site", ()), ("select count(*) from resource where kind = ?", ("desk",)))
    with closing(cantal(server)), closing(server.guest()) as gate, closing(server.reader()) as reader:
        for _ in range(before):
            reader.ask(*questions)
        reader.execute("set statement_timeout = 200")
        gate.execute("begin")
        gate.execute("lock table site in access exclusive mode")
        with pytest.raises(StoreDownError):
            reader.ask(*questions)
        gate.rollback()
        assert [reader.ask(*questions) for _ in range(3)] == [[[(10,)], [(47,)]]] * 3
