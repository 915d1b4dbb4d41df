"""What a site is made of, as the core needs it: resources, devices and rules, without pins or ports."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge.core.door import DoorRules
from edge.core.occupancy import PresenceRules
from edge.core.room import RoomRules


@dataclass(frozen=True, slots=True)
class Plan:
    """One site. Every mapping is by id: `readers` to the door each opens, `devices` to the kind of each."""

    site: str
    zone: ZoneInfo
    uid_badges: bool
    alive_interval_s: float
    doors: dict[str, DoorRules]
    readers: dict[str, str]
    desks: dict[str, PresenceRules]
    rooms: dict[str, RoomRules]
    devices: dict[str, str]

    def desk_of(self, sensor: str) -> str | None:
        """Return the desk that a sensor watches, or None."""
        return next((desk for desk, rules in self.desks.items() if sensor in rules.sensors), None)

    def room_of(self, device: str) -> str | None:
        """Return the room that a sensor, a calendar or a display is of, or None."""
        for room, rules in self.rooms.items():
            if device in (*rules.presence.sensors, rules.bookings, rules.display):
                return room
        return None
