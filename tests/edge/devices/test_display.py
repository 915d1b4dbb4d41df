"""A display's driver against simulated displays on TCP, over four kinds of line and with every bad manner."""

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from edge.clock import SystemClock
from edge.core.moment import Moment
from edge.core.observations import DeviceFailed, DeviceReady, DisplayRead, NoiseCounted, Power
from edge.devices.device import DeviceThread
from edge.devices.display import ABSENT_AFTER_S, Display
from edge.protocols import pjlink as pjlink_codec
from edge.protocols import samsung_mdc
from host.settings import SettingsError
from simulators.displays import DisplayServer, Manners, Screen, pjlink, samsung
from tests.support.bench import Bench, eventually
from tests.support.heard import WITHIN_S, Heard, running

FOUR_LINES = {
    "whole": Manners(),
    "byte-at-a-time": Manners(one_byte=True),
    "breaking": Manners(cut=0.2),
    "slow": Manners(slow_s=0.2),
}
POLL_S = 0.02
DEVICE = "room-01-display"


@dataclass
class Shown:
    """A display on a bench, and what its driver reports."""

    bench: Bench
    server: DisplayServer
    screen: Screen
    heard: Heard

    def behave(self, manners: Manners) -> None:
        self.bench.call(setattr, self.server, "manners", manners)

    def switch(self, *, on: bool) -> None:
        self.bench.call(self.screen.switch, on=on)

    def powers(self) -> list[Power]:
        return [seen.power for seen in self.heard.of(DisplayRead)]

    def says(self, power: Power) -> bool:
        return eventually(lambda: self.powers()[-1:] == [power], WITHIN_S)

    def fails(self, fault: str) -> bool:
        return self.heard.hears(DeviceFailed, lambda seen: seen.fault == fault)


@contextmanager
def shown(
    kind: str,
    manners: Manners = FOUR_LINES["whole"],
    *,
    screen: Screen | None = None,
    wanted: str = "",
    password: Callable[[], bytes] = bytes,
) -> Iterator[Shown]:
    screen = screen or Screen()
    with Bench() as bench:
        server = (
            samsung(screen, display_id=1, random=Random(1), manners=manners)
            if kind == "samsung-mdc"
            else pjlink(screen, password=wanted, random=Random(1), manners=manners)
        )
        bench.run(server.start())
        try:
            driver = driver_of(kind, server.port, password)
            with running(driver, DEVICE) as heard:
                yield Shown(bench, server, screen, heard)
        finally:
            bench.run(server.stop())


def driver_of(kind: str, port: int, password: Callable[[], bytes] = bytes) -> Display:
    ask = pjlink_codec.PowerQuestion if kind == "pjlink" else lambda _: samsung_mdc.PowerQuestion(1)
    return Display("room-01", ("127.0.0.1", port), ask, password, POLL_S)


KINDS = ("samsung-mdc", "pjlink")


@pytest.mark.parametrize("line", FOUR_LINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_display_is_followed_over_every_line(kind: str, line: str) -> None:
    with shown(kind, FOUR_LINES[line]) as display:
        assert display.says("standby")
        display.switch(on=True)
        assert display.says("on")
        display.switch(on=False)
        assert display.says("standby")
        assert display.heard.of(DeviceReady)


def test_a_projector_that_warms_up_and_cools_down_says_so() -> None:
    now = [0.0]
    screen = Screen(warming_s=10.0, cooling_s=10.0, clock=lambda: now[0])
    with shown("pjlink", screen=screen, wanted="secret", password=lambda: b"secret") as display:
        assert display.says("standby")
        display.switch(on=True)
        assert display.says("warming")
        now[0] = 20.0
        assert display.says("on")
        display.switch(on=False)
        assert display.says("cooling")
        now[0] = 40.0
        assert display.says("standby")


@pytest.mark.parametrize("kind", KINDS)
def test_a_display_that_closes_its_socket_in_standby_is_in_standby(kind: str) -> None:
    with shown(kind, Manners(closes_in_standby=True)) as display:
        display.switch(on=True)
        assert display.says("on")
        display.switch(on=False)
        assert display.says("standby")
        display.switch(on=True)
        assert display.says("on")
        assert display.heard.of(DeviceFailed) == []
        assert len(display.heard.of(DeviceReady)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_display_whose_network_sleeps_in_standby_is_in_standby(kind: str) -> None:
    with shown(kind) as display:
        display.switch(on=True)
        assert display.says("on")
        display.bench.run(display.server.stop())
        assert display.says("standby")
        assert display.heard.of(DeviceFailed) == []
        display.bench.run(display.server.start())
        assert display.says("on")


def test_a_display_that_has_never_answered_is_neither_lost_nor_in_standby() -> None:
    with shown("samsung-mdc", Manners(closes_in_standby=True)) as display:
        assert eventually(lambda: display.server.callers_count >= 5)
        assert display.powers() == []
        assert display.heard.of(DeviceFailed) == []
        assert display.heard.of(DeviceReady) == []


@pytest.mark.parametrize("answered", [True, False], ids=["it had answered", "it had never answered"])
def test_a_display_that_was_not_heard_for_a_week_is_absent(answered: bool) -> None:
    ahead_s = [0.0]
    clock = SystemClock(lambda: "synced")

    def now() -> Moment:
        at = clock.now()
        return at.moved_to(at.mono_s + ahead_s[0])

    heard, crashes = Heard(), list[BaseException]()
    with Bench() as bench:
        server = samsung(Screen(), display_id=1, random=Random(1))
        bench.run(server.start())
        if not answered:
            bench.run(server.stop())
        driver = driver_of("samsung-mdc", server.port)
        thread = DeviceThread(DEVICE, driver, clock=now, random=Random(1), on_crash=crashes.append)
        thread.start(heard.emit)
        try:
            assert not answered or heard.hears(DisplayRead)
            bench.run(server.stop())
            assert not eventually(lambda: bool(heard.of(DeviceFailed)), within_s=0.2)
            ahead_s[0] = ABSENT_AFTER_S + 1
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")
            bench.run(server.start())
            assert heard.hears(DeviceReady, times=2 if answered else 1)
        finally:
            thread.stop(WITHIN_S)
            bench.run(server.stop())
    assert crashes == []


FAULTS = {
    "hangs": ("samsung-mdc", Manners(hangs=True), "silent"),
    "says nothing as a projector": ("pjlink", Manners(hangs=True), "silent"),
    "breaks off in its answer": ("samsung-mdc", Manners(half=True), "silent"),
    "breaks off in its greeting": ("pjlink", Manners(half=True), "silent"),
    "speaks something else": ("samsung-mdc", Manners(garbage=True), "garbled"),
    "speaks something else as a projector": ("pjlink", Manners(garbage=True), "garbled"),
    "is slower than we wait": ("pjlink", Manners(slow_s=5.0), "silent"),
    "refuses": ("samsung-mdc", Manners(refuses=True), "refused"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_display_that_misbehaves_is_lost_with_the_right_word_and_recovers(case: str) -> None:
    kind, manners, fault = FAULTS[case]
    with shown(kind, manners) as display:
        assert display.fails(fault)
        assert {seen.fault for seen in display.heard.of(DeviceFailed)} == {fault}
        assert display.powers() == []
        if fault != "refused":
            display.behave(Manners())
            assert display.says("standby")


def test_a_display_that_misses_an_answer_or_two_is_not_lost() -> None:
    with shown("samsung-mdc") as display:
        assert display.says("standby")
        calls_count = display.server.callers_count
        display.behave(Manners(hangs=True))
        assert eventually(lambda: display.server.callers_count > calls_count)
        display.behave(Manners())
        display.switch(on=True)
        assert display.says("on")
        assert display.heard.of(DeviceFailed) == []


def test_garbage_is_counted_as_noise() -> None:
    with shown("samsung-mdc", Manners(garbage=True)) as display:
        assert display.heard.hears(NoiseCounted, lambda seen: seen.count > 10)


def test_a_wrong_password_is_one_line_and_no_storm(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), shown("pjlink", wanted="right", password=lambda: b"wrong-secret") as display:
        assert display.fails("refused")
        # The first back-off would be over by then.
        assert not eventually(lambda: display.server.callers_count > 1, within_s=1.5)
        assert len(display.heard.of(DeviceFailed)) == 1
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("edge")]
    assert len(lines) == 1
    assert "refuses the password" in lines[0]
    assert "wrong-secret" not in caplog.text


def test_an_address_that_the_system_forbids_is_no_matter_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket, "create_connection", forbidden)
    with shown("pjlink", wanted="right", password=lambda: b"right") as display:
        assert display.fails("absent")


def test_a_display_that_was_never_heard_is_told_once_in_the_journal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), shown("samsung-mdc", Manners(closes_in_standby=True)) as display:
        assert eventually(lambda: display.server.callers_count >= 3)
    lines = [record.getMessage() for record in caplog.records if "not heard yet" in record.getMessage()]
    assert len(lines) == 1
    assert "without a word" in lines[0]


def test_a_password_that_is_corrected_is_tried_at_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"wrong")
    with shown("pjlink", wanted="right", password=file.read_bytes) as display:
        assert display.fails("refused")
        file.write_bytes(b"right")
        assert display.says("standby")


def test_a_password_that_cannot_be_read_is_told_and_read_once_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "password"

    def password() -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read") from error

    with shown("pjlink", wanted="right", password=password) as display:
        assert display.fails("unreadable")
        assert display.server.callers_count == 0
        file.write_bytes(b"right")
        assert display.says("standby")


def test_a_stop_does_not_wait_for_a_display_that_hangs() -> None:
    with shown("samsung-mdc", replace(Manners(), hangs=True)) as display:
        assert eventually(lambda: display.server.callers_count == 1)
