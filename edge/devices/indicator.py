"""The light and buzzer beside a reader: each pattern as steps of two lights and a sound."""

from dataclasses import dataclass

from edge.config import ReaderSettings
from edge.core.effects import Pattern
from edge.devices.device import DeviceThread
from edge.devices.pins import OutputPin

REST_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """Which pins are on, and for how long."""

    granted: bool
    refused: bool
    buzzer: bool
    for_s: float


OFF = Step(granted=False, refused=False, buzzer=False, for_s=0.0)
_BEEP, _PAUSE = (Step(granted=False, refused=True, buzzer=buzzer, for_s=0.12) for buzzer in (True, False))

PATTERNS: dict[Pattern, tuple[Step, ...]] = {
    "granted": (
        Step(granted=True, refused=False, buzzer=True, for_s=0.15),
        Step(granted=True, refused=False, buzzer=False, for_s=2.85),
    ),
    "refused": (_BEEP, _PAUSE, _BEEP, _PAUSE, _BEEP, Step(granted=False, refused=True, buzzer=False, for_s=1.4)),
    "come_nearer": (_PAUSE, Step(granted=False, refused=False, buzzer=False, for_s=0.12)) * 4,
    "wait": (
        Step(granted=True, refused=True, buzzer=False, for_s=0.6),
        Step(granted=False, refused=False, buzzer=False, for_s=0.4),
    ),
    "idle": (),
}
"""One beep lets in, three refuse: who does not see the light hears it. Both lights blink slowly while a reader waits
for a new badge; a card that is to come nearer makes the red one blink fast."""

_LASTING: set[Pattern] = {"wait", "idle"}
"""Shown until the other one is; every other pattern is shown once, and then this again."""


class Indicator:
    """The pins beside one reader, and the pattern that they show."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._pins = (settings.granted_pin, settings.refused_pin, settings.buzzer_pin)
        self._wanted: tuple[Step, ...] | None = None
        self._lasting: tuple[Step, ...] = ()
        self._device: DeviceThread | None = None

    def show(self, pattern: Pattern) -> None:
        """Show a pattern from now on instead of the present one; fit for any thread."""
        self._wanted = PATTERNS[pattern]
        if pattern in _LASTING:
            self._lasting = self._wanted
        if self._device is not None:
            self._device.wake()

    def may_be_back(self) -> bool:
        """Return False: pins give no sign of their own."""
        return False

    def session(self, device: DeviceThread) -> None:
        """Open the pins dark, and play what is wanted."""
        self._device = device
        pins: list[OutputPin | None] = []
        try:
            for number in self._pins:
                pins.append(None if number is None else OutputPin(number, active_high=True))  # noqa: PERF401  # closed below
            device.ready()
            while not device.stopping.is_set():
                self._play(device, pins)
        finally:
            for pin in pins:
                if pin is not None:
                    pin.close()

    def _play(self, device: DeviceThread, pins: list[OutputPin | None]) -> None:
        steps, self._wanted = self._wanted, None
        for step in self._lasting if steps is None else steps:
            _drive(pins, step)
            device.rest(step.for_s)
            if self._wanted is not None or device.stopping.is_set():
                return
        _drive(pins, OFF)
        if self._wanted is None and not self._lasting:
            device.rest(REST_S)


def _drive(pins: list[OutputPin | None], step: Step) -> None:
    for pin, active in zip(pins, (step.granted, step.refused, step.buzzer), strict=True):
        if pin is not None:
            pin.set(active=active)
