"""What the figures of a telecentre must be, from what really happened and what the hub can know of it. Pure.

The hub walks events hour by hour; here each desk is a function of time with the values that were told of it, and a
figure is the measure of a set: open, and known, and in use. Source of the definitions: docs/method.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple

from simulators.year_calendar import Span, bounds_of, day_of, days_of, local_ms
from simulators.year_record import Entry, Stream
from simulators.year_spans import both, union, without
from simulators.year_world import Telecentre

IN_USE = frozenset({"occupied", "in_call"})
KNOWN = IN_USE | {"vacant", "free", "booked", "ghost"}

UNKNOWN = "unknown"
OUT_OF_SERVICE = frozenset({"out_of_service"})


class Spell(NamedTuple):
    """For so long a desk or a room was in one state, as far as the hub can know."""

    begin_ms: int
    end_ms: int
    state: str


class Dated(NamedTuple):
    """An entry that the hub has, with the moment that it may believe; None: only its place in the order is known."""

    at_ms: int | None
    entry: Entry


def delivered(streams: Sequence[Stream], positions: Mapping[str, int]) -> list[list[Dated]]:
    """Return what the hub has of each stream, in the order of time; streams without any moment to believe are left out.

    An entry of a clock that was not set gets its real time, once a `clock_set` of the same boot has arrived.
    """
    held = {stream.life.stream: stream.entries[: positions.get(stream.life.stream, 0)] for stream in streams}
    boot_of = {stream.life.stream: stream.life.boot for stream in streams}
    tied = {boot_of[name] for name, entries in held.items() if any(_sets_clock(entry) for entry in entries)}
    dated = [
        [Dated(_believed(entry, tied=boot_of[name] in tied), entry) for entry in entries]
        for name, entries in held.items()
    ]
    known = [entries for entries in dated if any(one.at_ms is not None for one in entries)]
    return sorted(known, key=lambda entries: next(one.at_ms for one in entries if one.at_ms is not None))


def _sets_clock(entry: Entry) -> bool:
    return entry.statement.kind == "clock_set"


def _believed(entry: Entry, *, tied: bool) -> int | None:
    if entry.clock == "unsynced":
        return entry.statement.true_ms if tied else None
    return entry.t_ms


class Truth:
    """One telecentre as the hub must tell it at `now_ms`, when it has the streams up to `positions`."""

    def __init__(self, place: Telecentre, streams: Sequence[Stream], positions: Mapping[str, int], now_ms: int) -> None:
        self.place = place
        self.now_ms = now_ms
        self.lives = delivered(streams, positions)

    @cached_property
    def first_ms(self) -> int | None:
        """When the first sign of life came."""
        return min((one.at_ms for life in self.lives for one in life if one.at_ms is not None), default=None)

    @cached_property
    def heard_ms(self) -> int:
        """When the last sign of life came; 0 when none did."""
        return max((one.at_ms for life in self.lives for one in life if one.at_ms is not None), default=0)

    @cached_property
    def spells(self) -> dict[str, list[Spell]]:
        """Return the function of time of each desk and room, as its pieces in order; the rest of time is unknown."""
        return {resource: list(_pieces(found, self.heard_ms)) for resource, found in self._steps.items()}

    def last_word(self, resource: str) -> tuple[int, str] | None:
        """Return the last that was told of a desk or a room, and from when on that is true."""
        found = self._steps.get(resource)
        return found[-1] if found else None

    @cached_property
    def _steps(self) -> dict[str, list[tuple[int, str]]]:
        """From when on each desk and room is in which state, as it was told."""
        steps: dict[str, list[tuple[int, str]]] = {}
        heard_ms = 0
        for life in self.lives:
            # A new life knows nothing of the last one, which ended with the last that was heard of it.
            for pieces in steps.values():
                pieces.append((max(heard_ms, pieces[-1][0]), UNKNOWN))
            for at_ms, entry in life:
                if at_ms is None:
                    continue
                statement = entry.statement
                if statement.kind in ("desk_state_changed", "room_state_changed"):
                    pieces = steps.setdefault(statement.subject, [])
                    begin_ms = max(at_ms, pieces[-1][0]) if pieces else at_ms
                    pieces.append((begin_ms, str(dict(statement.value)["state"])))
                heard_ms = max(heard_ms, at_ms)
        return steps

    def available(self, resource: str) -> list[Span]:
        """Return when the telecentre was open and this desk or room was there, in service; nothing after now is yet."""
        return without(self.registered(resource), self.told(resource, OUT_OF_SERVICE))

    def registered(self, resource: str) -> list[Span]:
        """Return when the telecentre was open and the register held this desk or room."""
        return both(self.opened, self.held(resource))

    def held(self, resource: str) -> list[Span]:
        """Return the time up to now on whose local days the register holds a desk or a room."""
        begin, end = self.days_held(resource)
        return union([(local_ms(begin), self.now_ms if end is None else min(local_ms(end), self.now_ms))])

    def days_held(self, resource: str) -> tuple[date, date | None]:
        """Return the day from which the register holds a desk or a room, and the one from which it does no more."""
        desk = next((desk for desk in self.place.desks if desk.id == resource), None)
        return (self.place.since, None) if desk is None else (max(desk.begin, self.place.since), desk.end)

    @cached_property
    def opened(self) -> list[Span]:
        """When it was open: on the day of its first sign of life from then on."""
        if self.first_ms is None:
            return self.hours
        day = bounds_of(day_of(self.first_ms))
        return without(self.hours, [(day[0], self.first_ms)])

    @cached_property
    def hours(self) -> list[Span]:
        """The opening hours of every day up to now."""
        whole = (local_ms(self.place.since), self.now_ms)
        spans = [self.place.hours(day).opened(day) for day in days_of(whole)] if whole[0] < whole[1] else []
        return union(span for span in spans if span is not None)

    def observed(self, resource: str) -> list[Span]:
        """Return when it was open and known."""
        return both(self.available(resource), self.told(resource, KNOWN))

    def occupied(self, resource: str) -> list[Span]:
        """Return when it was open and in use."""
        return both(self.available(resource), self.told(resource, IN_USE))

    def told(self, resource: str, states: frozenset[str]) -> list[Span]:
        """Return when a desk or a room was in one of these states."""
        return union((one.begin_ms, one.end_ms) for one in self.spells.get(resource, ()) if one.state in states)


def _pieces(steps: list[tuple[int, str]], heard_ms: int) -> Iterator[Spell]:
    for number, (begin_ms, state) in enumerate(steps):
        end_ms = steps[number + 1][0] if number + 1 < len(steps) else heard_ms
        if begin_ms < end_ms:
            yield Spell(begin_ms, end_ms, state)
