import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from edge.clock import SystemClock
from edge.config import DoorSettings, ReaderSettings
from edge.core.effects import Pattern
from edge.core.observations import DeviceReady, DoorContactRead, ExitPressed
from edge.devices.device import DeviceThread
from edge.devices.door import Door, Strike
from edge.devices.indicator import PATTERNS, Indicator
from tests.support.bench import eventually
from tests.support.heard import Heard, running
from tests.support.pins import Pins

STRIKE, CONTACT, BUTTON = 17, 27, 22
SETTINGS = DoorSettings(id="door-01", strike_pin=STRIKE, contact_pin=CONTACT, exit_button_pin=BUTTON)


@contextmanager
def a_door(settings: DoorSettings = SETTINGS) -> Iterator[tuple[Strike, Heard]]:
    crashes: list[BaseException] = []
    strike = Strike(settings.id, crashes.append)
    strike.start()
    try:
        with running(Door(settings, strike), settings.id) as heard:
            assert heard.hears(DeviceReady)
            yield strike, heard
    finally:
        strike.stop(10.0)
    assert not crashes


def test_the_strike_is_locked_at_the_start_and_at_the_end(pins: Pins) -> None:
    with a_door() as (strike, _):
        assert not pins.level(STRIKE)
        strike.release(30.0)
        assert eventually(lambda: pins.level(STRIKE))
    assert eventually(lambda: not pins.level(STRIKE))


def test_a_relay_that_is_on_when_low_rests_high(pins: Pins) -> None:
    with a_door(SETTINGS.model_copy(update={"strike_active_high": False})) as (strike, _):
        assert eventually(lambda: pins.level(STRIKE))
        strike.release(30.0)
        assert eventually(lambda: not pins.level(STRIKE))


def test_the_pulse_ends_by_itself(pins: Pins) -> None:
    with a_door() as (strike, _):
        strike.release(0.3)
        assert eventually(lambda: [level for _, level in pins.changes(STRIKE)][-2:] == [True, False])
        (on_s, _), (off_s, _) = pins.changes(STRIKE)[-2:]
        assert 0.25 < off_s - on_s < 3


def test_a_second_pulse_replaces_the_first(pins: Pins) -> None:
    with a_door() as (strike, _):
        strike.release(30.0)
        strike.release(0.2)
        assert eventually(lambda: pins.level(STRIKE))
        assert eventually(lambda: not pins.level(STRIKE))


def test_the_pulse_ends_though_nobody_takes_what_the_door_reports(pins: Pins) -> None:
    crashes: list[BaseException] = []
    strike, taken = Strike("door-01", crashes.append), threading.Event()
    clock = SystemClock(lambda: "synced")
    device = DeviceThread("door-01", Door(SETTINGS, strike), clock=clock.now, random=Random(1), on_crash=crashes.append)
    strike.start()
    device.start(lambda _: gate(taken))
    assert eventually(lambda: pins.bench.call(pins.board.is_output, STRIKE))
    strike.release(0.2)
    assert eventually(lambda: [level for _, level in pins.changes(STRIKE)][-2:] == [True, False])
    taken.set()
    device.stop(10.0)
    strike.stop(10.0)
    assert not crashes


def gate(taken: threading.Event) -> None:
    """Take an observation only when the test says so."""
    taken.wait(60.0)


def test_the_strike_locks_when_told(pins: Pins) -> None:
    with a_door() as (strike, _):
        strike.release(30.0)
        assert eventually(lambda: pins.level(STRIKE))
        strike.lock()
        assert eventually(lambda: not pins.level(STRIKE))


def test_a_strike_whose_pin_is_not_open_says_so_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Strike("door-01", lambda _: None).release(1.0)
    assert "cannot be driven" in caplog.text


def test_the_contact_is_told_at_the_start_and_when_it_changes(pins: Pins) -> None:
    pins.drive(CONTACT, high=False)
    with a_door() as (_, heard):
        assert heard.hears(DoorContactRead, lambda seen: seen.closed)
        pins.drive(CONTACT, high=True)
        assert heard.hears(DoorContactRead, lambda seen: not seen.closed)
        pins.drive(CONTACT, high=False)
        assert heard.hears(DoorContactRead, times=3)
    assert [seen.closed for seen in heard.of(DoorContactRead)] == [True, False, True]


def test_a_cut_contact_wire_reads_open(pins: Pins) -> None:
    del pins
    with a_door() as (_, heard):
        assert heard.hears(DoorContactRead, lambda seen: not seen.closed)


def test_a_bouncing_contact_changes_once(pins: Pins) -> None:
    pins.drive(CONTACT, high=False)
    with a_door() as (_, heard):
        assert heard.hears(DoorContactRead)
        pins.play(CONTACT, [(0.002 * step, step % 2 == 0) for step in range(11)])
        assert heard.hears(DoorContactRead, times=2)
        pins.drive(CONTACT, high=False)
        assert heard.hears(DoorContactRead, times=3)
    assert [seen.closed for seen in heard.of(DoorContactRead)] == [True, False, True]


def test_the_exit_button_is_told_when_it_is_pressed_and_not_when_it_is_let_go(pins: Pins) -> None:
    with a_door() as (_, heard):
        for _ in range(2):
            pins.drive(BUTTON, high=False)
            threading.Event().wait(0.3)
            pins.drive(BUTTON, high=True)
            threading.Event().wait(0.3)
        assert heard.hears(ExitPressed, times=2)
    assert len(heard.of(ExitPressed)) == 2


def test_a_door_without_contact_and_button_works(pins: Pins) -> None:
    with a_door(DoorSettings(id="door-01", strike_pin=STRIKE)) as (strike, heard):
        strike.release(0.2)
        assert eventually(lambda: [level for _, level in pins.changes(STRIKE)][-2:] == [True, False])
        assert not heard.of(DoorContactRead)


GREEN, RED, BUZZER = 23, 24, 25


def rises(pins: Pins, pin: int) -> int:
    return sum(level for _, level in pins.changes(pin))


@pytest.mark.parametrize(("pattern", "lit", "beeps"), [("granted", GREEN, 1), ("refused", RED, 3)])
def test_one_beep_lets_in_and_three_refuse(pins: Pins, pattern: Pattern, lit: int, beeps: int) -> None:
    settings = ReaderSettings(
        id="reader-01", door="door-01", port="/dev/reader", granted_pin=GREEN, refused_pin=RED, buzzer_pin=BUZZER
    )
    indicator = Indicator(settings)
    with running(indicator, "reader-01-light") as heard:
        assert heard.hears(DeviceReady)
        indicator.show(pattern)
        assert eventually(lambda: rises(pins, lit) == 1)
        assert eventually(lambda: not pins.level(lit))
    assert rises(pins, BUZZER) == beeps
    assert rises(pins, {GREEN: RED, RED: GREEN}[lit]) == 0


def test_a_new_pattern_takes_the_place_of_the_present_one(pins: Pins) -> None:
    settings = ReaderSettings(id="reader-01", door="door-01", port="/dev/reader", granted_pin=GREEN, refused_pin=RED)
    indicator = Indicator(settings)
    with running(indicator, "reader-01-light") as heard:
        assert heard.hears(DeviceReady)
        indicator.show("granted")
        assert eventually(lambda: pins.level(GREEN))
        indicator.show("refused")
        assert eventually(lambda: pins.level(RED), within_s=2.0)
        assert not pins.level(GREEN)


def test_a_reader_that_waits_blinks_until_it_ends_also_after_somebody_was_let_in(pins: Pins) -> None:
    settings = ReaderSettings(id="reader-01", door="door-01", port="/dev/reader", granted_pin=GREEN, refused_pin=RED)
    indicator = Indicator(settings)
    with running(indicator, "reader-01-light") as heard:
        assert heard.hears(DeviceReady)
        indicator.show("wait")
        assert eventually(lambda: rises(pins, RED) == 2)
        indicator.show("granted")
        assert eventually(lambda: pins.level(GREEN) and not pins.level(RED))
        assert eventually(lambda: rises(pins, RED) == 4)
        indicator.show("idle")
        assert eventually(lambda: not pins.level(GREEN) and not pins.level(RED))


def test_every_pattern_has_an_end() -> None:
    assert all(sum(step.for_s for step in steps) < 10 for steps in PATTERNS.values())
