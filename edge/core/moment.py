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

    @property
    def up_ms(self) -> int:
        """Milliseconds since the boot, as events carry them."""
        return max(0, round(self.mono_s * 1000))

    def moved_to(self, mono_s: float) -> "Moment":
        """Return another moment of the same boot, by the distance between the two on the monotonic clock."""
        wall_ms = self.wall_ms + round((mono_s - self.mono_s) * 1000)
        return Moment(mono_s, max(0, wall_ms), self.clock)


def later(one: Moment, other: Moment) -> Moment:
    """Return the later of two moments of the same boot: device threads may report in another order than they saw."""
    return other if other.mono_s > one.mono_s else one
