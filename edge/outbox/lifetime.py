"""How old a row surely is, whatever the wall clock says: two clocks that never run ahead of the truth.

One is how long agents have run on this file, which needs no wall clock at all. The other is the last time that a
synchronised clock gave, and how long agents have run since. Neither counts the days that a Pi was switched off, until
its clock is synchronised again: a row may be older than it surely is, and never younger.

Source: docs/decisions/0014-a-person-is-as-old-as-can-be-proved.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

JUMP_MS = 3_600_000
"""A synchronised clock that says more than so much more than was sure tells of days without power."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment by both clocks."""

    lived_ms: int = 0
    """How long agents have run on this file."""
    sure_ms: int = 0
    """The present is not before this, in UTC; small while no clock was ever synchronised."""


class Lifetime:
    """Both clocks of an open file, from where its last event left them."""

    def __init__(self, left: Stamp, mono_s: Callable[[], float]) -> None:
        self._left = left
        self._mono_s = mono_s
        self._opened_s = mono_s()
        self._ahead_ms = left.sure_ms - left.lived_ms
        self._is_synced = False

    def now(self) -> Stamp:
        """Return the present moment."""
        lived_ms = self._left.lived_ms + round((self._mono_s() - self._opened_s) * 1000)
        return Stamp(lived_ms, lived_ms + self._ahead_ms)

    @property
    def acknowledged(self) -> int:
        """Return how the present is noted beside a row that the hub has: `sure_ms`, or -1 - `lived_ms`.

        While no clock was synchronised since the file was opened, `sure_ms` stands in the past, and will jump.
        """
        now = self.now()
        return now.sure_ms if self._is_synced else -1 - now.lived_ms

    def synced(self, at_ms: int) -> bool:
        """Believe a synchronised clock, also one that is set back; return whether it tells of days without power."""
        now = self.now()
        self._ahead_ms = at_ms - now.lived_ms
        self._is_synced = True
        return at_ms - now.sure_ms > JUMP_MS
