"""Which cells of a table are hidden so that those beside them cannot be computed. Pure, and the same in any order.

What is published are sums over sites and over base periods (the margins); whoever reads them can subtract, and knows
that no part is below zero or above its ceiling. A hidden value is protected when another table exists that looks the
same from outside and in which that value is far enough away. Such tables are made of swaps (`hub/swaps.py`): value
moves from one site to another in one period, and back in another.

A published sum sees a swap only if its place holds one of the two sites *and* its period cuts one of the two periods
from the other. So a cell is protected by swaps that no published sum sees; where there are too few, the cheapest sums
that see one are hidden as well. Hiding more never uncovers a swap, so a cell once protected stays so.

What is confidential needs to be able to lie far away, to both sides. All else that is hidden, for whatever reason, is
*firm* until some table is known in which it lies a step away. What was hidden so that a swap remains unseen is moved by
that swap, and so is loose at once, as a rule; for the others swaps are looked for, one cell after the other.

Source: the idea of complementary cells on the corners of a rectangle is that of the hypercube method of statistical
offices; docs/decisions/0024 and 0037 say what is different here and what is proved.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from itertools import chain, islice
from math import inf

from hub.margins import Coordinate, Margins, Measure
from hub.swaps import EPSILON, Need, Other, Others, Swap

NEAR = 8
"""Partners of a kind, sites or periods, that are looked at for one cell: more find a better pattern, and cost time."""


class Pattern:
    """What is published of one subject: everything at first, less and less as cells are hidden. Nothing comes back.

    Attributes:
        costs: what hiding each coordinate costs; hiding prefers the cheap, then the first in order of name.
    """

    def __init__(self, margins: Margins, measures: Sequence[Measure], costs: Mapping[Coordinate, float]) -> None:
        self.costs = costs
        self._margins = margins
        self._measures = measures
        self._published: dict[str, set[str]] = {place: set() for place in margins.sites}
        self._changed: list[Coordinate] = []
        self._firm: dict[Coordinate, set[int]] = {}
        """What is hidden, and the numbers of its measures that are the same in all tables known to be possible."""
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
        self._firm[coordinate] = set(range(len(self._measures)))
        self._changed.append(coordinate)
        if self._margins.is_site(place):
            entry = (-self._measures[0].value(place, period), place)
            for zone in self._margins.around[place]:
                insort(self._hidden.setdefault((zone, period), []), entry)

    def protect(self, coordinate: Coordinate, needs: Sequence[Need]) -> None:
        """Hide what it takes, so that a hidden coordinate can be as far from its values as each measure needs.

        `needs` has one entry for each measure, none of them more than the coordinate's values and ceilings allow.
        """
        others = Others(self._margins, self._measures, needs)
        near = others.near()
        for swap in chain(self._swaps(coordinate, []), self._further(coordinate)):
            if not near:
                break
            if self._is_unseen(swap):
                self._move(others, swap)
                near = others.near()
        if near:
            self._protect_at_a_cost(coordinate, others)
        self._firm.pop(coordinate, None)
        for other in others.seen_by & self._firm.keys():
            self._loosen_by(others, other)

    def loosen(self, coordinate: Coordinate) -> None:
        """Hide what it takes, so that the measures of a hidden coordinate can be something else; if it is firm."""
        firm = self._firm.pop(coordinate, None)
        if firm:
            wide = [measure.secret(*coordinate) for measure in self._measures]
            self.protect(coordinate, [Need(wide=wide[it] if it in firm else 0.0) for it in range(len(wide))])

    def _loosen_by(self, others: Others, coordinate: Coordinate) -> None:
        """Take note of the measures of a coordinate that are something else in other tables."""
        firm = self._firm[coordinate]
        for number in list(firm):
            secret = self._measures[number].secret(*coordinate)
            if others.wide(number, coordinate) >= secret * (1 - EPSILON):
                firm.discard(number)
        if not firm:
            del self._firm[coordinate]

    def firm(self) -> list[Coordinate]:
        """Return what is hidden, and in some measure the same in all the tables that are known to be possible."""
        return list(self._firm)

    def changes(self) -> list[Coordinate]:
        """Return what was hidden since this was asked last."""
        changed, self._changed = self._changed, []
        return changed

    def _protect_at_a_cost(self, coordinate: Coordinate, others: Others) -> None:
        near = others.near()
        wanted = max(other.left for other in near)
        swaps = list(self._swaps(coordinate, self._costly_partners(coordinate, wanted)))
        for _ in range(len(swaps)):
            best = self._best(swaps, near)
            if best is None:
                break
            for seeing in list(self._seeing(best, self._published)):
                self.hide(seeing)
            self._move(others, best)
            near = others.near()
            if not near:
                return
        self._surround(coordinate)

    def _best(self, swaps: Sequence[Swap], near: Sequence[Other]) -> Swap | None:
        """Return the first of the swaps that cost least, by the share of the need that each meets."""
        best, least = None, inf
        for swap in swaps:
            # It meets all of the need at most: what costs more than the best one anyway need not be tried.
            cost = self._cost(swap, least)
            if cost > least:
                continue
            share = sum(other.reach(swap) for other in near) / len(near)
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

    def _move(self, others: Others, swap: Swap) -> None:
        moved = 0.0
        for other in others.near():
            if not other.is_far_enough:
                moved += other.move(swap)
        if moved > 0:
            others.seen_by.update(self._seeing(swap, self._all))

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

    def _further(self, coordinate: Coordinate) -> Iterator[Swap]:
        """Yield the swaps with a period that is not among the fullest: looked at before anything is hidden."""
        place, period = coordinate
        for site in self._largest(place, period):
            beside = [it for it in self._margins.beside[period] if it not in self._fullest(site, period)]
            partners = [None, *self._hidden_partners(site, place, period)]
            yield from (Swap(site, partner, period, other) for other in beside for partner in partners)

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
