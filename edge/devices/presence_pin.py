"""A presence sensor that drives a pin: PIR, contact or pressure mat.

A PIR's level counts at once, and a detection between two looks is one, however short. A contact bounces: its level
counts once it has held (edge/core/debounce.py); gpiozero's `bounce_time` is not relied upon. A cut wire reads like
nobody; only a loop through the sensor's plug, on a pin of its own, tells that it was pulled out.
"""

from contextlib import ExitStack

from edge.core import debounce
from edge.core.debounce import HOLDS_AFTER_S, Contact
from edge.core.moment import Moment
from edge.core.observations import PresenceRead
from edge.devices.device import DeviceError, DeviceThread
from edge.devices.pins import InputPin

HEARTBEAT_S = 2.0
CALM_S = 0.05
"""A pin that chatters is read twenty times a second, whatever it does in between."""


class PresencePin:
    """One sensor on one pin; `bounces` for a contact, `loop_pin` where its plug closes a loop to ground."""

    def __init__(
        self, sensor: str, pin: int, *, active_high: bool, bounces: bool = False, loop_pin: int | None = None
    ) -> None:
        self._sensor = sensor
        self._pin = pin
        self._active_high = active_high
        self._bounces = bounces
        self._loop_pin = loop_pin

    def may_be_back(self) -> bool:
        """Return False: a pin gives no sign of its own."""
        return False

    def session(self, device: DeviceThread) -> None:
        """Report the level on change and at each heartbeat, until the plug is pulled out."""
        with ExitStack() as opened:
            pin = InputPin(self._pin, active_high=self._active_high, clock=device.clock, wake=device.wake)
            opened.callback(pin.close)
            loop = _Loop(self._loop_pin, device)
            opened.callback(loop.close)
            loop.check(at_once=True)
            level = _Bouncing(pin) if self._bounces else _Prompt(pin)
            device.ready()
            told = self._tell(device, device.clock(), present=level.present)
            while not device.stopping.is_set():
                device.rest(HOLDS_AFTER_S if level.leaning or loop.leaning else HEARTBEAT_S)
                for at, present in level.look(device.clock()):
                    told = self._tell(device, at, present=present)
                loop.check()
                if (now := device.clock()).mono_s - told >= HEARTBEAT_S:
                    told = self._tell(device, now, present=level.present)
                device.stopping.wait(CALM_S)

    def _tell(self, device: DeviceThread, at: Moment, *, present: bool) -> float:
        device.emit(PresenceRead(at, self._sensor, present))
        return at.mono_s


class _Prompt:
    """The level of a PIR."""

    leaning = False

    def __init__(self, pin: InputPin) -> None:
        self._pin = pin
        self.present = pin.active

    def look(self, now: Moment) -> list[tuple[Moment, bool]]:
        """Return the changes since the last look: at most one detection and its end."""
        changes: list[tuple[Moment, bool]] = []
        seen = next((edge.at for edge in self._pin.edges() if edge.active), None)
        if seen is not None and not self.present:
            changes.append((seen, True))
            self.present = True
        if self._pin.active != self.present:
            self.present = not self.present
            changes.append((now, self.present))
        return changes


class _Bouncing:
    """The level of a contact, once it has held."""

    def __init__(self, pin: InputPin) -> None:
        self._pin = pin
        self._contact = Contact(pin.active)

    @property
    def present(self) -> bool:
        """The level that counts."""
        return self._contact.active

    @property
    def leaning(self) -> bool:
        """Whether the other level may soon count."""
        return self._contact.leaning is not None

    def look(self, now: Moment) -> list[tuple[Moment, bool]]:
        """Return the changes since the last look, each from the moment from which the level has held."""
        changes: list[tuple[Moment, bool]] = []
        for at, active in [*((edge.at, edge.active) for edge in self._pin.edges()), (now, self._pin.active)]:
            self._settle(at, changes)
            self._contact = debounce.lean(self._contact, at, active=active)
        self._settle(now, changes)
        return changes

    def _settle(self, at: Moment, changes: list[tuple[Moment, bool]]) -> None:
        self._contact, changed = debounce.settle(self._contact, at.mono_s)
        if changed is not None:
            changes.append((changed, self._contact.active))


class _Loop:
    """The loop through the sensor's plug, or none."""

    def __init__(self, pin: int | None, device: DeviceThread) -> None:
        self._device = device
        self._pin = None if pin is None else InputPin(pin, active_high=False, clock=device.clock, wake=device.wake)
        self._open_since_s: float | None = None

    @property
    def leaning(self) -> bool:
        """Whether it has just opened."""
        return self._open_since_s is not None

    def check(self, *, at_once: bool = False) -> None:
        """Look at the loop; `at_once` where nothing can be bouncing.

        Raises:
            DeviceError: it has been open for longer than a contact bounces.
        """
        if self._pin is None or self._pin.active:
            self._open_since_s = None
            return
        now_s = self._device.clock().mono_s
        if self._open_since_s is None:
            self._open_since_s = now_s
        if at_once or now_s - self._open_since_s >= HOLDS_AFTER_S:
            raise DeviceError("unplugged", "the loop through its plug is open")

    def close(self) -> None:
        """Give the pin back."""
        if self._pin is not None:
            self._pin.close()
