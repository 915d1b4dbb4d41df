"""The PIR sensors of one telecentre's desks on its pins: their levels, their plugs and what may be wrong with them."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Literal

from simulators.network import Desk
from simulators.pins import PinBoard

CHATTER_EVERY_S = 0.125
"""Eight changes a second, as of a wire that is nearly broken."""

Ill = Literal["stuck", "chattering"]


@dataclass
class _Pir:
    """One sensor; `loop_pin` is that of the loop through its plug, if there was a pin left for it."""

    pin: int
    loop_pin: int | None
    present: bool = False
    plugged: bool = True
    ill: Ill | None = None
    chatter: asyncio.Task[None] | None = None

    @property
    def level(self) -> bool:
        """What its line shows: nobody when it is unplugged, for the pull holds the line."""
        return self.plugged and (self.present or self.ill == "stuck")


class DeskPins:
    """All of them; lives on the running asyncio loop."""

    def __init__(self, pins: PinBoard, desks: tuple[Desk, ...]) -> None:
        self._pins = pins
        self._pirs = {desk.sensor: _Pir(desk.pin, desk.loop_pin) for desk in desks if desk.pin is not None}

    @property
    def devices(self) -> tuple[str, ...]:
        """The device ids of the sensors."""
        return tuple(self._pirs)

    def start(self) -> None:
        """Put every line where it is with nobody there: low, and the loops closed to ground."""
        for pir in self._pirs.values():
            self._show(pir)

    def stop(self) -> None:
        """Let nothing chatter any longer."""
        for name in self._pirs:
            self.heal(name)

    def sense(self, sensor: str, *, present: bool) -> None:
        """Let a sensor see somebody or nobody."""
        self._pirs[sensor].present = present
        self._show(self._pirs[sensor])

    def set_plugged(self, sensor: str, *, plugged: bool) -> None:
        """Pull a sensor's plug, or put it back."""
        self._pirs[sensor].plugged = plugged
        self._show(self._pirs[sensor])

    def spoil(self, sensor: str, ill: Ill) -> None:
        """Let something be wrong with a sensor until it is healed."""
        self.heal(sensor)
        pir = self._pirs[sensor]
        pir.ill = ill
        self._show(pir)
        if ill == "chattering":
            pir.chatter = asyncio.get_running_loop().create_task(self._chatter(pir), name=f"{sensor} chatters")

    def heal(self, sensor: str) -> None:
        """Let a sensor be well again."""
        pir = self._pirs[sensor]
        if pir.chatter is not None:
            pir.chatter.cancel()
        pir.ill = pir.chatter = None
        self._show(pir)

    def _show(self, pir: _Pir) -> None:
        self._pins.drive(pir.pin, pir.level)
        if pir.loop_pin is not None:
            self._pins.drive(pir.loop_pin, not pir.plugged)

    async def _chatter(self, pir: _Pir) -> None:
        for high in itertools.cycle((True, False)):
            self._pins.drive(pir.pin, high and pir.plugged)
            await asyncio.sleep(CHATTER_EVERY_S)
