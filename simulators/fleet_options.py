"""What a fleet is asked to play, and what is said when it cannot."""

from dataclasses import dataclass
from pathlib import Path

from simulators.fleet_patience import STILL_S
from simulators.network import Network


class FleetError(Exception):
    """The fleet cannot run: one sentence with its remedy."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to play; `for_s` None: until it is stopped."""

    network: Network
    broker: tuple[str, int]
    rate: float
    """Events a second, over all sites."""
    for_s: float | None
    seed: int
    spread_s: float = 30.0
    """`hello_spread_s` of every site."""
    still_s: float = STILL_S
    """How long to wait for the hub in the end without a step of it."""
    most_s: float | None = None
    """And in all, stopped or not; None: MOST_S, but STOPPED_MOST_S when it is stopped."""
    ledger: Path | None = None
    """Where to write what the hub must end with, one JSON object a line: streams, then figures of days."""
    calm: bool = False
    """No site goes offline by itself, no message is lost or repeated: for measuring the hub."""

    @property
    def where(self) -> str:
        """The broker's address as it is written."""
        host, port = self.broker
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
