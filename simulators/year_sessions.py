"""Sessions and bookings: the truth of how long places were taken, by filling gaps in sets of moments. Pure.

The hub walks states and keeps a session in hand; here the short gaps are filled first, and what then hangs together is
a session.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from statistics import fmean, median
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, Span
from simulators.year_spans import both, union
from simulators.year_truth import IN_USE, KNOWN, Truth

MERGE_MS = {"desk": 15 * MINUTE_MS, "room": 5 * MINUTE_MS}
SHORTEST_MS = 2 * MINUTE_MS


class Session(NamedTuple):
    """From the first to the last moment in use; `closed`: the place was seen empty before and after."""

    begin_ms: int
    end_ms: int
    closed: bool


def sessions(truth: Truth, resource: str) -> list[Session]:
    """Return the sessions of a desk or a room that began while the register held it, in order."""
    used, held = truth.told(resource, IN_USE), truth.held(resource)
    empty = truth.told(resource, KNOWN - IN_USE)
    begins, ends = {begin for begin, _ in used}, {end for _, end in used}
    most = MERGE_MS["desk" if resource.startswith("desk") else "room"]
    pauses = [one for one in empty if one[0] in ends and one[1] in begins and one[1] - one[0] <= most]
    emptied, left = {end for _, end in empty}, {begin for begin, _ in empty}
    if (last := truth.last_word(resource)) is not None and last[1] in KNOWN - IN_USE:
        left.add(last[0])
    return [
        Session(begin, end, begin in emptied and end in left)
        for begin, end in union([*used, *pauses])
        if end - begin >= SHORTEST_MS and both(held, [(begin, begin + 1)])
    ]


def attendance(found: Sequence[Session], place_days: int, told: str) -> dict[str, object]:
    """Return the figures of the sessions that began in a period."""
    lengths = sorted(one.end_ms - one.begin_ms for one in found if one.closed)
    return {
        "sessions": len(found),
        "sessions_closed": len(lengths),
        "sessions_censored": len(found) - len(lengths),
        "dwell_mean_ms": fmean(lengths) if lengths else None,
        "dwell_median_ms": median(lengths) if lengths else None,
        "dwell_p90_ms": lengths[ceil(0.9 * len(lengths)) - 1] if lengths else None,
        "turnover": len(found) / place_days if place_days and told != "M" else None,
    }


def begun_in(found: Sequence[Session], period: Span) -> list[Session]:
    """Return the sessions, which are in order, that began in a period."""
    first, last = (bisect_left(found, at_ms, key=lambda one: one.begin_ms) for at_ms in period)
    return list(found[first:last])
