"""The store on a real file: history once each, losses visible, figures that follow, a register with dates."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from contract.limits import MAX_BATCH_EVENTS, MAX_HELLO_STREAMS
from contract.messages import Held, Hello
from hub.day_hours import pack_hours, unpack_hours
from hub.network import Network, read_network
from hub.receiver import Batch
from hub.store import Difference, Store, StoreDownError, Writer
from hub.store.connection import Engine
from hub.store.schema import migrate, statements
from hub.store.sqlite import SqliteConnection, SqliteFile
from hub.store.writer import LATE_MS, MAX_EMPTY_STREAMS
from tests.hub.test_receiver import NOW, STREAM, access, batch, desk
from tests.support.telecentres import CANTAL, cantal, store_in

DAY_MS = 86_400_000


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    opened = cantal(home, now_ms=NOW)
    yield opened
    opened.close()


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Store]:
    opened = cantal(tmp_path, now_ms=NOW)
    yield opened
    opened.close()


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    opened = store.writer()
    yield opened
    opened.close()


def query(store: Store, sql: str) -> list[tuple[object, ...]]:
    with store.seen() as connection:
        return connection.execute(sql).fetchall()


def test_every_connection_syncs_each_commit_to_the_disk(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "hub.db")
    for opened in (file.writer, file.guest, file.reader):
        connection = opened()
        assert connection.execute("pragma synchronous").fetchone() == (2,)
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        connection.close()


WHOLE_FILE = {"migration", "dirty", "visit_mark", "journal_purged", "backup", "restored", "erasure"}
WHOLE_NETWORK = {
    "member",
    "pass",
    "credential",
    "credential_state",
    "pass_used",
    "register_change",
    "rights_resumed",
    "reading",
}
"""Of no site: small, and the same on each server."""


def test_migrations_are_applied_once_and_every_key_begins_with_the_site(tmp_path: Path) -> None:
    connection = SqliteFile(tmp_path / "hub.db").guest()
    assert migrate(connection) == migrate(connection)
    tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    for table in set(tables) - WHOLE_FILE - WHOLE_NETWORK:
        key = [row[1] for row in connection.execute(f"pragma table_info({table})") if row[5] == 1]
        assert key == ["site"], table
    connection.close()


def test_a_store_whose_folder_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreDownError, match="its folder does not exist"):
        Store(tmp_path / "nowhere" / "hub.db")


def test_the_same_batch_twice_is_stored_once(store: Store, writer: Writer) -> None:
    with writer.transaction():
        assert writer.receive(batch(desk(), desk("vacant")), NOW) == (2, 2)
        assert writer.receive(batch(desk(), desk("vacant")), NOW) == (2, 0)
    assert store.totals().events == 2
    assert store.totals().quarantined == 0


def test_a_full_batch_is_stored_under_its_positions(store: Store, writer: Writer) -> None:
    lines = [desk(up=up) for up in range(1, MAX_BATCH_EVENTS + 1)]
    with writer.transaction():
        assert writer.receive(batch(*lines[:73]), NOW) == (73, 73)
        assert writer.receive(batch(*lines), NOW) == (MAX_BATCH_EVENTS, MAX_BATCH_EVENTS - 73)
    assert query(store, "select seq, up from event order by seq") == [(up, up) for up in range(1, len(lines) + 1)]
    assert query(store, "select events from stream") == [(MAX_BATCH_EVENTS,)]


def test_the_same_position_with_other_bytes_is_set_aside_and_alarmed(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(desk("occupied")), NOW)
        writer.receive(batch(desk("vacant")), NOW)
        writer.receive(batch(desk("vacant")), NOW)
    assert (store.totals().events, store.totals().quarantined) == (1, 1)
    assert "conflicting_event" in {alarm.reason for alarm in store.totals().alarms}


def test_a_rolled_back_transaction_leaves_nothing(store: Store, writer: Writer) -> None:
    def fail_late() -> None:
        with writer.transaction():
            writer.receive(batch(desk()), NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert store.totals().streams == ()


def test_a_hello_that_reveals_a_loss_writes_a_gap(store: Store, writer: Writer) -> None:
    hello = Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=6, last=9)])
    with writer.transaction():
        writer.receive(batch(desk(), desk()), NOW)
        assert writer.greet(hello, NOW)[0].seq == 5
        assert writer.greet(hello, NOW)[0].seq == 5
        assert writer.receive(batch(desk(), first=6), NOW) == (6, 1)
    assert [(gap.first, gap.last) for gap in store.totals().gaps] == [(3, 5)]


def test_a_hello_asks_the_database_one_question_however_many_streams_it_has(in_file: Store) -> None:
    writer = in_file.writer()
    asked: list[str] = []
    many = [Held(stream=f"{nth:032x}", first=1, last=9) for nth in range(MAX_HELLO_STREAMS)]
    connection = writer._connection
    assert isinstance(connection, SqliteConnection)
    connection.set_trace_callback(asked.append)
    with writer.transaction():
        acks = writer.greet(Hello(site="murat", hello_id="0" * 16, streams=many), NOW)
    connection.set_trace_callback(None)
    assert [ack.stream for ack in acks] == [held.stream for held in many]
    writer.close()
    assert len(asked) == 3, "begin, one question, commit"


def test_a_hello_from_a_disk_that_went_back_raises_an_alarm(store: Store, writer: Writer) -> None:
    hello = Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=1, last=1)])
    with writer.transaction():
        writer.receive(batch(desk(), desk()), NOW)
        assert writer.greet(hello, NOW + LATE_MS)[0].seq == 2
    assert "disk_went_back" in {alarm.reason for alarm in store.totals().alarms}


def test_a_hello_that_batches_have_overtaken_raises_no_alarm(store: Store, writer: Writer) -> None:
    hello = Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=1, last=1)])
    with writer.transaction():
        writer.receive(batch(desk(), desk()), NOW)
        assert writer.greet(hello, NOW + LATE_MS - 1)[0].seq == 2
    assert store.totals().alarms == ()


def test_a_clone_is_alarmed_though_the_first_box_sends_on(store: Store, writer: Writer) -> None:
    hello = Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=1, last=1)])
    with writer.transaction():
        writer.receive(batch(desk(), desk()), NOW)
        writer.receive(batch(desk(), first=3), NOW + LATE_MS)
        assert writer.greet(hello, NOW + LATE_MS)[0].seq == 3
    assert "disk_went_back" in {alarm.reason for alarm in store.totals().alarms}


def test_a_site_grows_no_tables_by_hellos_alone(store: Store, writer: Writer) -> None:
    def told(page: int, first: int) -> list[int]:
        names = [f"{MAX_HELLO_STREAMS * page + nth:032x}" for nth in range(MAX_HELLO_STREAMS)]
        held = [Held(stream=name, first=first, last=9_999) for name in names]
        return [ack.seq for ack in writer.greet(Hello(site="murat", hello_id="0" * 16, streams=held), NOW)]

    pages = MAX_EMPTY_STREAMS // MAX_HELLO_STREAMS
    with writer.transaction():
        for first in (2, 3, 4):
            assert all(told(page, first) == [first - 1] * MAX_HELLO_STREAMS for page in range(pages))
        assert told(pages, 2) == [0] * MAX_HELLO_STREAMS
    totals = store.totals()
    assert (len(totals.streams), {(gap.first, gap.last) for gap in totals.gaps}) == (MAX_EMPTY_STREAMS, {(1, 3)})
    assert {alarm.reason: alarm.times for alarm in totals.alarms}["refused_gap"] == MAX_HELLO_STREAMS
    with writer.transaction():
        header, lines = batch(desk(), first=4).header, [desk()]
        writer.receive(Batch(header.model_copy(update={"stream": f"{0:032x}"}), lines), NOW)
        assert told(pages, 2) == [1] + [0] * (MAX_HELLO_STREAMS - 1), "room for one, now that another has an event"


def test_a_person_is_in_the_journal_and_nowhere_else(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(access(), desk(), persons={1: "k7q2m9x4"}), NOW)
    assert query(store, "select seq, person from journal") == [(1, "k7q2m9x4")]
    for table in ("event", "alarm", "quarantine", "stream", "timeline"):
        assert "k7q2m9x4" not in str(query(store, f"select * from {table}"))  # noqa: S608 - names of our own tables


def test_the_journal_forgets_after_ninety_days_and_keeps_the_event(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(access(), persons={1: "k7q2m9x4"}), NOW)
        assert writer.purge_journal(NOW + 90 * DAY_MS) == 0
        assert writer.purge_journal(NOW + 90 * DAY_MS + 1) == 1
    assert (store.totals().journal, store.totals().events) == (0, 1)


def test_a_clock_ten_years_ahead_empties_no_journal(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(access(), persons={1: "k7q2m9x4"}), NOW)
        writer.settle_sites({"murat"})
        assert writer.purge_journal(NOW + 3_650 * DAY_MS) == 0
    assert store.totals().journal == 1
    with writer.transaction():
        writer.receive(batch(desk(t=NOW + 89 * DAY_MS), first=2), NOW + 89 * DAY_MS)
        writer.settle_sites({"murat"})
        assert writer.purge_journal(NOW + 90 * DAY_MS + 1) == 1, "a telecentre said the same time"


def test_what_the_journal_forgets_is_no_longer_in_the_file(in_file: Store) -> None:
    store, writer = in_file, in_file.writer()
    with writer.transaction():
        writer.receive(batch(access(), access(), persons={1: "k7q2m9x4forgotten"}), NOW)
    with writer.transaction():
        assert writer.purge_journal(NOW + 91 * DAY_MS) == 1
    writer.close()
    store.close()
    assert b"k7q2m9x4forgotten" not in Path(store.file).read_bytes()


def test_an_access_older_than_ninety_days_never_enters_the_journal(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(access(), persons={1: "k7q2m9x4"}), NOW + 91 * DAY_MS)
    assert store.totals().journal == 0


def test_unsynced_events_get_their_time_when_the_clock_of_their_boot_is_set(store: Store, writer: Writer) -> None:
    clock = b'{"subject":"agent","t":%d,"clock":"synced","up":60000,"kind":"clock_set","value":{"step_ms":1}}' % NOW
    with writer.transaction():
        writer.receive(batch(desk(t=5, clock="unsynced", up=1_000)), NOW)
        writer.receive(batch(clock, first=2), NOW)
        writer.receive(batch(desk(t=5, clock="unsynced", up=2_000), first=3), NOW)
    assert query(store, "select at_ms from event order by seq") == [(NOW - 59_000,), (NOW,), (NOW - 58_000,)]


def test_senders_that_nobody_knows_share_one_alarm_a_reason(store: Store, writer: Writer) -> None:
    with writer.transaction():
        for n in range(5):
            writer.refuse(f"stranger-{n}", "header", NOW, b"x" * 9_999)
        writer.refuse("murat", "header", NOW, b"y")
    assert [(alarm.site, alarm.times) for alarm in store.totals().alarms] == [("", 5), ("murat", 1)]
    assert store.totals().refused == 6
    assert query(store, "select max(length(sample)) from alarm") == [(256,)]


def test_a_day_of_silence_is_available_and_not_observed(store: Store) -> None:
    rows = store.occupancy("murat", "desk", "day", NOW - DAY_MS // 2, NOW)
    assert {(row.available_ms, row.observed_ms) for row in rows} == {(3 * 3_600_000, 0)}  # Saturday 9 to 12
    assert len(rows) == 6


def test_nothing_is_available_after_now(home: Path | Engine) -> None:
    ten = NOW - 2 * 3_600_000
    store = cantal(home, now_ms=ten)
    row = store.occupancy("murat", "desk", "month", ten - DAY_MS // 2, ten + 30 * DAY_MS)[0]
    assert row.available_ms == 3_600_000
    assert {r.end_ms for r in store.occupancy("murat", "desk", "hour", ten - DAY_MS // 2, ten + DAY_MS)} == {ten}
    store.close()


def test_a_month_pools_its_days(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 3_600_000)), NOW)
        writer.settle_sites({"murat"})
    for step in ("hour", "day", "month"):
        rows = store.occupancy("murat", "desk", step, NOW - DAY_MS // 2 if step != "month" else NOW - DAY_MS, NOW)
        assert sum(row.occupied_ms for row in rows) == 2 * 3_600_000
        assert sum(row.observed_ms for row in rows) == 2 * 3_600_000


def test_importing_the_same_file_twice_changes_nothing(store: Store) -> None:
    assert store.import_network(read_network(CANTAL)) == []


def test_a_changed_register_holds_from_its_day_and_leaves_the_days_before(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    text = CANTAL.read_text(encoding="utf-8")
    file.write_text(text.replace("desks = 8", "desks = 7"), encoding="utf-8")
    changes = store.import_network(read_network(file), today=date(2026, 11, 21))
    assert changes == ["site aurillac: desk-08 is gone from 2026-11-21"]
    aurillac = next(site for site in store.sites() if site.id == "aurillac")
    assert len(aurillac.desks) == 7


def test_events_of_a_site_not_yet_in_the_register_are_kept_and_counted_later(home: Path | Engine) -> None:
    store = store_in(home, lambda: NOW)
    writer = store.writer()
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 3_600_000)), NOW)
        writer.settle_sites({"murat"})
    store.import_network(read_network(CANTAL))
    with writer.transaction():
        assert not writer.settle_slice()
    rows = store.occupancy("murat", "desk", "day", NOW - DAY_MS // 2, NOW)
    assert sum(row.occupied_ms for row in rows) == 2 * 3_600_000
    writer.close()
    store.close()


def test_a_figure_that_the_events_do_not_bear_out_is_found_and_corrected(store: Store, writer: Writer) -> None:
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 3_600_000)), NOW)
        writer.settle_sites({"murat"})
    with store.changed() as connection:
        of_desk = "site = 'murat' and resource = 'desk-01'"
        ((packed,),) = connection.execute(f"select hours from day_hours where {of_desk}").fetchall()  # noqa: S608 - our own
        hours = [(*hour[:4], 7, *hour[5:]) if hour[4] else hour for hour in unpack_hours(packed)]
        connection.execute(f"update day_hours set hours = ? where {of_desk}", (pack_hours(hours),))  # noqa: S608 - our own
    found = [one for one in store.rebuild() if isinstance(one, Difference)]
    occupied = [(hour[0], hour[4]) for hour in unpack_hours(packed) if hour[4]]
    assert [(one.resource, one.step, one.start_ms, one.stored, one.computed) for one in found] == [
        ("desk-01", "hour", start_ms, {"occupied_ms": 7}, {"occupied_ms": occupied_ms})
        for start_ms, occupied_ms in occupied
    ]
    assert occupied
    assert store.rebuild() == []


def test_hours_that_are_damaged_are_computed_anew_with_the_next_event_of_their_day(
    store: Store, writer: Writer
) -> None:
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 2 * 3_600_000)), NOW)
        writer.settle_sites({"murat"})
    with store.changed() as connection:
        connection.execute("update day_hours set hours = ? where resource = 'desk-01'", (b"damaged",))
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 1_800_000), first=3), NOW)
        writer.settle_sites({"murat"})
    assert store.rebuild() == []


def test_the_newest_marks_are_found_without_sorting_all_of_them(tmp_path: Path) -> None:
    with closing(store_in(tmp_path, lambda: NOW)) as store, store.seen() as connection:
        plan = connection.execute(f"explain query plan {statements('timeline')['marks']}", {"most": 20}).fetchall()
        steps = [step[3] for step in plan]
        assert steps[0].endswith("dirty_newest")
        assert not any("ORDER BY" in step for step in steps)


def test_a_boot_that_changes_within_a_stream_raises_an_alarm(store: Store, writer: Writer) -> None:
    second = batch(desk(), first=2)
    header = second.header.model_copy(update={"boot": "c" * 32})
    with writer.transaction():
        writer.receive(batch(desk()), NOW)
        writer.receive(Batch(header, second.lines), NOW)
    assert "boot_changed" in {alarm.reason for alarm in store.totals().alarms}


def test_sites_come_by_name_as_people_sort_it(home: Path | Engine) -> None:
    names = ["Zellé", "Échandelys", "Ébreuil", "Œuilly", "Ours", "aurillac", "Étampes", "Evry"]
    sites = [{"id": f"site-{number}", "name": name, "desks": 0} for number, name in enumerate(names)]
    opened = {"id": "net", "name": "Net", "time_zone": "Europe/Paris", "opening_hours": "24/7"}
    store = store_in(home)
    store.import_network(Network.model_validate({"network": opened, "site": sites}))
    wanted = ["aurillac", "Ébreuil", "Échandelys", "Étampes", "Evry", "Œuilly", "Ours", "Zellé"]
    assert [site.name for site in store.sites()] == wanted
    store.close()


def test_the_database_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    usual = os.umask(0)
    try:
        store = cantal(tmp_path)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(usual)
    assert modes["hub.db"] == 0o600
    assert set(modes.values()) == {0o600}
