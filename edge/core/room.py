"""A visio room: what its sensors and its bookings say together. Displays and calls join them later.

Nothing is concluded from a booking while the sensors are unknown: a room is never called empty, nor a booking a ghost,
because a sensor is down.
"""

from dataclasses import dataclass, replace

from contract.events import RoomState
from edge.core import occupancy
from edge.core.moment import Moment, later
from edge.core.observations import Booking
from edge.core.occupancy import Presence, PresenceRules, unknown_presence

CAME_EARLY_S = 900.0
"""Who was there up to 15 minutes before the start came for the booking."""


@dataclass(frozen=True, slots=True)
class RoomRules:
    """How one room is judged."""

    id: str
    presence: PresenceRules
    ghost_after_s: float
    bookable: bool
    confidential: bool


@dataclass(frozen=True, slots=True)
class RoomChange:
    """A state, as it may be shown, and the moment from which it is true."""

    state: RoomState
    since: Moment


@dataclass(frozen=True, slots=True)
class Room:
    """Everything known of one room.

    `bookings` is None until they were read; `left_s` is when somebody last left; `judged_s` is up to when the times of
    bookings have been taken into account.
    """

    presence: Presence
    bookings: tuple[Booking, ...] | None
    left_s: float | None
    judged_s: float
    change: RoomChange

    @property
    def state(self) -> RoomState:
        """The state that was concluded, as it may be shown."""
        return self.change.state

    @property
    def since(self) -> Moment:
        """The moment from which the state is true."""
        return self.change.since


Step = tuple[Room, tuple[RoomChange, ...]]


def unknown_room(at: Moment) -> Room:
    """Return what is known of a room before anything was read: nothing."""
    return Room(unknown_presence(at), bookings=None, left_s=None, judged_s=at.mono_s, change=RoomChange("unknown", at))


def read(room: Room, rules: RoomRules, sensor: str, at: Moment, *, present: bool) -> Step:
    """Return the room after one reading of one of its sensors; `elapse` to `at` comes first."""
    presence = occupancy.read(room.presence, rules.presence, sensor, at, present=present)
    return elapse(replace(room, presence=presence), rules, at)


def lose(room: Room, rules: RoomRules, sensor: str, at: Moment) -> Step:
    """Return the room after one of its sensors was lost; `elapse` to `at` comes first."""
    return elapse(replace(room, presence=occupancy.lose(room.presence, rules.presence, sensor, at)), rules, at)


def learn(room: Room, rules: RoomRules, bookings: tuple[Booking, ...], at: Moment) -> Step:
    """Return the room after its bookings were read; `elapse` to `at` comes first."""
    return _judge(replace(room, bookings=bookings), rules, at)


def elapse(room: Room, rules: RoomRules, at: Moment) -> Step:
    """Return the room at `at`, and every change on the way, in order, each from the moment it is true."""
    told: tuple[RoomChange, ...] = ()
    while (due_s := deadline(room, rules, at)) is not None and due_s <= at.mono_s:
        instant = at.moved_to(due_s)
        before = room.presence.state
        presence, changes = occupancy.elapse(room.presence, rules.presence, instant)
        room = replace(room, presence=presence, judged_s=due_s)
        if changes and before == "occupied" and presence.state == "vacant":
            room = replace(room, left_s=presence.since.mono_s)
        # An absence is true from the last detection: the bookings are judged again from there on.
        room, said = _judge(room, rules, presence.since if changes else instant)
        told += said
    return room, told


def deadline(room: Room, rules: RoomRules, at: Moment) -> float | None:
    """Return when, on the monotonic clock, this room next changes by itself, or None.

    `at` places the wall times of the bookings on the monotonic clock.
    """
    due = occupancy.deadline(room.presence, rules.presence)
    if room.presence.state != "vacant":
        return due
    instants = [at.mono_s + (wall_ms - at.wall_ms) / 1000 for wall_ms in _boundaries(room, rules, at)]
    coming = [instant for instant in instants if instant > room.judged_s]
    return min(coming if due is None else [*coming, due], default=None)


def _judge(room: Room, rules: RoomRules, at: Moment) -> Step:
    room = replace(room, judged_s=at.mono_s)
    state = _conclude(room, rules, at)
    if state == room.state:
        return room, ()
    change = RoomChange(state, later(room.since, at))
    return replace(room, change=change), (change,)


def _conclude(room: Room, rules: RoomRules, at: Moment) -> RoomState:
    if room.presence.state != "vacant":
        return room.presence.state
    if not rules.bookable or rules.confidential:
        return "free"
    if room.bookings is None or at.clock == "unsynced":
        return "unknown"
    booking = _current(room.bookings, at.wall_ms)
    if booking is None:
        return "free"
    return "ghost" if at.wall_ms >= _ghost_from_ms(room, rules, booking, at) else "booked"


def _current(bookings: tuple[Booking, ...], wall_ms: int) -> Booking | None:
    return next((booking for booking in bookings if booking.start_ms <= wall_ms < booking.end_ms), None)


def _ghost_from_ms(room: Room, rules: RoomRules, booking: Booking, at: Moment) -> float:
    """Return from when on the booking is a ghost: never, if somebody came for it.

    The wait starts again when the sensors were unknown meanwhile: what nobody watched was not empty.
    """
    if room.left_s is not None and _wall_ms(room.left_s, at) >= booking.start_ms - CAME_EARLY_S * 1000:
        return float("inf")
    empty_from_ms = _wall_ms(room.presence.since.mono_s, at)
    return max(booking.start_ms, empty_from_ms) + rules.ghost_after_s * 1000


def _boundaries(room: Room, rules: RoomRules, at: Moment) -> list[float]:
    """Return the wall times at which the bookings may change an empty room."""
    if not rules.bookable or rules.confidential:
        return []
    times: list[float] = []
    for booking in room.bookings or ():
        ghost_from_ms = _ghost_from_ms(room, rules, booking, at)
        times += [booking.start_ms, booking.end_ms]
        if ghost_from_ms < booking.end_ms:
            times.append(ghost_from_ms)
    return times


def _wall_ms(mono_s: float, at: Moment) -> int:
    return at.wall_ms + round((mono_s - at.mono_s) * 1000)
