"""Visits, half-days, unique and new visitors, and what doors did: the truth, from the badges that the hub has. Pure.

The hub counts each period from its journal; here each person's passages are one list over all of time, of which every
question is a slice.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, Span, day_of, local_ms
from simulators.year_presence import FULL, GRANTED
from simulators.year_truth import Dated, Truth

ABSENT_MS = 30 * MINUTE_MS
NOON_MIN = 13 * 60


class Passage(NamedTuple):
    """Somebody was let in."""

    at_ms: int
    person: str


def passages(truth: Truth, member_of: Mapping[str, str]) -> list[Passage]:
    """Return who was let in at a telecentre and when, in order; who has no member is known by the badge."""
    found = [
        Passage(one.at_ms, member_of.get(person, person))
        for one in _of_kind(truth, "access_decided")
        if (person := one.entry.statement.person) is not None and _said(one)["reason"] == GRANTED
        if one.at_ms is not None
    ]
    return sorted(found)


def visits(found: Iterable[Passage]) -> list[Passage]:
    """Return the passages, which are in order, that begin a visit."""
    last: dict[str, int] = {}
    begun: list[Passage] = []
    for one in found:
        if one.at_ms - last.get(one.person, -ABSENT_MS) >= ABSENT_MS:
            begun.append(one)
        last[one.person] = one.at_ms
    return begun


class Visitors:
    """Who came to one place: a telecentre, or several together."""

    def __init__(self, found: Iterable[Passage], first_ever: Mapping[str, int]) -> None:
        """`first_ever` is when each person was first let in anywhere."""
        self._passages = sorted(found)
        self._first_ever = first_ever
        self._visits = [one.at_ms for one in visits(self._passages)]

    def within(self, period: Span) -> dict[str, object]:
        """Return the counts of a period."""
        inside = self._passages[
            bisect_left(self._passages, (period[0], "")) : bisect_left(self._passages, (period[1], ""))
        ]
        persons = {person for _, person in inside}
        halves = {(person, day := day_of(at_ms), at_ms < local_ms(day, NOON_MIN)) for at_ms, person in inside}
        return {
            "visits": bisect_left(self._visits, period[1]) - bisect_left(self._visits, period[0]),
            "half_days": len(halves),
            "unique_visitors": len(persons),
            "new_visitors": sum(self._first_ever[person] >= period[0] for person in persons),
        }


def first_ever(everywhere: Iterable[Passage]) -> dict[str, int]:
    """Return when each person was first let in."""
    found: dict[str, int] = {}
    for at_ms, person in sorted(everywhere):
        found.setdefault(person, at_ms)
    return found


class Door:
    """What one door of a telecentre did."""

    def __init__(self, truth: Truth, door: str) -> None:
        self._moments: defaultdict[str, list[int]] = defaultdict(list)
        for one in _of_kind(truth, "access_decided"):
            if one.at_ms is not None and _said(one)["door"] == door:
                reason = str(_said(one)["reason"])
                self._moments["granted" if reason == GRANTED else "refused"].append(one.at_ms)
                self._moments[reason].append(one.at_ms)
                if (why := _REASONS.get(reason)) is not None:
                    self._moments[why].append(one.at_ms)
        before = ""
        for one in sorted(_of_kind(truth, "door_state_changed"), key=lambda one: one.at_ms or 0):
            alarm = str(_said(one)["alarm"])
            if one.at_ms is None or one.entry.statement.subject != door:
                continue
            if alarm != before and (name := _ALARMS.get(alarm)) is not None:
                self._moments[name].append(one.at_ms)
            before = alarm
        for moments in self._moments.values():
            moments.sort()

    def within(self, period: Span) -> dict[str, int]:
        """Return the counts of a period."""
        return {name: self._times(name, period) for name in _COUNTS}

    def refusals(self, period: Span) -> dict[str, int]:
        """Return how often somebody was refused in a period, by each reason that there was."""
        found = {reason: self._times(reason, period) for reason in self._moments.keys() - {*_COUNTS, GRANTED}}
        return {reason: times for reason, times in found.items() if times}

    def _times(self, name: str, period: Span) -> int:
        moments = self._moments.get(name, [])
        return bisect_left(moments, period[1]) - bisect_left(moments, period[0])


def doors_of(truth: Truth) -> dict[str, Door]:
    """Return what each door of a telecentre did, by name."""
    said = {str(_said(one)["door"]) for one in _of_kind(truth, "access_decided")}
    said |= {one.entry.statement.subject for one in _of_kind(truth, "door_state_changed")}
    return {door: Door(truth, door) for door in sorted(said)}


def doors_together(doors: Iterable[Door], period: Span) -> dict[str, object] | None:
    """Return what doors did in a period, added up; None when they did nothing.

    Where nobody was refused for want of a place, nobody knows whether that would have been told: it is missing.
    """
    counts, refusals = Counter[str](), Counter[str]()
    for door in doors:
        counts.update(door.within(period))
        refusals.update(door.refusals(period))
    if not counts.total():
        return None
    return {**counts, "refused_demand": counts["refused_demand"] or None, "refusals": dict(refusals)}


_COUNTS = ("granted", "refused", "refused_demand", "refused_out_of_hours", "forced", "held_open")
_REASONS = {FULL: "refused_demand", "DENIED_OUT_OF_TIME_RANGE": "refused_out_of_hours"}
"""Refusals that are counted apart; of these telecentres, none closes on holidays."""

_ALARMS = {"FORCED_OPEN": "forced", "DOOR_OPEN_TOO_LONG": "held_open"}


def _of_kind(truth: Truth, kind: str) -> Iterable[Dated]:
    return (one for life in truth.lives for one in life if one.entry.statement.kind == kind)


def _said(one: Dated) -> dict[str, str | int]:
    return dict(one.entry.statement.value)
