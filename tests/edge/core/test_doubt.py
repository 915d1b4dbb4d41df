"""A sensor in doubt, from its readings to what the events, the board and the status say."""

from dataclasses import replace

import pytest

from contract.events import Event, Fault
from edge.core.effects import Publish
from edge.core.observations import DeviceFailed, DeviceReady, Observation, PresenceRead, RadarIdentified, StreamBegan
from edge.core.occupancy import PresenceRules
from edge.core.opening import parse_opening
from edge.core.plan import Plan
from edge.core.sensor import HOUR_S, Limits
from edge.core.site import Site, begin, decide
from edge.core.views import devices_of, now_of, radars_of
from tests.support.moments import at
from tests.support.plan import PLAN

SENSORS = ("desk-01-pin", "room-01-radar")
TWO = PresenceRules(("desk-01-pin", "desk-01-radar"), settle_s=2.0, hold_s=10.0)
IMPATIENT = replace(PLAN, limits=dict.fromkeys(SENSORS, Limits(stuck_on_s=100.0, stuck_off_days=3)))
PAIR = replace(PLAN, desks={"desk-01": TWO}, devices={**PLAN.devices, "desk-01-radar": "radar"})


class Bench:
    """A site whose sensors are read; then what it published, and what it shows."""

    def __init__(self, plan: Plan = IMPATIENT) -> None:
        self.site: Site
        self.site, self.effects = begin(plan, at(0), "1.0")

    def show(self, *seen: Observation) -> "Bench":
        for one in seen:
            self.site, effects = decide(self.site, one)
            self.effects += effects
        return self

    def reads(self, sensor: str, from_s: float, to_s: float, *, present: bool, every_s: float = 2.0) -> "Bench":
        steps = range(int((to_s - from_s) / every_s) + 1)
        return self.show(*(PresenceRead(at(from_s + step * every_s), sensor, present) for step in steps))

    def events(self, kind: str) -> list[Event]:
        return [effect.event for effect in self.effects if isinstance(effect, Publish) and effect.event.kind == kind]

    def desk(self) -> list[tuple[str, float]]:
        """States of desk-01 with the seconds from which they are true."""
        found = self.events("desk_state_changed")
        return [(event.value.state, event.up / 1000) for event in found if event.kind == "desk_state_changed"]

    def health(self, device: str) -> tuple[str, Fault | None, Fault | None]:
        one = next(one for one in devices_of(self.site, self.site.at) if one.id == device)
        return one.health, one.fault, one.last_fault


def test_a_stuck_sensor_makes_its_desk_unknown_from_the_beginning_and_is_told() -> None:
    bench = Bench().reads("desk-01-pin", 10, 200, present=True)
    assert bench.desk() == [("occupied", 10), ("unknown", 10)]
    (lost,) = bench.events("device_lost")
    assert lost.kind == "device_lost"
    assert (lost.subject, lost.value.fault, lost.up) == ("desk-01-pin", "stuck", 110_000)
    assert bench.health("desk-01-pin") == ("degraded", "stuck", "stuck")
    assert now_of(bench.site, at(200)).desks[0].state == "unknown"


def test_a_sensor_that_changes_again_is_believed_again_and_told() -> None:
    bench = Bench().show(DeviceReady(at(1), "desk-01-pin")).reads("desk-01-pin", 10, 200, present=True)
    bench.reads("desk-01-pin", 202, 230, present=False)
    assert bench.desk() == [("occupied", 10), ("unknown", 10), ("vacant", 202)]
    (recovered,) = bench.events("device_recovered")
    assert recovered.kind == "device_recovered"
    assert recovered.value.down_s == 92
    assert bench.health("desk-01-pin") == ("ok", None, "stuck")


def test_a_stuck_sensor_of_a_room_makes_the_room_unknown_from_the_beginning() -> None:
    bench = Bench().reads("room-01-radar", 10, 200, present=True)
    found = [(event.value.state, event.up) for event in bench.events("room_state_changed")]  # type: ignore[union-attr]
    assert found == [("occupied", 10_000), ("unknown", 10_000)]


def test_a_chattering_sensor_makes_its_desk_unknown_from_then_on() -> None:
    bench = Bench().reads("desk-01-pin", 0, 8, present=True)
    for step in range(100):
        bench.show(PresenceRead(at(10 + step * 0.25), "desk-01-pin", step % 2 == 1))
    assert bench.desk() == [("occupied", 0), ("unknown", 24.75)]
    assert len(bench.events("device_lost")) == 1
    assert bench.health("desk-01-pin") == ("degraded", "chattering", "chattering")


def test_somebody_in_a_closed_site_for_hours_is_not_believed() -> None:
    plan = replace(PLAN, opening=parse_opening("Mo-Fr 08:00-10:00", PLAN.zone))
    bench = Bench(plan).reads("desk-01-pin", 1800, 3600 + 3 * HOUR_S + 10, present=True, every_s=10)
    assert bench.desk() == [("occupied", 1800), ("unknown", 1800)]
    assert bench.health("desk-01-pin")[1] == "implausible"


def test_two_sensors_that_contradict_each_other_leave_the_desk_unknown() -> None:
    bench = Bench(PAIR)
    for step in range(1, round(4 * HOUR_S / 10) + 3):
        bench.show(PresenceRead(at(step * 10), "desk-01-pin", present=False))
        bench.show(PresenceRead(at(step * 10 + 1), "desk-01-radar", present=True))
    assert bench.desk() == [("occupied", 11), ("unknown", 11)]
    assert {bench.health(name)[1] for name in TWO.sensors} == {"implausible"}


def test_one_sensor_in_doubt_leaves_the_desk_to_the_other_while_that_sees_somebody() -> None:
    plan = replace(PAIR, limits={"desk-01-pin": Limits(stuck_on_s=100.0, stuck_off_days=3)})
    bench = Bench(plan)
    for step in range(100):
        bench.show(PresenceRead(at(10 + step * 2), "desk-01-pin", present=True))
        bench.show(PresenceRead(at(11 + step * 2), "desk-01-radar", present=True))
    assert bench.desk() == [("occupied", 10)]
    assert bench.health("desk-01-pin")[1] == "stuck"


def test_a_sensor_in_doubt_that_is_pulled_out_is_down_and_begins_anew() -> None:
    bench = Bench().reads("desk-01-pin", 10, 200, present=True)
    bench.show(DeviceFailed(at(201), "desk-01-pin", "unplugged"))
    assert bench.health("desk-01-pin") == ("down", "unplugged", "unplugged")
    bench.show(DeviceReady(at(210), "desk-01-pin")).reads("desk-01-pin", 210, 230, present=True)
    assert bench.desk() == [("occupied", 10), ("unknown", 10), ("occupied", 210)]
    assert bench.health("desk-01-pin")[0] == "ok"


def test_a_desk_out_of_service_says_so_from_the_start_and_again_in_a_new_stream() -> None:
    bench = Bench(replace(PLAN, desks={"desk-01": replace(TWO, sensors=("desk-01-pin",), in_service=False)}))
    bench.reads("desk-01-pin", 10, 60, present=True).show(StreamBegan(at(70)))
    assert bench.desk() == [("out_of_service", 0), ("out_of_service", 0)]
    assert now_of(bench.site, at(70)).desks[0].state == "out_of_service"


@pytest.mark.parametrize(("drifted", "expected"), [(False, ("ok", None)), (True, ("degraded", "drifted"))])
def test_a_radar_says_what_it_is_and_whether_it_drifted(drifted: bool, expected: tuple[str, Fault | None]) -> None:
    bench = Bench().show(RadarIdentified(at(1), "room-01-radar", "1.02.22062416", "8/8 5s", drifted))
    bench.show(DeviceReady(at(2), "room-01-radar"))
    assert bench.health("room-01-radar") == (*expected, expected[1])
    assert [(radar.id, radar.firmware, radar.settings) for radar in radars_of(bench.site)] == [
        ("room-01-radar", "1.02.22062416", "8/8 5s")
    ]
    assert bench.events("device_lost") == [], "it still measures"


def test_a_drifted_radar_is_well_again_when_it_is_set_as_its_file_says() -> None:
    bench = Bench().show(DeviceReady(at(1), "room-01-radar"))
    bench.show(RadarIdentified(at(2), "room-01-radar", "1.02", "8/8 5s", drifted=True))
    bench.show(RadarIdentified(at(3602), "room-01-radar", "1.02", "2/2 5s", drifted=False))
    assert bench.health("room-01-radar") == ("ok", None, "drifted")
