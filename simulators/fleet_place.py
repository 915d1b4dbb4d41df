"""What happens in a telecentre of the fleet: desks and rooms fill and empty, members badge. Pure."""

from dataclasses import dataclass
from random import Random

from contract.events import (
    Access,
    AccessDecided,
    AccessReason,
    Desk,
    DeskState,
    DeskStateChanged,
    Door,
    DoorStateChanged,
    EdgeStarted,
    Event,
    Room,
    RoomState,
    RoomStateChanged,
    Start,
)
from contract.messages import DeskNow, DoorNow, Now, RoomNow

VERSION = "fleet"
"""What its agents call themselves: nobody takes them for real ones."""

DESK_SHARE, ROOM_SHARE = 0.8, 0.1
"""Of what is observed; the rest is badges at the door."""

GRANTED_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Moment:
    """The three clocks of a site at one moment."""

    s: float
    """Monotonic, of this process."""
    wall_ms: int
    up_ms: int


class Place:
    """The desks, the rooms and the door of one telecentre, and its members."""

    def __init__(self, name: str, *, desks: int, rooms: int, random: Random) -> None:
        self._name = name
        self._random = random
        self._desks: dict[str, DeskState] = dict.fromkeys((f"desk-{n:02d}" for n in range(1, desks + 1)), "vacant")
        self._rooms: dict[str, RoomState] = dict.fromkeys((f"room-{n:02d}" for n in range(1, rooms + 1)), "free")
        self._members = [f"{random.getrandbits(40):08x}" for _ in range(max(1, desks))]
        self._since: dict[str, int] = {}

    def start(self, at: Moment) -> list[Event]:
        """Return what an agent says when it starts: that it did, and every state."""
        started = EdgeStarted(subject="agent", value=Start(version=VERSION), t=at.wall_ms, clock="synced", up=at.up_ms)
        return [started, *(self._event(subject, at) for subject in (*self._desks, *self._rooms, "door-01"))]

    def observe(self, at: Moment) -> tuple[Event, str | None]:
        """Return one more event, and who badged if it is about that."""
        kind = self._random.random()
        if kind < DESK_SHARE and self._desks:
            subject = self._random.choice(list(self._desks))
            self._desks[subject] = "occupied" if self._desks[subject] == "vacant" else "vacant"
        elif kind < DESK_SHARE + ROOM_SHARE and self._rooms:
            subject = self._random.choice(list(self._rooms))
            self._rooms[subject] = "occupied" if self._rooms[subject] == "free" else "free"
        else:
            return self._badge(at), self._random.choice(self._members)
        return self._event(subject, at), None

    def now(self, at: Moment) -> Now:
        """Return the snapshot for the live board."""
        return Now(
            site=self._name,
            as_of=at.wall_ms,
            clock="synced",
            desks=[DeskNow(id=name, state=state, since=self._since[name]) for name, state in self._desks.items()],
            rooms=[RoomNow(id=name, state=state, since=self._since[name]) for name, state in self._rooms.items()],
            doors=[DoorNow(id="door-01", state="locked", alarm="NORMAL", since=self._since["door-01"])],
        )

    def _badge(self, at: Moment) -> Event:
        granted = self._random.random() < GRANTED_SHARE
        reason: AccessReason = "GRANTED" if granted else "DENIED_OUT_OF_TIME_RANGE"
        access = Access(door="door-01", reason=reason, assurance="uid")
        return AccessDecided(subject="reader-01", value=access, t=at.wall_ms, clock="synced", up=at.up_ms)

    def _event(self, subject: str, at: Moment) -> Event:
        self._since[subject] = at.wall_ms
        if subject in self._desks:
            desk = Desk(state=self._desks[subject])
            return DeskStateChanged(subject=subject, value=desk, t=at.wall_ms, clock="synced", up=at.up_ms)
        if subject in self._rooms:
            room = Room(state=self._rooms[subject])
            return RoomStateChanged(subject=subject, value=room, t=at.wall_ms, clock="synced", up=at.up_ms)
        door = Door(state="locked", alarm="NORMAL")
        return DoorStateChanged(subject=subject, value=door, t=at.wall_ms, clock="synced", up=at.up_ms)
