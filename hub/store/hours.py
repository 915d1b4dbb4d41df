"""Reading the hours of one telecentre, its desks or its rooms pooled: what a page and most questions ask for.

The database adds them up, an eighth of the rows; what it cannot know (places of which nothing was heard, an hour that
is under way) is added here.
"""

from collections.abc import Iterable
from typing import NamedTuple

from hub.opening import Interval, days_between
from hub.store.connection import Connection
from hub.store.figures import LONGEST_DAY_MS, MAX_SPAN_DAYS, Figures, reach, silent_hours, usage_rows
from hub.store.register import read_calendar
from hub.store.rows import Kind
from hub.store.schema import statements

_SQL = statements("figures")


class HourRow(NamedTuple):
    """The desks or the rooms of a site that were available in one hour, half-open: their times added up."""

    start_ms: int
    end_ms: int
    resources: int
    resource: str
    """The first of them."""
    available_ms: int
    observed_ms: int
    occupied_ms: int


def read_hours(connection: Connection, site: str, kind: Kind, span: Interval, now_ms: int) -> list[HourRow]:
    """Return the hours of a site that begin in `span`, none of them after `now_ms` or while it is closed, in order."""
    calendar = read_calendar(connection, site)
    start_ms, end_ms = span[0], min(span[1], now_ms)
    if calendar is None or start_ms >= end_ms:
        return []
    if end_ms + LONGEST_DAY_MS > now_ms:
        rows = usage_rows(connection, calendar, kind, "hour", (start_ms, end_ms), now_ms)
        return _added({}, (row[1:] for row in rows if row.available_ms))
    days = days_between(start_ms, end_ms - 1, calendar.zone)[-MAX_SPAN_DAYS:]
    key = reach(calendar, kind, days, (start_ms, end_ms))
    found = {row[0]: HourRow._make(row) for row in connection.execute(_SQL["pooled_hours_of_site"], key).fetchall()}
    return _added(found, silent_hours(connection, calendar, kind, days, (start_ms, end_ms)))


def _added(found: dict[int, HourRow], others: Iterable[Figures]) -> list[HourRow]:
    """Return the hours, in order, with what is known of other places added."""
    for resource, start_ms, end_ms, available_ms, observed_ms, occupied_ms, *_ in others:
        known = found.get(start_ms) or HourRow(start_ms, end_ms, 0, resource, 0, 0, 0)
        found[start_ms] = HourRow(
            start_ms,
            end_ms,
            known.resources + 1,
            min(known.resource, resource),
            known.available_ms + available_ms,
            known.observed_ms + observed_ms,
            known.occupied_ms + occupied_ms,
        )
    return [found[start_ms] for start_ms in sorted(found)]
