"""The time at which something was observed: monotonic to measure, wall to stamp."""

from dataclasses import dataclass

from contract.events import Clock


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks.

    `mono_s` is CLOCK_BOOTTIME in seconds: it measures durations and survives suspension. `wall_ms` is UTC, used only to
    stamp events and to check validity; `clock` says how far to believe it.
    """

    mono_s: float
    wall_ms: int
    clock: Clock

    def ago(self, seconds: float) -> "Moment":
        """Return the moment `seconds` earlier: what a backdated event is stamped with."""
        return Moment(self.mono_s - seconds, self.wall_ms - round(seconds * 1000), self.clock)
