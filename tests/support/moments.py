"""Moments for tests of the pure core: seconds since a start that is both the boot and a known wall time."""

from datetime import datetime

from contract.events import Clock
from edge.core.moment import Moment

MONDAY_NINE = datetime.fromisoformat("2026-11-23T09:00:00+01:00")


def wall_ms(text: str) -> int:
    """Return an ISO 8601 instant with its offset as UTC milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def at(seconds: float, clock: Clock = "synced", start: datetime = MONDAY_NINE) -> Moment:
    """Return the moment so many seconds after the start."""
    return Moment(seconds, round(start.timestamp() * 1000) + round(seconds * 1000), clock)


def on(text: str, clock: Clock = "synced") -> Moment:
    """Return the moment of an ISO 8601 instant, on a machine that booted at the epoch."""
    return Moment(wall_ms(text) / 1000, wall_ms(text), clock)
