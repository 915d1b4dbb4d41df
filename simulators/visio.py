"""The visio rooms of one simulated telecentre: a display in each, and the server of their calendars."""

import time
from random import Random

from simulators.calendars import CalendarServer
from simulators.displays import DisplayServer, Manners, Screen, pjlink, samsung
from simulators.folder import CALENDAR, Folder, calendar_of, display_password
from simulators.network import Room

WARMING_S = COOLING_S = 2.0
"""A projector's lamp takes a minute; here one wants to see it."""


class VisioRooms:
    """Displays and calendars of a site's rooms; lives on the running asyncio loop."""

    def __init__(self, site: str, folder: Folder, rooms: tuple[Room, ...], random: Random) -> None:
        self._ports = folder.ports_of(site)
        self._server = CalendarServer()
        self._displays = {room.display: _display(site, room, random) for room in rooms}
        self._display_of = {room.id: room.display for room in rooms}
        for room in rooms:
            self.book(room.id, [])

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that have a plug, by their ids."""
        return tuple(self._displays)

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
