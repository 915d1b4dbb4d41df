"""A site of the fleet and its connection: what stands between the two, and when the next one is tried."""

from dataclasses import dataclass
from random import Random

from simulators.fleet_line import Line
from simulators.fleet_site import FleetSite

PAUSE_MIN_S, PAUSE_MAX_S, STEADY_S = 1.0, 60.0, 10.0
"""Before a connection is made again: as a site that is shipped (docs/mqtt-api.md, Connections)."""


@dataclass(slots=True)
class Member:
    """A site, its topics, and its present connection if it has one."""

    site: FleetSite
    topics: dict[str, str]
    hub_topic: str
    line: Line | None = None
    watched: int = 0
    opened_s: float = 0.0
    opens_s: float = 0.0
    looks_s: float = 0.0
    bound_s: float = PAUSE_MIN_S
    scheduled_s: float = float("inf")
    connections: int = 0
    away: bool = False
    """It is offline by its own line: it stores what it observes, and does not connect."""

    def wait_to_open(self, now_s: float, random: Random, spread_s: float) -> None:
        """Say when to connect again after a connection was lost."""
        line = self.line
        if line is not None and line.answered and now_s - self.opened_s >= max(STEADY_S, 2 * self.bound_s):
            # Closed, it was closed to all at once; silent, it is most often this site's own line.
            self.bound_s, spread_s = PAUSE_MIN_S, 0.0 if line.silent else spread_s
        else:
            self.bound_s = min(PAUSE_MAX_S, 2 * self.bound_s)
            spread_s = self.bound_s - PAUSE_MIN_S
        self.opens_s = now_s + PAUSE_MIN_S + random.random() * spread_s

    def come_back(self, now_s: float, random: Random) -> None:
        """Have the line back: connect soon."""
        self.away, self.bound_s = False, PAUSE_MIN_S
        self.opens_s = now_s + random.random() * PAUSE_MIN_S
