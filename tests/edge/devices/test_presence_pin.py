import gpiozero
import pytest

from edge.core.observations import DeviceFailed, DeviceReady, PresenceRead
from edge.devices.presence_pin import PresencePin
from tests.edge.devices.conftest import Pins
from tests.support.bench import eventually
from tests.support.heard import running

PIN = 16


def pir() -> PresencePin:
    return PresencePin("desk-01-pin", PIN, active_high=True)


def test_a_detection_is_reported_when_it_begins_and_when_it_ends(pins: Pins) -> None:
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead, lambda seen: not seen.present)
        pins.drive(PIN, high=True)
        assert heard.hears(PresenceRead, lambda seen: seen.present)
        pins.drive(PIN, high=False)
        assert eventually(lambda: not heard.of(PresenceRead)[-1].present)


def test_an_unchanged_level_is_repeated(pins: Pins) -> None:
    pins.drive(PIN, high=True)
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead, lambda seen: seen.present, times=2)


def test_a_contact_to_ground_is_a_presence_when_it_is_wired_so(pins: Pins) -> None:
    with running(PresencePin("desk-01-pin", PIN, active_high=False), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead, lambda seen: not seen.present)
        pins.drive(PIN, high=False)
        assert heard.hears(PresenceRead, lambda seen: seen.present)


def test_a_short_detection_is_one(pins: Pins) -> None:
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(DeviceReady)
        pins.drive(PIN, high=True)
        pins.drive(PIN, high=False)
        assert heard.hears(PresenceRead, lambda seen: seen.present)
        assert eventually(lambda: not heard.of(PresenceRead)[-1].present)


def test_a_chattering_pin_is_reported_at_a_bounded_pace(pins: Pins) -> None:
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(DeviceReady)
        for step in range(400):
            pins.drive(PIN, high=step % 2 == 0)
        assert eventually(lambda: not heard.of(PresenceRead)[-1].present)
        first, last = heard.of(PresenceRead)[0].at.mono_s, heard.of(PresenceRead)[-1].at.mono_s
        assert len(heard.of(PresenceRead)) <= 4 + 2 * (last - first) / 0.05


def test_a_machine_without_pins_says_that_they_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "telecentre-sim")
    monkeypatch.delenv("TELECENTRE_SIM_PINS", raising=False)
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")


def test_a_pin_that_is_in_use_is_refused(pins: Pins) -> None:
    del pins
    with gpiozero.OutputDevice(PIN), running(pir(), "desk-01-pin") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "refused")
