"""Swaps, and the other tables that they make: the same from outside, with one cell higher or lower. Pure.

    site i   + in S   - in T        T: another period, or none at all
    site j   - in S   + in T        j: another site, or none at all

Whoever reads a release cannot tell such a table from the true one, if no published sum sees a swap that made it.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf
from typing import NamedTuple

from hub.margins import NOTHING, Atom, Coordinate, Margins, Measure

EPSILON = 1e-9
"""Of a need, what may be missing: sums of decimals are not exact."""


class Need(NamedTuple):
    """How far from its value a hidden cell must be able to lie, in one measure: upwards, downwards, or in all."""

    up: float = 0.0
    down: float = 0.0
    wide: float = 0.0
    """How far its lowest and its highest possible value must lie from one another."""


class Swap(NamedTuple):
    """Value of `period` moves from `partner` to `site`, and back in `other`; None is a partner outside of the table."""

    site: str
    partner: str | None
    period: str
    other: str | None


_UNCHANGED: Mapping[str, float] = {}


class Other:
    """Another table that looks the same from outside, in which one cell is higher (or lower)."""

    def __init__(self, measure: Measure, margins: Margins, wanted: float, *, upwards: bool) -> None:
        self._measure = measure
        self._margins = margins
        self._upwards = upwards
        self._changes: dict[str | None, dict[str, float]] = {}
        self._wanted = wanted
        self.left = wanted
        self.opposite: Other | None = None
        """The table on the other side, where it does not matter which of the two is how far away."""

    @property
    def is_far_enough(self) -> bool:
        """Whether nothing is left to be moved; of two opposite tables, what both moved counts."""
        left = self.left if self.opposite is None else self.left + self.opposite.left - self._wanted
        return left <= EPSILON * max(1.0, self._wanted)

    def change(self, sites: AbstractSet[str], parts: AbstractSet[str]) -> float:
        """Return how much higher the sum of these sites and base periods is than it really is."""
        return sum(
            change
            for site, changes in self._changes.items()
            if site in sites
            for part, change in changes.items()
            if part in parts
        )

    def reach(self, swap: Swap) -> float:
        """Return the share of what is left that a swap can move."""
        there, back = self._steps(swap)
        return self._amount(there, back) / self.left

    def move(self, swap: Swap) -> float:
        """Move as much as is wanted and possible; return how much that was."""
        there, back = self._steps(swap)
        amount = self._amount(there, back)
        giver, taker = self._roles(swap)
        self._apply(giver, taker, there, amount)
        self._apply(taker, giver, back or [], amount)
        self.left -= amount
        return amount

    def _roles(self, swap: Swap) -> tuple[str | None, str | None]:
        return (swap.partner, swap.site) if self._upwards else (swap.site, swap.partner)

    def _amount(self, there: list[tuple[str, float]], back: list[tuple[str, float]] | None) -> float:
        most = min(self.left, sum(step for _, step in there))
        return most if back is None else min(most, sum(step for _, step in back))

    def _steps(self, swap: Swap) -> tuple[list[tuple[str, float]], list[tuple[str, float]] | None]:
        giver, taker = self._roles(swap)
        there = self._possible(giver, taker, swap.period)
        return there, None if swap.other is None else self._possible(taker, giver, swap.other)

    def _possible(self, giver: str | None, taker: str | None, period: str) -> list[tuple[str, float]]:
        """Return how much can move from giver to taker in each part of a period, where anything can."""
        given, taken = self._known(giver), self._known(taker)
        lost, got = self._changes.get(giver, _UNCHANGED), self._changes.get(taker, _UNCHANGED)
        steps = []
        for part in self._margins.ordered[period]:
            held, room = inf, inf
            if given is not None:
                held = given.get(part, NOTHING).value + lost.get(part, 0.0)
            if taken is not None and held > 0:
                atom = taken.get(part, NOTHING)
                room = atom.ceiling - atom.value - got.get(part, 0.0)
            step = min(held, room)
            if step > 0:
                steps.append((part, step))
        return steps

    def _known(self, site: str | None) -> Mapping[str, Atom] | None:
        """Return what a site has by part; a partner outside of the table has, and takes, as much as is wanted."""
        return None if site is None else self._measure.atoms(site)

    def _apply(self, giver: str | None, taker: str | None, steps: list[tuple[str, float]], amount: float) -> None:
        for part, step in steps:
            moved = min(step, amount)
            amount -= moved
            for site, change in ((giver, -moved), (taker, moved)):
                if site is not None:
                    changes = self._changes.setdefault(site, {})
                    changes[part] = changes.get(part, 0.0) + change


class Others:
    """The other tables that one cell needs, of each measure.

    Attributes:
        seen_by: the coordinates that see a swap by which these tables differ from the true one.
    """

    def __init__(self, margins: Margins, measures: Sequence[Measure], needs: Sequence[Need]) -> None:
        self._margins = margins
        self._tables = [list(_others(measure, margins, need)) for measure, need in zip(measures, needs, strict=True)]
        self.seen_by: set[Coordinate] = set()

    def near(self) -> list[Other]:
        """Return those in which the cell is not far enough away yet."""
        return [other for tables in self._tables for other in tables if not other.is_far_enough]

    def wide(self, number: int, at: Coordinate) -> float:
        """Return how wide the range is that a measure of some coordinate has in these tables and the true one."""
        sites, parts = self._margins.sites[at[0]], self._margins.parts[at[1]]
        changes = [0.0, *(other.change(sites, parts) for other in self._tables[number])]
        return max(changes) - min(changes)


def _others(measure: Measure, margins: Margins, need: Need) -> Iterator[Other]:
    if need.up > 0:
        yield Other(measure, margins, need.up, upwards=True)
    if need.down > 0:
        yield Other(measure, margins, need.down, upwards=False)
    if need.wide > 0:
        higher = Other(measure, margins, need.wide, upwards=True)
        lower = Other(measure, margins, need.wide, upwards=False)
        higher.opposite, lower.opposite = lower, higher
        yield from (higher, lower)
