"""One simulated telecentre: its devices on their wires and pins, and what people do to them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import get_args

from simulators.badges import Badge
from simulators.badges_wallet import Wallet
from simulators.cards import Card
from simulators.desk_pins import DeskPins, Ill
from simulators.folder import Folder
from simulators.ld2410 import Ills, Ld2410
from simulators.network import (
    BUZZER_PIN,
    CONTACT_PIN,
    EXIT_BUTTON_PIN,
    GRANTED_PIN,
    REFUSED_PIN,
    STRIKE_PIN,
    Site,
    equipment_of,
)
from simulators.pins import PinBoard
from simulators.pn532 import Pn532
from simulators.visio import VisioRooms
from simulators.wire import Wire

READER = "reader-01"

DOORWAY_FREE_WITHIN_S = 15.0
"""How long somebody waits for those before them at the door."""

ANSWER_WITHIN_S = 3.0
"""A badge is held this long: a light that has not come by then will not come."""

CALM_S = 0.5
"""Between two badges: the reader must have seen the first one go."""

PATTERN_S = 1.0
"""A refusal may flash this long."""

OPENED_LOOK_S = 0.2

TRY_AGAIN_S = 1.0
RADAR_ILLS = {"stuck": Ills(stuck=True), "deaf": Ills(deaf=True)}
"""What of `Ills` somebody who looks at the board can make happen."""

_ENTER_TRIES = 3
_POLL_S = 0.005


class DoorwayBusyError(TimeoutError):
    """Somebody else has stood in the doorway for too long."""


class NoSuchDeviceError(LookupError):
    """The site has no device of that name: one sentence with the names that there are."""


@dataclass(frozen=True, slots=True)
class Tap:
    """What was seen on the pins after a card entered the field."""

    shown_at_ms: int
    """When the card entered the field, UTC since 1970."""
    pulse_after_ms: float | None
    """When the strike was energised; empty when the door stayed shut."""
    granted_lit: bool
    refused_lit: bool
    beeps: int

    @property
    def pulsed(self) -> bool:
        """Whether the strike was energised."""
        return self.pulse_after_ms is not None

    @property
    def answered(self) -> bool:
        """Whether the reader reacted at all: it beeps, whatever it decides."""
        return self.pulsed or self.beeps > 0


class SimulatedSite:
    """All devices of one site; lives on the running asyncio loop."""

    def __init__(self, site: Site, folder: Folder, badges: dict[str, Badge], *, seed: int) -> None:
        self.id = site.id
        self.badges = badges
        self._random = Random(f"devices/{seed}/{site.id}")
        self._equipment = equipment_of(site)
        self._pins = PinBoard(folder.pins(site.id))
        self._reader = Pn532(self._seeded())
        self._wallet = Wallet(self._seeded())
        self._radars = {name: Ld2410(self._seeded()) for name in self._equipment.radars}
        self._wires = {READER: Wire(folder.port(site.id, READER), self._reader)}
        self._wires |= {name: Wire(folder.port(site.id, name), radar) for name, radar in self._radars.items()}
        self._rooms = VisioRooms(site.id, folder, self._equipment.rooms, Random(f"rooms/{seed}/{site.id}"))
        self._doorway = asyncio.Lock()
        self._sensor_of = {desk.id: desk.sensor for desk in self._equipment.desks}
        self._sensor_of |= {room.id: room.sensor for room in self._equipment.rooms}
        self._desk_pins = DeskPins(self._pins, self._equipment.desks)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that have a plug, by their ids."""
        return (*self._wires, *self._desk_pins.devices, *self._rooms.displays)

    async def start(self) -> None:
        """Open every wire and the pins: door closed, nobody there."""
        self._pins.drive(CONTACT_PIN, False)
        self._pins.drive(EXIT_BUTTON_PIN, True)
        self._desk_pins.start()
        await self._pins.start()
        for wire in self._wires.values():
            await wire.start()
        await self._rooms.start()

    async def stop(self) -> None:
        """Close what `start` opened; links and sockets go with it."""
        self._desk_pins.stop()
        await self._rooms.stop()
        for wire in self._wires.values():
            await wire.stop()
        await self._pins.stop()

    async def opened(self) -> None:
        """Wait until an agent holds the strike: nobody comes to a telecentre that has never opened."""
        while not self._pins.is_output(STRIKE_PIN):  # noqa: ASYNC110 - people look, they are not notified
            await asyncio.sleep(OPENED_LOOK_S)

    def unplug(self, device: str) -> str:
        """Pull a device's plug and return its id.

        Raises:
            NoSuchDeviceError: the site has none of that name.
        """
        return self._set_plugged(device, plugged=False)

    def plug(self, device: str) -> str:
        """Put a device's plug back, let it be well again, and return its id.

        Raises:
            NoSuchDeviceError: the site has none of that name.
        """
        return self._set_plugged(device, plugged=True)

    def spoil(self, device: str, ill: str) -> str:
        """Let something be wrong with a device until it is plugged in anew, and return its id.

        Raises:
            NoSuchDeviceError: the site has none of that name, or it cannot have this.
        """
        name = self._named(device, (*self._radars, *self._desk_pins.devices, *self._rooms.devices))
        ills = self._ills_of(name)
        if ill not in ills:
            raise NoSuchDeviceError(f"'{name}' cannot have '{ill}'; it can have {', '.join(ills)}")
        ills[ill]()
        return name

    async def tap(self, badge: Badge, *, pattern_s: float = 0.0, clone: bool = False) -> Tap:
        """Hold a badge, or a copy of it, until the reader answers, then look at the lights for `pattern_s` more.

        Raises:
            DoorwayBusyError: the doorway was not free in time.
            NothingToCopyError: it has no number of its own.
        """
        card = self._wallet.copy(badge) if clone else self._wallet.card(badge)
        try:
            async with asyncio.timeout(DOORWAY_FREE_WITHIN_S):
                await self._doorway.acquire()
        except TimeoutError as error:
            raise DoorwayBusyError(f"somebody else stands at the door of {self.id}: try again") from error
        try:
            return await self._tap(card, pattern_s)
        finally:
            self._doorway.release()

    async def enter(self, badge: str, companions: int) -> bool:
        """Show a badge, a few times if the door stays shut, and go in with so many companions if it opens."""
        async with self._doorway:
            for _ in range(_ENTER_TRIES):
                tap = await self._tap(self._wallet.card(self.badges[badge]), 0.0)
                if tap.pulsed:
                    break
                # An agent that has just been started for the first time may still wait for its list of rights.
                await asyncio.sleep(TRY_AGAIN_S)
            if tap.pulsed:
                await asyncio.sleep(self._random.uniform(0.2, 0.5))
                await self._pass_through(0.6 + 0.4 * companions)
        return tap.pulsed

    async def show(self, badge: str) -> bool:
        """Show a badge and stay outside; say whether the door would have opened."""
        async with self._doorway:
            tap = await self._tap(self._wallet.card(self.badges[badge]), PATTERN_S)
        return tap.pulsed

    async def leave(self) -> None:
        """Press the exit button and go out."""
        async with self._doorway:
            await self._held(EXIT_BUTTON_PIN, False, 0.2)
            await asyncio.sleep(0.2)
            await self._pass_through(0.6)

    def sit(self, place: str) -> None:
        """Be at a desk or in a room: near and hardly moving; in a room the display is switched on."""
        self._rooms.switch(place, on=True)
        self._presence(place, present=True, moving=False)

    def be_still(self, place: str) -> None:
        """Stop moving: a PIR sees nobody, a radar still sees the breathing."""
        sensor = self._sensor_of[place]
        self._presence(place, present=sensor in self._radars, moving=False)

    def rise(self, place: str) -> None:
        """Be there no longer; a display is switched off."""
        self._rooms.switch(place, on=False)
        self._presence(place, present=False, moving=False)

    def book(self, room: str, bookings: list[tuple[int, int]]) -> None:
        """Replace a room's calendar."""
        self._rooms.book(room, bookings)

    async def _tap(self, card: Card, pattern_s: float) -> Tap:
        # The pulse of the person before must be over, so that the next one is ours.
        await _until(lambda: not self._pins.level(STRIKE_PIN), DOORWAY_FREE_WITHIN_S)
        begun_s, begun_ms = time.monotonic(), time.time_ns() // 1_000_000
        self._reader.present(card)
        try:
            await _until(lambda: self._seen(begun_s, begun_ms).answered, ANSWER_WITHIN_S)
            await asyncio.sleep(pattern_s)
            return self._seen(begun_s, begun_ms)
        finally:
            self._reader.remove()
            await asyncio.sleep(CALM_S)

    def _seen(self, since_s: float, since_ms: int) -> Tap:
        pulses = self._risings(STRIKE_PIN, since_s)
        return Tap(
            shown_at_ms=since_ms,
            pulse_after_ms=(pulses[0] - since_s) * 1000 if pulses else None,
            granted_lit=self._was_high(GRANTED_PIN, since_s),
            refused_lit=self._was_high(REFUSED_PIN, since_s),
            beeps=len(self._risings(BUZZER_PIN, since_s)),
        )

    def _risings(self, pin: int, since_s: float) -> list[float]:
        return [at_s for at_s, high in self._pins.changes(pin) if high and at_s >= since_s]

    def _was_high(self, pin: int, since_s: float) -> bool:
        """Return whether the pin was high at any time since: a light may still have been on for the person before."""
        return self._pins.level(pin) or any(at_s >= since_s for at_s, _ in self._pins.changes(pin))

    async def _pass_through(self, for_s: float) -> None:
        await self._held(CONTACT_PIN, True, for_s)
        await asyncio.sleep(0.2)

    async def _held(self, pin: int, level: bool, for_s: float) -> None:
        """Hold a pin at a level, and let it go even when the people are sent home meanwhile."""
        self._pins.drive(pin, level)
        try:
            await asyncio.sleep(for_s)
        finally:
            self._pins.drive(pin, not level)

    def _presence(self, place: str, *, present: bool, moving: bool) -> None:
        sensor = self._sensor_of[place]
        if sensor in self._desk_pins.devices:
            self._desk_pins.sense(sensor, present=present)
        elif present:
            self._radars[sensor].person(distance_cm=self._random.randint(60, 120), moving=moving)
        else:
            self._radars[sensor].empty()

    def _seeded(self) -> Random:
        return Random(self._random.getrandbits(64))

    def _set_plugged(self, device: str, *, plugged: bool) -> str:
        calendars = self._rooms.calendars if plugged else ()
        name = self._named(device, (*self.devices, *calendars))
        if plugged:
            self._heal(name)
        if name in self._desk_pins.devices:
            self._desk_pins.set_plugged(name, plugged=plugged)
        elif name in self._rooms.displays:
            self._rooms.set_plugged(name, plugged=plugged)
        elif name in self._wires and plugged:
            self._wires[name].plug()
        elif name in self._wires:
            self._wires[name].unplug()
        return name

    def _named(self, device: str, among: tuple[str, ...]) -> str:
        name = READER if device == "reader" else device
        if name not in among:
            raise NoSuchDeviceError(f"{self.id} has no device '{device}' to do this to; it has {', '.join(among)}")
        return name

    def _ills_of(self, device: str) -> dict[str, Callable[[], None]]:
        """Return what may be wrong with a device, and what makes it so."""
        if device in self._desk_pins.devices:
            return {ill: partial(self._desk_pins.spoil, device, ill) for ill in get_args(Ill)}
        if device in self._radars:
            return {
                ill: partial(setattr, self._radars[device], "ills", replace(is_so)) for ill, is_so in RADAR_ILLS.items()
            }
        return {ill: partial(self._rooms.spoil, device, ill) for ill in self._rooms.ills_of(device)}

    def _heal(self, device: str) -> None:
        if device in self._desk_pins.devices:
            self._desk_pins.heal(device)
        elif device in self._radars:
            self._radars[device].ills = Ills()
        elif device in self._rooms.devices:
            self._rooms.heal(device)


async def _until(seen: Callable[[], bool], within_s: float) -> None:
    """Wait until something is seen, or for `within_s`: people look, they are not notified."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s and not seen():  # noqa: ASYNC110 - the pins keep the exact times, looking may be late
        await asyncio.sleep(_POLL_S)
