"""What an edge of a campaign observes: its n-th event is the same in every life, so that a kill loses only a tail."""

from random import Random
from typing import Literal, cast

from pydantic import BaseModel

from contract.events import (
    Access,
    AccessDecided,
    Clock,
    ClockSet,
    ClockStep,
    Desk,
    DeskState,
    DeskStateChanged,
    EdgeAlive,
    EdgeStarted,
    Event,
    Nothing,
    Room,
    RoomState,
    RoomStateChanged,
    Start,
)

STEP_MS = 10_000
"""Ten seconds of the telecentre's life lie between two events: an hour's campaign is six weeks of it."""

PERSONS = ("k7q2m9x4", "a1b2c3d4", "zz00yy11")
UNSET_UNTIL = 20
"""A life that begins with a reboot has no clock for so many events; then it is set."""

_DESK_STATES: tuple[DeskState, ...] = ("occupied", "vacant", "occupied", "vacant", "unknown")
_ROOM_STATES: tuple[RoomState, ...] = ("free", "booked", "occupied", "unknown")


class _Value(BaseModel):
    open: bool


class WindowChanged(BaseModel):
    """An event of a later version of the edge: this hub must set it aside, and go on."""

    subject: str
    t: int
    clock: Clock
    up: int
    kind: Literal["window_changed"] = "window_changed"
    value: _Value


def event_of(seed: str, number: int, start_ms: int, *, life: int, rebooted: bool) -> tuple[Event, str | None]:
    """Return the event `number` of an edge, and who it is about; `life` is the number of its first event now.

    `up` is the number itself in milliseconds times STEP_MS, whatever the clock says: the oracle knows events by it.
    """
    random = Random(f"{seed} {number}")
    up, t = number * STEP_MS, start_ms + number * STEP_MS + random.randrange(STEP_MS // 2)
    age = number - life
    clock: Clock = "synced"
    if rebooted and age < UNSET_UNTIL:
        clock, t = "unsynced", age * 1_000
    if age == 0:
        return EdgeStarted(subject="agent", t=t, clock=clock, up=up, value=Start(version="campaign")), None
    if rebooted and age == UNSET_UNTIL:
        step = ClockStep(step_ms=t)
        return ClockSet(subject="agent", t=start_ms + up, clock=clock, up=up, value=step), None
    return _observed(random, t, clock, up)


def _observed(random: Random, t: int, clock: Clock, up: int) -> tuple[Event, str | None]:
    what = random.random()
    if what < 0.70:
        desk = Desk(state=random.choice(_DESK_STATES))
        subject = f"desk-{random.randint(1, 4):02}"
        return DeskStateChanged(subject=subject, t=t, clock=clock, up=up, value=desk), None
    if what < 0.80:
        room = Room(state=random.choice(_ROOM_STATES))
        return RoomStateChanged(subject="room-01", t=t, clock=clock, up=up, value=room), None
    if what < 0.90:
        access = Access(door="door-01", reason="GRANTED", assurance="uid")
        badge = AccessDecided(subject="reader-01", t=t, clock=clock, up=up, value=access)
        return badge, random.choice(PERSONS)
    if what < 0.995:
        return EdgeAlive(subject="agent", t=t, clock=clock, up=up, value=Nothing()), None
    window = WindowChanged(subject="window-01", t=t, clock=clock, up=up, value=_Value(open=True))
    return cast("Event", window), None
