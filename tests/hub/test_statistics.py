"""What the states of places amount to: time observed and occupied, and what ends a state.

That figures are a function of the set of events, whatever the order: test_random_histories.py.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.opening import day_bounds, hours_of, opened
from hub.statistics import Change, Heard, figures, walk

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
HOURS = [(n * 60 * MINUTE, (n + 1) * 60 * MINUTE) for n in range(3)]
ALL_DAY = [(0, 180 * MINUTE)]


def minutes(pairs: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(at * MINUTE, state) for at, state in pairs]


def told(changes: Iterable[tuple[int, str]], carried: str | None, horizon: int) -> list[tuple[int, int]]:
    """(observed, occupied) in minutes of each of three hours."""
    found = figures(minutes(changes), carried, horizon * MINUTE, ALL_DAY, HOURS)
    return [(f.observed_ms // MINUTE, f.occupied_ms // MINUTE) for f in found]


def test_a_state_counts_until_the_next_one() -> None:
    assert told([(30, "occupied"), (90, "vacant")], "vacant", 180) == [(60, 30), (60, 30), (60, 0)]


def test_an_open_state_counts_up_to_the_last_event_heard_and_no_further() -> None:
    assert told([(30, "occupied")], "vacant", 100) == [(60, 30), (40, 40), (0, 0)]


def test_unknown_and_out_of_service_are_not_observed() -> None:
    assert told([(10, "unknown"), (70, "out_of_service"), (130, "free")], "occupied", 180) == [
        (10, 10),
        (0, 0),
        (50, 0),
    ]


def test_a_room_is_occupied_when_occupied_or_in_a_call_and_not_when_booked_or_ghost() -> None:
    assert told([(60, "in_call"), (120, "ghost")], "booked", 180) == [(60, 0), (60, 60), (60, 0)]


def test_time_outside_the_opening_hours_is_neither_available_nor_occupied() -> None:
    found = figures([], "occupied", 180 * MINUTE, [(30 * MINUTE, 90 * MINUTE)], HOURS)
    assert [(f.available_ms, f.observed_ms, f.occupied_ms) for f in found] == [
        (30 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        (30 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        (0, 0, 0),
    ]


def test_nothing_is_observed_of_a_site_never_heard() -> None:
    assert all(f.observed_ms == 0 for f in figures([], None, None, ALL_DAY, HOURS))


def test_a_start_of_the_agent_ends_every_state_at_the_event_heard_just_before_it() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(200), Heard(900, breaks=True), Heard(950, "desk-01", "vacant")]
    changes, heard = walk(events, {}, None)
    assert changes == [
        Change("desk-01", 100, "occupied"),
        Change("desk-01", 200, "unknown"),
        Change("desk-01", 950, "vacant"),
    ]
    assert heard == 950


def test_a_state_without_an_instant_is_unknown_from_the_event_before_it() -> None:
    changes, _ = walk([Heard(100, "desk-01", "vacant"), Heard(300), Heard(None, "desk-01", "occupied")], {}, None)
    assert changes[-1] == Change("desk-01", 300, "unknown")


def test_a_backdated_vacancy_ends_the_occupation_in_the_past() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(900), Heard(400, "desk-01", "vacant")]
    assert walk(events, {}, None)[0][-1] == Change("desk-01", 400, "vacant")


def test_a_clock_set_back_shortens_the_earlier_state_and_erases_nothing_before_it() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(500, "desk-01", "vacant"), Heard(50, "desk-01", "occupied")]
    assert walk(events, {}, None)[0][-1] == Change("desk-01", 500, "occupied")


def test_a_state_said_again_changes_nothing() -> None:
    assert len(walk([Heard(100, "desk-01", "vacant"), Heard(200, "desk-01", "vacant")], {}, None)[0]) == 1


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_local_day_has_as_many_hours_as_really_passed(day: date, hours: int) -> None:
    bounds = day_bounds(day, PARIS)
    assert len(hours_of(*bounds)) == hours
    assert sum(b - a for a, b in opened("24/7", PARIS, day)) == hours * 3_600_000


def test_public_holidays_of_france_are_closed_when_the_hours_say_so() -> None:
    assert opened("Mo-Fr 08:00-19:00; PH off", PARIS, date(2026, 12, 25)) == ()
    assert len(opened("Mo-Fr 08:00-19:00; PH off", PARIS, date(2026, 12, 24))) == 1


@pytest.mark.parametrize("zone", ["Atlantic/Azores", "America/Havana", "America/Santiago"])
@pytest.mark.parametrize("changes_on", [date(2026, 3, 28), date(2026, 9, 5), date(2026, 10, 24), date(2026, 10, 31)])
def test_a_telecentre_that_never_closes_is_open_all_day_where_clocks_change_at_midnight(
    zone: str, changes_on: date
) -> None:
    for day in (changes_on, changes_on + timedelta(days=1)):
        assert opened("24/7", ZoneInfo(zone), day) == (day_bounds(day, ZoneInfo(zone)),)
