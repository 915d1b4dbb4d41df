"""The lives of a telecentre's agent: power cuts, restarts, weeks without a line, and clocks that are not set. Pure."""

from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from simulators.year_calendar import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Span

FAST_MS = 20 * SECOND_MS
"""How far a clock that only remembers has run ahead before it is set right."""


class Phase(NamedTuple):
    """From `begin_ms` on, what the wall clock of a life shows: the time plus `error_ms`."""

    begin_ms: int
    clock: Literal["synced", "holdover", "unsynced"]
    error_ms: int


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the agent: one stream. Lives of one boot share its monotonic clock."""

    stream: str
    boot: str
    booted_ms: int
    begin_ms: int
    end_ms: int
    phases: tuple[Phase, ...]
    """Each but the first begins with a `clock_set`."""


@dataclass(frozen=True, slots=True)
class Chronicle:
    """What befell one telecentre's agent and its line."""

    lives: tuple[Life, ...]
    silences: tuple[Span, ...]
    """When nothing reached the hub, in order."""

    def reaches(self, at_ms: int) -> bool:
        """Return whether the line works at a moment."""
        return not any(begin <= at_ms < end for begin, end in self.silences)


def make_chronicle(span: Span, random: Random) -> Chronicle:
    """Return the lives of an agent that is switched on at the beginning of `span`."""
    silences = _silences(span, random)
    begin, end = span
    lives: list[Life] = []
    at = begin + random.randrange(HOUR_MS, 9 * HOUR_MS)
    while at < end:
        # Four power cuts a year, and now and then the next one before the clock is set.
        soon = random.random() < 0.1
        cut = min(end, at + (20 * MINUTE_MS if soon else round(random.expovariate(1 / (75 * DAY_MS))) + HOUR_MS))
        lives += _boot(at, cut, silences, random, first=not lives)
        at = cut + 2 * MINUTE_MS + round(min(4 * DAY_MS, random.lognormvariate(0, 2) * HOUR_MS))
    return Chronicle(tuple(lives), tuple(silences))


def _silences(span: Span, random: Random) -> list[Span]:
    """Return when the line is down: mostly minutes or hours, and for some telecentres once for weeks."""
    silences: list[Span] = []
    at = span[0] + DAY_MS
    while (at := at + round(random.expovariate(1 / (25 * DAY_MS)))) < span[1]:
        length = round(min(3 * DAY_MS, random.lognormvariate(0, 1.8) * HOUR_MS)) + 5 * MINUTE_MS
        if random.random() < 0.1:
            length = random.randrange(9 * DAY_MS, 24 * DAY_MS)
        silences.append((at, at + length))
        at += length + HOUR_MS
    return silences


def _boot(booted: int, cut: int, silences: list[Span], random: Random, *, first: bool) -> list[Life]:
    """Return the lives of the agent from one start of the machine to its power cut."""
    boot = _hex(random)
    starts = [booted + 20 * SECOND_MS]
    while (at := starts[-1] + round(random.expovariate(1 / (45 * DAY_MS))) + 5 * MINUTE_MS) < cut:
        starts.append(at)
    ends = [at - random.randrange(5 * SECOND_MS, 90 * SECOND_MS) for at in starts[1:]]
    phases = _phases(booted, silences, random, first=first)
    lives = []
    for begin, end in zip(starts, [*ends, cut], strict=True):
        standing = [phase for phase in phases if phase.begin_ms <= begin][-1]
        coming = [phase for phase in phases if begin < phase.begin_ms < end]
        lives.append(
            Life(_hex(random), boot, booted, begin, end, (standing._replace(begin_ms=begin), *coming)),
        )
    return lives


def _phases(booted: int, silences: list[Span], random: Random, *, first: bool) -> list[Phase]:
    """Return how the clock of a boot is set: at once, after a while, never while the line is down; or it ran fast."""
    if first or random.random() < 0.35:
        return [Phase(booted, "synced", 0)]
    if random.random() < 0.3:
        set_ms = booted + random.randrange(HOUR_MS, 30 * HOUR_MS)
        return [Phase(booted, "holdover", FAST_MS), Phase(set_ms, "synced", 0)]
    # Its clock stood still while the power was cut, and it asks the network for the time.
    behind = random.randrange(2 * MINUTE_MS, 3 * DAY_MS)
    set_ms = booted + random.randrange(2 * MINUTE_MS, 50 * MINUTE_MS)
    down = next((end for begin, end in silences if begin <= set_ms < end), None)
    return [Phase(booted, "unsynced", -behind), Phase(set_ms if down is None else down + MINUTE_MS, "synced", 0)]


def _hex(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"
