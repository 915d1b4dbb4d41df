"""A visio room: what its sensors, its bookings and its display say together, by the truth table of docs/rooms.md.

Nothing is concluded from a booking or a display while the sensors are unknown: a room is never called empty, nor a
booking a ghost, because a sensor is down.
"""

from dataclasses import dataclass, replace
from typing import Literal

from contract.events import RoomState
from edge.core import booking, occupancy
from edge.core.booking import Judgement, Wait, Watch, wait_of
from edge.core.moment import Moment, later
from edge.core.observations import Booking, Power
from edge.core.occupancy import Occupancy, Presence, PresenceRules, unknown_presence

CAME_EARLY_S = 900.0
"""Who was there up to 15 minutes before the start came for the booking."""

Claim = Literal["none", "booked", "nobody_came", "left", "unknown"]
"""What the bookings say of an empty room: nothing; that somebody is awaited; that nobody came in time; that whoever
came has left for good; or that they are not known."""

_EMPTY: dict[Claim, RoomState] = {
    "none": "free",
    "booked": "booked",
    "nobody_came": "ghost",
    "left": "free",
    "unknown": "unknown",
}


@dataclass(frozen=True, slots=True)
class RoomRules:
    """How one room is judged; `bookings` and `display` are device ids, None where the room has none.

    A booking is released when the room was empty for `ghost_after_s` of its time; bookings that could not be read for
    `bookings_kept_s` are not known any more.
    """

    id: str
    presence: PresenceRules
    ghost_after_s: float
    bookings_kept_s: float
    bookings: str | None = None
    display: str | None = None
    confidential: bool = False
    came_early_s: float = CAME_EARLY_S

    @property
    def wait(self) -> Wait:
        """How long people are waited for before a booking is judged."""
        return wait_of(self.came_early_s, self.ghost_after_s, self.presence)


@dataclass(frozen=True, slots=True)
class RoomChange:
    """A state, as it may be shown, and the moment from which it is true."""

    state: RoomState
    since: Moment


@dataclass(frozen=True, slots=True)
class Room:
    """Everything known of one room.

    `bookings` is None until they were read, `bookings_lost_s` since when they cannot be read; `left_s` is when somebody
    was last there; `judged_s` is up to when the times of bookings have been taken into account for the state; `watch`
    is what tells what came of them.
    """

    presence: Presence
    bookings: tuple[Booking, ...] | None
    bookings_lost_s: float | None
    power: Power
    left_s: float | None
    judged_s: float
    change: RoomChange
    watch: Watch

    @property
    def state(self) -> RoomState:
        """The state that was concluded, as it may be shown."""
        return self.change.state

    @property
    def since(self) -> Moment:
        """The moment from which the state is true."""
        return self.change.since


Told = RoomChange | Judgement
Step = tuple[Room, tuple[Told, ...]]


def fuse(rules: RoomRules, presence: Occupancy, claim: Claim, power: Power) -> RoomState:
    """Return what a room is: one row of the truth table in docs/rooms.md."""
    if rules.confidential:
        claim, power = "none", "unknown"
    if presence == "vacant":
        return _EMPTY[claim]
    return "in_call" if presence == "occupied" and power == "on" else presence


def unknown_room(rules: RoomRules, at: Moment) -> Room:
    """Return what is known of a room before anything was read: nothing, or that it is out of service."""
    presence = unknown_presence(at, in_service=rules.presence.in_service)
    return Room(
        presence=presence,
        bookings=None,
        bookings_lost_s=None,
        power="unknown",
        left_s=None,
        judged_s=at.mono_s,
        change=RoomChange(fuse(rules, presence.state, "unknown", "unknown"), at),
        watch=Watch((presence.change,), at.mono_s),
    )


def read(room: Room, rules: RoomRules, sensor: str, at: Moment, *, present: bool) -> Step:
    """Return the room after one reading of one of its sensors; `elapse` to `at` comes first."""
    presence = occupancy.read(room.presence, rules.presence, sensor, at, present=present)
    return elapse(replace(room, presence=presence), rules, at)


def lose(room: Room, rules: RoomRules, device: str, at: Moment) -> Step:
    """Return the room after a sensor, its display or its bookings were lost; `elapse` to `at` comes first.

    The last good bookings stay in force for a while: an empty calendar is not what a silent server means.
    """
    if device == rules.display:
        return _judge(replace(room, power="unknown"), rules, at)
    if device == rules.bookings:
        lost_s = at.mono_s if room.bookings_lost_s is None else room.bookings_lost_s
        return _judge(replace(room, bookings_lost_s=lost_s), rules, at)
    return elapse(replace(room, presence=occupancy.lose(room.presence, rules.presence, device, at)), rules, at)


def learn(room: Room, rules: RoomRules, bookings: tuple[Booking, ...], at: Moment) -> Step:
    """Return the room after its bookings were read; `elapse` to `at` comes first."""
    watch = booking.skip(room.watch, at)
    return _judge(replace(room, bookings=bookings, bookings_lost_s=None, watch=watch), rules, at)


def show(room: Room, rules: RoomRules, power: Power, at: Moment) -> Step:
    """Return the room after its display said its power; `elapse` to `at` comes first."""
    return _judge(replace(room, power=power), rules, at)


def elapse(room: Room, rules: RoomRules, at: Moment) -> Step:
    """Return the room at `at`, and every change on the way, in order, each from the moment it is true."""
    told: tuple[Told, ...] = ()
    while (due_s := deadline(room, rules, at)) is not None and due_s <= at.mono_s:
        instant = at.moved_to(due_s)
        before = room.presence.state
        presence, changes = occupancy.elapse(room.presence, rules.presence, instant)
        watch = booking.notice(room.watch, rules.wait, changes)
        room = replace(room, presence=presence, judged_s=due_s, watch=watch)
        if changes and before == "occupied" and presence.state != "occupied":
            room = replace(room, left_s=presence.since.mono_s)
        # An absence is true from the last detection: the bookings are judged again from there on.
        room, said = _judge(room, rules, presence.since if changes else instant)
        room, judgements = _judge_bookings(room, rules, instant)
        told += (*said, *judgements)
    return room, told


def deadline(room: Room, rules: RoomRules, at: Moment) -> float | None:
    """Return when, on the monotonic clock, this room next changes by itself, or None.

    `at` places the wall times of the bookings on the monotonic clock.
    """
    due_s = occupancy.deadline(room.presence, rules.presence)
    due = [] if due_s is None else [due_s]
    if rules.bookings is None or rules.confidential:
        return due_s
    if at.clock != "unsynced":
        due += booking.deadlines(room.watch, rules.wait, room.bookings or (), at)
    if room.presence.state == "vacant":
        instants = [at.mono_s + (wall_ms - at.wall_ms) / 1000 for wall_ms in _boundaries(room, rules, at)]
        if room.bookings_lost_s is not None:
            instants.append(room.bookings_lost_s + rules.bookings_kept_s)
        due += [instant for instant in instants if instant > room.judged_s]
    return min(due, default=None)


def _judge(room: Room, rules: RoomRules, at: Moment) -> Step:
    room = replace(room, judged_s=at.mono_s)
    state = fuse(rules, room.presence.state, _claim(room, rules, at), room.power)
    if state == room.state:
        return room, ()
    change = RoomChange(state, later(room.since, at))
    return replace(room, change=change), (change,)


def _judge_bookings(room: Room, rules: RoomRules, at: Moment) -> tuple[Room, tuple[Judgement, ...]]:
    """Return the room at `at`, and what came of its bookings since; a confidential room tells nothing of them."""
    if rules.bookings is None or rules.confidential or at.clock == "unsynced":
        return room, ()
    watch, judgements = booking.judge(room.watch, rules.wait, _known(room, rules, at) or (), at)
    return replace(room, watch=watch), judgements


def _known(room: Room, rules: RoomRules, at: Moment) -> tuple[Booking, ...] | None:
    """Return the bookings, or None when they were never read, are too old, or cannot be placed in time."""
    lost_s = room.bookings_lost_s
    too_old = lost_s is not None and at.mono_s >= lost_s + rules.bookings_kept_s
    return None if too_old or at.clock == "unsynced" else room.bookings


def _claim(room: Room, rules: RoomRules, at: Moment) -> Claim:
    if rules.bookings is None:
        return "none"
    bookings = _known(room, rules, at)
    if bookings is None:
        return "unknown"
    booked = next((one for one in bookings if one.start_ms <= at.wall_ms < one.end_ms), None)
    if booked is None:
        return "none"
    if at.wall_ms < _released_from_ms(room, rules, booked, at):
        return "booked"
    return "left" if _came(room, rules, booked, at) else "nobody_came"


def _came(room: Room, rules: RoomRules, booked: Booking, at: Moment) -> bool:
    early_ms = rules.came_early_s * 1000
    return room.left_s is not None and _wall_ms(room.left_s, at) >= booked.start_ms - early_ms


def _released_from_ms(room: Room, rules: RoomRules, booked: Booking, at: Moment) -> float:
    """Return from when on an empty room is not kept for its booking any longer.

    The wait starts again when the sensors were unknown meanwhile: what nobody watched was not empty.
    """
    empty_from_ms = _wall_ms(room.presence.since.mono_s, at)
    return max(booked.start_ms, empty_from_ms) + rules.ghost_after_s * 1000


def _boundaries(room: Room, rules: RoomRules, at: Moment) -> list[float]:
    """Return the wall times at which the bookings may change an empty room."""
    times: list[float] = []
    for booked in room.bookings or ():
        released_from_ms = _released_from_ms(room, rules, booked, at)
        times += [booked.start_ms, booked.end_ms]
        if released_from_ms < booked.end_ms:
            times.append(released_from_ms)
    return times


def _wall_ms(mono_s: float, at: Moment) -> int:
    return at.wall_ms + round((mono_s - at.mono_s) * 1000)
