"""The thread of one device: open, read, and when it fails close, back off and try again, until asked to stop."""

import logging
import threading
from collections.abc import Callable
from random import Random
from typing import Protocol

from contract.events import Fault
from edge.core.moment import Moment
from edge.core.observations import DeviceFailed, DeviceReady, NoiseCounted, Observation

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
"""A device that is away for a night is asked once a minute; one whose port comes back is asked at once."""

LOOK_S = 0.5
"""How often a waiting thread looks whether its port has come back."""

NOISE_EVERY_S = 10.0
"""A noisy line is reported this often, not at each lost frame."""

Emit = Callable[[Observation], None]
OnCrash = Callable[[BaseException], None]
Clock = Callable[[], Moment]


class DeviceError(OSError):
    """A device session has ended: the word says why, the sentence what was seen.

    No new try is made within `wait_s`, unless `may_be_back` says that something has changed.
    """

    def __init__(self, fault: Fault, sentence: str, *, wait_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.fault = fault
        self.wait_s = wait_s


class Driver(Protocol):
    """What is particular to one device: one session with it, and whether it may be there again."""

    def session(self, device: "DeviceThread") -> None:
        """Open the device, report it ready, and read until `device.stopping` is set; close it in any case.

        To return earlier asks for a new session at once.

        Raises:
            DeviceError: the device is away or does not answer.
        """

    def may_be_back(self) -> bool:
        """Return whether something has changed that makes a new try worthwhile before the wait is over."""


class DeviceThread:
    """Owns the one thread of a device. `emit` blocks while the inbox is full: nothing is dropped here."""

    def __init__(self, device: str, driver: Driver, *, clock: Clock, random: Random, on_crash: OnCrash) -> None:
        self.id = device
        self.clock = clock
        self.stopping = threading.Event()
        self._woken = threading.Event()
        self._driver = driver
        self._random = random
        self._on_crash = on_crash
        self._emit: Emit | None = None
        self._thread = threading.Thread(target=self._run, name=device, daemon=True)
        self._answered = False
        self._noise_count = 0
        self._noise_told_s = float("-inf")
        self._down = False

    def start(self, emit: Emit) -> None:
        """Begin the first session."""
        self._emit = emit
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ask the session to end and wait for it, at most `timeout_s`."""
        self.stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("device=%s thread still running after %.1f s", self.id, timeout_s)

    def wake(self) -> None:
        """End the thread's rest; fit for the callbacks of other threads."""
        self._woken.set()

    def rest(self, timeout_s: float) -> None:
        """Wait until woken, asked to stop, or `timeout_s` have passed; for sessions only."""
        self._woken.wait(timeout_s)
        self._woken.clear()

    def emit(self, seen: Observation) -> None:
        """Report what was seen."""
        if self._emit is not None:
            self._emit(seen)

    def ready(self) -> None:
        """Report that the device answers; the next failure waits briefly again."""
        if self._down:
            log.info("device=%s recovered", self.id)
        self._down = False
        self._answered = True
        self.emit(DeviceReady(self.clock(), self.id))

    def noise(self, count: int) -> None:
        """Report `count` more pieces of noise, together with others if it was done lately."""
        self._noise_count += count
        now = self.clock()
        if count and now.mono_s - self._noise_told_s >= NOISE_EVERY_S:
            self._noise_told_s = now.mono_s
            self.emit(NoiseCounted(now, self.id, self._noise_count))

    def _run(self) -> None:
        try:
            wait_s = FIRST_WAIT_S
            while not self.stopping.is_set():
                wait_s = self._try(wait_s)
        except Exception as error:  # noqa: BLE001  # the one place: a bug of ours goes to main, which ends the process
            self._on_crash(error)

    def _try(self, wait_s: float) -> float:
        """Hold one session and return how long to wait after the next failure."""
        self._answered = False
        try:
            self._driver.session(self)
        except DeviceError as error:
            if not self._down:
                log.warning("device=%s lost fault=%s: %s", self.id, error.fault, error)
            self._down = True
            self.emit(DeviceFailed(self.clock(), self.id, error.fault))
            if self._answered:
                wait_s = FIRST_WAIT_S
            self._wait(max(wait_s * self._random.uniform(0.75, 1.25), error.wait_s))
            return min(wait_s * 2, LONGEST_WAIT_S)
        return FIRST_WAIT_S

    def _wait(self, wait_s: float) -> None:
        while wait_s > 0 and not self.stopping.wait(min(wait_s, LOOK_S)):
            wait_s -= LOOK_S
            if self._driver.may_be_back():
                return
