"""When a site is open, by local weekly hours: only to judge what a sensor says, never to count.

Figures are counted by the hub, which knows holidays and exceptions. Here a holiday counts as an open day: the judgement
is then milder, never wrong.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.core.moment import Moment

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_RULE = re.compile(rf"({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*) (\d\d:\d\d-\d\d:\d\d(?:,\d\d:\d\d-\d\d:\d\d)*)")
_NOT_OPENING = "opening hours such as 'Mo-Fr 08:00-19:00; Sa 09:00-12:00' are needed"
MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Opening:
    """Weekly hours in a zone: (ISO weekday, from, to) in minutes from local midnight, half-open."""

    zone: ZoneInfo
    hours: tuple[tuple[int, int, int], ...]

    def holds(self, at: Moment) -> bool:
        """Return whether the site is open; a clock that is not set says nothing, and so counts as open."""
        if at.clock == "unsynced":
            return True
        local = datetime.fromtimestamp(at.wall_ms / 1000, self.zone)
        minute = local.hour * 60 + local.minute
        return any(day == local.isoweekday() and start <= minute < end for day, start, end in self.hours)


def parse_opening(text: str, zone: ZoneInfo) -> Opening:
    """Return the hours that `text` says in OpenStreetMap's syntax: weekdays and times; `PH off` is passed over.

    Raises:
        ValueError: it says something else.
    """
    hours: list[tuple[int, int, int]] = []
    for rule in filter(None, (part.strip() for part in text.split(";"))):
        if rule == "24/7":
            hours += [(day, 0, MINUTES_A_DAY) for day in range(1, 8)]
        elif rule != "PH off":
            match = _RULE.fullmatch(rule)
            if match is None:
                raise ValueError(_NOT_OPENING)
            spans = [_span(span) for span in match[2].split(",")]
            hours += [(day, start, end) for day in _weekdays(match[1]) for start, end in spans]
    if not hours:
        raise ValueError(_NOT_OPENING)
    return Opening(zone, tuple(hours))


def _weekdays(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days += [1 + day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    return days


def _span(text: str) -> tuple[int, int]:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    if not 0 <= start < end <= MINUTES_A_DAY:
        raise ValueError(_NOT_OPENING)
    return start, end
