"""A day in a telecentre of the fleet: who comes when, where they sit, what the room is used for. Pure.

Most arrive around 09:00, go to lunch around 12:15 and leave around 17:30; Saturdays are quiet, Sundays nearly empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

HOUR_S, MINUTE_S = 3_600.0, 60.0

ALIVE_EVERY_S = 900
"""A site as shipped says so every 300 s; then seven of ten events would be that, instead of four."""

ALIVE_A_DAY = 24 * 3_600 // ALIVE_EVERY_S - 4
"""Events that every site makes on any day, a day of 23 hours included: for how long a fleet has something to play."""

SETTLE_MS, HOLD_MS, GHOST_MS = 2_000, 300_000, 600_000
"""An agent believes a presence after 2 s and an absence after 300 s, and dates both back (docs/method.md); it waits ten
minutes for who has booked."""

IN_USE_SHARE = (0.65, 0.7, 0.65, 0.7, 0.55, 0.15, 0.03)
"""Of the desks, from Monday to Sunday."""

RESTART_SHARE, UNKNOWN_SHARE, REFUSED_SHARE, NO_SHOW_SHARE = 0.03, 0.01, 0.06, 0.15
"""Of site-days one agent restart, of desk-days one dead sensor, of arrivals one refusal, of bookings nobody comes."""


@dataclass(frozen=True, slots=True, order=True)
class Happening:
    """The agent says at `seen_ms` that `subject` has been in `state` since `since_ms`.

    Of `agent` the state is `alive` or `restart`, of `reader-01` the reason of a decision, of a booking of a room what
    came of it.
    """

    seen_ms: int
    subject: str
    state: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Furniture:
    """What stands in a telecentre; its first `confidential` rooms show free or occupied only."""

    desks: int
    rooms: int
    confidential: int = 0


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return when a local day begins, UTC."""
    at = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def happenings(day: date, zone: ZoneInfo, furniture: Furniture, random: Random) -> list[Happening]:
    """Return what an agent says on a local day, in order; what it would say after midnight it never does."""
    begin_ms, end_ms = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    # Clocks change at night: people come by the clock on the wall.
    base_ms = end_ms - 86_400_000
    found = list(_agent(begin_ms, end_ms, random))
    share = IN_USE_SHARE[day.weekday()]
    for number in range(1, furniture.desks + 1):
        found += _desk(f"desk-{number:02d}", _stays(share, random), base_ms, random)
    for number in range(1, furniture.rooms + 1):
        confidential = number <= furniture.confidential
        found += _room(f"room-{number:02d}", _meetings(share, random), base_ms, random, confidential=confidential)
    return sorted(each for each in found if begin_ms <= each.since_ms and each.seen_ms < end_ms)


def _agent(begin_ms: int, end_ms: int, random: Random) -> Iterator[Happening]:
    step_ms = 1000 * ALIVE_EVERY_S
    for at in range(begin_ms + random.randrange(step_ms), end_ms, step_ms):
        yield Happening(at, "agent", "alive", at)
    if random.random() < RESTART_SHARE:
        at = random.randrange(begin_ms, end_ms)
        yield Happening(at, "agent", "restart", at)


def _stays(share: float, random: Random) -> list[tuple[float, float]]:
    """Return when somebody sits at a desk, in seconds of the local day."""
    if random.random() >= share:
        return []
    arrives = min(11 * HOUR_S, max(6 * HOUR_S, random.gauss(9 * HOUR_S, 40 * MINUTE_S)))
    leaves = min(21 * HOUR_S, max(14.5 * HOUR_S, random.gauss(17.5 * HOUR_S, HOUR_S)))
    lunch = min(13 * HOUR_S, max(11.5 * HOUR_S, random.gauss(12.25 * HOUR_S, 15 * MINUTE_S)))
    halves = [(arrives, lunch), (lunch + random.uniform(30, 90) * MINUTE_S, leaves)]
    if random.random() < 0.2:
        halves = [random.choice(halves)]
    stays = []
    for start, end in halves:
        at = start
        for _ in range(random.randrange(3)):
            pause = at + random.uniform(0.2, 0.6) * (end - at)
            stays.append((at, pause))
            at = pause + random.uniform(6, 20) * MINUTE_S
        stays.append((at, end))
    return [(start, end) for start, end in stays if end - start > MINUTE_S]


def _desk(name: str, stays: list[tuple[float, float]], base_ms: int, random: Random) -> Iterator[Happening]:
    """Yield a desk's states, and the badges of whoever comes to sit there after being away."""
    left_ms = None
    for start, end in stays:
        from_ms, to_ms = base_ms + round(1000 * start), base_ms + round(1000 * end)
        if left_ms is not None and from_ms - left_ms > HOLD_MS:
            yield Happening(left_ms + HOLD_MS, name, "vacant", left_ms)
        if left_ms is None or from_ms - left_ms > HOLD_MS:
            yield Happening(from_ms + SETTLE_MS, name, "occupied", from_ms)
        if left_ms is None or from_ms - left_ms > 30 * 60_000:
            yield from _arrival(from_ms - random.randrange(40_000, 120_000), random)
        left_ms = to_ms
    if left_ms is not None:
        yield Happening(left_ms + HOLD_MS, name, "vacant", left_ms)
    if random.random() < UNKNOWN_SHARE:
        # After everybody has gone: a sensor that dies under somebody is left to the year.
        dies_ms = base_ms + random.randrange(round(21.5 * HOUR_S * 1000), round(22.5 * HOUR_S * 1000))
        yield Happening(dies_ms, name, "unknown", dies_ms)
        back_ms = dies_ms + random.randrange(600_000, 3_600_000)
        yield Happening(back_ms, name, "vacant", back_ms)


def _arrival(at_ms: int, random: Random) -> Iterator[Happening]:
    if random.random() < REFUSED_SHARE:
        refused_ms = at_ms - random.randrange(5_000, 20_000)
        yield Happening(refused_ms, "reader-01", "DENIED_OUT_OF_TIME_RANGE", refused_ms)
    yield Happening(at_ms, "reader-01", "GRANTED", at_ms)
    yield Happening(at_ms + 50, "door-01", "unlocked", at_ms + 50)
    yield Happening(at_ms + 5_050, "door-01", "locked", at_ms + 5_050)


def _meetings(share: float, random: Random) -> list[tuple[float, float]]:
    """Return when a room is booked, in seconds of the local day."""
    meetings = []
    at = 8.5 * HOUR_S
    while (at := at + random.expovariate(share / (2 * HOUR_S))) < 17 * HOUR_S:
        start = at - at % (15 * MINUTE_S)
        end = start + random.choice((30, 45, 60, 60, 90)) * MINUTE_S
        meetings.append((start, end))
        at = end + 15 * MINUTE_S
    return meetings


def _room(
    name: str, meetings: list[tuple[float, float]], base_ms: int, random: Random, *, confidential: bool
) -> Iterator[Happening]:
    for start, end in meetings:
        booked_ms, over_ms = base_ms + round(1000 * start), base_ms + round(1000 * end)
        states = [(booked_ms, "booked")]
        if random.random() < NO_SHOW_SHARE:
            outcome = "no_show"
            states.append((booked_ms + GHOST_MS, "ghost"))
        else:
            outcome = "came"
            come_ms = booked_ms + random.randrange(30_000, 420_000)
            states.append((come_ms, "occupied"))
            if random.random() < 0.6:
                states.append((come_ms + random.randrange(60_000, 300_000), "in_call"))
        if not confidential:
            # The last meeting was over a quarter of an hour before the start, at least: whoever was there has left.
            yield Happening(booked_ms + GHOST_MS + HOLD_MS, name, outcome, booked_ms + GHOST_MS)
        if confidential:
            states = [(at, state) for at, state in states if state == "occupied"]
        if states:
            states.append((over_ms, "free"))
        yield from (Happening(at, name, state, at) for at, state in states)
