"""Inputs and outputs on GPIOs through gpiozero, whose errors become device trouble.

gpiozero calls back in threads of its own, and loses edges when a callback takes long: a callback here only notes the
level and the moment. A missed edge is made up for by reading the level at each look.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from gpiozero import DigitalInputDevice, OutputDevice
from gpiozero.exc import BadPinFactory, GPIOZeroError, PinInvalidPin

from edge.core.moment import Moment
from edge.devices.device import DeviceError

_OPENING = threading.Lock()
"""gpiozero makes its one pin factory at the first opening, and not for two threads at once."""

MAX_EDGES = 64
"""Edges that wait for the thread: a contact that bounces more often than this is read by its level."""


@contextmanager
def pin_trouble() -> Iterator[None]:
    """Turn what gpiozero and the system raise about pins into device trouble.

    Raises:
        DeviceError: `absent` without GPIO hardware, `refused` for a pin that cannot be had.
    """
    try:
        yield
    except DeviceError:
        raise
    except (BadPinFactory, PinInvalidPin) as error:
        raise DeviceError("absent", f"no such GPIO here: {error}") from error
    except (GPIOZeroError, OSError) as error:
        raise DeviceError("refused", f"the GPIO cannot be used: {error}") from error


@dataclass(frozen=True, slots=True)
class Edge:
    """A level that a pin took, and when."""

    at: Moment
    active: bool


class InputPin:
    """One input and its edges; `clock` and `wake` are called in gpiozero's thread.

    Raises:
        DeviceError: the pin cannot be had.
    """

    def __init__(self, pin: int, *, active_high: bool, clock: Callable[[], Moment], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._edges: queue.Queue[Edge] = queue.Queue(MAX_EDGES)
        # The pull holds the inactive level, so that a cut wire reads inactive: absent, open, not pressed.
        with pin_trouble(), _OPENING:
            self._device: Any = DigitalInputDevice(pin, pull_up=not active_high)
            self._device.when_activated = self._activated
            self._device.when_deactivated = self._deactivated

    @property
    def active(self) -> bool:
        """The level now, in the sense of the wiring."""
        with pin_trouble():
            return bool(self._device.is_active)

    def edges(self) -> list[Edge]:
        """Return the edges since the last call, oldest first."""
        edges: list[Edge] = []
        while True:
            try:
                edges.append(self._edges.get_nowait())
            except queue.Empty:
                return edges

    def close(self) -> None:
        """Give the pin back."""
        with suppress(GPIOZeroError, OSError):
            self._device.close()

    def _activated(self) -> None:
        self._note(active=True)

    def _deactivated(self) -> None:
        self._note(active=False)

    def _note(self, *, active: bool) -> None:
        try:
            self._edges.put_nowait(Edge(self._clock(), active))
        except queue.Full:
            return  # the level is read at the next look
        self._wake()


class OutputPin:
    """One output, inactive from its construction on.

    Raises:
        DeviceError: the pin cannot be had.
    """

    def __init__(self, pin: int, *, active_high: bool) -> None:
        with pin_trouble(), _OPENING:
            self._device: Any = OutputDevice(pin, active_high=active_high, initial_value=False)

    def set(self, *, active: bool) -> None:
        """Drive the pin.

        Raises:
            DeviceError: the pin does not obey.
        """
        with pin_trouble():
            if active:
                self._device.on()
            else:
                self._device.off()

    def close(self) -> None:
        """Drive the pin to its inactive level and give it back."""
        with suppress(GPIOZeroError, OSError):
            self._device.off()
        with suppress(GPIOZeroError, OSError):
            self._device.close()
