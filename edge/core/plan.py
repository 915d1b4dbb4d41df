"""What a site is made of, as the core needs it: resources, devices and rules, without pins or ports."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from edge.core.door import DoorRules
from edge.core.occupancy import PresenceRules
from edge.core.opening import Opening
from edge.core.reader import ReaderRules
from edge.core.room import RoomRules
from edge.core.sensor import LIMITS, Limits


@dataclass(frozen=True, slots=True)
class Plan:
    """One site. Every mapping is by id: `readers` to the door each opens, `devices` to the kind of each.

    `limits` has every presence sensor; without `opening` no sensor is judged by the hour.
    """

    site: str
    zone: ZoneInfo
    uid_badges: bool
    reader_rules: ReaderRules
    alive_interval_s: float
    doors: dict[str, DoorRules]
    readers: dict[str, str]
    desks: dict[str, PresenceRules]
    rooms: dict[str, RoomRules]
    devices: dict[str, str]
    limits: dict[str, Limits] = field(default_factory=dict)
    opening: Opening | None = None

    def limits_of(self, sensor: str) -> Limits:
        """Return from when on a sensor is not believed."""
        return self.limits.get(sensor, LIMITS["radar"])

    def neighbours(self, sensor: str) -> tuple[str, ...]:
        """Return the sensors of the place that a sensor watches, itself included."""
        places = [*self.desks.values(), *(room.presence for room in self.rooms.values())]
        return next((place.sensors for place in places if sensor in place.sensors), ())

    def desk_of(self, sensor: str) -> str | None:
        """Return the desk that a sensor watches, or None."""
        return next((desk for desk, rules in self.desks.items() if sensor in rules.sensors), None)

    def room_of(self, device: str) -> str | None:
        """Return the room that a sensor, a calendar or a display is of, or None."""
        for room, rules in self.rooms.items():
            if device in (*rules.presence.sensors, rules.bookings, rules.display):
                return room
        return None
