"""How many desks of a pool were in use at once: the truth of peaks and saturation, from differences at instants. Pure.

The hub keeps a profile for each day and pools days; here the whole time is cut once into pieces in which nothing
changes, over all telecentres of the pool, and a question looks at the pieces in its period.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from simulators.year_calendar import MINUTE_MS, Span
from simulators.year_spans import both, union, without
from simulators.year_truth import IN_USE, KNOWN, OUT_OF_SERVICE, Truth

HELD_MS = 5 * MINUTE_MS


class Piece(NamedTuple):
    """For so long, so many places of the pool are in use, free, and not known."""

    begin_ms: int
    end_ms: int
    used: int
    free: int
    unknown: int


class Pool:
    """Desks, or rooms, of one or more telecentres together, while these are open."""

    def __init__(self, places: Iterable[tuple[Truth, str]]) -> None:
        changes: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for truth, resource in places:
            here = without(truth.registered(resource), truth.told(resource, OUT_OF_SERVICE))
            watched = both(here, truth.told(resource, KNOWN))
            used = both(here, truth.told(resource, IN_USE))
            for number, spans in enumerate((used, without(watched, used), without(here, watched))):
                for begin, end in spans:
                    changes[begin][number] += 1
                    changes[end][number] -= 1
        self._pieces = list(_pieces(changes))
        self._begins = [piece.begin_ms for piece in self._pieces]

    def within(self, begin_ms: int, end_ms: int) -> list[Piece]:
        """Return the pieces of a period, cut at its bounds."""
        first = max(0, bisect_right(self._begins, begin_ms) - 1)
        last = bisect_right(self._begins, end_ms)
        cut = (
            piece._replace(begin_ms=max(piece.begin_ms, begin_ms), end_ms=min(piece.end_ms, end_ms))
            for piece in self._pieces[first:last]
        )
        return [piece for piece in cut if piece.begin_ms < piece.end_ms]


def _pieces(changes: dict[int, list[int]]) -> Iterable[Piece]:
    counts = [0, 0, 0]
    for at_ms, following in pairwise(sorted(changes)):
        for number, more in enumerate(changes[at_ms]):
            counts[number] += more
        yield Piece(at_ms, following, *counts)


def peak_of(pieces: list[Piece]) -> tuple[int | None, int | None]:
    """Return the most that were in use at once, and since when first; both None when nothing was known."""
    known = [piece for piece in pieces if piece.used + piece.free]
    if not known:
        return None, None
    peak = max(piece.used for piece in known)
    return peak, next(piece.begin_ms for piece in known if piece.used == peak) if peak else None


def held(pieces: list[Piece]) -> int:
    """Return the highest number that was in use for five minutes on end, tried from the highest down."""
    for level in sorted({piece.used for piece in pieces}, reverse=True):
        reached: list[Span] = union((piece.begin_ms, piece.end_ms) for piece in pieces if piece.used >= level)
        if any(end - begin >= HELD_MS for begin, end in reached):
            return level
    return 0


def crowd(pool: Pool, period: Span, days: list[Span], each_ms: Fraction) -> dict[str, object]:
    """Return what a pool came to in a period, given the local days in it (or the hour that it is).

    `each_ms` is for how long a place of it was there for use, on average: shares of the time in which all were known
    are told if that was half of it.
    """
    pieces = pool.within(*period)
    peak, at_ms = peak_of(pieces)
    whole = [piece for piece in pieces if not piece.unknown and piece.used + piece.free]
    saturable = sum(piece.end_ms - piece.begin_ms for piece in whole)
    is_long = bool(saturable) and saturable >= each_ms / 2
    daily = [part for day in days if peak_of(part := pool.within(*day))[0] is not None]
    peaks = [peak_of(part)[0] or 0 for part in daily]
    saturated = sum(piece.end_ms - piece.begin_ms for piece in whole if not piece.free)
    return {
        "peak": peak,
        "peak_at": at_ms,
        "peak_5min": max((held(part) for part in daily), default=None),
        "average_peak": sum(peaks) / len(peaks) if peaks else None,
        "average_occupancy": sum((one.end_ms - one.begin_ms) * one.used for one in whole) / saturable
        if is_long
        else None,
        "min_free": min((piece.free for piece in whole), default=None),
        "saturated_ms": saturated,
        "saturable_ms": saturable,
        "saturation": saturated / saturable if is_long else None,
    }
