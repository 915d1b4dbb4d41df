"""What is left of a published figure when its published parts are subtracted must be about enough persons, too. Pure.

Two telecentres with two persons each, hidden beside others that are published, are as good as published together: their
valley minus the others is about four persons. So one part more is hidden, until those left over are enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.margins import Coordinate, Margins
from hub.suppression import Pattern


class Contributors(NamedTuple):
    """Who stands behind a figure; None where that is not counted."""

    persons: int | None
    resources: int | None

    @property
    def number(self) -> int:
        """How many there are: what hiding the figure costs."""
        return max(self.persons or 0, self.resources or 0)

    def fewest(self, other: "Contributors | None") -> "Contributors":
        """Return the fewer of two, each kind by itself."""
        if other is None:
            return self
        persons = [count for count in (self.persons, other.persons) if count is not None]
        resources = [count for count in (self.resources, other.resources) if count is not None]
        return Contributors(min(persons, default=None), min(resources, default=None))

    def are_enough(self, k: int, fewest_resources: int) -> bool:
        """Return whether a figure about these may be told; a kind that is not counted does not matter."""
        if self.persons is not None and self.persons < k:
            return False
        return self.resources is None or self.resources >= fewest_resources


@dataclass(frozen=True)
class _Axis:
    """One direction in which margins are subtracted: over places, or over periods."""

    is_of_places: bool
    all_members: Mapping[str, frozenset[str]]
    smaller: Mapping[str, Sequence[str]]
    larger: Mapping[str, Sequence[str]]

    def members(self, coordinate: Coordinate) -> frozenset[str]:
        """Return the sites, or the base periods, of a coordinate."""
        return self.all_members[coordinate[0 if self.is_of_places else 1]]

    def inside(self, whole: Coordinate) -> Iterator[Coordinate]:
        """Yield the coordinates that are a part of one, and not all of it."""
        return self._along(whole, self.smaller)

    def around(self, part: Coordinate) -> Iterator[Coordinate]:
        """Yield the coordinates that one is a part of."""
        return self._along(part, self.larger)

    def _along(self, coordinate: Coordinate, others: Mapping[str, Sequence[str]]) -> Iterator[Coordinate]:
        place, period = coordinate
        if self.is_of_places:
            return ((other, period) for other in others[place])
        return ((place, other) for other in others[period])


def _axis(all_members: Mapping[str, frozenset[str]], *, is_of_places: bool) -> _Axis:
    touching: dict[str, list[str]] = {}
    for name in sorted(all_members):
        for member in all_members[name]:
            touching.setdefault(member, []).append(name)
    larger = {
        name: [other for other in touching[min(members)] if members < all_members[other]]
        for name, members in all_members.items()
    }
    smaller: dict[str, list[str]] = {name: [] for name in all_members}
    for name in sorted(larger):
        for other in larger[name]:
            smaller[other].append(name)
    return _Axis(is_of_places, all_members, smaller, larger)


@dataclass(frozen=True)
class _Left:
    """What is left of a margin: the published parts that together take most away, and who stands behind the rest."""

    subtracted: list[Coordinate]
    behind: Contributors


class Remainders:
    """The remainders of every margin of one subject: a place minus places inside it, a period minus periods inside it.

    A remainder is looked at again when something in it was hidden; otherwise it is as it was.
    """

    def __init__(self, margins: Margins, pattern: Pattern, behind: Mapping[Coordinate, Contributors]) -> None:
        self._pattern = pattern
        self._behind = behind
        self._axes = (_axis(margins.sites, is_of_places=True), _axis(margins.parts, is_of_places=False))
        self._ordered = sorted(behind, key=lambda at: (len(margins.sites[at[0]]), len(margins.parts[at[1]]), at))
        self._left: dict[tuple[bool, Coordinate], _Left | None] = {}

    def complete(self, k: int, fewest_resources: int) -> None:
        """Hide parts until what is left of every published margin is nothing, or about enough contributors."""
        changes = True
        while changes:
            changes = False
            for whole in self._ordered:
                for axis in self._axes:
                    while self._pattern.is_published(whole):
                        self._forget()
                        left = self._left_of(axis, whole)
                        if left is None or left.behind.are_enough(k, fewest_resources):
                            break
                        costs = self._pattern.costs
                        self._pattern.hide(min(left.subtracted, key=lambda part: (costs[part], part)))
                        changes = True

    def _forget(self) -> None:
        for changed in self._pattern.changes():
            for axis in self._axes:
                for whole in axis.around(changed):
                    self._left.pop((axis.is_of_places, whole), None)

    def _left_of(self, axis: _Axis, whole: Coordinate) -> _Left | None:
        key = axis.is_of_places, whole
        if key not in self._left:
            self._left[key] = self._subtract(axis, whole)
        return self._left[key]

    def _subtract(self, axis: _Axis, whole: Coordinate) -> _Left | None:
        parts = [part for part in axis.inside(whole) if part in self._behind]
        shown = [part for part in parts if self._pattern.is_published(part)]
        if not shown or len(shown) == len(parts):
            return None
        members = set(axis.members(whole))
        subtracted = []
        for part in sorted(shown, key=lambda part: (-len(axis.members(part)), part)):
            if not members.isdisjoint(axis.members(part)):
                members -= axis.members(part)
                subtracted.append(part)
        hidden = [part for part in parts if axis.members(part) <= members]
        return _Left(subtracted, self._least(axis, whole, subtracted, hidden)) if hidden else None

    def _least(
        self, axis: _Axis, whole: Coordinate, subtracted: Sequence[Coordinate], hidden: Sequence[Coordinate]
    ) -> Contributors:
        """Return how many stand behind a remainder at least.

        The same person may stand behind several parts: at least as many as behind the largest part, and at least those
        of the whole who are in no subtracted part. Desks of different telecentres are different desks.
        """
        behind = self._behind
        of_whole, persons = behind[whole].persons, [behind[part].persons for part in hidden]
        least_persons = None
        if of_whole is not None and None not in persons:
            others = of_whole - sum(behind[part].persons or 0 for part in subtracted)
            least_persons = max(others, *(count or 0 for count in persons))
        resources = [behind[part].resources for part in hidden if len(axis.members(part)) == 1]
        counts = [count for count in resources if count is not None]
        least_resources = (sum(counts) if axis.is_of_places else max(counts)) if counts else None
        return Contributors(least_persons, least_resources)
