"""Indicators of months, zones and first days: histories that are drawn too rarely, each for what it once broke.

That indicators are a function of the set of events, whatever the order: test_random_histories.py.
"""

from contextlib import closing
from datetime import date
from pathlib import Path
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from hub.network import Network, SiteTable
from hub.opening import day_bounds
from hub.store import Asked
from hub.store.connection import Engine
from tests.hub.test_random_histories import compare
from tests.support.histories import (
    LENGTH,
    MINUTE,
    NETWORK,
    PARIS,
    RECEIVED,
    SHORTER,
    SITE,
    START,
    History,
    Said,
    Stream,
    Version,
)
from tests.support.telecentres import Change, put_history, store_in
from tests.support.telling import deliver

LEVELS: tuple[tuple[str, Literal["site", "zone"]], ...] = ((SITE, "site"), ("zone", "zone"))


def test_a_month_that_is_over_reads_as_its_days_pooled(tmp_path: Path) -> None:
    said = [Said("edge_started", 0)]
    for n in range(120):
        state = "occupied" if n % 2 else "vacant"
        said.append(Said("desk_state_changed", 60 + n * 127, f"desk-0{n // 7 % 2 + 1}", state))
    said.append(Said("edge_alive", 20 * 24 * 60))
    with closing(store_in(tmp_path, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=date(2026, 10, 1))
        deliver(store, [Stream("a" * 32, "b" * 32, tuple(said))], Random(1))

        def october(zone: ZoneInfo) -> tuple[int, int]:
            return day_bounds(date(2026, 10, 1), zone)[0], day_bounds(date(2026, 10, 31), zone)[1]

        kept, pooled = (
            store.indicators([Asked(place, level, (SITE,))], "desk", "month", october)[0] for place, level in LEVELS
        )
        silent = store.occupancy(SITE, "desk", "month", *october(PARIS))
    assert kept.values == pooled.values
    assert kept.values["sessions"]
    assert kept.values["available_ms"] == sum(row.available_ms for row in silent)


def test_a_day_before_the_first_sign_of_life_counts_for_nothing_although_it_was_marked(home: Path | Engine) -> None:
    shorter = NETWORK.network.model_copy(update={"opening_hours": SHORTER})
    east = NETWORK.site[0].model_copy(update={"time_zone": "Indian/Reunion"})
    today = date(2026, 10, 24)
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=today)
        said = (Said("edge_started", 60), Said("edge_alive", 90))
        deliver(store, [Stream("a" * 32, "b" * 32, said)], Random(1))
        # Friday evening in Paris is still marked when it becomes Saturday morning on La Réunion.
        store.import_network(Network(network=shorter, site=NETWORK.site), today=date(2026, 10, 23))
        store.import_network(Network(network=shorter, site=[east]), today=today)
        deliver(store, [], Random(1))
        rows = store.occupancy(SITE, "desk", "day", START - 4 * LENGTH * MINUTE, START + 60 * MINUTE)
        assert {row.start_ms for row in rows} == {START}
        assert store.rebuild() == []


def test_the_peak_of_a_zone_is_the_first_in_time_whichever_telecentre_has_the_day(tmp_path: Path) -> None:
    sites = [SiteTable(id=name, name=name, desks=1) for name in ("first", "second")]
    with closing(store_in(tmp_path, lambda: RECEIVED)) as store:
        store.import_network(Network(network=NETWORK.network, site=sites), today=date(2026, 10, 24))
        noon = START + 16 * 60 * MINUTE
        taken: list[Change] = [(noon - MINUTE, "desk-01", "vacant"), (noon, "desk-01", "occupied")]
        monday: list[Change] = [(at + 50 * 60 * MINUTE, desk, state) for at, desk, state in taken]
        put_history(store, "first", monday, until=noon + 51 * 60 * MINUTE)
        put_history(store, "second", [*taken, (noon + MINUTE, "desk-01", "vacant")], until=noon + 51 * 60 * MINUTE)

        def october(zone: ZoneInfo) -> tuple[int, int]:
            return day_bounds(date(2026, 10, 1), zone)[0], day_bounds(date(2026, 11, 1), zone)[0]

        (month,) = store.indicators([Asked("zone", "zone", ("first", "second"))], "desk", "month", october)
    assert (month.values["peak"], month.values["peak_at_ms"]) == (1, noon)


def test_what_was_seen_before_the_first_sign_of_life_by_a_clock_that_was_set_back_has_its_levels(
    home: Path | Engine,
) -> None:
    said = (Said("edge_started", 693), Said("room_state_changed", 495, "room-01", "free"), Said("edge_alive", 747))
    history = History(START, (Stream("a" * 32, "b" * 32, said),), ((date(2026, 9, 23), Version()),))
    compare(home, history, Random(1))


def test_what_was_out_of_service_before_the_first_sign_of_life_is_taken_off_once(home: Path | Engine) -> None:
    said = (
        Said("edge_started", 693),
        Said("desk_state_changed", 680, "desk-01", "out_of_service"),
        Said("desk_state_changed", 695, "desk-01", "unknown"),
        Said("edge_alive", 800),
    )
    history = History(START, (Stream("a" * 32, "b" * 32, said),), ((date(2026, 9, 23), Version()),))
    compare(home, history, Random(1))
