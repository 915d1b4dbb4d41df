from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.occupancy import (
    SILENT_AFTER_S,
    Change,
    Presence,
    PresenceRules,
    deadline,
    elapse,
    fuse,
    lose,
    read,
    unknown_presence,
)
from tests.support.moments import at

ONE = PresenceRules(("pin",), settle_s=2.0, hold_s=10.0)
TWO = PresenceRules(("pin", "radar"), settle_s=2.0, hold_s=10.0)


@dataclass(frozen=True)
class Seen:
    """A reading of a sensor, or its loss."""

    at_s: float
    sensor: str
    present: bool | None


def play(rules: PresenceRules, seen: list[Seen], until_s: float, ticks: list[float] | None = None) -> list[Change]:
    """Return every change of state, with extra looks at `ticks`."""
    presence = unknown_presence(at(0))
    changes: list[Change] = []
    looks = [Seen(tick, "", present=None) for tick in ticks or []]
    for one in sorted([*seen, *looks], key=lambda one: one.at_s):
        if one.at_s > until_s:
            break
        presence, some = elapse(presence, rules, at(one.at_s))
        changes += some
        presence = take(presence, rules, one)
    presence, some = elapse(presence, rules, at(until_s))
    return [*changes, *some]


def take(presence: Presence, rules: PresenceRules, one: Seen) -> Presence:
    if not one.sensor:
        return presence
    if one.present is None:
        return lose(presence, rules, one.sensor, at(one.at_s))
    return read(presence, rules, one.sensor, at(one.at_s), present=one.present)


def told(changes: list[Change]) -> list[tuple[str, float]]:
    return [(change.state, change.since.mono_s) for change in changes]


def steady(sensor: str, present: bool, from_s: float, to_s: float) -> list[Seen]:
    """A sensor's repeats, every 2 s as its thread does."""
    return [Seen(from_s + 2 * step, sensor, present) for step in range(int((to_s - from_s) / 2) + 1)]


def test_a_desk_is_occupied_from_the_first_detection_once_it_has_settled() -> None:
    seen = steady("pin", present=True, from_s=5, to_s=11)
    assert told(play(ONE, seen, until_s=6.9)) == []
    assert told(play(ONE, seen, until_s=7)) == [("occupied", 5)]


def test_a_passer_by_is_not_a_guest() -> None:
    seen = [*steady("pin", present=False, from_s=0, to_s=20), Seen(20.5, "pin", present=True)]
    seen += steady("pin", present=False, from_s=22, to_s=40)
    assert told(play(ONE, seen, until_s=41)) == [("vacant", 0)]


def test_a_desk_is_vacated_only_after_the_hold_time_and_from_the_last_detection() -> None:
    seen = [*steady("pin", present=True, from_s=0, to_s=10), *steady("pin", present=False, from_s=12, to_s=30)]
    assert told(play(ONE, seen, until_s=21.9)) == [("occupied", 0)]
    assert told(play(ONE, seen, until_s=22)) == [("occupied", 0), ("vacant", 12)]


def test_a_short_detection_within_the_hold_time_keeps_the_desk_occupied() -> None:
    seen = [*steady("pin", present=True, from_s=0, to_s=10), *steady("pin", present=False, from_s=12, to_s=20)]
    seen += [Seen(20.5, "pin", present=True), *steady("pin", present=False, from_s=21, to_s=40)]
    assert told(play(ONE, seen, until_s=40)) == [("occupied", 0), ("vacant", 21)]


def test_a_lost_sensor_makes_the_desk_unknown_at_once_and_never_vacant() -> None:
    seen = [*steady("pin", present=True, from_s=0, to_s=10), Seen(11, "pin", present=None)]
    assert told(play(ONE, seen, until_s=1000)) == [("occupied", 0), ("unknown", 11)]


def test_a_silent_sensor_is_lost_when_its_silence_is_too_long() -> None:
    seen = steady("pin", present=True, from_s=0, to_s=10)
    assert told(play(ONE, seen, until_s=1000)) == [("occupied", 0), ("unknown", 10 + SILENT_AFTER_S)]


def test_an_empty_desk_at_the_start_is_vacant_only_after_the_hold_time() -> None:
    seen = steady("pin", present=False, from_s=1, to_s=20)
    assert told(play(ONE, seen, until_s=10.9)) == []
    assert told(play(ONE, seen, until_s=11)) == [("vacant", 1)]


@pytest.mark.parametrize(
    ("pin", "radar", "sight"),
    [
        (True, True, "present"),
        (True, False, "present"),
        (True, None, "present"),
        (False, False, "absent"),
        (False, None, "unknown"),
        (None, None, "unknown"),
    ],
)
def test_two_sensors_agree_by_the_rule(pin: bool | None, radar: bool | None, sight: str) -> None:
    presence = unknown_presence(at(0))
    for sensor, present in (("pin", pin), ("radar", radar)):
        if present is not None:
            presence = read(presence, TWO, sensor, at(0), present=present)
    assert (fuse(TWO, presence.readings), presence.sight) == (sight, sight)


PIR = PresenceRules(("pin",), settle_s=2.0, hold_s=10.0, bridge_s=5.0)


def test_the_short_pulses_of_a_pir_settle_together() -> None:
    pulses = [Seen(at_s, "pin", present) for at_s, present in [(0, True), (1, False), (4, True), (5, False)]]
    assert told(play(ONE, pulses, until_s=6)) == []
    assert told(play(PIR, pulses, until_s=6)) == [("occupied", 0)]


def test_one_short_pulse_of_a_pir_is_still_a_passer_by() -> None:
    assert told(play(PIR, [Seen(0, "pin", present=True), Seen(1, "pin", present=False)], until_s=9)) == []


def test_movements_too_far_apart_do_not_settle_together() -> None:
    pulses = [Seen(at_s, "pin", present) for at_s, present in [(0, True), (1, False), (6.1, True), (7, False)]]
    assert told(play(PIR, pulses, until_s=8)) == []


def test_a_place_out_of_service_stays_so_whatever_its_sensors_say() -> None:
    rules = PresenceRules(("pin",), settle_s=0.0, hold_s=1.0, in_service=False)
    presence = unknown_presence(at(0), in_service=False)
    for step in range(5):
        presence, changes = elapse(presence, rules, at(2.0 * step))
        presence = read(presence, rules, "pin", at(2.0 * step), present=step % 2 == 0)
        assert (presence.state, changes) == ("out_of_service", ())
    assert elapse(lose(presence, rules, "pin", at(10)), rules, at(60))[0].state == "out_of_service"


def test_losing_one_sensor_of_an_occupied_desk_changes_nothing_while_the_other_sees_somebody() -> None:
    seen = [*steady("pin", present=True, from_s=0, to_s=20), Seen(1, "radar", present=True)]
    seen.append(Seen(5, "radar", present=None))
    assert told(play(TWO, seen, until_s=20)) == [("occupied", 0)]


def test_a_deadline_exactly_met_is_met() -> None:
    rules = PresenceRules(("pin",), settle_s=0.2, hold_s=0.3)
    presence = read(unknown_presence(at(0)), rules, "pin", at(0.1), present=True)
    due_s = deadline(presence, rules)
    assert due_s is not None
    assert elapse(presence, rules, at(due_s))[0].state == "occupied"


def oracle(rules: PresenceRules, seen: list[Seen], until_s: float) -> list[tuple[str, float]]:
    """The same by another road: what the sensors say in each stretch of time, runs of equal sight, their length."""
    stretches = sorted({0.0, until_s, *(one.at_s for one in seen), *(one.at_s + SILENT_AFTER_S for one in seen)})
    runs: list[tuple[str, float]] = []
    for start_s in (stretch for stretch in stretches if stretch <= until_s):
        says: list[bool | None] = []
        for sensor in rules.sensors:
            last = [one for one in seen if one.sensor == sensor and one.at_s <= start_s]
            fresh = last and start_s < last[-1].at_s + SILENT_AFTER_S
            says.append(last[-1].present if fresh else None)
        sight = "occupied" if True in says else "unknown" if None in says else "vacant"
        if not runs or runs[-1][0] != sight:
            runs.append((sight, start_s))
    state, changes = "unknown", list[tuple[str, float]]()
    needed_s = {"occupied": rules.settle_s, "vacant": rules.hold_s, "unknown": 0.0}
    begun: list[float] = []
    for index, (sight, start_s) in enumerate(runs):
        end_s = runs[index + 1][1] if index + 1 < len(runs) else until_s
        bridged = index > 1 and [runs[index - 2][0], runs[index - 1][0], sight] == ["occupied", "vacant", "occupied"]
        bridged = bridged and start_s - runs[index - 1][1] <= rules.bridge_s
        bridged = bridged and ("vacant", runs[index - 1][1]) not in changes and begun[-2] not in _starts(changes)
        begun.append(begun[-2] if bridged else start_s)
        if sight != state and end_s - begun[-1] >= needed_s[sight]:
            state = sight
            changes.append((state, begun[-1]))
    return changes


def _starts(changes: list[tuple[str, float]]) -> list[float]:
    """When the stays began that have counted: what counted is not counted again."""
    return [start_s for state, start_s in changes if state == "occupied"]


# No two sums of these times are equal, so that nothing depends on the order within one instant.
times = st.integers(0, 150).map(lambda step: round(step * 1.01, 2))


@given(
    seen=st.lists(
        st.builds(Seen, times, st.sampled_from(["pin", "radar"]), st.sampled_from([True, True, False, False, None])),
        max_size=30,
        unique_by=lambda one: one.at_s,
    ),
    rules=st.sampled_from(
        [
            TWO,
            PresenceRules(("pin", "radar"), settle_s=0.5, hold_s=3.3),
            PresenceRules(("pin", "radar"), settle_s=4.4, hold_s=20.3, bridge_s=5.15),
            PresenceRules(("pin", "radar"), settle_s=4.4, hold_s=3.3, bridge_s=5.15),
        ]
    ),
    ticks=st.lists(times, max_size=20),
)
@settings(max_examples=300, deadline=None)
def test_any_readings_give_the_states_of_the_oracle_whenever_they_are_asked_for(
    seen: list[Seen], rules: PresenceRules, ticks: list[float]
) -> None:
    seen = sorted(seen, key=lambda one: one.at_s)
    expected = [(state, round(since_s, 6)) for state, since_s in oracle(rules, seen, until_s=200)]
    changes = play(rules, seen, until_s=200, ticks=ticks)
    assert [(state, round(since_s, 6)) for state, since_s in told(changes)] == expected
    since = [change.since.mono_s for change in changes]
    assert since == sorted(since)
