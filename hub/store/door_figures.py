"""Reading what doors did by hour, day, week, month, quarter and year: of one door, of a telecentre, of a zone.

What a door does is counted whether the register holds it or not (hub/store/doors.py); told is what it did on the local
days on which it does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, cast
from zoneinfo import ZoneInfo

from contract.events import AccessReason
from hub.indicators import Step, day_after, first_day
from hub.opening import HOUR_MS, Interval, day_bounds, day_of
from hub.store.connection import Connection
from hub.store.doors import FORCED, GRANTED, HELD_OPEN
from hub.store.months import Bounds
from hub.store.rows import Asked
from hub.store.schema import statements
from hub.store.visit_places import time_zones

FULL: AccessReason = "DENIED_UPPER_OCCUPANCY_LIMIT"
"""The refusal that is unmet demand: the badge was good, and no place was free. No agent of ours gives it."""

OUT_OF_HOURS: tuple[AccessReason, ...] = ("DENIED_OUT_OF_TIME_RANGE", "DENIED_SITE_CLOSED")
"""Refusals of badges that are good, and good for this door: at another hour, or on another day than a holiday."""

ONE_DAY = timedelta(days=1)

_SQL = statements("doors")


@dataclass(frozen=True, slots=True)
class DoorRow:
    """What one door, or all doors of a site or a zone, did in a period, half-open."""

    place: str
    """The id of a site or of a zone."""
    level: Literal["resource", "site", "zone"]
    site: str | None
    """None: of a zone."""
    door: str | None
    """None: of several together."""
    start_ms: int
    end_ms: int
    granted: int
    refusals: tuple[tuple[AccessReason, int], ...]
    """How often by each reason that there was, in order of name."""
    forced: int
    held_open: int

    @property
    def refused(self) -> int:
        """How often somebody was refused, for whatever reason."""
        return sum(times for _, times in self.refusals)

    @property
    def refused_demand(self) -> int | None:
        """How often somebody was refused because the telecentre was full; None where nobody told of any.

        None told is not zero: an agent that does not count who is in refuses nobody for it.
        """
        return dict(self.refusals).get(FULL)

    @property
    def refused_out_of_hours(self) -> int:
        """How often a good badge was refused for the hour alone, or for a public holiday."""
        return sum(times for reason, times in self.refusals if reason in OUT_OF_HOURS)


def read_doors(
    connection: Connection, asked: Sequence[Asked], step: Step, bounds: Bounds, *, by_door: bool = False
) -> list[DoorRow]:
    """Return what the doors of each place did, together or one by one, in the periods that begin within the bounds.

    Of a door, only the local days count on which the register holds it. A period in which nothing happened has no row.
    Of sites in several time zones, the days of one date are one day. Ordered by place as asked, door and start.
    """
    zones = time_zones(connection, {site for place in asked for site in place.sites})
    found: list[DoorRow] = []
    for place in asked:
        known = [site for site in place.sites if site in zones]
        cells: dict[tuple[str, Interval], Counter[str]] = {}
        for site in known:
            done = _done(connection, site, (zones[site], zones[known[0]]), step, bounds)
            for door, period, what, times in done:
                cells.setdefault((door if by_door else "", period), Counter())[what] += times
        found += [_row(place, *cell, cells[cell]) for cell in sorted(cells)]
    return found


def _done(
    connection: Connection, site: str, zones: tuple[ZoneInfo, ZoneInfo], step: Step, bounds: Bounds
) -> Iterator[tuple[str, Interval, str, int]]:
    """Yield what each door of a site did in each period that begins within the bounds: door, period, what, how often.

    `zones` are those by which the site's days begin, and by which the periods are told.
    """
    own, told = zones
    start_ms, end_ms = bounds(own)
    if start_ms >= end_ms:
        return
    if step == "hour":
        values = {"site": site, "from_ms": start_ms, "to_ms": end_ms}
        for door, begin_ms, day, what, times in connection.execute(_SQL["hours"], values):
            yield door, (begin_ms, min(begin_ms + HOUR_MS, _around(day, own, step)[1])), what, times
        return
    last = first_day(day_of(end_ms - 1, own), step)
    days = {"from_day": day_of(start_ms, own).isoformat(), "to_day": (day_after(last, step) - ONE_DAY).isoformat()}
    for door, day, what, times in connection.execute(_SQL["days"], {"site": site, **days}):
        if start_ms <= _around(day, own, step)[0] < end_ms:
            yield door, _around(day, told, step), what, times


@lru_cache(8192)
def _around(day: str, zone: ZoneInfo, step: Step) -> Interval:
    """Return begin and end of the period of days in which a local day lies; of an hour, of its day."""
    first = first_day(date.fromisoformat(day), step)
    return day_bounds(first, zone)[0], day_bounds(day_after(first, step), zone)[0]


def _row(place: Asked, door: str, period: Interval, counts: Counter[str]) -> DoorRow:
    return DoorRow(
        place=place.place,
        level="resource" if door else place.level,
        site=place.sites[0] if place.level == "site" else None,
        door=door or None,
        start_ms=period[0],
        end_ms=period[1],
        granted=counts[GRANTED],
        refusals=tuple(_refusals(counts.items())),
        forced=counts[FORCED],
        held_open=counts[HELD_OPEN],
    )


def _refusals(counts: Iterable[tuple[str, int]]) -> list[tuple[AccessReason, int]]:
    known = (GRANTED, FORCED, HELD_OPEN)
    return sorted((cast("AccessReason", what), times) for what, times in counts if what not in known)
