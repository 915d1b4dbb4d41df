"""What a hub must make of a fleet's events: time observed and time occupied, by site, local day and kind. Pure.

Written from docs/method.md apart from the hub, and another way round: it keeps when each desk was in which state and
cuts that at midnights and opening hours at the end, where the hub computes hour by hour.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from simulators.fleet_days import midnight_ms

WATCHED = frozenset({"occupied", "in_call", "vacant", "free", "booked", "ghost"})
IN_USE = frozenset({"occupied", "in_call"})
NOT_KNOWN = "unknown"

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_RULE = re.compile(r"(\w\w)(?:-(\w\w))? (\d\d):(\d\d)-(\d\d):(\d\d)")

Span = tuple[int, int]


class Hours:
    """Opening hours as a fleet's networks have them: `24/7`, or `Mo-Fr 08:00-19:00; Sa 09:00-12:00`."""

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        """Any other text is not understood, and then nothing is expected of figures.

        Raises:
            ValueError: it is not understood.
        """
        self.zone = zone
        self._of_weekday: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}
        self._always = text == "24/7"
        for rule in [] if self._always else text.split("; "):
            found = _RULE.fullmatch(rule)
            if found is None or {found[1], found[2] or found[1]} - set(_DAYS):
                raise ValueError(f"opening hours that a fleet does not understand: {rule!r}")
            first, last = _DAYS.index(found[1]), _DAYS.index(found[2] or found[1])
            begin, end = (int(found[3]), int(found[4])), (int(found[5]), int(found[6]))
            self._of_weekday |= dict.fromkeys(range(first, last + 1), (begin, end))

    def bounds(self, day: date) -> Span:
        """Return the local day."""
        return midnight_ms(day, self.zone), midnight_ms(day + timedelta(days=1), self.zone)

    def open_on(self, day: date) -> Span:
        """Return when it is open on a local day; empty when it begins where it ends."""
        if self._always:
            return self.bounds(day)
        (h1, m1), (h2, m2) = self._of_weekday.get(day.weekday(), ((0, 0), (0, 0)))
        begin = datetime(day.year, day.month, day.day, h1, m1, tzinfo=self.zone)
        end = datetime(day.year, day.month, day.day, h2, m2, tzinfo=self.zone)
        return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)


@dataclass(slots=True)
class Memory:
    """What a site's events said, in the order of its streams and positions."""

    heard_ms: int = 0
    spells: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Of each desk and room: from when on it was in which state."""

    def hear(self, at_ms: int, subject: str, state: str | None, *, restarted: bool = False) -> None:
        """Take one more event; after a restart nothing said before holds."""
        if restarted:
            for spells in self.spells.values():
                spells.append((max(self.heard_ms, spells[-1][0]), NOT_KNOWN))
        if state is not None and subject.startswith(("desk-", "room-")):
            spells = self.spells.setdefault(subject, [])
            spells.append((max(at_ms, spells[-1][0]) if spells else at_ms, state))
        self.heard_ms = max(self.heard_ms, at_ms)

    def days(self, hours: Hours) -> dict[tuple[str, str], tuple[int, int]]:
        """Return milliseconds observed and occupied by (local day, `desk` or `room`); days without any are left out."""
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for subject, spells in self.spells.items():
            ends = [start for start, _ in spells[1:]]
            for (start, state), end in zip(spells, [*ends, self.heard_ms], strict=True):
                if state in WATCHED and end > start:
                    for day, length in _by_day(start, min(end, self.heard_ms), hours):
                        total = sums[day, subject[:4]]
                        total[0] += length
                        total[1] += length if state in IN_USE else 0
        return {key: (total[0], total[1]) for key, total in sorted(sums.items()) if total[0]}


def _by_day(start: int, end: int, hours: Hours) -> list[tuple[str, int]]:
    """Return how much of a spell lies within the opening hours of each local day."""
    found = []
    day = datetime.fromtimestamp(start / 1000, hours.zone).date()
    while start < end:
        opens, closes = hours.open_on(day)
        length = min(end, closes) - max(start, opens)
        if length > 0:
            found.append((day.isoformat(), length))
        start = hours.bounds(day)[1]
        day += timedelta(days=1)
    return found
