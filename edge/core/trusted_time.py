"""The time that a list of rights is judged by: a mark that only moves forward, whatever the wall clock does.

It advances by the `issued_at` of accepted lists and by elapsed monotonic time, never by the wall clock: a clock gone
back cannot revive an expired list, and a clock gone wild cannot lock a site out. While the Pi has no power and no
real-time clock the mark stands still, so the bound on a revoked badge counts powered time (docs/passes.md).
"""

from dataclasses import dataclass

from contract.events import DecidedBy
from edge.core.moment import Moment

MAX_AHEAD_MS = 300_000
"""How far the hub's clock may be ahead of a right clock here (5 minutes, as `contract.limits.MAX_FUTURE_MS`)."""


@dataclass(frozen=True, slots=True)
class TrustedTime:
    """It was at least `mark_ms` (UTC) at `mono_s` of this boot."""

    mark_ms: int
    mono_s: float

    def now_ms(self, at: Moment) -> int:
        """Return the least that UTC can be at a moment of this boot."""
        return self.mark_ms + max(0, round((at.mono_s - self.mono_s) * 1000))

    def advanced(self, issued_at_ms: int, at: Moment) -> "TrustedTime":
        """Return the mark after a list was accepted: it proves that its issue has passed."""
        return TrustedTime(max(self.now_ms(at), issued_at_ms), at.mono_s)


@dataclass(frozen=True, slots=True)
class Judged:
    """The time of a decision: `now_ms` for windows and validity, `trusted_ms` for the life of the list."""

    now_ms: int
    trusted_ms: int
    by: DecidedBy


def judge(trusted: TrustedTime | None, at: Moment, expires_at_ms: int | None) -> Judged:
    """Return by which time a decision at `at` is taken.

    The wall clock is believed when it was set, is not behind the mark (beyond what two right clocks may differ), and
    is not past the end of the list in force: a clock that says so is wild, or the list is as good as over. It never
    takes the decision to a time before the mark. Otherwise the mark decides alone.
    """
    if trusted is None:
        return Judged(at.wall_ms, at.wall_ms, "high_water" if at.clock == "unsynced" else "clock")
    mark_ms = trusted.now_ms(at)
    believed = (
        at.clock != "unsynced"
        and at.wall_ms >= mark_ms - MAX_AHEAD_MS
        and (expires_at_ms is None or at.wall_ms <= expires_at_ms)
    )
    return Judged(max(at.wall_ms, mark_ms) if believed else mark_ms, mark_ms, "clock" if believed else "high_water")
