"""The calendar of the year that is played: local time of France, its holidays, opening hours, periods. Pure.

Written apart from the hub's, with rules instead of tables: the hour changes on the last Sundays of March and October at
01:00 UTC (directive 2000/84/EC), Easter follows the Gregorian computus, and opening hours are numbers, not a text.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000

Step = Literal["hour", "day", "week", "month", "quarter", "year"]
Span = tuple[int, int]
"""Half-open, UTC milliseconds."""

_EPOCH = date(1970, 1, 1)

SCHOOL_HOLIDAYS = (
    (date(2025, 12, 20), date(2026, 1, 5)),
    (date(2026, 2, 7), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 20)),
    (date(2026, 7, 4), date(2026, 9, 1)),
    (date(2026, 10, 17), date(2026, 11, 2)),
    (date(2026, 12, 19), date(2027, 1, 4)),
)
"""Zone A, that of the Cantal; the first day, and the first day of school after it. Source: education.gouv.fr."""


def last_sunday(year: int, month: int) -> date:
    """Return the last Sunday of March or October, which have 31 days."""
    last = date(year, month, 31)
    return last - timedelta(days=last.isoweekday() % 7)


def _utc_midnight_ms(day: date) -> int:
    return (day - _EPOCH).days * DAY_MS


@cache
def _summer(year: int) -> Span:
    return tuple(_utc_midnight_ms(last_sunday(year, month)) + HOUR_MS for month in (3, 10))  # type: ignore[return-value]  # two of them


def offset_ms(at_ms: int) -> int:
    """Return how far the clocks of France are ahead of UTC."""
    begin, end = _summer((_EPOCH + timedelta(days=at_ms // DAY_MS)).year)
    return 2 * HOUR_MS if begin <= at_ms < end else HOUR_MS


def local_ms(day: date, minutes: float = 0) -> int:
    """Return the instant at which clocks show so many minutes after midnight; in a repeated hour, the later one."""
    shown = _utc_midnight_ms(day) + round(minutes * MINUTE_MS)
    return shown - offset_ms(shown - HOUR_MS)


def day_of(at_ms: int) -> date:
    """Return the local date of an instant."""
    return _EPOCH + timedelta(days=(at_ms + offset_ms(at_ms)) // DAY_MS)


def bounds_of(day: date) -> Span:
    """Return a local day: 23, 24 or 25 hours."""
    return local_ms(day), local_ms(day + timedelta(days=1))


def days_of(span: Span) -> list[date]:
    """Return the local days that an interval touches."""
    first, last = day_of(span[0]), day_of(span[1] - 1)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def periods(step: Step, span: Span) -> list[Span]:
    """Return the periods of a step that begin in an interval of whole local days."""
    days = days_of(span)
    if step == "hour":
        found = []
        for day in days:
            begin, end = bounds_of(day)
            found += [(at, min(at + HOUR_MS, end)) for at in range(begin, end, HOUR_MS)]
        return found
    starts = [day for day in days if _begins(step, day)]
    return [(local_ms(day), local_ms(_next(step, day))) for day in starts]


def _begins(step: Step, day: date) -> bool:
    if step == "week":
        return day.isoweekday() == 1
    if step == "month":
        return day.day == 1
    if step == "quarter":
        return day.day == 1 and day.month % 3 == 1
    return step == "day" or (day.month, day.day) == (1, 1)


def _next(step: Step, day: date) -> date:
    if step in ("day", "week"):
        return day + timedelta(days=1 if step == "day" else 7)
    months = {"month": 1, "quarter": 3, "year": 12}[step]
    at = day.year * 12 + day.month - 1 + months
    return date(at // 12, at % 12 + 1, 1)


@cache
def easter(year: int) -> date:
    """Return Easter Sunday. Source: the anonymous Gregorian algorithm, Nature 13 (1876), p. 487."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leap, of_century = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - moon + 15) % 30
    quarter, left = divmod(rest, 4)
    weekday = (32 + 2 * of_century + 2 * quarter - epact - left) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


@cache
def public_holidays(year: int) -> frozenset[date]:
    """Return the eleven public holidays of France. Source: Code du travail, article L3133-1."""
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    moving = (easter(year) + timedelta(days=days) for days in (1, 39, 50))
    return frozenset((*(date(year, month, day) for month, day in fixed), *moving))


def is_holiday(day: date) -> bool:
    """Return whether it is a public holiday."""
    return day in public_holidays(day.year)


def is_school_holiday(day: date) -> bool:
    """Return whether the pupils of zone A are at home."""
    return any(first <= day < back for first, back in SCHOOL_HOLIDAYS)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours in minutes after midnight: the same each working day, and perhaps on Saturday; None: closed."""

    week: tuple[int, int] | None
    saturday: tuple[int, int] | None = None
    sunday: tuple[int, int] | None = None
    holidays: bool = False
    """Whether a public holiday is a day like others."""

    @property
    def osm(self) -> str:
        """Write them for a hub, in the syntax of OpenStreetMap."""
        parts = []
        for days, span in (("Mo-Fr", self.week), ("Sa", self.saturday), ("Su", self.sunday)):
            if span is not None:
                begin, end = (f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in span)
                parts.append(f"{days} {begin}-{end}")
        return "; ".join([*parts, *([] if self.holidays else ["PH off"])])

    def opened(self, day: date) -> Span | None:
        """Return when it is open on a local day."""
        if is_holiday(day) and not self.holidays:
            return None
        span = {6: self.saturday, 7: self.sunday}.get(day.isoweekday(), self.week)
        if span is None:
            return None
        begin, end = bounds_of(day)
        return (
            begin if span[0] == 0 else local_ms(day, span[0]),
            end if span[1] == 24 * 60 else local_ms(day, span[1]),
        )
