"""A compressed day through the real drivers, on simulated lines, into the pure core: six desks, each with its trouble.

Seconds stand for hours. What is waited for is a state, never a time; what is asked is whether any state was invented.
"""

import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from contract.events import DeskState, DeskStateChanged, DeviceLost
from edge.clock import SystemClock
from edge.core.effects import Publish
from edge.core.observations import Observation, Tick
from edge.core.occupancy import PresenceRules
from edge.core.sensor import Limits
from edge.core.site import begin, decide, next_deadline
from edge.devices.device import DeviceThread, Driver
from edge.devices.port import Port
from edge.devices.presence_pin import PresencePin
from edge.devices.presence_radar import PresenceRadar
from simulators.ld2410 import Dropouts, Ld2410
from simulators.presence import Pir, bounced
from tests.support.pins import Pins
from tests.support.plan import PLAN

PIR_PIN, LOOP_PIN, MAT_PIN = 16, 19, 20
SENSORS = {"desk-01": "desk-01-pin", "desk-02": "desk-02-radar", "desk-03": "desk-03-radar", "desk-05": "desk-05-pin"}
STUCK_ON_S = 6.0
WITHIN_S = 40.0

Told = dict[str, list[DeskState]]


class Telecentre:
    """Drivers in their threads, the core in the test's: `until` takes what they report until something holds."""

    def __init__(self, drivers: dict[str, Driver]) -> None:
        self.clock = SystemClock(lambda: "synced")
        self.inbox: queue.Queue[Observation] = queue.Queue()
        self.crashes: list[BaseException] = []
        rules = PresenceRules((), settle_s=0.3, hold_s=2.5, bridge_s=1.0)
        patient = Limits(stuck_on_s=3600.0, stuck_off_days=15)
        plan = replace(
            PLAN,
            doors={},
            readers={},
            rooms={},
            desks={desk: replace(rules, sensors=(sensor,)) for desk, sensor in SENSORS.items()},
            devices={sensor: sensor.rpartition("-")[2] for sensor in SENSORS.values()},
            limits={
                **dict.fromkeys(SENSORS.values(), patient),
                "desk-03-radar": Limits(stuck_on_s=STUCK_ON_S, stuck_off_days=15),
            },
        )
        self.site, _ = begin(plan, self.clock.now(), "1.0")
        self.told: Told = {desk: [] for desk in SENSORS}
        self.lost: list[tuple[str, str]] = []
        self.threads = [
            DeviceThread(name, driver, clock=self.clock.now, random=Random(1), on_crash=self.crashes.append)
            for name, driver in drivers.items()
        ]
        for thread in self.threads:
            thread.start(self.inbox.put)

    def until(self, **states: DeskState) -> None:
        """Decide until the named desks are in these states."""
        end_s = time.monotonic() + WITHIN_S
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        while any(self.site.desks[desk].state != state for desk, state in wanted.items()):
            assert time.monotonic() < end_s, (wanted, self.told)
            self._take()

    def _take(self) -> None:
        wait_s = max(0.0, min(0.2, next_deadline(self.site) - self.clock.now().mono_s))
        try:
            seen = self.inbox.get(timeout=wait_s)
        except queue.Empty:
            seen = Tick(self.clock.now())
        self.site, effects = decide(self.site, seen)
        for effect in effects:
            if isinstance(effect, Publish) and isinstance(effect.event, DeskStateChanged):
                self.told[effect.event.subject].append(effect.event.value.state)
            elif isinstance(effect, Publish) and isinstance(effect.event, DeviceLost):
                self.lost.append((effect.event.subject, effect.event.value.fault))

    def stop(self) -> None:
        for thread in self.threads:
            thread.stopping.set()
            thread.wake()
        for thread in self.threads:
            thread.stop(10.0)
        assert not self.crashes, self.crashes


@pytest.fixture
def radars(pins: Pins) -> Iterator[tuple[Ld2410, Ld2410, Telecentre]]:
    losing = Ld2410(Random(1), dropouts=Dropouts(per_hour=2400, shortest_s=0.2, longest_s=0.5))
    sticking = Ld2410(Random(2))
    for model in (losing, sticking):
        model.settings = replace(model.settings, no_one_s=0)
    pins.drive(LOOP_PIN, high=False)
    place = Telecentre(
        {
            "desk-01-pin": PresencePin("desk-01-pin", PIR_PIN, active_high=True, loop_pin=LOOP_PIN),
            "desk-02-radar": PresenceRadar("desk-02-radar", Port(str(pins.bench.wire(losing)), simulated=True)),
            "desk-03-radar": PresenceRadar("desk-03-radar", Port(str(pins.bench.wire(sticking)), simulated=True)),
            "desk-05-pin": PresencePin("desk-05-pin", MAT_PIN, active_high=True, bounces=True),
        }
    )
    yield losing, sticking, place
    place.stop()


def test_a_day_through_the_drivers_invents_no_vacancy(pins: Pins, radars: tuple[Ld2410, Ld2410, Telecentre]) -> None:
    losing, sticking, place = radars
    place.until(desk_01="vacant", desk_02="vacant", desk_03="vacant", desk_05="vacant")

    pins.bench.call(losing.person, distance_cm=170, moving=False)
    pins.bench.call(sticking.person, distance_cm=170, moving=False)
    pins.play(MAT_PIN, bounced(Random(1), [(0.0, True)]))
    pins.play(PIR_PIN, [*Pir(on_s=0.2, blind_s=0.2).levels([0.0, 0.4]), (0.8, True)])
    place.until(desk_01="occupied", desk_02="occupied", desk_03="occupied", desk_05="occupied")

    sticking.ills.stuck = True
    pins.bench.call(sticking.empty)
    pins.drive(LOOP_PIN, high=True)
    place.until(desk_01="unknown", desk_03="unknown")
    pins.drive(LOOP_PIN, high=False)
    place.until(desk_01="occupied")

    pins.play(MAT_PIN, bounced(Random(2), [(0.0, False)]))
    pins.drive(PIR_PIN, high=False)
    pins.bench.call(losing.empty)
    sticking.ills.stuck = False
    place.until(desk_01="vacant", desk_02="vacant", desk_03="vacant", desk_05="vacant")

    assert place.told == {
        "desk-01": ["vacant", "occupied", "unknown", "occupied", "vacant"],
        "desk-02": ["vacant", "occupied", "vacant"],
        "desk-03": ["vacant", "occupied", "unknown", "vacant"],
        "desk-05": ["vacant", "occupied", "vacant"],
    }
    assert sorted(place.lost) == [("desk-01-pin", "unplugged"), ("desk-03-radar", "stuck")]
