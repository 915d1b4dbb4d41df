"""What doors did, in the store: by hour to year, of a door, a telecentre or a zone; of declared doors alone."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hub.store import DoorRow, Undeclared
from hub.store.connection import Engine
from hub.store.rows import Asked
from hub.store.schema import migrations
from tests.support.comings import MINUTE, PARIS, Bench, alarm, clock_set, coming, in_2026, ms, network
from tests.support.telecentres import store_in

FULL, LOST = "DENIED_UPPER_OCCUPANCY_LIMIT", "DENIED_AUTHENTICATION_FACTOR_LOST"
EARLY, CLOSED = "DENIED_OUT_OF_TIME_RANGE", "DENIED_SITE_CLOSED"


@pytest.fixture
def bench(home: Path | Engine) -> Iterator[Bench]:
    now = [ms("2026-10-31 12:00")]
    store = store_in(home, lambda: now[0])
    store.import_network(network("allanche", "murat"), today=date(2026, 1, 1))
    made = Bench(store, now)
    yield made
    made.close()


def granted(rows: list[DoorRow]) -> list[tuple[str | None, int]]:
    return [(row.door, row.granted) for row in rows]


def undeclared(bench: Bench) -> list[Undeclared]:
    return bench.store.undeclared("murat", "Europe/Paris")


def test_doors_count_what_they_did_by_hour_day_and_reason(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:10"))
    at = ms("2026-10-05 09:20")
    bench.send("murat", [(coming(at, FULL), None), (coming(at, LOST), None), (coming(at + 60 * MINUTE, FULL), None)])
    bench.settle()
    first, second = bench.doors("murat", step="hour")
    assert (first.granted, first.refused, first.refused_demand) == (1, 2, 1)
    assert (second.start_ms, second.refusals) == (ms("2026-10-05 10:00"), ((FULL, 1),))
    (day,) = bench.doors("murat")
    assert (day.door, day.granted, day.refused, day.refused_demand) == ("door-01", 1, 3, 2)
    (month,) = bench.store.doors([Asked("murat", "site", ("murat",))], "month", in_2026)
    assert (month.level, month.site, month.door, month.refused) == ("site", "murat", None, 3)
    assert (month.start_ms, month.end_ms) == (ms("2026-10-01 00:00"), ms("2026-11-01 00:00"))


def test_where_nobody_told_that_it_was_full_refused_demand_is_missing_and_not_zero(bench: Bench) -> None:
    bench.send("murat", [(coming(ms("2026-10-05 09:10"), LOST), None), (coming(ms("2026-10-06 09:00"), FULL), None)])
    bench.settle()
    monday, tuesday = bench.doors("murat")
    assert (monday.refused, monday.refused_demand) == (1, None)
    assert (tuesday.refused, tuesday.refused_demand) == (1, 1)
    (year,) = bench.doors("murat", step="year")
    assert (year.refused, year.refused_demand) == (2, 1)


def test_a_good_badge_at_another_hour_or_on_a_holiday_is_told_apart(bench: Bench) -> None:
    at = ms("2026-10-05 05:00")
    bench.send("murat", [(coming(at + n, reason), None) for n, reason in enumerate((EARLY, CLOSED, EARLY, LOST))])
    bench.settle()
    (day,) = bench.doors("murat")
    assert (day.refused, day.refused_out_of_hours, day.refused_demand) == (4, 3, None)


def test_counts_of_days_add_up_to_weeks_months_quarters_and_years(bench: Bench) -> None:
    bench.come("murat", *(("b0000001", f"2026-{month:02}-05 09:00") for month in (1, 2, 4, 9, 10)))
    bench.settle()
    assert [row.granted for row in bench.doors("murat", step="week")] == [1, 1, 1, 1, 1]
    quarters = bench.doors("murat", step="quarter")
    assert [(row.start_ms, row.granted) for row in quarters] == [
        (ms("2026-01-01 00:00"), 2),
        (ms("2026-04-01 00:00"), 1),
        (ms("2026-07-01 00:00"), 1),
        (ms("2026-10-01 00:00"), 1),
    ]
    (year,) = bench.doors("murat", step="year")
    assert (year.start_ms, year.end_ms, year.granted) == (*in_2026(PARIS), 5)


def test_a_period_counts_when_it_begins_within_what_is_asked(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000001", "2026-10-12 09:00"))
    bench.settle()
    asked = [Asked("murat", "site", ("murat",))]

    def from_tuesday(_: object) -> tuple[int, int]:
        return ms("2026-10-06 00:00"), ms("2026-10-13 00:00")

    assert [row.granted for row in bench.store.doors(asked, "week", from_tuesday)] == [1]
    assert bench.store.doors(asked, "month", from_tuesday) == []


def test_a_zone_adds_up_its_telecentres(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"), ("b0000002", "2026-10-05 09:30"))
    bench.come("allanche", ("b0000001", "2026-10-05 09:20"))
    bench.send("allanche", [(alarm(ms("2026-10-05 22:00"), "FORCED_OPEN"), None)])
    bench.settle()
    (day,) = bench.doors("allanche", "murat", level="zone")
    assert (day.place, day.level, day.site, day.door) == ("zone", "zone", None, None)
    assert (day.granted, day.forced) == (3, 1)
    nine, night = bench.doors("allanche", "murat", "nowhere", level="zone", step="hour")
    assert (nine.granted, night.forced) == (3, 1)


def test_of_a_zone_across_time_zones_the_days_of_one_date_are_one_day(bench: Bench) -> None:
    bench.store.import_network(network("rodrigues", name="isles", zone="Indian/Mauritius"), today=date(2026, 1, 1))
    bench.come("murat", ("b0000001", "2026-10-05 00:30"))
    bench.send("rodrigues", [(coming(ms("2026-10-04 22:30")), None), (coming(ms("2026-10-05 22:30")), None)])
    bench.settle()
    days = bench.doors("murat", "rodrigues", level="zone")
    assert [(row.start_ms, row.granted) for row in days] == [(ms("2026-10-05 00:00"), 2), (ms("2026-10-06 00:00"), 1)]


def test_an_alarm_that_is_repeated_counts_once(bench: Bench) -> None:
    at = ms("2026-10-05 23:00")
    said = ["FORCED_OPEN", "FORCED_OPEN", "NORMAL", "DOOR_OPEN_TOO_LONG", "DOOR_OPEN_TOO_LONG", "NORMAL", "FORCED_OPEN"]
    bench.send("murat", [(alarm(at + n * 20 * MINUTE, name), None) for n, name in enumerate(said)])
    bench.settle()
    assert [(day.forced, day.held_open) for day in bench.doors("murat")] == [(1, 0), (1, 1)]


def test_a_late_alarm_makes_the_next_one_a_repetition(bench: Bench) -> None:
    at = ms("2026-10-06 09:00")
    bench.send("murat", [(alarm(at, "FORCED_OPEN"), None)])
    bench.settle()
    bench.send("murat", [(alarm(at - 24 * 60 * MINUTE, "FORCED_OPEN"), None)], stream="b")
    bench.settle()
    assert [day.forced for day in bench.doors("murat")] == [1]
    assert bench.store.rebuild() == []


def test_door_counts_outlive_the_journal(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.purge("2027-02-10 12:00")
    bench.send("murat", [(coming(ms("2026-10-05 10:00")), "b0000001")])
    bench.settle()
    assert bench.doors("murat")[0].granted == 2
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)


def test_a_door_that_is_not_declared_is_told_and_in_no_figure_of_doors(bench: Bench) -> None:
    first, last = ms("2026-10-05 09:10"), ms("2026-10-06 17:40")
    bench.send("murat", [(coming(first, door="door-07"), None), (coming(first + MINUTE, LOST, door="door-07"), None)])
    bench.send("murat", [(alarm(last, "FORCED_OPEN", door="door-07"), None), (coming(last - MINUTE), None)])
    bench.settle()
    assert undeclared(bench) == [Undeclared("door-07", 3, is_more=False, first_ms=first, last_ms=last)]
    assert granted(bench.doors("murat")) == [("door-01", 1)]
    assert bench.doors("allanche", "murat", level="zone", step="year")[0].granted == 1
    assert bench.store.rebuild() == []


def test_once_a_door_is_declared_all_that_it_did_counts_also_what_comes_late(bench: Bench) -> None:
    at = ms("2026-10-05 09:10")
    bench.send("murat", [(coming(at, door="door-02"), None), (alarm(at + MINUTE, "FORCED_OPEN", door="door-02"), None)])
    bench.settle()
    changes = bench.store.import_network(network("allanche", "murat", doors=2), today=date(2026, 10, 20))
    assert "site murat: door-02, with all that was heard of it" in changes
    assert [(row.door, row.granted, row.forced) for row in bench.doors("murat")] == [("door-02", 1, 1)]
    bench.send("murat", [(coming(at - 24 * 60 * MINUTE, door="door-02"), None)], stream="b")
    bench.settle()
    assert granted(bench.doors("murat")) == [("door-02", 1), ("door-02", 1)]
    assert undeclared(bench) == []
    assert bench.store.rebuild() == []


def test_a_door_that_was_taken_out_counts_as_long_as_it_was_in_the_register(bench: Bench) -> None:
    days = ("2026-10-05 09:00", "2026-10-06 09:00", "2026-10-07 09:00", "2026-10-08 09:00")
    bench.send("murat", [(coming(ms(day)), None) for day in days])
    bench.settle()
    bench.store.import_network(network("allanche", "murat", doors=0), today=date(2026, 10, 6))
    assert granted(bench.doors("murat")) == [("door-01", 1)]
    told = Undeclared("door-01", 2, is_more=False, first_ms=ms(days[2]), last_ms=ms(days[3]))
    assert undeclared(bench) == [told], "what came on the day itself is of a door that is being taken down"
    bench.store.import_network(network("allanche", "murat"), today=date(2026, 10, 8))
    assert [row.start_ms for row in bench.doors("murat")] == [ms("2026-10-05 00:00"), ms("2026-10-08 00:00")]
    assert undeclared(bench) == []
    assert bench.store.rebuild() == []


def test_who_came_in_by_a_door_that_is_not_declared_has_come(bench: Bench) -> None:
    bench.send("murat", [(coming(ms("2026-10-05 09:10"), door="door-07"), "b0000001")])
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert bench.doors("murat") == []
    bench.store.import_network(network("allanche", "murat", doors=7), today=date(2026, 10, 20))
    bench.settle()
    assert bench.counts("murat", "day", "2026-10-05") == (1, 1, 1, 1)
    assert granted(bench.doors("murat")) == [("door-07", 1)]


def test_what_an_undeclared_door_did_long_ago_is_told_however_much_other_doors_did_since(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.undeclared.MAX_DOOR_CHANGES", 3)
    first = ms("2026-10-05 09:10")
    bench.send("murat", [(coming(first, door="door-07"), None)])
    bench.send("murat", [(alarm(first + n * MINUTE, "NORMAL"), None) for n in range(5)])
    bench.settle()
    assert undeclared(bench) == [Undeclared("door-07", 1, is_more=True, first_ms=first, last_ms=first)]


def test_a_clock_correction_moves_what_an_undeclared_door_did(bench: Bench) -> None:
    at = ms("2026-10-05 09:00")
    bench.send("murat", [(coming(5, door="door-07", clock="unsynced", up=1_000), None)])
    bench.settle()
    assert undeclared(bench) == []
    bench.send("murat", [(clock_set(at + 4 * MINUTE, 1_000 + 4 * MINUTE), None)])
    bench.settle()
    assert undeclared(bench) == [Undeclared("door-07", 1, is_more=False, first_ms=at, last_ms=at)]
    assert bench.store.rebuild() == []


def test_declaring_a_door_computes_nothing_again(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.store.import_network(network("allanche", "murat", doors=2), today=date(2026, 10, 20))
    with bench.store.seen() as connection:
        assert connection.execute("select * from dirty").fetchall() == []
        assert connection.execute("select * from visit_mark").fetchall() == []


def test_a_door_that_an_earlier_build_declared_later_counts_from_its_first_day_too(bench: Bench) -> None:
    bench.come("murat", ("b0000001", "2026-10-05 09:00"))
    bench.settle()
    bench.store.import_network(network("allanche", "murat", doors=0), today=date(2026, 10, 8))
    bench.store.import_network(network("allanche", "murat"), today=date(2026, 10, 12))
    (script,) = (script for _, name, script in migrations() if name == "0017_doors_hold_always.sql")
    with bench.store.changed() as connection:
        connection.execute("update resource set valid_from = '2026-10-06' where valid_from = '0001-01-01'")
    assert bench.doors("murat") == []
    with bench.store.changed() as connection:
        connection.execute(script)
        began = connection.execute(
            "select valid_from from resource where resource = 'door-01' order by site, valid_from"
        )
        assert [day for (day,) in began] == ["0001-01-01", "2026-10-12", "0001-01-01", "2026-10-12"]
        desks = connection.execute("select distinct valid_from from resource where kind = 'desk'").fetchall()
        assert desks == [("2026-10-06",)]
    assert granted(bench.doors("murat")) == [("door-01", 1)]
