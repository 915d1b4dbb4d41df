"""A simulated day with known presence through the pure core: minutes occupied, unknown, and none invented vacant."""

from dataclasses import replace

import pytest

from contract.events import DeskStateChanged, DeviceLost
from edge.core.effects import Publish
from edge.core.observations import Tick
from edge.core.occupancy import PresenceRules
from edge.core.opening import parse_opening
from edge.core.plan import Plan
from edge.core.sensor import LIMITS
from edge.core.site import begin, decide
from tests.support.moments import MONDAY_NINE, at
from tests.support.plan import PLAN
from tests.support.sensed_day import CLOSE_S, DAY_S, DESKS, HOUR_S, PULLED_S, PUT_BACK_S, Desk, observations

HOLD_S = 300.0
OPENING = parse_opening("Mo-Fr 09:00-19:00", PLAN.zone)
PLAN_OF_DAY: Plan = replace(
    PLAN,
    doors={},
    readers={},
    rooms={},
    desks={
        desk.id: PresenceRules(
            (desk.sensor,), settle_s=2.0, hold_s=HOLD_S, bridge_s=5.0 if desk.sensor.endswith("pin") else 0.0
        )
        for desk in DESKS
    },
    devices={desk.sensor: desk.sensor.rpartition("-")[2] for desk in DESKS},
    limits={desk.sensor: LIMITS["radar" if desk.sensor.endswith("radar") else "pir"] for desk in DESKS},
    opening=OPENING,
)
# What a sensor may err by, once a stay: a PIR sees the last movement up to two minutes before somebody leaves, a radar
# says "somebody" for five seconds more, may lose a still person just then, and is asked every ten seconds.
ERROR_S = {"pin": 130.0, "radar": 90.0}

Timeline = list[tuple[float, str]]


def played(seed: int) -> tuple[dict[str, Timeline], list[DeviceLost]]:
    """Return each desk's timeline as a hub would keep it, and the losses that were told."""
    site, effects = begin(PLAN_OF_DAY, at(0), "1.0")
    for seen in [*observations(seed), Tick(at(DAY_S))]:
        site, told = decide(site, seen)
        effects += told
    events = [effect.event for effect in effects if isinstance(effect, Publish)]
    timelines: dict[str, Timeline] = {desk.id: [(0.0, "unknown")] for desk in DESKS}
    for event in events:
        if isinstance(event, DeskStateChanged):
            since_s = (event.t - round(MONDAY_NINE.timestamp() * 1000)) / 1000
            # A state from an earlier moment on replaces what was said of that time.
            kept = [(start_s, state) for start_s, state in timelines[event.subject] if start_s < since_s]
            timelines[event.subject] = [*kept, (since_s, event.value.state)]
    return timelines, [event for event in events if isinstance(event, DeviceLost)]


def lasted(timeline: Timeline, state: str, from_s: float, to_s: float) -> float:
    ends = [*(start_s for start_s, _ in timeline[1:]), DAY_S]
    return sum(
        max(0.0, min(end_s, to_s) - max(start_s, from_s))
        for (start_s, what), end_s in zip(timeline, ends, strict=True)
        if what == state
    )


def truth(desk: Desk, from_s: float, to_s: float) -> float:
    return sum(max(0.0, min(end_s, to_s) - max(start_s, from_s)) for start_s, end_s in desk.stays)


@pytest.fixture(scope="module")
def day() -> tuple[dict[str, Timeline], list[DeviceLost]]:
    return played(seed=1)


Day = tuple[dict[str, Timeline], list[DeviceLost]]


def test_occupied_time_is_the_truth_within_the_error_of_the_sensor(day: Day) -> None:
    for desk in (desk for desk in DESKS if not desk.unknown):
        error_s = ERROR_S[desk.sensor.rpartition("-")[2]] * max(1, len(desk.stays))
        occupied_s = lasted(day[0][desk.id], "occupied", 0, CLOSE_S)
        assert abs(occupied_s - truth(desk, 0, CLOSE_S)) <= error_s, desk.id


def test_a_stuck_radar_is_unknown_from_the_last_moment_at_which_it_was_believable(day: Day) -> None:
    timeline = day[0]["desk-03"]
    assert timeline[-1][1] == "unknown"
    assert 2 * HOUR_S <= timeline[-1][0] <= 4 * HOUR_S + HOLD_S
    assert lasted(timeline, "unknown", 4 * HOUR_S, DAY_S) > 10.5 * HOUR_S
    assert ("desk-03-radar", "implausible") in [(lost.subject, lost.value.fault) for lost in day[1]]


def test_an_unplugged_pir_is_unknown_while_it_is_away_and_no_longer_than_it_takes_to_know(day: Day) -> None:
    timeline = day[0]["desk-04"]
    assert lasted(timeline, "unknown", PULLED_S, PUT_BACK_S) == PUT_BACK_S - PULLED_S
    after_s = lasted(timeline, "unknown", PUT_BACK_S, DAY_S)
    assert after_s <= 120.0 + HEARD_AGAIN_S
    occupied_s = lasted(timeline, "occupied", 0, PULLED_S) + lasted(timeline, "occupied", PUT_BACK_S, DAY_S)
    assert abs(occupied_s - (6 - 2) * HOUR_S) <= 3 * ERROR_S["pin"]


HEARD_AGAIN_S = 10.0
"""A movement must settle before the desk counts as occupied again."""


def test_no_vacant_minute_is_invented(day: Day) -> None:
    for desk in DESKS:
        error_s = ERROR_S[desk.sensor.rpartition("-")[2]]
        for start_s, end_s in desk.stays:
            assert lasted(day[0][desk.id], "vacant", start_s, end_s - error_s) == 0, desk.id
        for start_s, end_s in desk.unknown:
            assert lasted(day[0][desk.id], "vacant", start_s + error_s, end_s) == 0, desk.id


def test_an_empty_desk_is_vacant_all_day(day: Day) -> None:
    assert lasted(day[0]["desk-06"], "vacant", 0, DAY_S) == DAY_S


def test_the_sensors_that_are_well_are_told_as_nothing_else(day: Day) -> None:
    assert {lost.subject for lost in day[1]} == {"desk-03-radar", "desk-04-pin"}
