"""For how much of its opening hours a telecentre or zone was heard: what a count of persons is worth. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Heard(NamedTuple):
    """For how long a telecentre was open on a local day, and for how much of that it was heard and persons counted."""

    open_ms: int
    heard_ms: int


UNHEARD = Heard(0, 0)


def longer_of(one: Heard, other: Heard) -> Heard:
    """Return what two desks or rooms of a telecentre tell of the same day: each that is known tells that it was heard.

    It may have been heard for longer, if the one was known in the morning and the other in the afternoon.
    """
    return Heard(max(one.open_ms, other.open_ms), max(one.heard_ms, other.heard_ms))


def coverage_of(heard: Mapping[tuple[str, str], Heard], sites: Iterable[str], days: Iterable[str]) -> float | None:
    """Return for how much of their opening hours telecentres were heard on some days; None where they had none."""
    parts = tuple(days)
    known = [heard[site, day] for site in sites for day in parts if (site, day) in heard]
    open_ms = sum(one.open_ms for one in known)
    return sum(one.heard_ms for one in known) / open_ms if open_ms else None
