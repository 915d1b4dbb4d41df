"""A presence sensor that drives a pin: PIR or pressure mat."""

from edge.core.moment import Moment
from edge.core.observations import PresenceRead
from edge.devices.device import DeviceThread
from edge.devices.pins import InputPin

HEARTBEAT_S = 2.0
CALM_S = 0.05
"""A pin that chatters is read twenty times a second, whatever it does in between."""


class PresencePin:
    """One sensor on one pin."""

    def __init__(self, sensor: str, pin: int, *, active_high: bool) -> None:
        self._sensor = sensor
        self._pin = pin
        self._active_high = active_high

    def may_be_back(self) -> bool:
        """Return False: a pin gives no sign of its own."""
        return False

    def session(self, device: DeviceThread) -> None:
        """Report the level on change and at each heartbeat."""
        pin = InputPin(self._pin, active_high=self._active_high, clock=device.clock, wake=device.wake)
        try:
            present = pin.active
            device.ready()
            told = self._tell(device, device.clock(), present=present)
            while not device.stopping.is_set():
                device.rest(HEARTBEAT_S)
                # A detection between two looks is one, however short.
                seen = next((edge.at for edge in pin.edges() if edge.active), None)
                if seen is not None and not present:
                    present, told = True, self._tell(device, seen, present=True)
                level, at = pin.active, device.clock()
                if level != present or at.mono_s - told >= HEARTBEAT_S:
                    present, told = level, self._tell(device, at, present=level)
                device.stopping.wait(CALM_S)
        finally:
            pin.close()

    def _tell(self, device: DeviceThread, at: Moment, *, present: bool) -> float:
        device.emit(PresenceRead(at, self._sensor, present))
        return at.mono_s
