"""What the ingest does between messages: count visits when nothing waits, and forget by the hub's own clock."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from hub.housekeeping import Housekeeping
from hub.network import ZoneTable
from tests.support.comings import DAY, MINUTE, Bench, coming, ms, network, settle
from tests.support.telecentres import store_in

ZONE = "zone:reseau:massif"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    now = [ms("2026-10-05 12:00")]
    store = store_in(tmp_path, lambda: now[0])
    store.import_network(network("allanche", "murat"), today=date(2026, 1, 1))
    made = Bench(store, now)
    yield made
    made.close()


def house_of(bench: Bench) -> Housekeeping:
    return Housekeeping(lambda: bench.now[0])


def test_sites_and_zones_are_counted_while_nothing_waits(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    house = house_of(bench)
    for _ in range(4):
        house.keep(bench.writer, idle=True)
    assert bench.store.totals().dirty == 0
    assert bench.counts(ZONE, "day", "2026-10-05") == (1, 1, 1, 1)


def test_visits_and_zones_wait_while_messages_wait(bench: Bench) -> None:
    bench.settle()
    house = house_of(bench)
    house.keep(bench.writer, idle=True)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    for _ in range(4):
        house.keep(bench.writer, idle=False, waiting=True)
    assert bench.counts("murat", "day", "2026-10-05") != (1, 1, 1, 1)
    assert bench.store.totals().dirty > 0


def test_visits_and_zones_have_their_share_while_messages_come_one_by_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.housekeeping.SHARE", 1.0)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    house = house_of(bench)
    for _ in range(4):
        house.keep(bench.writer, idle=False)
    assert bench.counts(ZONE, "day", "2026-10-05") == (1, 1, 1, 1)


def test_a_zone_is_counted_in_the_end_although_messages_never_cease(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.housekeeping.WORK_EVERY_S", 0.0)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    house = house_of(bench)
    for _ in range(4):
        house.keep(bench.writer, idle=False, waiting=True)
    assert bench.counts(ZONE, "day", "2026-10-05") == (1, 1, 1, 1)


def test_every_site_is_counted_in_its_turn_although_somebody_comes_to_the_first_all_the_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.visits.MAX_DAYS_A_SLICE", 1)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    for minute in range(10, 50, 10):
        bench.come("allanche", ("b0000002", f"2026-10-05 09:{minute}"))
        with bench.writer.transaction():
            bench.writer.settle_visits()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)


def test_every_zone_has_its_turn_although_somebody_comes_to_the_first_all_the_time(bench: Bench) -> None:
    valleys = [
        ZoneTable(id=name, name=name, level="valley", sites=[site])
        for name, site in (("a", "allanche"), ("b", "murat"))
    ]
    bench.store.import_network(
        network("allanche", "murat").model_copy(update={"zone": valleys}), today=date(2026, 1, 1)
    )
    bench.settle()
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    for minute in range(10, 40, 10):
        bench.come("allanche", ("b0000002", f"2026-10-05 09:{minute}"))
        for count in (bench.writer.settle_visits, bench.writer.settle_zone):
            with bench.writer.transaction():
                count()
    for place in ("zone:a", "zone:b", ZONE):
        assert bench.counts(place, "day", "2026-10-05") is not None, place


def test_the_journal_forgets_when_the_hour_of_the_hubs_clock_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.housekeeping.LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("hub.housekeeping.REST_AFTER_ZONE", 0)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    house = house_of(bench)
    house.keep(bench.writer, idle=True)
    bench.now[0] += 90 * DAY - 4 * 60 * MINUTE + 30 * MINUTE
    bench.send("murat", [(coming(bench.now[0]), "b0000002")])
    for _ in range(3):  # each kind of work has its turn
        house.keep(bench.writer, idle=True)
    assert bench.store.totals().journal == 2
    bench.now[0] += 60 * MINUTE
    house.keep(bench.writer, idle=True)
    house.keep(bench.writer, idle=True)
    assert bench.store.totals().journal == 1
    assert bench.status("murat", "day", "2026-10-05") == "frozen"


def test_a_clock_that_has_leapt_makes_the_journal_forget_nothing(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    house = house_of(bench)
    house.keep(bench.writer, idle=True)
    bench.now[0] += 400 * DAY
    house.keep(bench.writer, idle=True)
    assert bench.store.totals().journal == 1


def test_a_zone_is_counted_in_as_many_slices_as_it_takes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.housekeeping.ZONE_SLICE_S", 0.0)
    monkeypatch.setattr("hub.housekeeping.REST_AFTER_ZONE", 0)
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.come("allanche", ("b0000002", "2026-10-05 10:00"))
    house = house_of(bench)
    for _ in range(4):
        house.keep(bench.writer, idle=True)
    assert bench.counts(ZONE, "day", "2026-10-05") == (1, 1, 1, 1)
    for _ in range(40):
        house.keep(bench.writer, idle=True)
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)
    assert bench.store.totals().dirty == 0


def begun(bench: Bench) -> None:
    """Begin to count the zone, and read its first telecentre."""
    for _ in range(3):
        with bench.writer.transaction():
            bench.writer.settle_zone(0.0)
    assert bench.store.totals().dirty > 0


def test_whoever_comes_while_a_zone_is_counted_is_counted_after_it(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    with bench.writer.transaction():
        bench.writer.settle_visits()
    begun(bench)
    bench.come("allanche", ("b0000002", "2026-10-05 10:00"))
    bench.settle()
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)
    assert bench.store.rebuild() == []


def test_a_zone_that_was_being_counted_when_the_hub_ended_is_counted_by_the_next_one(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    with bench.writer.transaction():
        bench.writer.settle_visits()
    begun(bench)
    bench.writer.close()
    bench.writer = bench.store.writer()
    bench.settle()
    assert bench.counts(ZONE, "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.store.totals().dirty == 0


def test_what_another_has_counted_meanwhile_is_not_overwritten_by_what_is_older(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    with bench.writer.transaction():
        bench.writer.settle_visits()
    begun(bench)
    bench.come("allanche", ("b0000002", "2026-10-05 10:00"))
    bench.store.rebuild()
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)
    for _ in range(40):
        with bench.writer.transaction():
            bench.writer.settle_zone(0.0)
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)


def test_what_a_purge_has_frozen_meanwhile_is_not_counted_without_the_journal(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.come("murat", ("b0000002", "2026-10-05 10:00"))
    with bench.writer.transaction():
        bench.writer.settle_visits()
    begun(bench)
    bench.purge("2027-02-20 12:00")
    for _ in range(40):
        with bench.writer.transaction():
            bench.writer.settle_zone(0.0)
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)
    assert bench.status(ZONE, "day", "2026-10-05") == "frozen"


def test_of_two_that_count_one_zone_the_one_that_began_later_stores(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    with bench.writer.transaction():
        bench.writer.settle_visits()
    begun(bench)
    bench.come("allanche", ("b0000002", "2026-10-05 10:00"))
    with closing(bench.store.writer()) as other:
        with other.transaction():
            other.settle_visits()
        for _ in range(3):
            with other.transaction():
                other.settle_zone(0.0)
        for _ in range(40):
            with bench.writer.transaction():
                bench.writer.settle_zone(0.0)
        settle(other)
    assert bench.counts(ZONE, "day", "2026-10-05") == (2, 2, 2, 2)
    assert bench.store.totals().dirty == 0
