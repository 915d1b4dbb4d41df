"""From figures of days and months to the indicators of any period and any set of telecentres. Pure.

What can be added is added first: time, sessions, days. Rates, means and shares are computed once, at the end, from the
sums; they are never averaged. What cannot be added is taken from where it can be had: the peak of several telecentres
from their common profile (`hub.levels`), the median of dwell times from the sessions (`hub.sessions`).

Names and units of the values are those of `/api/v1/indicators`; docs/method.md states each formula.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple

from hub.levels import NOTHING, Peaks
from hub.sessions import Dwell
from hub.statistics import Status, status

Value = float | int | None
Step = Literal["hour", "day", "week", "month", "quarter", "year"]
"""Of local days: a week begins on Monday (ISO 8601), a quarter in January, April, July, October."""

Outcome = Literal["came", "no_show", "unknown"]
"""What came of a booking: somebody was there in time, nobody was, or nobody knows."""

NAMES = (
    "available_ms",
    "observed_ms",
    "occupied_ms",
    "outside_ms",
    "occupancy_rate",
    "peak",
    "peak_at_ms",
    "peak_5min",
    "average_peak",
    "average_occupancy",
    "min_free",
    "saturated_ms",
    "saturable_ms",
    "saturation",
    "sessions",
    "sessions_closed",
    "sessions_censored",
    "dwell_mean_ms",
    "dwell_median_ms",
    "dwell_p90_ms",
    "turnover",
)
"""Of every value, in the order in which they are shown; `peak_at_ms` is UTC."""

ROOM_NAMES = ("bookings", "no_shows", "no_show_rate", "ghost_ms")
"""Of rooms only."""


class Usage(NamedTuple):
    """Time of one or more places, pooled: each number is a sum."""

    available_ms: int = 0
    observed_ms: int = 0
    occupied_ms: int = 0
    outside_ms: int = 0
    ghost_ms: int = 0
    place_days: int = 0
    """Places times local days on which each was available; of an hour, places that were available in it."""

    @property
    def coverage(self) -> float | None:
        """Observed over available, 0 to 1; None when nothing was available."""
        return self.observed_ms / self.available_ms if self.available_ms > 0 else None

    @property
    def status(self) -> Status:
        """What the coverage allows to say."""
        return status(self.available_ms, self.observed_ms)

    @property
    def rate(self) -> float | None:
        """Occupied over observed, 0 to 1; None when the status is `M`: what nobody saw is not zero."""
        return None if self.status == "M" else self.occupied_ms / self.observed_ms


class Crowd(NamedTuple):
    """How many places of a pool were in use at once, in one period of one or more days."""

    peaks: Peaks = NOTHING
    peak_sum: int = 0
    """The daily peaks added up."""
    peak_days: int = 0
    """On how many local days there was one: the telecentre was open, and some place was known."""


class Attendance(NamedTuple):
    """How often places were taken: sessions that began in the period."""

    sessions: int = 0
    closed: int = 0
    dwell: Dwell = Dwell(0, None, None, None)


class Bookings(NamedTuple):
    """What came of the bookings of rooms that began in the period: how many were told of, known, and not come to."""

    bookings: int = 0
    judged: int = 0
    """Those of which it is known whether anybody came."""
    no_shows: int = 0


def counted_bookings(outcomes: Iterable[Outcome]) -> Bookings:
    """Return what came of several bookings together."""
    known = list(outcomes)
    return Bookings(len(known), len(known) - known.count("unknown"), known.count("no_show"))


def pooled_crowd(parts: Iterable[Crowd]) -> Crowd:
    """Return the crowds of one pool in several periods, in order of time, as that of them all."""
    known = list(parts)
    peaks = [part.peaks for part in known if part.peaks.peak is not None]
    if not peaks:
        return Crowd()
    highest = max(peaks, key=lambda one: one.peak or 0)
    return Crowd(
        Peaks(
            peak=highest.peak,
            peak_at_ms=highest.peak_at_ms,
            peak_5min=max(one.peak_5min or 0 for one in peaks),
            min_free=min((one.min_free for one in peaks if one.min_free is not None), default=None),
            saturated_ms=sum(one.saturated_ms for one in peaks),
            saturable_ms=sum(one.saturable_ms for one in peaks),
            level_ms=sum(one.level_ms for one in peaks),
        ),
        sum(part.peak_sum for part in known),
        sum(part.peak_days for part in known),
    )


def crowd_of_day(counts: Peaks) -> Crowd:
    """Return the crowd of one local day, or of one hour."""
    return Crowd() if counts.peak is None else Crowd(counts, counts.peak, 1)


def first_day(day: date, step: Step) -> date:
    """Return the first local day of the period of a day."""
    if step == "week":
        return day - timedelta(days=day.weekday())
    if step in ("hour", "day"):
        return day
    months = {"month": 1, "quarter": 3, "year": 12}[step]
    return day.replace(month=day.month - (day.month - 1) % months, day=1)


def day_after(first: date, step: Step) -> date:
    """Return the first local day after the period that begins on a day."""
    days = {"hour": 1, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[step]
    return first_day(first + timedelta(days=days), step)


def share(part: int, whole: int) -> float | None:
    """Return a share from 0 to 1, or None of nothing."""
    return part / whole if whole else None


def values(
    resources: int, usage: Usage, crowd: Crowd | None, attendance: Attendance, bookings: Bookings | None = None
) -> Mapping[str, Value]:
    """Return the indicators of one place, or of several, in one period, by name.

    `crowd` is None where there is no pool: of a single desk. Rates are empty when the status of the usage is `M`; what
    is told of the time in which all of the pool was known is empty, too, when that was too short: below the same half
    of the time for which one of the `resources` was available on average.
    """
    missing = usage.status == "M"
    peaks, peak_sum, peak_days = crowd if crowd is not None else Crowd()
    hardly_whole = missing or status(usage.available_ms, resources * peaks.saturable_ms) == "M"
    found: dict[str, Value] = {
        "available_ms": usage.available_ms,
        "observed_ms": usage.observed_ms,
        "occupied_ms": usage.occupied_ms,
        "outside_ms": usage.outside_ms,
        "occupancy_rate": usage.rate,
        "peak": peaks.peak,
        "peak_at_ms": peaks.peak_at_ms,
        "peak_5min": peaks.peak_5min,
        "average_peak": None if missing else share(peak_sum, peak_days),
        "average_occupancy": None if hardly_whole else share(peaks.level_ms, peaks.saturable_ms),
        "min_free": peaks.min_free,
        "saturated_ms": None if crowd is None else peaks.saturated_ms,
        "saturable_ms": None if crowd is None else peaks.saturable_ms,
        "saturation": None if hardly_whole else share(peaks.saturated_ms, peaks.saturable_ms),
        "sessions": attendance.sessions,
        "sessions_closed": attendance.closed,
        "sessions_censored": attendance.sessions - attendance.closed,
        "dwell_mean_ms": attendance.dwell.mean_ms,
        "dwell_median_ms": attendance.dwell.median_ms,
        "dwell_p90_ms": attendance.dwell.p90_ms,
        "turnover": None if missing else share(attendance.sessions, usage.place_days),
    }
    if bookings is not None:
        found |= {
            # None told is not zero: an agent that judges no bookings says nothing either.
            "bookings": bookings.bookings or None,
            "no_shows": bookings.no_shows if bookings.judged else None,
            "no_show_rate": share(bookings.no_shows, bookings.judged),
            "ghost_ms": usage.ghost_ms,
        }
    return found
