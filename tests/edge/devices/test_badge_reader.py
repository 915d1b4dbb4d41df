import logging
import threading
from pathlib import Path
from random import Random

import pytest
import serial

from contract.credentials import uid_hash
from edge.core.observations import CredentialSeen, DeviceFailed, DeviceReady, NoiseCounted
from edge.devices.badge_reader import BadgeReader
from edge.devices.card import card_refusal
from edge.devices.port import Port
from simulators.cards import Classic1k, Ntag21x, Phone
from simulators.pn532 import Pn532
from simulators.wire import Faults
from tests.support.bench import FOUR_WIRES, Bench
from tests.support.heard import running

KEY = bytes(range(32))
UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04112233445566")


class Mute:
    """Something on a port that never says a word."""

    speed_baud = 115_200

    def power_on(self, now_s: float) -> None:
        """Nothing."""

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:  # noqa: ARG002  # it is mute
        return b""

    def due_s(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:  # noqa: ARG002  # it is mute
        return b""


def reader(port: Path) -> BadgeReader:
    return BadgeReader("reader-01", Port(str(port), simulated=True), KEY, uid_badges=True, relay_limit_s=1.0)


@pytest.mark.parametrize("wire", FOUR_WIRES)
def test_a_badge_is_seen_once_for_each_presentation(wire: str) -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip, FOUR_WIRES[wire])
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)
            # The second badge proves that the first was not said again meanwhile.
            bench.call(chip.remove)
            bench.call(chip.present, Ntag21x(OTHER_UID))
            assert heard.hears(CredentialSeen, times=2)
    assert [seen.uid_hash for seen in heard.of(CredentialSeen)] == [uid_hash(KEY, UID), uid_hash(KEY, OTHER_UID)]


def test_a_badge_that_leaves_and_comes_back_is_seen_again() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        with running(reader(bench.wire(chip)), "reader-01") as heard:
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)
            bench.call(chip.remove)
            threading.Event().wait(0.6)  # three looks and more, on a busy machine
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen, times=2)


@pytest.mark.parametrize(
    ("card", "refusal"),
    [
        (Classic1k(bytes.fromhex("a1b2c3d4")), "classic"),
        (Classic1k(bytes.fromhex("04a1b2c3d4e5f6")), "classic"),
        (Phone(Random(3)), "phone"),
    ],
)
def test_a_card_that_anyone_can_copy_is_reported_without_its_number(card: Classic1k | Phone, refusal: str) -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        with running(reader(bench.wire(chip)), "reader-01") as heard:
            bench.call(chip.present, card)
            assert heard.hears(CredentialSeen)
    (seen,) = heard.of(CredentialSeen)
    assert (seen.uid_hash, seen.refusal) == (None, refusal)


@pytest.mark.parametrize(
    ("sak", "uid", "refusal"),
    [
        (0x00, "04a1b2c3d4e5f6", None),
        (0x20, "04a1b2c3d4e5f6", None),
        (0x00, "a1b2c3d4", None),
        (0x20, "08b2c3d4", "random_uid"),
        (0x60, "08b2c3d4", "phone"),
        (0x08, "a1b2c3d4", "classic"),
        (0x18, "a1b2c3d4", "classic"),
        (0x28, "a1b2c3d4", "classic"),
        (0x00, "", "unreadable"),
        (0x00, "a1b2c3", "unreadable"),
    ],
)
def test_a_card_is_judged_by_its_selection_and_the_form_of_its_number(sak: int, uid: str, refusal: str | None) -> None:
    assert card_refusal(sak, bytes.fromhex(uid)) == refusal


def test_an_unplugged_reader_is_lost_and_comes_back_by_itself() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.unplug(port)
            assert heard.hears(DeviceFailed, lambda seen: seen.fault in ("unplugged", "absent"))
            bench.plug(port)
            assert heard.hears(DeviceReady, times=2)
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)


def test_a_second_in_which_the_chip_hears_nothing_is_noise() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.set_faults(port, Faults(loss=1.0))
            # Several looks fail within a second; what came before and after must be one session.
            threading.Event().wait(1.0)
            bench.set_faults(port, FOUR_WIRES["whole"])
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)
    assert heard.of(NoiseCounted)
    assert not heard.of(DeviceFailed)


def test_a_chip_that_stops_answering_is_silent() -> None:
    with Bench() as bench:
        port = bench.wire(Pn532(Random(1)))
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.set_faults(port, Faults(loss=1.0))
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "silent")


def test_an_absent_reader_is_said_to_be_absent_and_found_when_it_is_plugged_in() -> None:
    with Bench() as bench:
        port = bench.folder / "later"
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")
            bench.wire(Pn532(Random(1)), name="later")
            assert heard.hears(DeviceReady)


def test_a_port_on_which_nothing_answers_is_silent() -> None:
    with Bench() as bench, running(reader(bench.wire(Mute())), "reader-01") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "silent")


def test_a_chip_that_a_killed_program_left_at_high_speed_is_recovered() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        leave_at_921600(port)
        assert bench.call(lambda: chip.speed_baud) == 921_600
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)


def leave_at_921600(port: Path) -> None:
    """What nfcpy sends to raise the speed, and then no more."""
    with serial.Serial(str(port), 115_200, timeout=10) as line:
        line.write(bytes(10) + bytes.fromhex("0000ff02fed4022a00"))
        assert len(line.read(19)) == 19
        line.write(bytes.fromhex("0000ff03fdd410071500"))
        assert len(line.read(15)) == 15
        line.write(bytes.fromhex("0000ff00ff00"))
        line.flush()
        threading.Event().wait(0.2)


def test_noise_on_the_wire_is_counted_and_the_badge_is_seen_all_the_same() -> None:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            bench.set_faults(port, Faults(garbage=0.05))
            assert heard.hears(NoiseCounted)
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)


def test_the_number_of_a_badge_appears_in_no_log_and_no_report(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # What host.journal does at the start of the agent.
    caplog.set_level(logging.WARNING, logger="nfc")
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip)
        with running(reader(port), "reader-01") as heard:
            bench.call(chip.present, Ntag21x(UID))
            assert heard.hears(CredentialSeen)
            bench.unplug(port)
            assert heard.hears(DeviceFailed)
    said = (caplog.text + repr(heard.of(object))).lower()
    assert UID.hex() not in said
    assert repr(UID).lower() not in said


def test_a_pseudo_terminal_is_refused_in_a_real_installation() -> None:
    with Bench() as bench:
        port = bench.wire(Pn532(Random(1)))
        driver = BadgeReader("reader-01", Port(str(port), simulated=False), KEY, uid_badges=True, relay_limit_s=1.0)
        with running(driver, "reader-01") as heard:
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "refused")
        assert not heard.of(DeviceReady)


def test_nobody_else_can_open_the_reader_meanwhile() -> None:
    with Bench() as bench:
        port = bench.wire(Pn532(Random(1)))
        with running(reader(port), "reader-01") as heard:
            assert heard.hears(DeviceReady)
            with pytest.raises(serial.SerialException):
                serial.Serial(str(port), exclusive=True)
