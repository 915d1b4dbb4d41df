"""How many desks or rooms are in use at once: peaks, the least that is left free, and saturation. Pure.

A *profile* is the step function of a pool: from each instant on, so many of its places are in use, so many free, and so
many are not known. Outside the opening hours, and for what is out of service, nothing is in the pool. Profiles of
several sites are summed instant by instant, so that the peak of a zone is what was in use there at the same time.

Source: domain.md 3.2 as docs/method.md tells it.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from hub.opening import Interval
from hub.statistics import OBSERVED, OCCUPIED, OUT_OF_SERVICE, Stretch

HELD_MS = 300_000
"""For so long a level must last to be the 5-minute peak."""


class Level(NamedTuple):
    """From `at_ms` on, so many places are in use, free, and not known."""

    at_ms: int
    used: int
    free: int
    unknown: int


class Peaks(NamedTuple):
    """What a pool came to in a period; counts are empty when none of its places was known at any time."""

    peak: int | None
    """The most places in use at the same time."""
    peak_at_ms: int | None
    """When that was so first; empty when none was in use."""
    peak_5min: int | None
    """The most that were in use for at least five minutes on end."""
    min_free: int | None
    """The fewest that were free, while all were known; empty when they never were."""
    saturated_ms: int
    """For how long none was free, while all were known."""
    saturable_ms: int
    """For how long all were known."""
    level_ms: int
    """Places in use times how long, while all were known."""


NOTHING = Peaks(None, None, None, None, 0, 0, 0)


def profile(places: Iterable[Sequence[Stretch]], opened: Sequence[Interval]) -> list[Level]:
    """Return the profile of a pool within the opening intervals of a day, given what each place was in, in order.

    A place of which nothing is said is not known. Two levels that follow one another differ, and the last one is of an
    empty pool, at the closing.
    """
    moves: list[tuple[int, int, int, int]] = []
    for stretches in places:
        for start, end in opened:
            moves += [(start, 0, 0, 1), (end, 0, 0, -1)]
        for first, last, state in stretches:
            if state not in OBSERVED and state != OUT_OF_SERVICE:
                continue
            used, free = int(state in OCCUPIED), int(state in OBSERVED and state not in OCCUPIED)
            for start, end in opened:
                if first < end and last > start:
                    moves.append((max(first, start), used, free, -1))
                    moves.append((min(last, end), -used, -free, 1))
    return _summed(moves)


def summed(profiles: Iterable[Sequence[Level]]) -> list[Level]:
    """Return the profile of several pools as one: what was in use, free and unknown in all of them at each instant."""
    moves: list[tuple[int, int, int, int]] = []
    for levels in profiles:
        used = free = unknown = 0
        for level in levels:
            moves.append((level.at_ms, level.used - used, level.free - free, level.unknown - unknown))
            _, used, free, unknown = level
    return _summed(moves)


def _summed(moves: list[tuple[int, int, int, int]]) -> list[Level]:
    """Sweep: all moves of one instant together, so that who leaves and who comes then are never there at once."""
    moves.sort()
    levels: list[Level] = []
    before = (0, 0, 0)
    used = free = unknown = 0
    for n, (at, more_used, more_free, more_unknown) in enumerate(moves):
        used += more_used
        free += more_free
        unknown += more_unknown
        if n + 1 < len(moves) and moves[n + 1][0] == at:
            continue
        if (used, free, unknown) != before:
            levels.append(Level(at, used, free, unknown))
            before = used, free, unknown
    return levels


def peaks(levels: Sequence[Level], bounds: Interval) -> Peaks:
    """Return what a pool came to within `bounds`."""
    parts = list(_parts(levels, bounds))
    known = [part for part in parts if part[1].used or part[1].free]
    whole = [(length, level) for length, level in known if not level.unknown]
    if not known:
        return NOTHING
    highest = max(level.used for _, level in known)
    return Peaks(
        peak=highest,
        peak_at_ms=next(max(level.at_ms, bounds[0]) for _, level in known if level.used == highest)
        if highest
        else None,
        peak_5min=_held(parts),
        min_free=min((level.free for _, level in whole), default=None),
        saturated_ms=sum(length for length, level in whole if not level.free),
        saturable_ms=sum(length for length, _ in whole),
        level_ms=sum(length * level.used for length, level in whole),
    )


def _parts(levels: Sequence[Level], bounds: Interval) -> Iterable[tuple[int, Level]]:
    """Yield how long each level lasts within the bounds; the last one, of an empty pool, is left out."""
    for level, following in pairwise(levels):
        length = min(following.at_ms, bounds[1]) - max(level.at_ms, bounds[0])
        if length > 0:
            yield length, level


def _held(parts: Sequence[tuple[int, Level]]) -> int:
    """Return the highest level that holds for five minutes on end: while it lasts, more may be in use, never fewer."""
    best, at_ms = 0, 0
    rising: list[tuple[int, int]] = []  # (level, since when at least so many), levels ascending
    for length, level in [*parts, (0, Level(0, 0, 0, 0))]:
        since = at_ms
        while rising and rising[-1][0] >= level.used:
            before, since = rising.pop()
            if at_ms - since >= HELD_MS:
                best = max(best, before)
        rising.append((level.used, since))
        at_ms += length
    return best


def pack(levels: Sequence[Level], day_start_ms: int) -> bytes:
    """Return a profile as eight bytes a level, with instants from the start of its local day."""
    words = [
        (level.at_ms - day_start_ms) << 24 | level.used << 16 | level.free << 8 | level.unknown for level in levels
    ]
    return struct.pack(f"<{len(words)}Q", *words)


def unpack(packed: bytes, day_start_ms: int) -> list[Level]:
    """Return the profile that `pack` wrote."""
    words = struct.unpack(f"<{len(packed) // 8}Q", packed)
    return [Level(day_start_ms + (word >> 24), word >> 16 & 255, word >> 8 & 255, word & 255) for word in words]
