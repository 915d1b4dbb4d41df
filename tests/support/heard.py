"""What a device thread reported, kept for the test that drives it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TypeVar

from edge.clock import SystemClock
from edge.core.observations import Observation
from edge.devices.device import DeviceThread, Driver
from tests.support.bench import eventually

Kind = TypeVar("Kind")
WITHIN_S = 15.0
"""Several times what the slowest wire takes on a busy machine."""


class Heard:
    """The observations of one device, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Observation] = []

    def emit(self, seen: Observation) -> None:
        with self._lock:
            self._seen.append(seen)

    def everything(self) -> list[Observation]:
        """Return all that was heard."""
        with self._lock:
            return list(self._seen)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return what was heard of one kind."""
        with self._lock:
            return [seen for seen in self._seen if isinstance(seen, kind)]

    def hears(self, kind: type[Kind], so: Callable[[Kind], bool] = lambda _: True, *, times: int = 1) -> bool:
        """Return whether something of a kind is heard so many times before the deadline."""
        return eventually(lambda: sum(so(seen) for seen in self.of(kind)) >= times, WITHIN_S)


@contextmanager
def running(driver: Driver, device: str) -> Iterator[Heard]:
    """Run a driver in its thread; at the end it must stop in time, and must not have crashed."""
    heard, crashes = Heard(), list[BaseException]()
    clock = SystemClock(lambda: "synced")
    thread = DeviceThread(device, driver, clock=clock.now, random=Random(1), on_crash=crashes.append)
    thread.start(heard.emit)
    try:
        yield heard
    finally:
        thread.stop(WITHIN_S)
    assert not crashes, crashes
    assert all(running.name != device for running in threading.enumerate())
