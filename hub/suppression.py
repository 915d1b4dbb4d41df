"""Which cells of a table are hidden so that those beside them cannot be computed. Pure, and the same in any order.

What is published are sums over sites and over base periods (the margins); whoever reads them can subtract, and knows
that no part is below zero or above its ceiling. A hidden value is protected when another table exists that looks the
same from outside and in which that value is far enough away: one higher, one lower. Such tables are made of *swaps*:

    site i   + in S   - in T        T: another period, or none at all
    site j   - in S   + in T        j: another site, or none at all

A published sum sees a swap only if its place separates i from j *and* its period cuts S from T. So a cell is protected
by swaps that no published sum sees; where there are too few, the cheapest sums that see one are hidden as well. Hiding
more never uncovers a swap, so a cell once protected stays so, and one pass is enough.

Source: the idea of complementary cells on the corners of a rectangle is that of the hypercube method of statistical
offices; docs/decisions/0024 says what is different here and what is proved.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from itertools import islice
from math import inf
from typing import NamedTuple

from hub.margins import NOTHING, Atom, Coordinate, Margins, Measure

NEAR = 8
"""Partners of a kind, sites or periods, that are looked at for one cell: more find a better pattern, and cost time."""

EPSILON = 1e-9
"""Of a need, what may be missing: sums of decimals are not exact."""


class Need(NamedTuple):
    """How far from its value a hidden cell must be able to lie, upwards and downwards, in one measure."""

    up: float
    down: float


class Swap(NamedTuple):
    """Value of `period` moves from `partner` to `site`, and back in `other`; None is a partner outside of the table."""

    site: str
    partner: str | None
    period: str
    other: str | None


_UNCHANGED: Mapping[str, float] = {}


class _Other:
    """Another table that looks the same from outside, in which one cell is higher (or lower)."""

    def __init__(self, measure: Measure, margins: Margins, wanted: float, *, upwards: bool) -> None:
        self._measure = measure
        self._margins = margins
        self._upwards = upwards
        self._changes: dict[str | None, dict[str, float]] = {}
        self._wanted = wanted
        self.left = wanted

    @property
    def is_far_enough(self) -> bool:
        return self.left <= EPSILON * max(1.0, self._wanted)

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


class Pattern:
    """What is published of one subject: everything at first, less and less as cells are hidden.

    Attributes:
        costs: what hiding each coordinate costs; hiding prefers the cheap, then the first in order of name.
    """

    def __init__(self, margins: Margins, measures: Sequence[Measure], costs: Mapping[Coordinate, float]) -> None:
        self.costs = costs
        self._margins = margins
        self._measures = measures
        self._published: dict[str, set[str]] = {place: set() for place in margins.sites}
        self._changed: list[Coordinate] = []
        self._paid: set[Coordinate] = set()
        self._needed: set[Coordinate] = set()
        self._hidden: dict[Coordinate, list[tuple[float, str]]] = {}
        self._ranked: dict[Coordinate, list[tuple[float, float, str]]] = {}
        self._totals = measures[0].totals() if measures else {}
        self._between: dict[tuple[str, str], tuple[str, ...]] = {}
        self._fullest_of: dict[Coordinate, list[str]] = {}
        self._cutting: dict[tuple[str, str | None], frozenset[str]] = {}
        for place, period in costs:
            self._published[place].add(period)
        self._all = {place: frozenset(periods) for place, periods in self._published.items()}

    def is_published(self, coordinate: Coordinate) -> bool:
        """Return whether the cells of a place and period are still published."""
        return coordinate[1] in self._published.get(coordinate[0], ())

    def hide(self, coordinate: Coordinate) -> None:
        """Publish a place and period no more."""
        place, period = coordinate
        if not self.is_published(coordinate):
            return
        self._published[place].discard(period)
        self._changed.append(coordinate)
        if self._margins.is_site(place):
            entry = (-self._measures[0].value(place, period), place)
            for zone in self._margins.around[place]:
                insort(self._hidden.setdefault((zone, period), []), entry)

    def protect(self, coordinate: Coordinate, needs: Sequence[Need]) -> None:
        """Hide what it takes, so that a hidden coordinate can be as far from its values as each measure needs.

        `needs` has one entry for each measure, none of them more than the coordinate's values and ceilings allow.
        """
        others = [
            _Other(measure, self._margins, wanted, upwards=upwards)
            for measure, need in zip(self._measures, needs, strict=True)
            for wanted, upwards in ((need.up, True), (need.down, False))
        ]
        swaps = self._swaps(coordinate, [])
        others = [other for other in others if not other.is_far_enough]
        for swap in swaps:
            if not others:
                return
            if self._is_unseen(swap):
                self._move(others, swap)
                others = [other for other in others if not other.is_far_enough]
        self._protect_at_a_cost(coordinate, others)

    def changes(self) -> list[Coordinate]:
        """Return what was hidden or given back since this was asked last."""
        changed, self._changed = self._changed, []
        return changed

    def give_back(self) -> None:
        """Publish again what was hidden for one cell and serves none, because a later one opened a better way."""
        for place, period in sorted(self._paid - self._needed):
            self._published[place].add(period)
            self._changed.append((place, period))
            if self._margins.is_site(place):
                entry = (-self._measures[0].value(place, period), place)
                for zone in self._margins.around[place]:
                    self._hidden[zone, period].remove(entry)
        self._paid.clear()

    def _protect_at_a_cost(self, coordinate: Coordinate, others: list[_Other]) -> None:
        wanted = max((other.left for other in others), default=0.0)
        swaps = list(self._swaps(coordinate, self._costly_partners(coordinate, wanted)))
        for _ in range(len(swaps)):
            others = [other for other in others if not other.is_far_enough]
            if not others:
                return
            best = self._best(swaps, others)
            if best is None:
                break
            for seeing in list(self._seeing(best, self._published)):
                self._paid.add(seeing)
                self.hide(seeing)
            self._move(others, best)
        if any(not other.is_far_enough for other in others):
            self._surround(coordinate)

    def _best(self, swaps: Sequence[Swap], others: Sequence[_Other]) -> Swap | None:
        """Return the first of the swaps that cost least, by the share of the need that each meets."""
        best, least = None, inf
        for swap in swaps:
            # It meets all of the need at most: what costs more than the best one anyway need not be tried.
            cost = self._cost(swap, least)
            if cost > least:
                continue
            share = sum(other.reach(swap) for other in others) / len(others)
            if share > 0 and cost / share < least:
                best, least = swap, cost / share
        return best

    def _cost(self, swap: Swap, most: float) -> float:
        """Return what it costs to hide what sees a swap; beyond `most`, not how much beyond."""
        cutting, cost = self._cuts(swap.period, swap.other), 0.0
        for place in self._apart(swap):
            for period in self._published[place] & cutting:
                cost += self.costs[place, period]
            if cost > most:
                break
        return cost

    def _surround(self, coordinate: Coordinate) -> None:
        """Hide everything that shares anything with a coordinate."""
        for zone in sorted(
            {zone for site in self._margins.sites[coordinate[0]] for zone in self._margins.around[site]}
        ):
            for period in sorted(self._published[zone] & self._margins.within[coordinate[1]]):
                self.hide((zone, period))

    def _move(self, others: Iterable[_Other], swap: Swap) -> None:
        moved = 0.0
        for other in others:
            if not other.is_far_enough:
                moved += other.move(swap)
        if moved > 0:
            self._needed.update(self._seeing(swap, self._all))

    def _is_unseen(self, swap: Swap) -> bool:
        cutting = self._cuts(swap.period, swap.other)
        published = self._published
        return all(published[place].isdisjoint(cutting) for place in self._apart(swap))

    def _seeing(self, swap: Swap, among: Mapping[str, AbstractSet[str]]) -> Iterator[Coordinate]:
        """Yield the coordinates among those given that would tell that a swap was made."""
        cutting = self._cuts(swap.period, swap.other)
        for place in self._apart(swap):
            for period in sorted(among[place] & cutting):
                yield place, period

    def _apart(self, swap: Swap) -> Sequence[str]:
        """Return the places that hold one of the two sites of a swap and not the other."""
        ours = self._margins.around[swap.site]
        if swap.partner is None:
            return ours
        known = self._between.get((swap.site, swap.partner))
        if known is None:
            theirs = self._margins.around[swap.partner]
            known = (*(place for place in ours if place not in theirs), *(it for it in theirs if it not in ours))
            self._between[swap.site, swap.partner] = known
        return known

    def _cuts(self, period: str, other: str | None) -> frozenset[str]:
        """Return the periods that touch one of two and do not hold both."""
        known = self._cutting.get((period, other))
        if known is None:
            known = self._margins.within[period]
            if other is not None:
                both = self._margins.holding[period] & self._margins.holding[other]
                known = (known | self._margins.within[other]) - both
            self._cutting[period, other] = known
        return known

    def _swaps(self, coordinate: Coordinate, costly: list[str]) -> Iterator[Swap]:
        """Yield swaps that change a coordinate: between sites, between periods, on a rectangle, and without return."""
        place, period = coordinate
        for site in self._largest(place, period):
            partners = [*self._hidden_partners(site, place, period), *costly]
            beside = self._fullest(site, period)
            yield from (Swap(site, partner, period, None) for partner in partners)
            yield from (Swap(site, None, period, other) for other in beside)
            yield from (Swap(site, partner, period, other) for partner in partners for other in beside)
            yield Swap(site, None, period, None)

    def _fullest(self, site: str, period: str) -> list[str]:
        """Return the periods beside one in which a site has most, hidden or not."""
        known = self._fullest_of.get((site, period))
        if known is None:
            value = self._measures[0].value
            known = nsmallest(NEAR, self._margins.beside[period], key=lambda other: (-value(site, other), other))
            self._fullest_of[site, period] = known
        return known

    def _largest(self, place: str, period: str) -> list[str]:
        sites = self._margins.sites[place]
        if len(sites) == 1:
            return list(sites)
        return [site for _, _, site in islice(self._rank(place, period), NEAR)]

    def _hidden_partners(self, site: str, place: str, period: str) -> list[str]:
        """Return the largest sites hidden in a period, from the smallest zones around a site."""
        found: list[str] = []
        for zone in self._margins.around[site]:
            hidden = self._hidden.get((zone, period), ())
            for value, partner in islice(hidden, 4 * NEAR):
                if len(found) >= NEAR:
                    return found
                if value < 0 and partner not in found and partner not in self._margins.sites[place]:
                    found.append(partner)
        return found

    def _costly_partners(self, coordinate: Coordinate, wanted: float) -> list[str]:
        """Return published sites just large enough, and the largest, from each zone around a coordinate."""
        place, period = coordinate
        found: list[str] = []
        for zone in self._margins.around[self._largest(place, period)[0]]:
            ranked = self._rank(zone, period)
            enough = bisect_right(ranked, -wanted, key=lambda entry: entry[0])
            for _, _, partner in [*reversed(ranked[max(0, enough - NEAR) : enough]), *ranked[: NEAR // 2]]:
                fits = partner not in found and partner not in self._margins.sites[place]
                if fits and self.is_published((partner, period)):
                    found.append(partner)
            if len(found) >= NEAR:
                break
        return found

    def _rank(self, zone: str, period: str) -> list[tuple[float, float, str]]:
        """Return minus value, minus total and site of each site of a zone in a period, the largest first."""
        known = self._ranked.get((zone, period))
        if known is None:
            value = self._measures[0].value
            known = sorted((-value(site, period), -self._totals[site], site) for site in self._margins.sites[zone])
            self._ranked[zone, period] = known
        return known
