"""Events as an agent would make them, told apart by their `up`."""

from contract.events import (
    Access,
    AccessDecided,
    Clock,
    Desk,
    DeskStateChanged,
    EdgeAlive,
    Event,
    Nothing,
    Room,
    RoomStateChanged,
)

T0_MS = 1_790_000_000_000
"""A moment in September 2026: UTC milliseconds."""

PERSON = "k7q2m9x4"


def desk(number: int, *, clock: Clock = "synced") -> DeskStateChanged:
    """Return a desk event."""
    state = Desk(state="occupied" if number % 2 else "vacant")
    return DeskStateChanged(subject="desk-01", t=T0_MS + number, clock=clock, up=number, value=state)


def at(t: int, event: Event) -> Event:
    """Return the same event of another time."""
    return event.model_copy(update={"t": t})


def room(number: int) -> RoomStateChanged:
    """Return a room event."""
    return RoomStateChanged(subject="room-01", t=T0_MS, clock="synced", up=number, value=Room(state="free"))


def access(number: int) -> AccessDecided:
    """Return an access event."""
    value = Access(door="door-01", reason="GRANTED", assurance="uid")
    return AccessDecided(subject="reader-01", t=T0_MS + number, clock="synced", up=number, value=value)


def alive(number: int) -> EdgeAlive:
    """Return a sign of life."""
    return EdgeAlive(subject="agent", t=T0_MS + number, clock="synced", up=number, value=Nothing())
