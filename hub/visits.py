"""From who came in when to how many: visits, half-days, unique and new visitors of a place in a period. Pure.

- A *visit* begins when a person comes in who has not come in for half an hour; it counts where it begins.
- A *half-day* is a person, a local date, and its morning or its afternoon (cut at 13:00), however often they came in.
- A *unique visitor* is a person who came in at all; a *new* one's pass was never used before the period, anywhere.

The same rules hold of a site and of a zone: whoever goes from one telecentre of a zone to another within half an hour
makes one visit to the zone. Counts of places are therefore counted, never added.

Source: domain.md 3.2; protocol TC1, "Persons"; docs/method.md tells it with examples.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from hub.opening import Interval, day_bounds

ABSENT_MS = 30 * 60_000
"""Whoever comes in again sooner has not begun another visit."""

NOON = time(13)
"""Where a day is cut into half-days: a lunch break belongs to the morning."""

Period = Literal["day", "week", "month"]


Entry = tuple[str, int, int]
"""A person, when they came in, and in which half-day of the period, counted from 0; -1: before it.

A tuple: a month of four thousand telecentres has a million.
"""

Comings = dict[str, list[tuple[int, int]]]
"""Of each person, when they came in, and in which half-day."""


class Counts(NamedTuple):
    """How many, never who."""

    visits: int = 0
    half_days: int = 0
    unique_visitors: int = 0
    new_visitors: int = 0
    most_visits: int = 0
    """Of any one person."""
    most_half_days: int = 0


NOBODY = Counts()


def added(some: Counts, others: Counts) -> Counts:
    """Return the counts of persons together with those of others, none of whom is among both."""
    sums = (a + b for a, b in zip(some[:4], others[:4], strict=True))
    return Counts(*sums, *(max(a, b) for a, b in zip(some[4:], others[4:], strict=True)))


def count(entries: Iterable[Entry], is_new: Callable[[str], bool]) -> Counts:
    """Return the counts of a period; of the half hour before it, `entries` are needed too, with `half` -1.

    `is_new` says of a person whether no pass of theirs was used before the period.
    """
    comings: Comings = {}
    gather(entries, comings)
    return count_persons(comings.items(), is_new)


def gather(entries: Iterable[Entry], comings: Comings) -> None:
    """Add entries to what is known of each person."""
    for person, at_ms, half in entries:
        comings.setdefault(person, []).append((at_ms, half))


def count_persons(persons: Iterable[tuple[str, list[tuple[int, int]]]], is_new: Callable[[str], bool]) -> Counts:
    """Return the counts of a period as far as some persons make them, each with when they came in."""
    visits = half_days = unique = new = most_visits = most_half_days = 0
    for person, comings in persons:
        begun, halves = _of_person(comings)
        if halves:
            visits, half_days, unique = visits + begun, half_days + halves, unique + 1
            new += is_new(person)
            most_visits, most_half_days = max(most_visits, begun), max(most_half_days, halves)
    return Counts(visits, half_days, unique, new, most_visits, most_half_days)


def _of_person(comings: list[tuple[int, int]]) -> tuple[int, int]:
    """Return how many visits one person began in a period, and on how many half-days they came in."""
    comings.sort()
    visits, last_ms = 0, comings[0][0] - ABSENT_MS
    for at_ms, half in comings:
        if half >= 0 and at_ms - last_ms >= ABSENT_MS:
            visits += 1
        last_ms = at_ms
    return visits, len({half for _, half in comings if half >= 0})


def first_day(period: Period, day: date) -> date:
    """Return the first day of the period in which a day lies."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def next_day(period: Period, first: date) -> date:
    """Return the first day of the period after the one that begins on `first`."""
    if period == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


@lru_cache(8192)
def bounds_of(period: Period, first: date, zone: ZoneInfo) -> Interval:
    """Return when the period that begins on a local day begins and ends."""
    return day_bounds(first, zone)[0], day_bounds(next_day(period, first), zone)[0]


def cuts(period: Period, first: date, zone: ZoneInfo) -> list[int]:
    """Return the instants at which the half-days of a period begin, in order: each midnight and 13:00, local time."""
    instants: list[int] = []
    for n in range((next_day(period, first) - first).days):
        day = first + timedelta(days=n)
        noon = datetime.combine(day, NOON, zone).astimezone(UTC)
        instants += (day_bounds(day, zone)[0], round(noon.timestamp()) * 1000)
    return instants


def half_of(at_ms: int, instants: Sequence[int]) -> int:
    """Return in which half-day of a period an instant before its end lies; -1 before its first."""
    return bisect_right(instants, at_ms) - 1
