"""Tiny worlds of the year, written by hand: one telecentre, one morning, a few statements."""

from datetime import date

from simulators.year_calendar import MINUTE_MS, Hours, local_ms
from simulators.year_lives import Life, Phase
from simulators.year_record import Entry, Statement, Stream
from simulators.year_truth import Truth
from simulators.year_world import Desk, Room, Telecentre

TUESDAY = date(2026, 3, 10)
MORNING = Hours(week=(480, 600))
"""Open from 08:00 to 10:00 (docs/method.md, worked examples)."""

PLACE = Telecentre(
    id="murat",
    name="Murat",
    desks=(Desk("desk-01", TUESDAY), Desk("desk-02", TUESDAY)),
    rooms=(Room("room-01", confidential=False),),
    doors=("door-01",),
    openings=((TUESDAY, MORNING),),
    since=TUESDAY,
    members=0,
)


def at(clock: str, day: date = TUESDAY) -> int:
    """Return the instant of a time such as `08:30`, or `08:30:15.250`, at the telecentre."""
    hours, minutes, *seconds = clock.split(":")
    return local_ms(day, int(hours) * 60 + int(minutes)) + round(float(seconds[0]) * 1000 if seconds else 0)


def state(clock: str, resource: str, told: str, *, said: str = "") -> Statement:
    """Return that a desk or a room is in a state from a time on, told then or later."""
    kind = "desk_state_changed" if resource.startswith("desk") else "room_state_changed"
    return Statement(at(said or clock), at(clock), kind, resource, (("state", told),))


def alive(clock: str) -> Statement:
    """Return a sign of life."""
    return Statement(at(clock), at(clock), "edge_alive", "agent", ())


def badge(clock: str, person: str | None, reason: str = "GRANTED", *, day: date = TUESDAY) -> Statement:
    """Return a badge at the door."""
    value = (("door", "door-01"), ("reason", reason), ("assurance", "uid"))
    return Statement(at(clock, day), at(clock, day), "access_decided", "reader-01", value, person)


def door(clock: str, alarm: str) -> Statement:
    """Return that the door says how it is."""
    value = (("state", "open"), ("alarm", alarm))
    return Statement(at(clock), at(clock), "door_state_changed", "door-01", value)


def stream(
    *statements: Statement, boot: str = "b", name: str = "5", clock: str = "synced", error_ms: int = 0
) -> Stream:
    """Return one life of the agent in which these are said; an unsynced one is set right by a `clock_set`."""
    begin_ms = statements[0].said_ms
    phase = Phase(begin_ms, "synced", 0)
    life = Life(name * 32, boot * 32, begin_ms, begin_ms, statements[-1].said_ms + 1, (phase,))
    entries = []
    now = clock
    for one in statements:
        now = "synced" if one.kind == "clock_set" else now
        wrong_ms = 0 if now == "synced" else error_ms
        entries.append(Entry(one, one.true_ms + wrong_ms, now, one.true_ms - begin_ms))
    return Stream(life, tuple(entries))


def clock_set(clock: str) -> Statement:
    """Return that the clock was set right."""
    return Statement(at(clock), at(clock), "clock_set", "clock", (("step_ms", 0),))


def truth(*streams: Stream, now: str = "23:59", place: Telecentre = PLACE, upto: dict[str, int] | None = None) -> Truth:
    """Return the truth of these streams when the hub has all of them, or each up to a position."""
    positions = {one.life.stream: len(one.entries) for one in streams}
    return Truth(place, streams, positions if upto is None else upto, at(now))


def minutes(spans: list[tuple[int, int]]) -> float:
    """Return how long intervals are together."""
    return sum(end - begin for begin, end in spans) / MINUTE_MS
