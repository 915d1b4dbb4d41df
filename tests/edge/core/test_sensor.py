"""Whether a sensor is believed: the table of docs/sensors.md, threshold by threshold."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.sensor import (
    CHATTER_WINDOW_S,
    CLOSED_ON_S,
    CONTRADICTION_S,
    HOUR_S,
    LIMITS,
    MAX_CHANGES,
    UNHEARD_S,
    Limits,
    SensorType,
    Verdict,
    Watched,
    forget,
    judge,
    untold,
)
from tests.support.moments import at

DAY_S = 24 * HOUR_S
SHORT = Limits(stuck_on_s=100.0, stuck_off_days=3)


class Bench:
    """Sensors of one place, read one after another; the verdicts are kept."""

    def __init__(self, *names: str, limits: Limits = SHORT, others: tuple[str, ...] = ()) -> None:
        self.names = names
        self.limits = limits
        self.watched = Watched({name: untold(at(0)) for name in (*names, *others)})
        self.verdicts: list[Verdict] = []
        self.is_open = True

    def hear(self, name: str, at_s: float, *, present: bool) -> "Bench":
        neighbours = self.names if name in self.names else (name,)
        self.watched, said = judge(
            self.watched, self.limits, neighbours, name, at(at_s), present=present, is_open=self.is_open
        )
        self.verdicts += said
        return self

    def steady(self, name: str, from_s: float, to_s: float, *, present: bool, every_s: float = 2.0) -> "Bench":
        for step in range(int((to_s - from_s) / every_s) + 1):
            self.hear(name, from_s + step * every_s, present=present)
        return self

    def told(self) -> list[tuple[str, str | None, float]]:
        return [(verdict.sensor, verdict.fault, verdict.since.mono_s) for verdict in self.verdicts]


def test_the_limits_are_those_of_every_type() -> None:
    assert set(LIMITS) == set(get_args(SensorType))
    hours = {kind: limits.stuck_on_s / HOUR_S for kind, limits in LIMITS.items()}
    assert hours == {"pir": 8, "contact": 12, "pressure": 12, "radar": 12}


@pytest.mark.parametrize("kind", get_args(SensorType))
def test_a_sensor_that_sees_somebody_without_a_break_is_stuck_from_the_beginning_of_that(kind: SensorType) -> None:
    limit_s = LIMITS[kind].stuck_on_s
    bench = Bench("one", limits=LIMITS[kind]).hear("one", 0, present=False)
    bench.steady("one", 10, 10 + limit_s - 10, present=True, every_s=10)
    assert bench.told() == []
    bench.hear("one", 10 + limit_s, present=True)
    assert bench.told() == [("one", "stuck", 10)]


def test_a_stuck_sensor_is_believed_again_when_it_changes() -> None:
    bench = Bench("one").steady("one", 0, 150, present=True).hear("one", 152, present=False)
    assert bench.told() == [("one", "stuck", 0), ("one", None, 152)]


def test_one_look_away_begins_the_run_anew() -> None:
    bench = Bench("one").steady("one", 0, 90, present=True).hear("one", 92, present=False)
    assert bench.steady("one", 94, 190, present=True).told() == []


def test_a_silence_begins_the_run_anew() -> None:
    bench = Bench("one").steady("one", 0, 90, present=True)
    assert bench.steady("one", 91 + UNHEARD_S, 190, present=True).told() == []


def test_a_lost_sensor_begins_anew() -> None:
    bench = Bench("one").steady("one", 0, 90, present=True)
    bench.watched = forget(bench.watched, "one", at(91))
    assert bench.steady("one", 92, 180, present=True).told() == []


def test_a_sensor_that_sees_nobody_while_the_site_is_in_use_is_stuck_after_so_many_days() -> None:
    bench = Bench("one", others=("other",)).hear("one", 0, present=True).hear("one", 2, present=False)
    for day in range(4):
        bench.hear("other", day * DAY_S + 6, present=True).hear("other", day * DAY_S + 8, present=False)
        bench.steady("one", day * DAY_S + 10, (day + 1) * DAY_S, present=False, every_s=10)
    assert bench.told() == [("one", "stuck", 2)]
    assert bench.hear("one", 4 * DAY_S + 5, present=True).told()[-1] == ("one", None, 4 * DAY_S + 5)


def test_days_on_which_nobody_comes_say_nothing_against_a_sensor() -> None:
    bench = Bench("one").hear("one", 0, present=True).hear("one", 2, present=False)
    assert bench.steady("one", 4, 5 * DAY_S, present=False, every_s=14).told() == []


def test_somebody_for_hours_of_a_closed_site_is_implausible_from_the_beginning_of_the_run() -> None:
    bench = Bench("one", limits=LIMITS["radar"]).steady("one", 0, 3600, present=True, every_s=10)
    bench.is_open = False
    bench.steady("one", 3610, 3610 + CLOSED_ON_S - 10, present=True, every_s=10)
    assert bench.told() == []
    bench.hear("one", 3610 + CLOSED_ON_S, present=True)
    assert bench.told() == [("one", "implausible", 0)]
    bench.is_open = True
    assert bench.hear("one", 3620 + CLOSED_ON_S, present=True).told()[-1] == ("one", "implausible", 0), "morning"


def test_changes_faster_than_a_person_are_chatter_until_it_is_calm() -> None:
    bench = Bench("one")
    for step in range(MAX_CHANGES + 1):
        bench.hear("one", step * 0.5, present=step % 2 == 0)
    assert bench.told() == [("one", "chattering", MAX_CHANGES * 0.5)]
    bench.steady("one", MAX_CHANGES * 0.5 + 2, MAX_CHANGES * 0.5 + CHATTER_WINDOW_S, present=False)
    assert [fault for _, fault, _ in bench.told()] == ["chattering", None]


def test_the_quickest_pir_before_a_busy_person_does_not_chatter() -> None:
    bench = Bench("one", limits=LIMITS["pir"])
    for step in range(400):
        bench.hear("one", step * 2.8, present=True).hear("one", step * 2.8 + 0.3, present=False)
    assert bench.told() == []


def test_two_sensors_that_contradict_each_other_for_hours_are_both_in_doubt() -> None:
    bench = Bench("pin", "radar", limits=LIMITS["radar"])
    for step in range(int(CONTRADICTION_S / 10) + 1):
        bench.hear("pin", 5 + step * 10, present=False).hear("radar", 7 + step * 10, present=True)
    assert sorted(bench.told()) == [("pin", "implausible", 7), ("radar", "implausible", 7)]
    bench.verdicts.clear()
    bench.hear("radar", 20_000, present=False)
    assert bench.told() == [("radar", None, 20_000)], "the one that changes is believed, the other not yet"


def test_two_sensors_that_agree_are_believed() -> None:
    bench = Bench("pin", "radar", limits=LIMITS["radar"])
    for step in range(int(CONTRADICTION_S / 10) + 50):
        bench.hear("pin", 5 + step * 10, present=True).hear("radar", 7 + step * 10, present=True)
    assert bench.told() == []


@given(
    readings=st.lists(st.tuples(st.floats(0.01, 30.0), st.booleans()), max_size=120),
    doubtful=st.sampled_from([SHORT, LIMITS["pir"]]),
)
@settings(max_examples=150, deadline=None)
def test_a_doubt_never_comes_before_its_threshold_and_never_outlives_its_run(
    readings: list[tuple[float, bool]], doubtful: Limits
) -> None:
    bench = Bench("one", limits=doubtful)
    at_s, run_s, last = 0.0, 0.0, None
    for gap_s, present in readings:
        at_s += gap_s
        if present != last or gap_s > UNHEARD_S:
            run_s, last = at_s, present
        bench.hear("one", at_s, present=present)
        trust = bench.watched.sensors["one"]
        expected = present and at_s - run_s >= doubtful.stuck_on_s
        if trust.doubt != "chattering":
            assert trust.doubt == ("stuck" if expected else None)
        assert len(trust.changes) <= MAX_CHANGES


def test_a_sensor_in_doubt_is_told_once() -> None:
    bench = Bench("one").steady("one", 0, 300, present=True)
    assert len(bench.verdicts) == 1
    assert replace(bench.watched.sensors["one"], doubt=None).present
