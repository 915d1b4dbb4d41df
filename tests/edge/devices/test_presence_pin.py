import itertools
from random import Random

import gpiozero
import pytest

from edge.core.observations import DeviceFailed, DeviceReady, PresenceRead
from edge.devices.presence_pin import PresencePin
from simulators.presence import Pir, bounced
from tests.support.bench import eventually
from tests.support.heard import running
from tests.support.pins import Pins

PIN, LOOP = 16, 19


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


def mat(loop_pin: int | None = None) -> PresencePin:
    return PresencePin("desk-01-pin", PIN, active_high=True, bounces=True, loop_pin=loop_pin)


def test_a_bouncing_mat_is_one_presence_from_its_last_edge_and_one_absence(pins: Pins) -> None:
    with running(mat(), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead, lambda seen: not seen.present)
        pins.play(PIN, bounced(Random(1), [(0.0, True), (0.6, False)]))
        assert heard.hears(PresenceRead, lambda seen: seen.present)
        assert eventually(lambda: not heard.of(PresenceRead)[-1].present)
        words = [seen.present for seen in heard.of(PresenceRead)]
        assert [word for word, _ in itertools.groupby(words)] == [False, True, False]


def test_a_touch_shorter_than_a_contact_bounces_is_nobody(pins: Pins) -> None:
    with running(mat(), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead)
        pins.play(PIN, [(0.0, True), (0.02, False)])
        assert heard.hears(PresenceRead, times=3)
        assert not any(seen.present for seen in heard.of(PresenceRead))


def test_a_pir_that_triggers_again_is_reported_pulse_by_pulse(pins: Pins) -> None:
    levels = Pir(on_s=0.3, blind_s=0.3).levels([0.0, 0.1, 0.9, 1.8])
    assert [high for _, high in levels] == [True, False] * 3
    with running(pir(), "desk-01-pin") as heard:
        assert heard.hears(PresenceRead)
        pins.play(PIN, levels)
        assert heard.hears(PresenceRead, lambda seen: seen.present, times=3)


def test_a_plug_that_is_pulled_out_is_told_by_its_loop_and_comes_back(pins: Pins) -> None:
    pins.drive(LOOP, high=False)
    with running(mat(LOOP), "desk-01-pin") as heard:
        assert heard.hears(DeviceReady)
        pins.drive(LOOP, high=True)
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "unplugged")
        pins.drive(LOOP, high=False)
        assert heard.hears(DeviceReady, times=2)


def test_a_plug_that_shakes_is_not_pulled_out(pins: Pins) -> None:
    pins.drive(LOOP, high=False)
    with running(mat(LOOP), "desk-01-pin") as heard:
        assert heard.hears(DeviceReady)
        pins.drive(LOOP, high=True)
        pins.drive(LOOP, high=False)
        assert heard.hears(PresenceRead, times=3)
    assert not heard.of(DeviceFailed)


def test_a_plug_that_is_out_at_the_start_is_told_before_anything_is_read(pins: Pins) -> None:
    pins.drive(LOOP, high=True)
    with running(mat(LOOP), "desk-01-pin") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "unplugged")
    assert not heard.of(PresenceRead)


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
