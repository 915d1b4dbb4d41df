import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import serial

from edge.core.observations import DeviceFailed, DeviceReady, NoiseCounted, PresenceRead, RadarIdentified
from edge.devices.port import Port
from edge.devices.presence_radar import PresenceRadar
from edge.devices.radar_line import BAUD_RATE_BD
from edge.protocols.ld2410 import ENABLE_CONFIG, encode_command
from edge.protocols.ld2410_config import Parameters
from simulators.ld2410 import Ld2410
from simulators.wire import Faults
from tests.support.bench import FOUR_WIRES, Bench, eventually
from tests.support.heard import running

WIRES = {**FOUR_WIRES, "very-lossy": Faults(loss=0.01)}


def radar(port: Path) -> PresenceRadar:
    return PresenceRadar("desk-01-radar", Port(str(port), simulated=True))


@pytest.mark.parametrize("wire", WIRES)
def test_a_person_is_seen_to_come_and_to_go(wire: str) -> None:
    with Bench() as bench:
        model = Ld2410(Random(1))
        model.settings = replace(model.settings, no_one_s=1)
        with running(radar(bench.wire(model, WIRES[wire])), "desk-01-radar") as heard:
            assert heard.hears(PresenceRead, lambda seen: not seen.present)
            bench.call(model.person, distance_cm=80, moving=True)
            assert heard.hears(PresenceRead, lambda seen: seen.present)
            bench.call(model.empty)
            assert eventually(lambda: not heard.of(PresenceRead)[-1].present, 15.0)


def test_an_unchanged_reading_is_repeated_but_not_at_each_report() -> None:
    with Bench() as bench, running(radar(bench.wire(Ld2410(Random(1)))), "desk-01-radar") as heard:
        assert heard.hears(PresenceRead, times=2)
        first, second = heard.of(PresenceRead)[:2]
        assert 1.9 < second.at.mono_s - first.at.mono_s < 5


def test_an_unplugged_radar_is_lost_and_comes_back_by_itself() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)))
        with running(radar(port), "desk-01-radar") as heard:
            assert heard.hears(DeviceReady)
            bench.unplug(port)
            assert heard.hears(DeviceFailed)
            bench.plug(port)
            assert heard.hears(DeviceReady, times=2)


def test_a_radar_that_was_left_in_its_configuration_is_woken_from_it() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)))
        with serial.Serial(str(port), BAUD_RATE_BD, timeout=2) as line:
            line.write(encode_command(ENABLE_CONFIG, b"\x01\x00"))
            line.read(18)
        with running(radar(port), "desk-01-radar") as heard:
            assert heard.hears(PresenceRead)


def test_a_radar_that_says_nothing_is_silent() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)))
        with running(radar(port), "desk-01-radar") as heard:
            assert heard.hears(DeviceReady)
            bench.set_faults(port, Faults(loss=1.0))
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "silent")


def test_what_speaks_and_is_no_radar_is_garbled() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)), Faults(loss=1.0))
        with running(radar(port), "desk-01-radar") as heard:

            def babbled() -> bool:
                bench.inject(port, b"$GPGGA,120000,4507,N,00252,E")
                return bool(heard.of(DeviceFailed))

            assert eventually(babbled, 15.0, every_s=0.05)
    assert {failed.fault for failed in heard.of(DeviceFailed)} == {"garbled"}


def test_the_thread_of_a_calm_radar_wakes_up_for_two_reports_at_a_time() -> None:
    with Bench() as bench, running(radar(bench.wire(Ld2410(Random(1)))), "desk-01-radar") as heard:
        assert heard.hears(PresenceRead, times=2)
        before, woken_before = heard.of(PresenceRead)[-1], woken("desk-01-radar")
        assert heard.hears(PresenceRead, times=4)
        after, woken_after = heard.of(PresenceRead)[-1], woken("desk-01-radar")
    assert (woken_after - woken_before) / (after.at.mono_s - before.at.mono_s) < 8


def woken(thread: str) -> int:
    """How often a thread has waited for something so far."""
    number = next(one.native_id for one in threading.enumerate() if one.name == thread)
    lines = Path(f"/proc/self/task/{number}/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("voluntary")))


def test_garbage_is_counted_and_the_reports_between_are_read() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)), Faults(garbage=0.5))
        with running(radar(port), "desk-01-radar") as heard:
            assert heard.hears(NoiseCounted)
            bench.inject(port, b"\xf4\xf3\xf2\xf1" * 200)
            assert heard.hears(PresenceRead, times=2)
    assert not heard.of(DeviceFailed)


FACTORY = Parameters(8, 8, 5, (50, 50, 40, 30, 20, 15, 15, 15, 15), (0, 0, 40, 40, 30, 30, 20, 20, 20))


@pytest.mark.parametrize("wire", WIRES)
def test_a_radar_says_what_it_is_before_what_it_sees(wire: str) -> None:
    with Bench() as bench:
        driver = PresenceRadar(
            "desk-01-radar", Port(str(bench.wire(Ld2410(Random(1)), WIRES[wire])), simulated=True), FACTORY
        )
        with running(driver, "desk-01-radar") as heard:
            assert heard.hears(RadarIdentified)
            (said,) = heard.of(RadarIdentified)
            assert heard.hears(PresenceRead)
    assert (said.firmware, said.settings, said.drifted) == ("1.02.22062416", str(FACTORY), False)


def test_a_radar_that_is_set_otherwise_than_its_file_has_drifted() -> None:
    with Bench() as bench:
        wanted = replace(FACTORY, max_static_gate=2)
        driver = PresenceRadar("desk-01-radar", Port(str(bench.wire(Ld2410(Random(1)))), simulated=True), wanted)
        with running(driver, "desk-01-radar") as heard:
            assert heard.hears(RadarIdentified, lambda said: said.drifted)


def test_a_radar_that_hears_no_command_still_counts() -> None:
    with Bench() as bench:
        model = Ld2410(Random(1))
        model.ills.deaf = True
        with running(radar(bench.wire(model)), "desk-01-radar") as heard:
            assert heard.hears(PresenceRead, times=3)
    assert not heard.of(DeviceFailed)
    assert not heard.of(RadarIdentified)


def test_a_radar_that_refuses_to_say_its_settings_is_let_out_of_its_configuration() -> None:
    with Bench() as bench:
        model = Ld2410(Random(1))
        model.ills.refuses = frozenset({0x61})
        with running(radar(bench.wire(model)), "desk-01-radar") as heard:
            assert heard.hears(PresenceRead, times=2)
    assert not heard.of(DeviceFailed)


def test_a_radar_that_is_stuck_says_somebody_and_nothing_else() -> None:
    with Bench() as bench:
        model = Ld2410(Random(1))
        model.ills.stuck = True
        with running(radar(bench.wire(model)), "desk-01-radar") as heard:
            assert heard.hears(PresenceRead, times=3)
    assert all(seen.present for seen in heard.of(PresenceRead))


def test_nobody_else_can_open_the_radar_meanwhile() -> None:
    with Bench() as bench:
        port = bench.wire(Ld2410(Random(1)))
        with running(radar(port), "desk-01-radar") as heard:
            assert heard.hears(DeviceReady)
            with pytest.raises(serial.SerialException):
                serial.Serial(str(port), BAUD_RATE_BD, exclusive=True)
