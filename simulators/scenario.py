"""A telecentre's day, as a timed script: who comes when, sits where, forgets what.

Pure and seeded: the same site, seed and day give the same script. Times are seconds from the midnight of the play; the
player (`simulators.people`) decides how fast they pass.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from simulators.network import Equipment

DAY_BEGINS_S = 7 * 3600 + 45 * 60
DAY_ENDS_S = 19 * 3600 + 30 * 60
"""Nobody is in before or after; the player lets the next day follow at once, the nights are not played."""

OPENER_S = (7 * 3600 + 46 * 60, 7 * 3600 + 52 * 60)
"""When the first person comes: at the demo's pace, within the first seconds at every site."""

Action = Literal["enter", "refused", "sit", "fidget", "rise", "join", "quit", "leave", "book"]

_MINUTE_S, _HOUR_S = 60, 3600
_REFUSED_BADGES = ("unknown", "expired", "lost", "disabled", "phone", "classic")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one person does.

    `place` is a desk or a room. `behind` are those who slip in with an `enter`, without a badge (tailgating).
    `until_s` ends what a step begins and nobody ends: a booking, from `from_s`, or a fidget.
    """

    at_s: float
    person: str
    action: Action
    place: str = ""
    behind: tuple[str, ...] = ()
    from_s: float = 0.0
    until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Stay:
    """One person's day: when they come, lunch (empty if they stay in) and go, and at which desk they sit."""

    person: str
    desk: str
    comes_s: float
    goes_s: float
    lunch_s: tuple[float, float] | None


def day_of(site: str, equipment: Equipment, members: tuple[str, ...], *, seed: int, day: int) -> tuple[Step, ...]:
    """Return the script of one day at one site, in order of time; a person's steps are never at the same instant."""
    random = Random(f"people/{seed}/{site}/{day}")
    stays = _stays(random, equipment, members)
    steps = [*_arrivals(random, stays)]
    for stay in stays:
        steps += _at_desk(random, stay)
    early = [stay for stay in stays if stay.comes_s < 10 * _HOUR_S]
    guests = random.sample(early, min(len(early), len(equipment.rooms)))
    for number, room in enumerate(equipment.rooms):
        if not room.confidential and _is_haunted(site, room.id, seed):
            steps += _ghosts(random, room.id)
        else:
            steps += _meeting(random, room.id, guests[number] if number < len(guests) else None)
    steps += _refusals(random)
    return tuple(sorted(steps, key=lambda step: (step.at_s, step.person)))


def steps_of(script: tuple[Step, ...]) -> dict[str, tuple[Step, ...]]:
    """Return the script by person, each in order of time."""
    return {
        person: tuple(s for s in script if s.person == person) for person in dict.fromkeys(s.person for s in script)
    }


def _is_haunted(site: str, room: str, seed: int) -> bool:
    """Return whether a room has ghost bookings and never a meeting.

    One cannot have both in a demo: an agent takes whoever left up to 15 real minutes ago for somebody who came early.
    """
    return Random(f"room/{seed}/{site}/{room}").random() < 0.4


def _stays(random: Random, equipment: Equipment, members: tuple[str, ...]) -> list[_Stay]:
    """Between 60 % and all of the desks are used; each person keeps one desk for the day."""
    desks = [desk.id for desk in equipment.desks]
    count = min(len(members), random.randint(-(-len(desks) * 6 // 10), len(desks))) if desks else 0
    people = random.sample(members, count)
    stays = []
    for number, (person, desk) in enumerate(zip(people, random.sample(desks, count), strict=True)):
        comes_s = random.uniform(*OPENER_S) if number == 0 else random.triangular(8.2, 10.5, 9.0) * _HOUR_S
        goes_s = random.triangular(15.5, 18.9, 17.5) * _HOUR_S
        out_s = random.uniform(11.75, 12.75) * _HOUR_S
        lunch = (out_s, out_s + random.uniform(50, 100) * _MINUTE_S) if random.random() < 0.7 else None
        stays.append(_Stay(person, desk, comes_s, goes_s, lunch))
    return stays


def _arrivals(random: Random, stays: list[_Stay]) -> list[Step]:
    """Everybody badges, in the morning and after lunch; now and then somebody slips in behind the one before."""
    coming = [(stay.comes_s, stay.person) for stay in stays]
    coming += [(stay.lunch_s[1], stay.person) for stay in stays if stay.lunch_s]
    steps: list[Step] = []
    for at_s, person in sorted(coming):
        last = steps[-1] if steps else None
        close = last is not None and at_s - last.at_s < 20 * _MINUTE_S and not last.behind
        if last is not None and close and random.random() < 0.2:
            # They come a little earlier than they would have, so they sit down long after the door was open.
            steps[-1] = Step(last.at_s, last.person, "enter", behind=(person,))
        else:
            steps.append(Step(at_s, person, "enter"))
    return steps


def _at_desk(random: Random, stay: _Stay) -> list[Step]:
    """Sit some minutes after the door, fidget, rise some minutes before leaving; twice when lunch is taken outside."""
    halves = [(stay.comes_s, stay.goes_s)]
    if stay.lunch_s is not None:
        halves = [(stay.comes_s, stay.lunch_s[0]), (stay.lunch_s[1], stay.goes_s)]
    steps = []
    for comes_s, goes_s in halves:
        sits_s, rises_s = comes_s + random.uniform(8, 14) * _MINUTE_S, goes_s - 4 * _MINUTE_S
        steps.append(Step(sits_s, stay.person, "sit", stay.desk))
        at_s = sits_s + random.uniform(10, 40) * _MINUTE_S
        while at_s < rises_s - 20 * _MINUTE_S:
            still_s = random.uniform(4, 12) * _MINUTE_S
            steps.append(Step(at_s, stay.person, "fidget", stay.desk, until_s=at_s + still_s))
            at_s += random.uniform(30, 90) * _MINUTE_S
        steps.append(Step(rises_s, stay.person, "rise", stay.desk))
        steps.append(Step(goes_s, stay.person, "leave"))
    return steps


def _meeting(random: Random, room: str, guest: _Stay | None) -> list[Step]:
    """One meeting in the morning, which `guest` leaves their desk for."""
    start_s = random.uniform(10.35, 10.42) * _HOUR_S
    end_s = start_s + random.uniform(45, 65) * _MINUTE_S
    steps = [_booking(room, start_s, end_s)]
    if guest is not None:
        steps.append(Step(start_s + 2 * _MINUTE_S, guest.person, "rise", guest.desk))
        steps.append(Step(start_s + 3 * _MINUTE_S, guest.person, "join", room))
        steps.append(Step(end_s, guest.person, "quit", room))
        steps.append(Step(end_s + _MINUTE_S, guest.person, "sit", guest.desk))
    return steps


def _ghosts(random: Random, room: str) -> list[Step]:
    """Two bookings for which nobody comes."""
    starts = (random.uniform(9.5, 10.0) * _HOUR_S, random.uniform(14.0, 15.5) * _HOUR_S)
    return [_booking(room, start_s, start_s + 2 * _HOUR_S) for start_s in starts]


def _booking(room: str, start_s: float, end_s: float) -> Step:
    booked_s = start_s - 45 * _MINUTE_S
    return Step(booked_s, f"calendar of {room}", "book", room, from_s=start_s, until_s=end_s)


def _refusals(random: Random) -> list[Step]:
    """Once or twice a day a badge is shown that must not open the door."""
    steps = []
    for _ in range(random.randint(1, 2)):
        badge = random.choice(_REFUSED_BADGES)
        steps.append(Step(random.uniform(9, 18) * _HOUR_S, badge, "refused"))
    return steps
