"""Margins: places as sets of sites, periods as sets of base periods, and what adds up over them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

Coordinate = tuple[str, str]
"""Place and period."""


class Atom(NamedTuple):
    """What one measure is in one site and base period, and the most that anybody must believe it could be."""

    value: float
    ceiling: float = inf


NOTHING: Atom = Atom(0.0, 0.0)
"""A site that tells nothing of a base period had nothing in it, and everybody knows."""


@dataclass(frozen=True)
class Margins:
    """Places as sets of sites, periods as sets of base periods; both may overlap in any way."""

    sites: Mapping[str, frozenset[str]]
    parts: Mapping[str, frozenset[str]]
    freqs: Mapping[str, str]

    @cached_property
    def around(self) -> dict[str, tuple[str, ...]]:
        """For each site, the places that hold it, the smallest first."""
        ordered = sorted(self.sites, key=lambda place: (len(self.sites[place]), place))
        return _inverted(ordered, self.sites)

    @cached_property
    def ordered(self) -> dict[str, tuple[str, ...]]:
        """For each period, its base periods in order of name."""
        return {period: tuple(sorted(parts)) for period, parts in self.parts.items()}

    def is_site(self, place: str) -> bool:
        """Return whether a place is one site, and not a zone that happens to hold one."""
        return self.sites[place] == {place}

    @cached_property
    def within(self) -> dict[str, frozenset[str]]:
        """For each period, those that share a part with it, itself among them."""
        touching = {part: frozenset(periods) for part, periods in _inverted(sorted(self.parts), self.parts).items()}
        return {period: frozenset().union(*(touching[part] for part in parts)) for period, parts in self.parts.items()}

    @cached_property
    def holding(self) -> dict[str, frozenset[str]]:
        """For each period, those that hold all of it, itself among them."""
        return {
            period: frozenset(other for other in self.within[period] if self.parts[other] >= parts)
            for period, parts in self.parts.items()
        }

    @cached_property
    def beside(self) -> dict[str, tuple[str, ...]]:
        """For each period, the others of its length that share no part with it, in order of name."""
        by_freq: dict[str, list[str]] = {}
        for period in sorted(self.parts):
            by_freq.setdefault(self.freqs[period], []).append(period)
        return {
            period: tuple(other for other in by_freq[self.freqs[period]] if other not in self.within[period])
            for period in self.parts
        }


def _inverted(keys: Iterable[str], members: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        for member in members[key]:
            found.setdefault(member, []).append(key)
    return {member: tuple(names) for member, names in found.items()}


class Measure:
    """One additive measure over sites and base periods."""

    def __init__(self, margins: Margins, atoms: Mapping[Coordinate, Atom], step: float = 1.0) -> None:
        self._margins = margins
        self._step = step
        self._sites: dict[str, dict[str, Atom]] = {site: {} for site in margins.sites}
        for site, part in sorted(atoms):
            self._sites[site][part] = atoms[site, part]
        self._known: dict[Coordinate, float] = {}
        self._rooms: dict[Coordinate, float] = {}

    def atoms(self, site: str) -> Mapping[str, Atom]:
        """Return the measure in one site, by base period; a base period that is not there has nothing."""
        return self._sites[site]

    def value(self, place: str, period: str) -> float:
        """Return the measure in a place and period, as the sum of its atoms."""
        known = self._known.get((place, period))
        if known is None:
            known = self._known[place, period] = sum(atom.value for atom in self._atoms_in(place, period))
        return known

    def totals(self) -> dict[str, float]:
        """Return what each site has in all its base periods together."""
        return {site: sum((atom.value for atom in atoms.values()), start=0.0) for site, atoms in self._sites.items()}

    def room(self, place: str, period: str) -> float:
        """Return how much higher the measure could be, for all that everybody knows."""
        known = self._rooms.get((place, period))
        if known is None:
            known = sum(atom.ceiling - atom.value for atom in self._atoms_in(place, period))
            self._rooms[place, period] = known
        return known

    def secret(self, place: str, period: str) -> float:
        """Return how wide the range must be in which nobody can say what the measure is: one step.

        It is less where everybody knows that there is less, and none where there was nothing.
        """
        return min(self._step, self.value(place, period) + self.room(place, period))

    def _atoms_in(self, place: str, period: str) -> Iterator[Atom]:
        parts = self._margins.ordered[period]
        for site in sorted(self._margins.sites[place]):
            atoms = self._sites[site]
            yield from (atoms[part] for part in parts if part in atoms)
