import logging
import threading
from random import Random

import pytest

from edge.clock import SystemClock
from edge.core.observations import DeviceFailed, DeviceReady
from edge.devices.device import LONGEST_WAIT_S, DeviceError, DeviceThread
from tests.support.bench import eventually
from tests.support.heard import Heard, running


class Scripted:
    """A device that answers or fails as the script says, then answers for good."""

    def __init__(self, *script: DeviceError | Exception | None) -> None:
        self._script = list(script)
        self.back = threading.Event()

    def may_be_back(self) -> bool:
        return self.back.is_set()

    def session(self, device: DeviceThread) -> None:
        act = self._script.pop(0) if self._script else None
        if isinstance(act, DeviceError) and act.fault == "unplugged":
            device.ready()
        if act is not None:
            raise act
        device.ready()
        device.stopping.wait()


def absent() -> DeviceError:
    return DeviceError("absent", "it is not there")


def test_a_failed_device_is_tried_again_and_found() -> None:
    driver = Scripted(absent(), absent())
    driver.back.set()
    with running(driver, "device") as heard:
        assert heard.hears(DeviceReady)
    assert [seen.fault for seen in heard.of(DeviceFailed)] == ["absent", "absent"]


def test_a_device_whose_port_comes_back_is_tried_at_once() -> None:
    driver = Scripted(absent())
    driver.back.set()
    with running(driver, "device") as heard:
        assert heard.hears(DeviceReady)
        (failed,), (ready,) = heard.of(DeviceFailed), heard.of(DeviceReady)
        assert ready.at.mono_s - failed.at.mono_s < 5


def test_a_loss_is_logged_once_and_its_recovery_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    driver = Scripted(absent(), absent(), absent())
    driver.back.set()
    with running(driver, "device") as heard:
        assert heard.hears(DeviceReady)
    assert [caplog.text.count(word) for word in ("lost fault=absent", "recovered")] == [1, 1]


def test_the_waits_double_up_to_a_minute_with_jitter_and_begin_again_after_an_answer() -> None:
    waits: list[float] = []

    class Timed(DeviceThread):
        def _wait(self, wait_s: float) -> None:
            waits.append(wait_s)

    script = [absent() for _ in range(9)] + [DeviceError("unplugged", "pulled"), absent()]
    clock, heard = SystemClock(lambda: "synced"), Heard()
    device = Timed("device", Scripted(*script), clock=clock.now, random=Random(1), on_crash=lambda _: None)
    device.start(heard.emit)
    assert heard.hears(DeviceReady, times=2)
    device.stop(10.0)
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 2]
    assert all(0.75 * base <= wait <= 1.25 * base for wait, base in zip(waits, expected, strict=True))
    assert LONGEST_WAIT_S == 60
    assert len(set(waits)) == len(waits)


def test_a_bug_is_forwarded_and_not_retried() -> None:
    crashes: list[BaseException] = []
    clock, heard = SystemClock(lambda: "synced"), Heard()
    driver = Scripted(ZeroDivisionError("a bug"))
    device = DeviceThread("device", driver, clock=clock.now, random=Random(1), on_crash=crashes.append)
    device.start(heard.emit)
    assert eventually(lambda: bool(crashes))
    device.stop(10.0)
    assert isinstance(crashes[0], ZeroDivisionError)
    assert not heard.of(DeviceReady)


def test_a_waiting_device_stops_at_once() -> None:
    with running(Scripted(*[absent() for _ in range(100)]), "device") as heard:
        assert heard.hears(DeviceFailed)
