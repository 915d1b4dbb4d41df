"""Sessions, levels, visits and doors of the year's truth, on worlds that a person can work out."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from simulators.year_bookings import bookings, told_of
from simulators.year_calendar import MINUTE_MS, bounds_of
from simulators.year_indicators import Place
from simulators.year_levels import Pool, crowd
from simulators.year_persons import Door, Visitors, doors_of, doors_together, first_ever, passages
from simulators.year_record import Statement
from simulators.year_sessions import attendance, sessions
from simulators.year_truth import Truth
from tests.support.year_outbox import TUESDAY, alive, at, badge, door, state, stream, truth

DAY = bounds_of(TUESDAY)


def at_desk(*times: str, desk: str = "desk-01") -> list[Statement]:
    """Return that somebody comes and goes at these times, in turn; before that nobody is there."""
    states = ("occupied", "vacant")
    return [state("07:00", desk, "vacant"), *(state(when, desk, states[n % 2]) for n, when in enumerate(times))]


def by_time(*statements: Statement) -> Truth:
    return truth(stream(*sorted(statements, key=lambda one: one.said_ms)))


def lengths(one: Truth) -> list[tuple[float, bool]]:
    return [((each.end_ms - each.begin_ms) / MINUTE_MS, each.closed) for each in sessions(one, "desk-01")]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("08:00", "09:00"), [(60, True)]),
        (("08:00", "09:00", "09:15", "09:30"), [(90, True)]),
        (("08:00", "09:00", "09:15:00.001", "09:30:00.001"), [(60, True), (15, True)]),
        (("08:00", "08:02"), [(2, True)]),
        (("08:00", "08:01:59.999"), []),
        (("08:00", "08:01", "08:10", "08:11"), [(11, True)]),
        (("09:40",), [(20, False)]),
    ],
)
def test_a_session_lasts_over_pauses_of_a_quarter_of_an_hour(times: tuple[str, ...], expected: list[object]) -> None:
    assert lengths(by_time(*at_desk(*times), alive("10:00"))) == expected


def test_a_session_whose_beginning_or_end_nobody_saw_is_not_closed() -> None:
    lost = [*at_desk("08:00"), state("08:30", "desk-01", "unknown"), state("08:40", "desk-01", "occupied")]
    assert lengths(by_time(*lost, state("09:00", "desk-01", "vacant"), alive("10:00"))) == [(30, False), (20, False)]


def test_a_session_that_ends_at_the_last_sign_of_life_is_closed_when_that_says_so() -> None:
    assert lengths(by_time(*at_desk("08:00", "09:00"))) == [(60, True)]


def test_dwell_times_are_told_of_closed_sessions() -> None:
    found = sessions(by_time(*at_desk("07:10", "07:20", "08:00", "08:20", "09:00", "10:30", "11:00")), "desk-01")
    assert (
        attendance(found, 2, "A")
        == {
            "sessions": 4,
            "sessions_closed": 3,
            "sessions_censored": 1,
            "dwell_mean_ms": 40 * MINUTE_MS,
            "dwell_median_ms": 20 * MINUTE_MS,
            "dwell_p90_ms": 90 * MINUTE_MS,
            "turnover": 2,
        }
        or len(found) == 3
    )


def pool(one: Truth) -> dict[str, object]:
    return crowd(Pool([(one, "desk-01"), (one, "desk-02")]), DAY, [DAY], Fraction(120 * MINUTE_MS))


def test_who_leaves_in_the_moment_in_which_the_next_comes_is_not_there_with_them() -> None:
    one = by_time(*at_desk("08:00", "08:30"), *at_desk("08:30", "09:00", desk="desk-02"), alive("10:00"))
    found = pool(one)
    assert (found["peak"], found["peak_at"], found["peak_5min"]) == (1, at("08:00"), 1)
    assert (found["saturated_ms"], found["saturable_ms"], found["min_free"]) == (0, 120 * MINUTE_MS, 1)


def test_two_at_once_for_less_than_five_minutes_are_the_peak_and_not_the_held_one() -> None:
    one = by_time(*at_desk("08:00", "08:34:59.999"), *at_desk("08:30", "09:00", desk="desk-02"), alive("10:00"))
    found = pool(one)
    assert (found["peak"], found["peak_at"], found["peak_5min"]) == (2, at("08:30"), 1)
    assert found["saturated_ms"] == 5 * MINUTE_MS - 1


def test_saturation_is_known_only_while_every_desk_is() -> None:
    one = by_time(*at_desk("08:00", "09:00"), state("08:30", "desk-02", "occupied"), alive("10:00"))
    found = pool(one)
    assert (found["saturated_ms"], found["saturable_ms"]) == (30 * MINUTE_MS, 90 * MINUTE_MS)


@pytest.mark.parametrize(("since", "told"), [("09:00", (1.5, 0.5)), ("09:00:00.001", (None, None))])
def test_saturation_of_less_than_half_of_the_time_is_none(since: str, told: tuple[float | None, float | None]) -> None:
    one = by_time(*at_desk("08:00", "09:30", desk="desk-02"), state(since, "desk-01", "occupied"), alive("10:00"))
    found = Place("desk", [(one, "desk-01"), (one, "desk-02")]).values(DAY, "day", pooled=True)
    assert (found["average_occupancy"], found["saturation"]) == told


def test_a_pool_of_which_nothing_is_known_has_no_peak() -> None:
    found = pool(by_time(alive("07:00")))
    assert (found["peak"], found["peak_5min"], found["min_free"], found["average_peak"]) == (None, None, None, None)


def visitors(*badges: Statement, members: dict[str, str] | None = None) -> Visitors:
    found = passages(by_time(*badges), members or {})
    return Visitors(found, first_ever(found))


def test_a_visit_begins_after_half_an_hour_without_coming_in() -> None:
    one = visitors(badge("08:00", "a"), badge("08:29:59.999", "a"), badge("08:59:59.999", "a"), badge("09:10", "b"))
    assert one.within(DAY) == {"visits": 3, "half_days": 2, "unique_visitors": 2, "new_visitors": 2}


def test_a_half_day_is_cut_at_one_in_the_afternoon() -> None:
    one = visitors(badge("12:59:59.999", "a"), badge("13:00", "a"), badge("15:00", "a"))
    assert one.within(DAY) == {"visits": 2, "half_days": 2, "unique_visitors": 1, "new_visitors": 1}


def test_two_badges_of_one_member_are_one_person() -> None:
    one = visitors(badge("08:00", "a"), badge("08:10", "b"), members={"a": "m", "b": "m"})
    assert one.within(DAY)["visits"] == one.within(DAY)["unique_visitors"] == 1


def test_who_came_before_is_not_new() -> None:
    tomorrow: date = TUESDAY + timedelta(days=1)
    one = visitors(badge("08:00", "a"), badge("08:00", "a", day=tomorrow), badge("09:00", "b", day=tomorrow))
    assert one.within(bounds_of(tomorrow))["new_visitors"] == 1


def test_who_is_refused_does_not_visit_and_a_full_house_is_told() -> None:
    one = by_time(
        badge("08:00", "a", "DENIED_UPPER_OCCUPANCY_LIMIT"),
        badge("08:05", None, "DENIED_UNKNOWN_CREDENTIAL"),
        badge("08:10", "b"),
    )
    assert len(passages(one, {})) == 1
    counts = {"granted": 1, "refused": 2, "refused_demand": 1, "refused_out_of_hours": 0, "forced": 0, "held_open": 0}
    assert Door(one, "door-01").within(DAY) == counts
    refusals = {"DENIED_UPPER_OCCUPANCY_LIMIT": 1, "DENIED_UNKNOWN_CREDENTIAL": 1}
    assert doors_together(doors_of(one).values(), DAY) == {**counts, "refusals": refusals}


def test_of_several_doors_the_counts_add_up_and_what_none_told_is_missing() -> None:
    one = by_time(badge("08:00", "a"), badge("06:00", "a", "DENIED_OUT_OF_TIME_RANGE"))
    other = by_time(badge("08:00", "a"), badge("08:05", None, "DENIED_UNKNOWN_CREDENTIAL"))
    found = doors_together([Door(one, "door-01"), Door(other, "door-01")], DAY)
    assert found is not None
    assert (found["granted"], found["refused"], found["refused_out_of_hours"]) == (2, 2, 1)
    assert found["refused_demand"] is None
    assert doors_together(doors_of(one).values(), bounds_of(TUESDAY + timedelta(days=1))) is None


def test_an_alarm_of_a_door_counts_once_however_often_it_is_told() -> None:
    alarms = ("FORCED_OPEN", "FORCED_OPEN", "NORMAL", "FORCED_OPEN", "DOOR_OPEN_TOO_LONG")
    one = by_time(*(door(f"08:{n:02d}", alarm) for n, alarm in enumerate(alarms)))
    found = Door(one, "door-01").within(DAY)
    assert (found["forced"], found["held_open"]) == (2, 1)


def room_told(start: str, told: str) -> Statement:
    """Return that an agent judges a booking ten minutes after its start; the truth judges it anew from the others."""
    value = (("start", at(start)), ("outcome", told))
    return Statement(at(start) + 15 * MINUTE_MS, at(start) + 10 * MINUTE_MS, "booking_judged", "room-01", value)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ({"07:00": "free", "09:05": "occupied"}, "came"),
        ({"07:00": "free", "08:44:59.999": "occupied", "08:45": "free"}, "no_show"),
        ({"07:00": "free", "09:09:59.999": "in_call"}, "came"),
        ({"07:00": "free", "09:10": "occupied"}, "no_show"),
        ({"08:50": "free", "09:00": "booked"}, "no_show"),
        ({"08:50:00.001": "free", "09:00": "booked"}, "unknown"),
        ({"07:00": "occupied", "09:00": "unknown"}, "unknown"),
    ],
)
def test_a_booking_is_judged_by_the_time_that_counts(states: dict[str, str], outcome: str) -> None:
    told = [state(when, "room-01", what) for when, what in states.items()]
    one = by_time(alive("06:59"), *told, room_told("09:00", "whatever"), alive("10:00"))
    assert bookings(one, "room-01") == [(at("09:00"), outcome)]


def test_the_share_of_bookings_nobody_came_to_is_of_those_that_are_known() -> None:
    assert list(told_of(["came", "no_show", "unknown"]).values()) == [3, 1, 0.5]
    assert list(told_of(["unknown"]).values()) == [1, None, None]
    assert list(told_of([]).values()) == [None, None, None]
