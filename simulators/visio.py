"""The visio rooms of one simulated telecentre: a display in each, and the server of their calendars."""

import time
from random import Random
from typing import cast

from simulators.calendars import Calendar, CalendarServer, Manner
from simulators.displays import DisplayServer, Manners, Screen, pjlink, samsung
from simulators.folder import CALENDAR, Folder, calendar_of, display_password
from simulators.network import Room

WARMING_S = COOLING_S = 2.0
"""A projector's lamp takes a minute; here one wants to see it."""


DISPLAY_ILLS = {
    "hangs": Manners(hangs=True),
    "garbage": Manners(garbage=True),
    "refuses": Manners(refuses=True),
}
CALENDAR_ILLS = ("hang", "error", "huge", "not_ical")
"""What may be wrong with a display and with a calendar, as far as somebody who looks at the board sees a difference."""


class VisioRooms:
    """Displays and calendars of a site's rooms; lives on the running asyncio loop."""

    def __init__(self, site: str, folder: Folder, rooms: tuple[Room, ...], random: Random) -> None:
        self._ports = folder.ports_of(site)
        self._server = CalendarServer()
        self._displays = {room.display: _display(site, room, random) for room in rooms}
        self._manners = {name: display.manners for name, display in self._displays.items()}
        self._display_of = {room.id: room.display for room in rooms}
        for room in rooms:
            self.book(room.id, [])

    @property
    def displays(self) -> tuple[str, ...]:
        """The device ids of the displays, which have a plug."""
        return tuple(self._displays)

    @property
    def calendars(self) -> tuple[str, ...]:
        """The device ids of the calendars, which have none."""
        return tuple(f"{room}-bookings" for room in self._display_of)

    @property
    def devices(self) -> tuple[str, ...]:
        """The device ids of both."""
        return (*self.displays, *self.calendars)

    def ills_of(self, device: str) -> tuple[str, ...]:
        """Return what may be wrong with a device."""
        return tuple(DISPLAY_ILLS) if device in self._displays else CALENDAR_ILLS

    def spoil(self, device: str, ill: str) -> None:
        """Let something be wrong with a display or a calendar until it is healed."""
        if device in self._displays:
            self._displays[device].manners = DISPLAY_ILLS[ill]
        else:
            self._calendar(device).manner = cast("Manner", ill)

    def heal(self, device: str) -> None:
        """Let a display or a calendar be well again."""
        if device in self._displays:
            self._displays[device].manners = self._manners[device]
        else:
            self._calendar(device).manner = "good"

    def _calendar(self, device: str) -> Calendar:
        return self._server.calendars[f"/{device.removesuffix('-bookings')}.ics"]

    async def start(self) -> None:
        """Listen at the ports that the folder names."""
        if self._displays:
            await self._server.start(self._ports[CALENDAR])
        for name, display in self._displays.items():
            await display.start(self._ports[name])

    async def stop(self) -> None:
        """Listen no more."""
        await self._server.stop()
        for display in self._displays.values():
            await display.stop()

    def set_plugged(self, device: str, *, plugged: bool) -> None:
        """Pull a display's network cable, or put it back."""
        self._displays[device].plugged = plugged

    def switch(self, room: str, *, on: bool) -> None:
        """Switch a room's display on or off, as people do who come and go."""
        if room in self._display_of:
            self._displays[self._display_of[room]].screen.switch(on=on)

    def book(self, room: str, bookings: list[tuple[int, int]]) -> None:
        """Replace a room's calendar; seconds UTC since 1970."""
        self._server.put(f"/{room}.ics", calendar_of(bookings), int(time.time()))


def _display(site: str, room: Room, random: Random) -> DisplayServer:
    if room.display_kind(site) == "pjlink":
        screen = Screen(warming_s=WARMING_S, cooling_s=COOLING_S)
        return pjlink(screen, password=display_password(site), random=random)
    return samsung(Screen(), random=random, manners=Manners(closes_in_standby=True))
