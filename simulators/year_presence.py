"""What really happens in the telecentres: who comes when, sits where, meets whom, and what the door sees. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, SECOND_MS, Span, is_holiday, is_school_holiday, local_ms
from simulators.year_world import Member, Telecentre, World

GRANTED = "GRANTED"
FULL = "DENIED_UPPER_OCCUPANCY_LIMIT"
"""The refusal that says that a telecentre is too small."""

REFUSALS = (
    "DENIED_OUT_OF_TIME_RANGE",
    "DENIED_CREDENTIAL_EXPIRED",
    "DENIED_UNKNOWN_CREDENTIAL",
    "DENIED_AUTHENTICATION_FACTOR_LOST",
    "DENIED_NO_ACCESS_RIGHTS",
)

ROAMING = 0.15
"""Of all days at work, those on another telecentre of the network (domain.md, 5.3)."""


class Badged(NamedTuple):
    """A badge at the door."""

    at_ms: int
    reason: str
    credential: str | None
    """Whose it is; None: nobody's that is known."""


class DoorAlarm(NamedTuple):
    """The door was forced, or stood open too long, until it was shut."""

    at_ms: int
    shut_ms: int
    alarm: str


class Meeting(NamedTuple):
    """A visio room is booked, or in use, or both."""

    booked: Span | None
    used: Span | None
    in_call: bool


@dataclass(slots=True)
class Story:
    """What really happened in one telecentre."""

    desks: dict[str, list[Span]] = field(default_factory=dict)
    """When somebody sat at each desk."""
    rooms: dict[str, list[Meeting]] = field(default_factory=dict)
    badges: list[Badged] = field(default_factory=list)
    alarms: list[DoorAlarm] = field(default_factory=list)


class _Free:
    """Which desks of a day have nobody's things on them."""

    def __init__(self, desks: Iterable[str]) -> None:
        self._until = dict.fromkeys(desks, 0)

    def take(self, at_ms: int, until_ms: int, random: Random) -> str | None:
        """Return a desk that is taken from now on, or None when all are."""
        free = [desk for desk, busy_ms in self._until.items() if busy_ms <= at_ms]
        if not free:
            return None
        desk = random.choice(free)
        self._until[desk] = until_ms
        return desk


def make_stories(world: World, days: list[date], seed: int) -> dict[str, Story]:
    """Return what happened in each telecentre on these local days."""
    stories = {
        one.id: Story({desk.id: [] for desk in one.desks}, {room.id: [] for room in one.rooms})
        for one in world.telecentres
    }
    random = Random(f"year {seed} presence")
    for day in days:
        open_now = [one for one in world.telecentres if one.since <= day]
        coming: dict[str, list[Member]] = {one.id: [] for one in open_now}
        for member in world.members:
            if member.joins <= day < member.leaves and random.random() < _inclination(member, day) and coming:
                roams = random.random() < ROAMING or member.home not in coming
                coming[random.choice(list(coming)) if roams else member.home].append(member)
        for one in open_now:
            _play_day(one, day, coming[one.id], stories[one.id], random)
    for story in stories.values():
        story.badges.sort()
        for stays in story.desks.values():
            stays.sort()
    return stories


def _inclination(member: Member, day: date) -> float:
    """Return how likely somebody comes on a day."""
    if is_holiday(day):
        return 0.01
    usual = 0.55 if member.habit == "regular" else 0.11
    weekday = {5: 0.7, 6: 0.12, 7: 0.02}.get(day.isoweekday(), 1.0)
    season = 1.15 if day.month in (12, 1, 2, 3) else 1.0
    return usual * weekday * season * (0.55 if is_school_holiday(day) else 1.0)


def _play_day(place: Telecentre, day: date, coming: list[Member], story: Story, random: Random) -> None:
    free = _Free(desk.id for desk in place.desks if desk.holds(day))
    # Who comes first is served first, or a late riser would take the desk of an early one.
    plans = sorted((_plan(day, random), member.id, member) for member in coming)
    for stays, _, member in plans:
        _play_visit(free, stays, member, story, random)
    for room in place.rooms:
        story.rooms[room.id] += _meetings(day, random, booked=not room.confidential)
    if random.random() < 0.15:
        at_ms = local_ms(day, random.uniform(420, 1320))
        story.badges.append(Badged(at_ms, random.choice(REFUSALS), None))
    if random.random() < 0.02:
        at_ms = local_ms(day, random.uniform(600, 1100)) + random.randrange(SECOND_MS)
        alarm = random.choice(("FORCED_OPEN", "DOOR_OPEN_TOO_LONG"))
        story.alarms.append(DoorAlarm(at_ms, at_ms + random.randrange(MINUTE_MS, 20 * MINUTE_MS), alarm))


def _plan(day: date, random: Random) -> tuple[Span, ...]:
    """Return when somebody means to be there: one part of the day, or two with lunch between them."""

    def at(minutes: float, spread: float) -> int:
        return local_ms(day, min(1425.0, max(300.0, random.gauss(minutes, spread)))) + random.randrange(SECOND_MS)

    kind = random.random()
    if kind < 0.55:
        times = sorted((at(530, 35), at(725, 15), at(805, 20), at(1040, 60)))
        return (times[0], times[1]), (times[2], times[3])
    begin, end = (530, 740) if kind < 0.72 else (815, 1060) if kind < 0.94 else (1110, 1290)
    first, last = sorted((at(begin, 35), at(end, 40)))
    return ((first, last),)


def _play_visit(free: _Free, stays: tuple[Span, ...], member: Member, story: Story, random: Random) -> None:
    credential = random.choice(member.credentials)
    arrives_ms, leaves_ms = stays[0][0], stays[-1][1]
    if random.random() < 0.02:
        story.badges.append(Badged(arrives_ms - 20 * SECOND_MS, random.choice(REFUSALS), credential))
    desk = free.take(arrives_ms, leaves_ms, random)
    if desk is None:
        story.badges.append(Badged(arrives_ms, FULL, credential))
        return
    for number, (begin_ms, end_ms) in enumerate(stays):
        # At noon some come back with a colleague who holds the door.
        if number == 0 or random.random() < 0.8:
            story.badges.append(Badged(begin_ms, GRANTED, credential))
        sits_ms = begin_ms + random.randrange(20 * SECOND_MS, 5 * MINUTE_MS)
        for pause in _pauses(sits_ms, end_ms, random):
            if pause[0] > sits_ms:
                story.desks[desk].append((sits_ms, pause[0]))
            sits_ms = pause[1]
            if pause[1] - pause[0] > 4 * MINUTE_MS and random.random() < 0.4 and pause[1] < end_ms:
                story.badges.append(Badged(pause[1] - 10 * SECOND_MS, GRANTED, credential))
        if end_ms > sits_ms:
            story.desks[desk].append((sits_ms, end_ms))


def _pauses(begin_ms: int, end_ms: int, random: Random) -> list[Span]:
    """Return when somebody gets up for coffee, a walk or a call, in order; some stay away for exactly 15 minutes."""
    pauses: list[Span] = []
    at_ms = begin_ms
    while (at_ms := at_ms + random.randrange(8 * MINUTE_MS, 150 * MINUTE_MS)) < end_ms:
        away_ms = 15 * MINUTE_MS if random.random() < 0.1 else random.randrange(MINUTE_MS, 32 * MINUTE_MS)
        pauses.append((at_ms, min(end_ms, at_ms + away_ms)))
        at_ms += away_ms
    return pauses


def _meetings(day: date, random: Random, *, booked: bool) -> list[Meeting]:
    """Return the meetings of a room on one day, in order, with half an hour and more between them."""
    meetings: list[Meeting] = []
    if day.isoweekday() > 5 and random.random() < 0.85:
        return meetings
    minutes = random.choice((480, 510, 540, 600))
    while minutes < 1140:
        length = random.choice((30, 45, 60, 60, 90, 120))
        if random.random() < 0.45:
            meetings.append(_meeting(local_ms(day, minutes), length * MINUTE_MS, random, booked=booked))
        minutes += length + random.choice((30, 45, 60))
    return meetings


def _meeting(start_ms: int, length_ms: int, random: Random, *, booked: bool) -> Meeting:
    booking = (start_ms, start_ms + length_ms) if booked and random.random() < 0.75 else None
    if booking is not None and random.random() < 0.18:
        return Meeting(booking, None, in_call=False)
    late_ms = random.randrange(-12 * MINUTE_MS, 9 * MINUTE_MS)
    if random.random() < 0.08:
        late_ms = random.randrange(11 * MINUTE_MS, 20 * MINUTE_MS)
    end_ms = start_ms + length_ms + random.randrange(-15 * MINUTE_MS, 12 * MINUTE_MS)
    used = (start_ms + late_ms, max(start_ms + late_ms + MINUTE_MS, end_ms))
    return Meeting(booking, used, in_call=booked and random.random() < 0.5)


def add_specials(stories: dict[str, Story], days: list[date]) -> None:
    """Add what chance makes too seldom: nights through both changes of the hour, and moments that are exactly equal."""
    known = set(days)
    for night in (date(2026, 3, 28), date(2026, 10, 24)):
        if night in known and night + timedelta(days=1) in known and "ydes" in stories:
            desks = stories["ydes"].desks
            begin_ms, end_ms = local_ms(night, 1420), local_ms(night + timedelta(days=1), 310)
            desks["desk-01"].append((begin_ms, end_ms))
            desks["desk-02"].append((begin_ms + MINUTE_MS, local_ms(night + timedelta(days=1), 0)))
    saturday = next((day for day in days if day.isoweekday() == 6 and not is_holiday(day)), None)
    if saturday is not None and "mauriac" in stories:
        desks, at_ms = stories["mauriac"].desks, local_ms(saturday, 570)
        for number in range(1, 5):
            # One gets up in the millisecond in which the next sits down: never two at once.
            desks[f"desk-{number:02d}"].append((at_ms, at_ms + 10 * MINUTE_MS))
            at_ms += 10 * MINUTE_MS
        desks["desk-05"].append((at_ms, at_ms + 2 * MINUTE_MS))
        desks["desk-05"].append((at_ms + 30 * MINUTE_MS, at_ms + 32 * MINUTE_MS - 1))
    for story in stories.values():
        for stays in story.desks.values():
            stays.sort()
