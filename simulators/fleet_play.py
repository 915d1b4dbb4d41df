"""How time passes for a fleet: as its events do. Nights fly by, and 09:00 takes its time. Pure.

The fleet's time begins some days ago, on a working day at half past eight, and never overtakes the present: a hub
suspects what comes from the future. Sites go offline by a seeded plan, for minutes to weeks; some have been since
before the beginning, and come with what they have observed meanwhile.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

from simulators.fleet_days import ALIVE_A_DAY, midnight_ms

MINUTE_MS, DAY_MS = 60_000, 86_400_000

MAX_DAYS = 60
"""How far back a fleet begins at most: journals forget at 90 days."""

UNLIMITED_DAYS = 28
"""How far back a fleet begins that plays until it is stopped; then it goes on in the present."""

BEGINS_MS = 8 * 3_600_000 + 30 * MINUTE_MS

DAYS_BETWEEN_OUTAGES = 12.0
"""Of one site, on average."""

AWAY_BEFORE_SHARE = 0.01
"""Sites that are offline when the fleet begins."""

OUTAGES = ((70, 2 * MINUTE_MS, 30 * MINUTE_MS), (20, 60 * MINUTE_MS, DAY_MS // 2), (8, DAY_MS, 4 * DAY_MS))
LONG_OUTAGES = (2, 7 * DAY_MS, 21 * DAY_MS)
"""Of a hundred: so many, from so long, to so long."""

Span = tuple[int, int]
"""Half-open, in the fleet's time."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What comes next: a site observes something, goes offline, or has its line back."""

    at_ms: int
    number: int
    what: str
    """`observe`, `leave` or `return`."""


def begin_of_play(today: date, zone: ZoneInfo, events: float | None, sites: int) -> int:
    """Return when a fleet begins that is to play so many events of so many sites before the present; None: no end."""
    days = UNLIMITED_DAYS if events is None else 1 + math.ceil(events / (ALIVE_A_DAY * sites))
    day = today - timedelta(days=min(MAX_DAYS, days))
    while day.weekday() > 3:
        day -= timedelta(days=1)
    return midnight_ms(day, zone) + BEGINS_MS


def plan_outages(begin_ms: int, random: Random) -> list[Span]:
    """Return when one site is offline, in order, from up to three weeks before the beginning on."""
    outages = []
    at = begin_ms
    if random.random() < AWAY_BEFORE_SHARE:
        length_ms = _length_ms(random)
        away_ms = begin_ms - round(random.random() * length_ms)
        outages.append((away_ms, away_ms + length_ms))
        at = away_ms + length_ms
    while (at := at + round(random.expovariate(1 / DAYS_BETWEEN_OUTAGES) * DAY_MS)) < begin_ms + MAX_DAYS * DAY_MS:
        outages.append((at, at + _length_ms(random)))
        at = outages[-1][1]
    return outages


def _length_ms(random: Random) -> int:
    kinds = (*OUTAGES, LONG_OUTAGES)
    _, shortest, longest = random.choices(kinds, [share for share, _, _ in kinds])[0]
    return random.randrange(shortest, longest)


class Play:
    """All sites' next observations and outages, in the order of the fleet's time."""

    def __init__(self, begin_ms: int, next_ms: Callable[[int], int]) -> None:
        """`next_ms` says when a site, by its number, next observes something."""
        self.at_ms = begin_ms
        """The fleet's time."""
        self._next_ms = next_ms
        self._due: list[tuple[int, int, str]] = []

    def add(self, number: int, outages: list[Span]) -> None:
        """Let a site play; outages that began before the beginning begin with it."""
        for from_ms, to_ms in outages:
            heapq.heappush(self._due, (max(self.at_ms, from_ms), number, "leave"))
            heapq.heappush(self._due, (to_ms, number, "return"))
        self.observe_on(number)

    def observe_on(self, number: int) -> None:
        """Wait for what a site observes next."""
        heapq.heappush(self._due, (self._next_ms(number), number, "observe"))

    def take(self, present_ms: int) -> Turn | None:
        """Return what comes next; None while that is still to come in the present."""
        if not self._due or self._due[0][0] > present_ms:
            return None
        at_ms, number, what = heapq.heappop(self._due)
        self.at_ms = at_ms
        return Turn(at_ms, number, what)
