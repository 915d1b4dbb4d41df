"""What goes wrong at a door, its reader and the sensors of a desk, from the wire to the screen.

For each fault one row: what the driver reports, what the history keeps, what the health document says, and what a
person reads. Real drivers; where bytes travel, on each of four wires. Calendars and displays: test_room_faults.py.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random

import gpiozero
import pytest
import serial

from contract.events import Fault
from edge.config import DoorSettings, ReaderSettings
from edge.core import views
from edge.core.door import DoorRules
from edge.core.effects import Publish
from edge.core.moment import Moment
from edge.core.observations import DeviceFailed, NoiseCounted, Observation, PresenceRead, RadarIdentified, Tick
from edge.core.occupancy import PresenceRules
from edge.core.opening import parse_opening
from edge.core.sensor import HOUR_S, LIMITS, SensorType
from edge.core.site import Site, begin, decide
from edge.devices.badge_reader import BadgeReader
from edge.devices.device import Driver
from edge.devices.door import Door, Strike
from edge.devices.indicator import Indicator
from edge.devices.port import Port
from edge.devices.presence_pin import PresencePin
from edge.devices.presence_radar import PresenceRadar
from edge.protocols.ld2410_config import Parameters
from simulators.ld2410 import Ills, Ld2410
from simulators.pn532 import Pn532
from simulators.presence import Pir, bounced, chatter
from simulators.wire import Device, Faults
from tests.support.bench import FOUR_WIRES, eventually
from tests.support.heard import WITHIN_S, Heard, running
from tests.support.pins import Pins, wired
from tests.support.plan import PLAN
from tests.support.screen import screen_of

PIN, LOOP, STRIKE, CONTACT, LIGHT = 16, 19, 17, 27, 23
WANTED = Parameters(2, 2, 1, (50,) * 9, (40,) * 9)
REPEATED_EVERY_S = 10.0

Act = Callable[[], object]
Until = Callable[[Heard], bool]


@dataclass
class Stage:
    """Pins and wire on which a fault is played; `opened` ends with it."""

    pins: Pins
    wire: Faults
    opened: ExitStack

    def port(self, model: Device) -> Port:
        return Port(str(self.pins.bench.wire(model, self.wire, name="device")), simulated=True)

    def unplug(self) -> None:
        self.pins.bench.unplug(self.pins.bench.folder / "device")

    def radar(self, model: Ld2410, wanted: Parameters | None = None) -> Driver:
        return PresenceRadar("desk-01-radar", self.port(model), wanted)

    def reader(self, port: Port) -> Driver:
        return BadgeReader("reader-01", port, bytes(32), uid_badges=True, relay_limit_s=1.0)

    def nowhere(self) -> Port:
        return Port(str(self.pins.bench.folder / "nothing"), simulated=True)

    def taken(self, model: Device) -> Port:
        """A port that another program holds."""
        port = self.port(model)
        self.opened.enter_context(serial.Serial(port.path, exclusive=True))
        return port

    def door(self) -> Driver:
        strike = Strike("door-01", self.pins.bench.call)  # type: ignore[arg-type]  # never called
        return Door(DoorSettings(id="door-01", strike_pin=STRIKE, contact_pin=CONTACT), strike)

    def busy(self, pin: int, driver: Driver) -> tuple[Driver, Act]:
        """Let something else hold a driver's pin."""
        self.opened.enter_context(gpiozero.OutputDevice(pin))
        return driver, nothing

    def plugged(self, *, bounces: bool) -> Driver:
        self.pins.drive(LOOP, high=False)
        return PresencePin("desk-01-pin", PIN, active_high=True, bounces=bounces, loop_pin=LOOP)


def nothing() -> None:
    """The fault is there from the beginning."""


def fails(heard: Heard) -> bool:
    return heard.hears(DeviceFailed)


def sees(*, present: bool, times: int = 1) -> Until:
    return lambda heard: heard.hears(PresenceRead, lambda seen: seen.present == present, times=times)


def noisy(heard: Heard) -> bool:
    return heard.hears(NoiseCounted) and heard.hears(PresenceRead, times=2)


def pir() -> Driver:
    return PresencePin("desk-01-pin", PIN, active_high=True)


def mat() -> Driver:
    return PresencePin("desk-01-pin", PIN, active_high=True, bounces=True)


@dataclass(frozen=True)
class Row:
    """One fault: how it is played and until what is heard; its word, events, health, sentence and the place's word.

    `repeated_h` is for how many hours the sensor then goes on to say the same.
    """

    device: str
    play: Callable[[Stage], tuple[Driver, Act]]
    until: Until
    fault: Fault | None
    sentence: str | None
    word: str
    events: tuple[str, ...] = ("device_lost",)
    health: str = "down"
    kind: SensorType = "radar"
    repeated_h: float = 0.0
    opening: str | None = None


ABSENT = "L'appareil est introuvable."
UNPLUGGED = "L'appareil a été débranché."
SILENT = "L'appareil est branché mais ne dit plus rien."
GARBLED = "L'appareil envoie des messages illisibles."
REFUSED = "L'appareil refuse les ordres qu'on lui donne."
STUCK = "Le capteur reste sur le même état depuis trop longtemps."
IMPLAUSIBLE = "Le capteur annonce ce qui ne peut pas être."
CHATTERING = "Le capteur change d'état sans arrêt."
DRIFTED = "Les réglages du capteur ne sont plus ceux de son fichier."


def ill_radar(ills: Ills) -> Ld2410:
    model = Ld2410(Random(1))
    model.ills = ills
    return model


def light() -> Driver:
    return Indicator(ReaderSettings(id="reader-01", door="door-01", port="/dev/null", granted_pin=LIGHT))


def stuck_pin(kind: SensorType, driver: Callable[[], Driver], hours: float) -> Row:
    """A sensor on a pin that sees somebody for too many hours."""
    return Row(
        "desk-01-pin",
        lambda at: (driver(), lambda: at.pins.drive(PIN, high=True)),
        sees(present=True),
        "stuck",
        STUCK,
        "inconnu",
        health="degraded",
        kind=kind,
        repeated_h=hours,
    )


def pulled_out(kind: SensorType, *, bounces: bool) -> Row:
    """A sensor on a pin whose plug is pulled out, and with it its loop."""
    return Row(
        "desk-01-pin",
        lambda at: (at.plugged(bounces=bounces), lambda: at.pins.drive(LOOP, high=True)),
        fails,
        "unplugged",
        UNPLUGGED,
        "inconnu",
        kind=kind,
    )


def radar_at(port: Callable[[Stage], Port], fault: Fault, sentence: str) -> Row:
    """A radar that never says a word."""
    return Row(
        "desk-01-radar",
        lambda at: (PresenceRadar("desk-01-radar", port(at)), nothing),
        fails,
        fault,
        sentence,
        "inconnu",
    )


ON_WIRES = {
    "a radar that is pulled out": Row(
        "desk-01-radar", lambda at: (at.radar(Ld2410(Random(1))), at.unplug), fails, "unplugged", UNPLUGGED, "inconnu"
    ),
    "a radar that is stuck": Row(
        "desk-01-radar",
        lambda at: (at.radar(ill_radar(Ills(stuck=True))), nothing),
        sees(present=True),
        "stuck",
        STUCK,
        "inconnu",
        health="degraded",
        repeated_h=12.5,
    ),
    "a radar that drifted": Row(
        "desk-01-radar",
        lambda at: (at.radar(Ld2410(Random(1)), WANTED), nothing),
        lambda heard: heard.hears(RadarIdentified) and heard.hears(PresenceRead, times=2),
        "drifted",
        DRIFTED,
        "libre",
        events=(),
        health="degraded",
    ),
    "a reader that is pulled out": Row(
        "reader-01", lambda at: (at.reader(at.port(Pn532(Random(1)))), at.unplug), fails, "unplugged", UNPLUGGED, ""
    ),
}
"""Faults in which a device is heard before or during its trouble."""

TABLE = {
    "no radar": radar_at(lambda at: at.nowhere(), "absent", ABSENT),
    "a radar's port in use": radar_at(lambda at: at.taken(Ld2410(Random(1))), "refused", REFUSED),
    "a reader at a radar's port": radar_at(lambda at: at.port(Pn532(Random(1))), "silent", SILENT),
    "a radar that hears no command": Row(
        "desk-01-radar",
        lambda at: (at.radar(ill_radar(Ills(deaf=True))), nothing),
        sees(present=False, times=2),
        None,
        None,
        "libre",
        events=(),
        health="ok",
    ),
    "a radar that sees somebody all night": Row(
        "desk-01-radar",
        lambda at: (at.radar(ill_radar(Ills(stuck=True))), nothing),
        sees(present=True),
        "implausible",
        IMPLAUSIBLE,
        "inconnu",
        health="degraded",
        repeated_h=3.5,
        opening="Mo 00:00-00:01",
    ),
    "no reader": Row("reader-01", lambda at: (at.reader(at.nowhere()), nothing), fails, "absent", ABSENT, ""),
    "a reader's port in use": Row(
        "reader-01", lambda at: (at.reader(at.taken(Pn532(Random(1)))), nothing), fails, "refused", REFUSED, ""
    ),
    "a radar at a reader's port": Row(
        "reader-01", lambda at: (at.reader(at.port(Ld2410(Random(1)))), nothing), fails, "silent", SILENT, ""
    ),
    "a light's pin in use": Row("reader-01-light", lambda at: at.busy(LIGHT, light()), fails, "refused", REFUSED, ""),
    "a door's pin in use": Row("door-01", lambda at: at.busy(STRIKE, at.door()), fails, "refused", REFUSED, "en panne"),
    "a PIR that is pulled out": pulled_out("pir", bounces=False),
    "a PIR that sees somebody for eight hours": stuck_pin("pir", pir, 8.1),
    "a PIR that triggers again and again": Row(
        "desk-01-pin",
        lambda at: (pir(), lambda: at.pins.play(PIN, Pir(on_s=0.3, blind_s=0.3).levels([0.0, 0.7, 1.4, 2.1]))),
        sees(present=True, times=4),
        None,
        None,
        "occupé",
        events=(),
        health="ok",
        kind="pir",
    ),
    "a wire that chatters": Row(
        "desk-01-pin",
        lambda at: (pir(), lambda: at.pins.play(PIN, chatter(0.0, 8.0, hertz=16.0))),
        sees(present=False, times=34),
        "chattering",
        CHATTERING,
        "inconnu",
        health="degraded",
        kind="pir",
    ),
    "a PIR's pin in use": Row(
        "desk-01-pin",
        lambda at: at.busy(PIN, pir()),
        fails,
        "refused",
        REFUSED,
        "inconnu",
        kind="pir",
    ),
    "a mat that bounces": Row(
        "desk-01-pin",
        lambda at: (mat(), lambda: at.pins.play(PIN, bounced(Random(1), [(0.0, True)]))),
        sees(present=True, times=2),
        None,
        None,
        "occupé",
        events=(),
        health="ok",
        kind="pressure",
    ),
    "a mat that is pulled out": pulled_out("pressure", bounces=True),
    "a bag on a mat": stuck_pin("pressure", mat, 12.1),
    "a contact that stays closed": stuck_pin("contact", mat, 12.1),
}


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pins]:
    with wired(monkeypatch) as board:
        yield board


def heard_of(row: Row, stage: Stage) -> list[Observation]:
    """Play a fault on a real driver and return everything that its thread said."""
    driver, act = row.play(stage)
    with running(driver, row.device) as heard:
        if act is not nothing:
            assert eventually(lambda: bool(heard.everything()), WITHIN_S)
        act()
        assert row.until(heard)
        return heard.everything()


def repeated(seen: list[Observation], for_s: float) -> Iterator[Observation]:
    """Yield the last reading again and again, for hours."""
    last = seen[-1]
    assert isinstance(last, PresenceRead)
    for step in range(1, int(for_s / REPEATED_EVERY_S)):
        yield replace(last, at=last.at.moved_to(last.at.mono_s + step * REPEATED_EVERY_S))


def site_after(row: Row, seen: list[Observation]) -> tuple[Site, tuple[str, ...], Moment]:
    """Decide on what was heard; return the site, the kinds of events about the device, and the last moment."""
    sensors = (row.device,) if row.device.startswith("desk") else ()
    plan = replace(
        PLAN,
        doors={"door-01": DoorRules("door-01", pulse_s=4.0, held_open_s=30.0, contact=True)},
        desks={"desk-01": PresenceRules(sensors, settle_s=0.0, hold_s=0.1)} if sensors else {},
        readers={"reader-01": "door-01"} if row.device == "reader-01" else {},
        rooms={},
        devices={row.device: "radar" if row.device.endswith("radar") else "pin"},
        limits={row.device: LIMITS[row.kind]},
        opening=None if row.opening is None else parse_opening(row.opening, PLAN.zone),
    )
    site, _ = begin(plan, seen[0].at, "0.1.0")
    told: list[str] = []
    last = seen[-1].at
    for each in [*seen, *(repeated(seen, row.repeated_h * HOUR_S) if row.repeated_h else ())]:
        last = each.at
        site, effects = decide(site, each)
        told += [effect.event.kind for effect in effects if isinstance(effect, Publish)]
    end = last.moved_to(last.mono_s + 0.2)
    site, _ = decide(site, Tick(end))
    return site, tuple(kind for kind in told if kind.startswith("device_")), end


def check(row: Row, stage: Stage) -> None:
    seen = heard_of(row, stage)
    site, told, at = site_after(row, seen)
    reported = {one.fault for one in seen if isinstance(one, DeviceFailed)}
    assert reported == ({row.fault} if row.health == "down" else set())
    assert told == row.events
    (health,) = views.devices_of(site, at)
    assert (health.health, health.fault) == (row.health, row.fault)
    shown = screen_of(site, at)
    assert [trouble.sentence for trouble in shown.troubles] == ([] if row.sentence is None else [row.sentence])
    assert all(trouble.remedy.endswith(".") for trouble in shown.troubles)
    assert row.word in ("", *(place.word for place in (*shown.desks, *shown.doors)[:1]))


@pytest.mark.parametrize("wire", FOUR_WIRES)
@pytest.mark.parametrize("name", ON_WIRES)
def test_a_fault_on_any_wire_is_told_in_the_same_words(name: str, wire: str, pins: Pins) -> None:
    with ExitStack() as opened:
        check(ON_WIRES[name], Stage(pins, FOUR_WIRES[wire], opened))


@pytest.mark.parametrize("name", TABLE)
def test_a_fault_is_told_in_the_same_words_from_the_pin_to_the_screen(name: str, pins: Pins) -> None:
    with ExitStack() as opened:
        check(TABLE[name], Stage(pins, FOUR_WIRES["whole"], opened))


def test_noise_between_the_reports_is_counted_and_takes_nothing_away(pins: Pins) -> None:
    with ExitStack() as opened:
        stage = Stage(pins, Faults(garbage=0.5), opened)
        row = Row("desk-01-radar", lambda at: (at.radar(Ld2410(Random(1))), nothing), noisy, None, None, "libre", ())
        seen = heard_of(row, stage)
    site, told, at = site_after(row, seen)
    (health,) = views.devices_of(site, at)
    assert (health.health, told) == ("ok", ())
    assert health.noise_count > 0
    assert screen_of(site, at).desks[0].word == "libre"
