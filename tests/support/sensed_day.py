"""A day at six desks whose truth is known: who sat where, and what was wrong with each sensor.

Times are seconds after Monday 09:00, local. A desk's truth is its stays; where nobody can know, it must be unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from contract.events import Fault
from edge.core.observations import (
    Booking,
    BookingsRead,
    DeviceFailed,
    DeviceReady,
    DisplayRead,
    Observation,
    PresenceRead,
)
from simulators.ld2410 import REPORT_INTERVAL_S, Dropouts, Ld2410
from simulators.presence import Pir, bounced, movements
from tests.support.moments import at

HOUR_S = 3600.0
DAY_S = 15 * HOUR_S
"""Until midnight: the site is open until 19:00, and a doubt needs three hours more."""
CLOSE_S = 10 * HOUR_S
HEARTBEAT_S = 10.0
"""A sensor's thread repeats its word every 2 s; every 10 s gives the same day in a fifth of the time."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Desk:
    """One desk, who sat there, and where nobody can know."""

    id: str
    sensor: str
    stays: tuple[Span, ...]
    unknown: tuple[Span, ...] = ()
    breaks: tuple[Span, ...] = field(default=())
    """Absences shorter than the hold time: part of the stay."""


def _h(hours: float) -> float:
    return hours * HOUR_S


DESKS = (
    # An ordinary day: two stays, a coffee of three minutes.
    Desk("desk-01", "desk-01-pin", ((_h(1.5), _h(5)), (_h(6.2), _h(10.5))), breaks=((_h(3), _h(3) + 180),)),
    # A radar that loses who sits still, twelve times an hour.
    Desk("desk-02", "desk-02-radar", ((_h(2), _h(6)), (_h(7), _h(11)))),
    # A radar that gets stuck at 11:00, while somebody is there, and stays so.
    Desk("desk-03", "desk-03-radar", ((_h(2), _h(6)),), unknown=((_h(2), DAY_S),)),
    # A PIR whose plug is pulled out at 12:00 for two hours, in the middle of a stay.
    Desk("desk-04", "desk-04-pin", ((_h(3), _h(9)),), unknown=((_h(5), _h(7)),)),
    # A bouncing mat.
    Desk("desk-05", "desk-05-pin", ((_h(1.2), _h(4)), (_h(8), _h(8.5)))),
    # Nobody all day.
    Desk("desk-06", "desk-06-pin", ()),
)
STUCK_FROM_S = _h(4)
PULLED_S, PUT_BACK_S = DESKS[3].unknown[0]


def present(desk: Desk, at_s: float) -> bool:
    """Return whether somebody was there."""
    away = any(start <= at_s < end for start, end in desk.breaks)
    return not away and any(start <= at_s < end for start, end in desk.stays)


def pir_readings(desk: Desk, random: Random) -> list[tuple[float, bool]]:
    """Return the levels of a PIR: nobody is still for longer than two minutes."""
    moved = [
        instant
        for start, end in desk.stays
        for instant in movements(random, start, end, every_s=20.0, stillest_s=120.0)
        if present(desk, instant)
    ]
    return Pir().levels(moved)


def mat_readings(desk: Desk) -> list[tuple[float, bool]]:
    """Return the levels of a mat once they have held: what the driver makes of its bounce."""
    return [pair for start, end in desk.stays for pair in ((start, True), (end, False))]


def radar_readings(desk: Desk, random: Random, *, dropouts: Dropouts, stuck_from_s: float) -> list[tuple[float, bool]]:
    """Return what the simulated module reports, on change; asked every ten seconds to spare the test."""
    model = Ld2410(random, dropouts=dropouts)
    model.power_on(0.0)
    levels: list[tuple[float, bool]] = []
    for step in range(int(DAY_S / HEARTBEAT_S)):
        at_s = step * HEARTBEAT_S
        model.ills.stuck = at_s >= stuck_from_s
        if present(desk, at_s):
            model.person(distance_cm=170, moving=random.random() < 0.2)
        else:
            model.empty()
        model.speak(at_s)
        if not levels or levels[-1][1] != model.out:
            levels.append((at_s, model.out))
    return levels


def _repeated(sensor: str, levels: list[tuple[float, bool]], from_s: float, to_s: float) -> Iterator[PresenceRead]:
    """Yield a sensor's readings as its thread gives them: on change, and again and again."""
    told = [(at_s, high) for at_s, high in levels if from_s <= at_s < to_s]
    level = next((high for at_s, high in reversed(levels) if at_s < from_s), False)
    instant_s = from_s
    for at_s, high in [*told, (to_s, False)]:
        while instant_s < at_s:
            yield PresenceRead(at(instant_s), sensor, level)
            instant_s += HEARTBEAT_S
        if at_s < to_s:
            yield PresenceRead(at(at_s), sensor, high)
            level, instant_s = high, at_s + HEARTBEAT_S


def observations(seed: int) -> list[Observation]:
    """Return everything that the device threads of the six desks report on that day, in order."""
    random = Random(seed)
    dropouts = Dropouts(per_hour=12 * HEARTBEAT_S / REPORT_INTERVAL_S, shortest_s=10.0, longest_s=60.0)
    never = float("inf")
    levels = {
        "desk-01-pin": pir_readings(DESKS[0], random),
        "desk-02-radar": radar_readings(DESKS[1], random, dropouts=dropouts, stuck_from_s=never),
        "desk-03-radar": radar_readings(DESKS[2], random, dropouts=Dropouts(), stuck_from_s=STUCK_FROM_S),
        "desk-04-pin": pir_readings(DESKS[3], random),
        "desk-05-pin": mat_readings(DESKS[4]),
        "desk-06-pin": [],
    }
    seen: list[Observation] = [DeviceReady(at(0.0), sensor) for sensor in levels]
    for sensor, one in levels.items():
        spans = [(0.0, DAY_S)] if sensor != "desk-04-pin" else [(0.0, PULLED_S), (PUT_BACK_S, DAY_S)]
        for start_s, end_s in spans:
            seen += _repeated(sensor, one, start_s, end_s)
    seen += _pulled("desk-04-pin", "unplugged")
    return sorted(seen, key=lambda one: one.at.mono_s)


def _pulled(sensor: str, fault: Fault, from_s: float = PULLED_S, to_s: float = PUT_BACK_S) -> list[Observation]:
    """Return the tries of a thread whose sensor is away: once a minute."""
    tries = [DeviceFailed(at(from_s + 60 * step), sensor, fault) for step in range(int((to_s - from_s) / 60))]
    return [*tries, DeviceReady(at(to_s), sensor)]


ROOM = Desk("room-01", "room-01-radar", ((_h(5) + 300, _h(5) + 3000), (_h(8), _h(9))), unknown=((_h(3), _h(4)),))
"""A visio room: booked from 10:00 to 11:00, when nobody came, and from 14:00 to 15:00; its radar was away at noon."""
BOOKED: tuple[Span, ...] = ((_h(1), _h(2)), (_h(5), _h(6)))
IN_CALL: Span = (_h(5) + 600, _h(5) + 2400)


def room_observations(seed: int) -> list[Observation]:
    """Return what the threads of the room's radar, calendar and display report on that day, in order."""
    levels = radar_readings(ROOM, Random(seed), dropouts=Dropouts(), stuck_from_s=float("inf"))
    (away_s, back_s) = ROOM.unknown[0]
    bookings = tuple(Booking(at(start_s).wall_ms, at(end_s).wall_ms) for start_s, end_s in BOOKED)
    seen: list[Observation] = [DeviceReady(at(0.0), ROOM.sensor), BookingsRead(at(0.0), ROOM.id, bookings)]
    for start_s, end_s in ((0.0, away_s), (back_s, DAY_S)):
        seen += _repeated(ROOM.sensor, levels, start_s, end_s)
    seen += _pulled(ROOM.sensor, "unplugged", away_s, back_s)
    seen += [DisplayRead(at(IN_CALL[0]), ROOM.id, "on"), DisplayRead(at(IN_CALL[1]), ROOM.id, "standby")]
    return sorted(seen, key=lambda one: one.at.mono_s)


def mat_levels(random: Random, stays: tuple[Span, ...]) -> list[tuple[float, bool]]:
    """Return the levels of a mat on its line, with its bounce: what a real driver must make of it."""
    return bounced(random, [pair for start, end in stays for pair in ((start, True), (end, False))])
