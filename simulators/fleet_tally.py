"""What a fleet measures: for how long each site was away, and how long an event waited for the hub's commit. Pure."""

from collections import Counter
from dataclasses import dataclass

STEP_S = 0.01
"""Durations are counted in steps of this: a fleet of an hour makes a million of them."""

MAX_TOLD_STEPS = 360_000
"""An hour; what lasts longer is counted as an hour."""


class Spread:
    """How often each duration came."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, duration_s: float) -> None:
        """Count one more."""
        self._counts[min(MAX_TOLD_STEPS, round(duration_s / STEP_S))] += 1

    def told(self) -> dict[str, float]:
        """Return how many there were, and the durations that half, nine tenths, 99 of 100 and all of them kept to."""
        count = self._counts.total()
        return {"n": count, **{name: self._within(share * count) for name, share in _SHARES.items()}}

    @property
    def longest_s(self) -> float:
        """The longest, 0 when there was none."""
        return round(max(self._counts, default=0) * STEP_S, 2)

    def _within(self, wanted: float) -> float:
        seen = 0
        for step in sorted(self._counts):
            seen += self._counts[step]
            if seen >= wanted:
                return round(step * STEP_S, 2)
        return 0.0


_SHARES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99, "max_s": 1.0}


@dataclass(slots=True)
class _Away:
    """A site without the hub: since when, and up to which event it must catch up."""

    since_s: float
    answered: bool = False
    up_to: int = 0


class Tally:
    """What a fleet counts over all sites.

    A site is away from the moment at which its connection is lost until the hub has answered its Hello on another one;
    it has caught up when everything that it held at that answer is committed. The first connection counts by itself.
    """

    def __init__(self) -> None:
        self.first = Spread()
        """From the start of the fleet to a site's first answer."""
        self.away = Spread()
        self.caught_up = Spread()
        self.waits = Spread()
        """How long each event waited from its observation to the hub's word that it is committed."""
        self.taken_back = 0
        """Events that the hub had acknowledged and then no longer had: none, but for one that was restored."""
        self._away: dict[str, _Away] = {}
        self._begun_s: dict[str, float] = {}

    def began(self, site: str, now_s: float) -> None:
        """Note that a site begins without a connection."""
        self._begun_s[site] = now_s

    def left(self, site: str, now_s: float) -> None:
        """Note that a connection was lost; one that is lost before the hub answered on it makes the absence longer."""
        if site not in self._begun_s:
            known = self._away.get(site)
            self._away[site] = _Away(now_s if known is None or known.answered else known.since_s)

    def answered(self, site: str, now_s: float, held_up_to: int) -> None:
        """Note that the hub has answered a site that held events up to a position."""
        begun_s = self._begun_s.pop(site, None)
        if begun_s is not None:
            self.first.add(now_s - begun_s)
        away = self._away.get(site)
        if away is not None and not away.answered:
            away.answered, away.up_to = True, held_up_to
            self.away.add(now_s - away.since_s)

    def committed(self, site: str, now_s: float, position: int) -> None:
        """Note up to where a site's events are committed."""
        away = self._away.get(site)
        if away is not None and away.answered and position >= away.up_to:
            self.caught_up.add(now_s - away.since_s)
            del self._away[site]

    def waited(self, duration_s: float) -> None:
        """Count how long an event waited."""
        self.waits.add(duration_s)

    def took_back(self, events: int) -> None:
        """Count what the hub no longer has; it most often has more than before."""
        self.taken_back += max(0, events)

    def longest_absence_s(self, now_s: float) -> float:
        """Return the longest time that a site was without the hub, those that still are included."""
        still = [now_s - away.since_s for away in self._away.values() if not away.answered]
        still += [now_s - begun_s for begun_s in self._begun_s.values()]
        return round(max([self.away.longest_s, *still]), 2)
