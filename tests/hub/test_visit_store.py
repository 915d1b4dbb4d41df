"""Visits in the store: counted from the journal, right however late it comes, kept when the journal forgets."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hub.store import Store
from hub.store.backup import back_up, restore
from hub.store.connection import Engine
from hub.store.pass_changes import change_badge, remove_member
from hub.store.visitors import Visitors
from tests.support.comings import MINUTE, Bench, clock_set, coming, ever, ms, network
from tests.support.telecentres import store_in

NETWORK = "zone:reseau:massif"


@pytest.fixture
def bench(home: Path | Engine) -> Iterator[Bench]:
    now = [ms("2026-10-31 12:00")]
    store = store_in(home, lambda: now[0])
    store.import_network(network("allanche", "murat"), today=date(2026, 1, 1))
    made = Bench(store, now)
    yield made
    made.close()


def rows_of(bench: Bench) -> str:
    """Return everything that stands in tables of figures, as text."""
    with bench.store.seen() as connection:
        return "".join(
            str(connection.execute(f"select * from {table}").fetchall())  # noqa: S608 - names of our own
            for table in ("visit_figure", "door_figure", "visit_mark")
        )


def test_visits_are_counted_for_day_week_and_month_of_site_and_network(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-10-05 14:00"))
    bench.come("murat", ("b0000002", "2026-10-05 09:05"), ("b0000001", "2026-10-12 09:00"))
    bench.come("allanche", ("b0000002", "2026-10-05 16:00"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (3, 3, 2, 2)
    assert bench.counts("murat", "day", "2026-10-12") == (1, 1, 1, 0)
    assert bench.counts("murat", "week", "2026-10-05") == (3, 3, 2, 2)
    assert bench.counts("murat", "month", "2026-10-01") == (4, 4, 2, 2)
    assert bench.counts("allanche", "month", "2026-10-01") == (1, 1, 1, 1)
    assert bench.counts(NETWORK, "day", "2026-10-05") == (4, 4, 2, 2)
    assert bench.counts(NETWORK, "month", "2026-10-01") == (5, 5, 2, 2)
    assert bench.counts("murat", "day", "2026-10-06") == (0, 0, 0, 0)
    assert bench.store.rebuild() == []


def test_only_whoever_was_let_in_is_a_visitor(bench: Bench) -> None:
    at = ms("2026-10-05 09:00")
    bench.send("murat", [(coming(at, "DENIED_UPPER_OCCUPANCY_LIMIT"), "b0000001"), (coming(at), None)])
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (0, 0, 0, 0)


def test_two_badges_of_one_member_are_one_person(bench: Bench) -> None:
    bench.member("b0000001", "b0000002")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000002", "2026-10-05 09:10"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)


def test_a_badge_that_is_registered_later_becomes_its_member(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000002", "2026-10-05 09:10"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (2, 2, 2, 2)
    bench.member("b0000001", "b0000002", since="2026-10-06 00:00")
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.store.rebuild() == []


def test_a_badge_that_changes_hands_is_another_person_from_then_on(bench: Bench) -> None:
    bench.member("b0000001", "b0000003")
    bench.member("b0000002")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000003", "2026-10-05 11:00"))
    with bench.store.changed() as connection:
        other = connection.execute("select pass from credential_state where credential = 'b0000002'").fetchone()[0]
        change_badge(connection, "b0000001", ms("2026-10-06 00:00"), pass_id=other)
    bench.come("murat", ("b0000001", "2026-10-12 09:00"), ("b0000003", "2026-10-12 11:00"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (2, 1, 1, 1)
    assert bench.counts("murat", "day", "2026-10-12") == (2, 2, 2, 1)
    assert bench.store.rebuild() == []


def test_a_late_first_use_makes_an_earlier_newcomer_a_known_visitor(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-12 09:00"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-12") == (1, 1, 1, 1)
    bench.come("allanche", ("b0000001", "2026-09-28 09:00"))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-12") == (1, 1, 1, 0)
    assert bench.counts(NETWORK, "month", "2026-10-01") == (1, 1, 1, 0)
    assert bench.store.rebuild() == []


def test_a_clock_correction_moves_a_visit_to_its_day(bench: Bench) -> None:
    first = ms("2026-10-05 09:00")
    bench.send("murat", [(coming(5, clock="unsynced", up=1_000), "b0000001")])
    bench.settle()
    bench.send("murat", [(clock_set(first + 4 * MINUTE, 1_000 + 4 * MINUTE), None)])
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.store.rebuild() == []


def test_a_site_that_is_registered_later_is_counted_then(bench: Bench) -> None:
    bench.come("vic", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    assert bench.counts("vic", "day", "2026-10-05") is None
    bench.store.import_network(network("allanche", "murat", "vic"), today=date(2026, 10, 20))
    bench.settle()
    assert bench.counts("vic", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.counts(NETWORK, "day", "2026-10-05") == (1, 1, 1, 1)


def test_a_site_that_changes_its_network_takes_its_live_visits_along(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.come("allanche", ("b0000002", "2026-10-05 09:00"))
    bench.settle()
    bench.store.import_network(network("murat", name="vallee"), today=date(2026, 10, 20))
    bench.settle()
    assert bench.counts(NETWORK, "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.counts("zone:reseau:vallee", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.store.rebuild() == []


def test_counts_are_provisional_until_all_sites_were_heard_beyond_then_final(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    assert bench.status("murat", "day", "2026-10-05") == "provisional"
    bench.come("murat", ("b0000001", "2026-10-06 09:00"))
    assert bench.status("murat", "day", "2026-10-05") == "provisional"
    bench.settle()
    assert bench.status("murat", "day", "2026-10-05") == "final"
    assert bench.status("murat", "day", "2026-10-06") == "provisional"
    assert bench.status(NETWORK, "day", "2026-10-05") == "provisional"


def test_a_period_freezes_as_soon_as_any_part_of_its_journal_goes(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000002", "2026-10-20 09:00"))
    bench.settle()
    assert bench.purge("2027-01-04 12:00") == 1
    assert bench.status("murat", "day", "2026-10-05") == "frozen"
    assert bench.status("murat", "month", "2026-10-01") == "frozen"
    assert bench.status("murat", "day", "2026-10-20") != "frozen"
    assert bench.counts("murat", "month", "2026-10-01") == (2, 2, 2, 2)
    bench.send("murat", [(coming(ms("2026-10-20 15:00")), "b0000003")])
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-20") == (2, 2, 2, 2)
    assert bench.counts("murat", "month", "2026-10-01") == (2, 2, 2, 2)
    assert bench.store.rebuild() == []


def test_what_is_pending_is_counted_before_the_journal_forgets(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    assert bench.purge("2027-02-10 12:00") == 1
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.counts(NETWORK, "month", "2026-10-01") == (1, 1, 1, 1)


def test_a_frozen_day_without_anybody_is_a_zero_and_one_before_the_site_is_nothing(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-10-07 09:00"))
    bench.settle()
    bench.purge("2027-02-10 12:00")
    assert bench.counts("murat", "day", "2026-10-06") == (0, 0, 0, 0)
    assert bench.counts("murat", "day", "2026-10-04") is None
    assert bench.status("murat", "day", "2026-10-06") == "frozen"


def test_of_a_telecentre_that_fell_silent_no_zero_is_told_neither_live_nor_frozen(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.now[0] = ms("2026-11-20 12:00")
    for _ in range(2):
        assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
        assert bench.counts("murat", "day", "2026-10-06") is None
        assert bench.counts("murat", "month", "2026-11-01") is None
        assert bench.counts(NETWORK, "month", "2026-11-01") is None
        bench.purge("2027-04-10 12:00")


def test_a_pass_that_was_used_before_the_journal_is_never_new_again(bench: Bench) -> None:
    bench.member("b0000001")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.purge("2027-02-10 12:00")
    bench.come("allanche", ("b0000001", "2027-02-10 09:00"))
    bench.settle()
    assert bench.counts("allanche", "day", "2027-02-10") == (1, 1, 1, 0)
    assert bench.store.rebuild() == []


def test_a_badge_of_no_pass_is_forgotten_with_its_last_coming(bench: Bench) -> None:
    bench.now[0] = ms("2026-12-02 12:00")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-12-01 09:00"))
    bench.settle()
    bench.purge("2027-01-10 12:00")
    assert bench.counts("murat", "day", "2026-12-01") == (1, 1, 1, 0)
    assert bench.store.rebuild() == []
    bench.purge("2027-04-10 12:00")
    with bench.store.seen() as connection:
        assert connection.execute("select * from pass_used").fetchall() == []


def test_an_erasure_takes_a_person_out_of_what_lives_and_leaves_what_is_frozen(bench: Bench) -> None:
    bench.now[0] = ms("2026-12-02 12:00")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-12-01 09:00"))
    bench.come("murat", ("b0000002", "2026-12-01 09:00"))
    bench.settle()
    bench.purge("2027-01-10 12:00")
    assert bench.store.erase("b0000001", "asked") == 1
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.counts("murat", "day", "2026-12-01") == (1, 1, 1, 1)
    assert bench.counts(NETWORK, "month", "2026-12-01") == (1, 1, 1, 1)
    assert bench.store.rebuild() == []
    assert bench.doors("murat")[1].granted == 2


def test_what_is_known_of_a_pass_goes_with_its_member(bench: Bench) -> None:
    member = bench.member("b0000001")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.purge("2027-02-10 12:00")
    with bench.store.changed() as connection:
        assert len(connection.execute("select * from pass_used").fetchall()) == 1
        remove_member(connection, member, bench.now[0])
        assert connection.execute("select * from pass_used").fetchall() == []


def test_a_late_event_of_a_frozen_period_changes_nothing(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-20 09:00"))
    bench.purge("2027-01-10 12:00")
    bench.come("murat", ("b0000002", "2026-10-05 09:00"), ("b0000002", "2026-10-20 11:00"))
    bench.settle()
    assert bench.counts("murat", "month", "2026-10-01") == (1, 1, 1, 1)
    assert bench.store.rebuild() == []


def test_no_table_of_figures_names_anybody(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    member = bench.member("b0000001")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000002", "2026-10-05 09:00"))
    bench.settle()
    bench.purge("2027-02-10 12:00")
    for name in ("b0000001", "b0000002", member):
        assert name not in rows_of(bench)
        assert name not in caplog.text


def test_the_store_of_a_network_without_events_answers_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub.db")
    store.import_network(network("murat"))
    assert store.visits(None, "day", ever) == []
    assert store.visits("zone:nowhere", "day", ever) == []
    store.close()


def test_a_site_that_joins_a_zone_counts_from_that_day(tmp_path: Path) -> None:
    now = [ms("2026-10-31 12:00")]
    store = store_in(tmp_path, lambda: now[0])
    alone = network("allanche", "murat")
    zone = {"id": "vallee", "name": "Vallée", "level": "valley"}
    for sites, today in ((["murat"], date(2026, 1, 1)), (["allanche", "murat"], date(2026, 10, 6))):
        wanted = {**alone.model_dump(), "zone": [{**zone, "sites": sites}]}
        store.import_network(type(alone).model_validate(wanted), today=today)
    bench = Bench(store, now)
    bench.come("allanche", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-10-06 09:00"))
    bench.come("murat", ("b0000002", "2026-10-05 09:00"))
    bench.settle()
    assert bench.counts("zone:vallee", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.counts("zone:vallee", "day", "2026-10-06") == (1, 1, 1, 0)
    assert bench.counts("zone:vallee", "week", "2026-10-05") == (2, 2, 2, 2)
    assert store.rebuild() == []
    bench.close()


def test_a_member_of_two_telecentres_is_one_visitor_of_their_zone(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-10-05 15:00"))
    bench.come("allanche", ("b0000001", "2026-10-05 09:20"))
    bench.settle()
    assert bench.counts(NETWORK, "day", "2026-10-05") == (2, 2, 1, 1)


def test_a_register_that_is_read_at_once_tells_the_same_of_everybody(bench: Bench) -> None:
    bench.member("b0000001", "b0000003")
    bench.member("b0000002")
    bench.now[0] = ms("2026-12-31 12:00")
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000003", "2026-12-06 00:10"))
    with bench.store.changed() as connection:
        other = connection.execute("select pass from credential_state where credential = 'b0000002'").fetchone()[0]
        change_badge(connection, "b0000001", ms("2026-11-06 00:00"), pass_id=other)
    bench.come("allanche", ("b0000001", "2026-11-07 09:00"), ("b0000004", "2026-10-08 09:00"))
    bench.come("allanche", ("b0000004", "2026-12-08 09:00"), ("b0000002", "2026-12-01 09:00"))
    for day in ("2026-12-31 12:00", "2027-01-05 12:00", "2027-01-07 12:00", "2027-02-20 12:00"):
        bench.purge(day)
        with bench.store.changed() as connection:
            single, whole = Visitors(connection), Visitors(connection, many=True)
            assert list(whole.read_all())
            for badge in ("b0000001", "b0000002", "b0000003", "b0000004"):
                for moment in ("2026-01-01 00:00", "2026-10-05 09:00", "2026-12-06 00:10"):
                    person = single.person(badge, ms(moment))
                    assert person == whole.person(badge, ms(moment))
                    assert single.holder(badge, ms(moment)) == whole.holder(badge, ms(moment))
                    assert single.badges(person) == whole.badges(person)
                    for first in (date(2026, 10, 5), date(2026, 10, 6), date(2026, 12, 6)):
                        assert single.is_new(person, first) == whole.is_new(person, first)


def test_a_restore_forgets_again_and_keeps_what_was_frozen(tmp_path: Path) -> None:
    now = [ms("2026-12-20 12:00")]
    store = store_in(tmp_path, lambda: now[0])
    store.import_network(network("murat"), today=date(2026, 1, 1))
    bench = Bench(store, now)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-12-01 09:00"))
    bench.come("murat", ("b0000002", "2026-12-01 09:00"))
    bench.settle()
    back_up(store.file, tmp_path / "copy.db", now[0])
    store.erase("b0000001", "asked")
    bench.close()
    now[0] = ms("2027-01-10 12:00")
    assert restore(store.file, tmp_path / "copy.db", now[0]).forgotten == 1
    again = Bench(store_in(tmp_path, lambda: now[0]), now)
    again.settle()
    assert again.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert again.status("murat", "day", "2026-10-05") == "frozen"
    assert again.counts("murat", "day", "2026-12-01") == (1, 1, 1, 1)
    assert again.store.rebuild() == []
    again.close()
