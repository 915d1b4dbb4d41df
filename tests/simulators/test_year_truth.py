"""The truth of the year on worlds so small that a person can work them out: first of all those of docs/method.md."""

import pytest

from simulators.year_record import Stream
from simulators.year_truth import Truth
from tests.support.year_outbox import alive, at, clock_set, minutes, state, stream, truth

FAST_MS = 20_000


def told(one: Truth, desk: str = "desk-01") -> tuple[float, float, float]:
    """Return minutes available, observed and occupied."""
    return minutes(one.available(desk)), minutes(one.observed(desk)), minutes(one.occupied(desk))


def early(*rest: object) -> Stream:
    """Return a stream that begins before the opening: the first day counts from its first sign of life."""
    return stream(alive("07:00"), *rest)  # type: ignore[arg-type]  # statements, all of them


EXAMPLES = [
    (
        [
            state("08:00", "desk-01", "vacant"),
            state("08:30", "desk-01", "occupied"),
            state("09:30", "desk-01", "vacant"),
            alive("10:00"),
        ],
        (120, 120, 60),
    ),
    ([state("08:00", "desk-01", "vacant"), state("08:30", "desk-01", "occupied"), alive("09:00")], (120, 60, 30)),
    (
        [
            state("07:30", "desk-01", "occupied"),
            state("08:15", "desk-01", "vacant"),
            state("09:00", "desk-01", "unknown"),
            alive("10:00"),
        ],
        (120, 60, 15),
    ),
    ([], (120, 0, 0)),
]


@pytest.mark.parametrize(("statements", "expected"), EXAMPLES)
def test_the_worked_examples_of_the_method_come_out(statements: list[object], expected: tuple[int, int, int]) -> None:
    assert told(truth(early(*statements))) == expected


def test_a_vacancy_is_true_from_the_last_time_that_somebody_was_seen() -> None:
    statements = [state("08:00", "desk-01", "occupied"), state("08:40", "desk-01", "vacant", said="08:45")]
    assert told(truth(early(*statements, alive("10:00")))) == (120, 120, 40)


def test_what_was_known_ends_with_the_last_sign_before_a_restart() -> None:
    first = early(state("08:00", "desk-01", "occupied"), alive("08:20"))
    second = stream(alive("09:00"), state("09:00", "desk-01", "occupied"), alive("09:10"), name="2")
    assert told(truth(first, second)) == (120, 30, 30)


def test_what_is_not_delivered_is_not_known() -> None:
    only = early(state("08:00", "desk-01", "occupied"), alive("08:20"), alive("10:00"))
    assert told(truth(only, upto={only.life.stream: 3})) == (120, 20, 20)


def test_an_unset_clock_gets_its_time_when_the_hub_has_the_moment_at_which_it_was_set() -> None:
    statements = [alive("07:00"), state("08:00", "desk-01", "occupied"), clock_set("08:50"), alive("09:00")]
    unset = stream(*statements, clock="unsynced", error_ms=-7_200_000)
    known = {unset.life.stream: 4}
    assert told(truth(unset, upto=known)) == (120, 60, 60)
    assert told(truth(unset, upto={unset.life.stream: 2})) == (120, 0, 0)


def test_a_clock_that_is_set_within_a_boot_dates_the_life_before_it_too() -> None:
    first = stream(alive("07:00"), state("08:00", "desk-01", "occupied"), alive("08:30"), clock="unsynced", error_ms=-9)
    second = stream(clock_set("09:00"), state("09:00", "desk-01", "vacant"), alive("09:10"), name="2")
    assert told(truth(first, second)) == (120, 40, 30)


def test_a_fast_clock_that_is_set_right_takes_nothing_back() -> None:
    fast = stream(
        alive("07:00"),
        state("08:00", "desk-01", "occupied"),
        state("09:00", "desk-01", "vacant"),
        clock_set("09:00:05"),
        state("09:00:10", "desk-01", "occupied"),
        alive("10:00"),
        clock="holdover",
        error_ms=FAST_MS,
    )
    # Vacant was told of 09:00:20, and what comes after cannot begin before it.
    assert truth(fast).told("desk-01", frozenset({"vacant"})) == []
    assert truth(fast).occupied("desk-01") == [(at("08:00:20"), at("10:00"))]


def test_a_desk_out_of_service_is_not_available() -> None:
    statements = [state("08:00", "desk-01", "out_of_service"), state("09:00", "desk-01", "vacant"), alive("10:00")]
    assert told(truth(early(*statements))) == (60, 60, 0)


def test_the_first_day_counts_from_its_first_sign_of_life() -> None:
    assert told(truth(stream(alive("08:45"), state("09:00", "desk-01", "vacant"), alive("10:00")))) == (75, 60, 0)


def test_nothing_is_available_yet_after_now() -> None:
    assert told(truth(early(state("08:00", "desk-01", "vacant"), alive("08:30")), now="08:30")) == (30, 30, 0)
