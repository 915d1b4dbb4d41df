"""Counts of different persons, told so that none can be subtracted from another to tell of a few. Pure.

Who came to a telecentre came to its valley, and who came in a week came in its month: such counts are no sums, but the
sizes of sets of which one lies inside another. Of two that are told, the larger minus the smaller is exactly how many
came there and never here. So of two that differ by fewer than `k`, the larger is not told.

They are looked at from the inside out: a count is told if it is at least `k` more than each told count inside it. Two
that are the same because everybody knows that nobody else was counted tell nothing about each other.

Source: docs/decisions/0047 says what somebody learns from a count that is hidden so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hub.margins import Coordinate, Margins, Measure


class _Extent(NamedTuple):
    """Where and when anybody can have come, for all that everybody knows."""

    sites: frozenset[str]
    parts: frozenset[str]
    atoms: int
    """How many of these sites in these base periods."""


class Nested:
    """Counts of persons: all may be told at first, fewer and fewer as thresholds rise. Nothing comes back."""

    def __init__(
        self, margins: Margins, measures: Sequence[Measure], counts: Mapping[Coordinate, float], largest_k: int
    ) -> None:
        """Find which counts lie inside which, of those that differ by less than the largest threshold.

        Args:
            margins: the places and periods.
            measures: what is counted; where there is nothing and no room for any, everybody knows that nobody came.
            counts: how many persons, by place and period.
            largest_k: the largest threshold that will be asked for.
        """
        self._margins = margins
        self._open = {site: _open_parts(measures, site) for site in margins.sites if margins.is_site(site)}
        self._around_sites: dict[frozenset[str], list[str]] = {}
        self._around_parts: dict[frozenset[str], list[str]] = {}
        self._inside: dict[Coordinate, list[tuple[float, Coordinate]]] = {}
        self._hidden: set[Coordinate] = set()
        extents = {at: self._extent(at) for at in counts}
        for inner, extent in extents.items():
            for outer in self._around(extent):
                if outer in counts and extents[outer].atoms > extent.atoms:
                    more = counts[outer] - counts[inner]
                    if more < largest_k:
                        self._inside.setdefault(outer, []).append((more, inner))
        # Whatever lies inside another has fewer atoms.
        self._ordered = sorted(self._inside, key=lambda at: (extents[at].atoms, at))

    def separate(self, k: int, is_told: Callable[[Coordinate], bool]) -> None:
        """Hide, of those that are told otherwise, each that is fewer than `k` more than one inside it."""
        for outer in self._ordered:
            if outer not in self._hidden and is_told(outer):
                near = (inner for more, inner in self._inside[outer] if more < k and inner not in self._hidden)
                if any(is_told(inner) for inner in near):
                    self._hidden.add(outer)

    def hidden(self) -> frozenset[Coordinate]:
        """Return the places and periods whose count is not told, so far."""
        return frozenset(self._hidden)

    def _extent(self, at: Coordinate) -> _Extent:
        parts = self._margins.parts[at[1]]
        there = {site: self._open[site] & parts for site in self._margins.sites[at[0]]}
        sites = frozenset(site for site, days in there.items() if days)
        return _Extent(sites, frozenset[str]().union(*there.values()), sum(map(len, there.values())))

    def _around(self, extent: _Extent) -> Iterator[Coordinate]:
        """Yield the places and periods in which everybody is who is in an extent."""
        if extent.sites not in self._around_sites:
            places = self._margins.around[min(extent.sites)] if extent.sites else ()
            self._around_sites[extent.sites] = [it for it in places if extent.sites <= self._margins.sites[it]]
        if extent.parts not in self._around_parts:
            periods = self._margins.within[min(extent.parts)] if extent.parts else ()
            held = (it for it in sorted(periods) if extent.parts <= self._margins.parts[it])
            self._around_parts[extent.parts] = list(held)
        for place in self._around_sites[extent.sites]:
            for period in self._around_parts[extent.parts]:
                yield place, period


def _open_parts(measures: Sequence[Measure], site: str) -> frozenset[str]:
    """Return the base periods in which a site may have had anything, for all that everybody knows."""
    return frozenset(
        part for measure in measures for part, atom in measure.atoms(site).items() if max(atom.value, atom.ceiling) > 0
    )
