"""What the agent of a telecentre of the fleet says, as events of the contract. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import cast
from zoneinfo import ZoneInfo

from contract.events import (
    Access,
    AccessDecided,
    AccessReason,
    BookingJudged,
    BookingOfRoom,
    BookingOutcome,
    Desk,
    DeskState,
    DeskStateChanged,
    Door,
    DoorState,
    DoorStateChanged,
    EdgeAlive,
    EdgeStarted,
    Event,
    Nothing,
    Room,
    RoomState,
    RoomStateChanged,
    Start,
)
from contract.messages import DeskNow, DoorNow, Now, RoomNow
from simulators.fleet_days import GHOST_MS, Furniture, Happening, happenings

VERSION = "fleet"
"""What its agents call themselves: nobody takes them for real ones."""

OUTCOMES = ("came", "no_show")
BLIND_MS = 5 * 60_000
"""A fifth of the 25 minutes that count for a booking: an agent that has missed more of them cannot judge it."""

BOOTED_BEFORE_MS = 86_400_000
"""How long its Pi had been running when the fleet begins."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Two clocks of a site at one moment: that of this process, and the one on its wall."""

    s: float
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent stores together: events, each with who badged; a new start of the agent begins a new stream."""

    events: list[tuple[Event, str | None]]
    restarted: bool = False


class Place:
    """The desks, the rooms and the door of one telecentre, its members, and its days one after the other.

    `at_ms`, `next_ms` are in the fleet's own time, which passes as fast as it is played.
    """

    def __init__(self, name: str, furniture: Furniture, zone: ZoneInfo, seed: int) -> None:
        self._name, self._furniture, self._zone, self._seed = name, furniture, zone, seed
        self._random = Random(f"place {name} {seed}")
        self._states: dict[str, str] = dict.fromkeys((f"desk-{n:02d}" for n in range(1, furniture.desks + 1)), "vacant")
        self._states |= dict.fromkeys((f"room-{n:02d}" for n in range(1, furniture.rooms + 1)), "free")
        self._states["door-01"] = "locked"
        self._since: dict[str, int] = {}
        self._members = [f"{self._random.getrandbits(40):08x}" for _ in range(max(1, 2 * furniture.desks))]
        self._coming: deque[Happening] = deque()
        self._day = date.min
        self._booted_ms = self._began_ms = 0

    @property
    def next_ms(self) -> int:
        """When the agent next has something to say."""
        return self._coming[0].seen_ms

    def start(self, at_ms: int) -> Seen:
        """Begin at an instant: what that day brought before it has happened, unheard."""
        self._booted_ms = at_ms - BOOTED_BEFORE_MS
        self._day = datetime.fromtimestamp(at_ms / 1000, self._zone).date()
        for happening in self._happenings(self._day):
            if happening.seen_ms >= at_ms:
                self._coming.append(happening)
            elif happening.subject in self._states and happening.state not in OUTCOMES:
                self._states[happening.subject] = happening.state
        self._look_ahead()
        return self._started(at_ms)

    def observe(self) -> Seen:
        """Return what the agent says at `next_ms`."""
        happening = self._coming.popleft()
        self._look_ahead()
        if happening.state == "restart":
            return self._started(happening.seen_ms)
        if happening.state in OUTCOMES:
            return Seen([(self._judged(happening), None)])
        if happening.subject in self._states:
            self._states[happening.subject] = happening.state
            # Dated back, but not behind what the agent has said of it before.
            since_ms = max(happening.since_ms, self._since[happening.subject])
            return Seen([(self._state(happening.subject, since_ms), None)])
        at_ms, up = happening.seen_ms, happening.seen_ms - self._booted_ms
        if happening.state == "alive":
            return Seen([(EdgeAlive(subject="agent", value=Nothing(), t=at_ms, clock="synced", up=up), None)])
        access = Access(door="door-01", reason=cast("AccessReason", happening.state), assurance="uid")
        badge = AccessDecided(subject="reader-01", value=access, t=at_ms, clock="synced", up=up)
        return Seen([(badge, self._random.choice(self._members))])

    def now(self, at: Moment) -> Now:
        """Return the snapshot for the live board."""

        def of(kind: str) -> Iterator[tuple[str, str, int]]:
            return ((name, state, self._since[name]) for name, state in self._states.items() if name.startswith(kind))

        return Now(
            site=self._name,
            as_of=at.wall_ms,
            clock="synced",
            desks=[DeskNow(id=name, state=cast("DeskState", state), since=since) for name, state, since in of("desk-")],
            rooms=[RoomNow(id=name, state=cast("RoomState", state), since=since) for name, state, since in of("room-")],
            doors=[
                DoorNow(id=name, state=cast("DoorState", state), alarm="NORMAL", since=since)
                for name, state, since in of("door-")
            ],
        )

    def _happenings(self, day: date) -> list[Happening]:
        return happenings(day, self._zone, self._furniture, Random(f"{self._seed} {self._name} {day}"))

    def _look_ahead(self) -> None:
        while not self._coming:
            self._day += timedelta(days=1)
            self._coming.extend(self._happenings(self._day))

    def _judged(self, happening: Happening) -> Event:
        at_ms = happening.since_ms
        start_ms = at_ms - GHOST_MS
        knows = self._began_ms <= start_ms - 15 * 60_000 + BLIND_MS
        outcome = cast("BookingOutcome", happening.state if knows else "unknown")
        value, up = BookingOfRoom(start=start_ms, outcome=outcome), at_ms - self._booted_ms
        return BookingJudged(subject=happening.subject, value=value, t=at_ms, clock="synced", up=up)

    def _started(self, at_ms: int) -> Seen:
        self._began_ms = at_ms
        up = at_ms - self._booted_ms
        started = EdgeStarted(subject="agent", value=Start(version=VERSION), t=at_ms, clock="synced", up=up)
        return Seen([(started, None), *((self._state(subject, at_ms), None) for subject in self._states)], True)

    def _state(self, subject: str, since_ms: int) -> Event:
        self._since[subject] = since_ms
        state, up = self._states[subject], since_ms - self._booted_ms
        if subject.startswith("desk-"):
            desk = Desk(state=cast("DeskState", state))
            return DeskStateChanged(subject=subject, value=desk, t=since_ms, clock="synced", up=up)
        if subject.startswith("room-"):
            room = Room(state=cast("RoomState", state))
            return RoomStateChanged(subject=subject, value=room, t=since_ms, clock="synced", up=up)
        door = Door(state=cast("DoorState", state), alarm="NORMAL")
        return DoorStateChanged(subject=subject, value=door, t=since_ms, clock="synced", up=up)
