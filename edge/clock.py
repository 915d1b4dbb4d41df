"""The machine's clocks: monotonic since the boot, wall, and how far the wall clock is to be believed."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from contract.events import Clock
from edge.core.moment import Moment
from edge.core.site import CLOCK_STEP_MS

SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes this file when it has set the clock; it lasts as long as the boot."""

_TIME_ERROR = 5
_TIMEX_BYTES = 1024
"""Larger than `struct timex` on any architecture; zeros ask the kernel to change nothing."""


def kernel_says_synced() -> bool | None:
    """Return whether the kernel's clock follows a reference; None when it may not be asked (systemd's ProtectClock=).

    Source:
        adjtimex(2): with `modes` 0 it reads only, and returns TIME_ERROR for a clock that is not synchronised.
    """
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


def judge_clock(*, simulated: bool) -> Clock:
    """Return how far the wall clock is to be believed now; where devices are simulated, it always is."""
    if simulated:
        return "synced"
    synced, was_set = kernel_says_synced(), SYNCHRONIZED.exists()
    if synced or (synced is None and was_set):
        return "synced"
    return "holdover" if was_set else "unsynced"


def _mono_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _wall_ms() -> int:
    return max(0, time.time_ns() // 1_000_000)


class SystemClock:
    """Gives moments to every thread; `judge` belongs to the main thread alone."""

    def __init__(
        self,
        judge: Callable[[], Clock],
        mono_s: Callable[[], float] = _mono_s,
        wall_ms: Callable[[], int] = _wall_ms,
    ) -> None:
        self._judge = judge
        self._mono_s = mono_s
        self._wall_ms = wall_ms
        self._state: Clock = judge()
        self._offset_ms = self._offset()

    def now(self) -> Moment:
        """Return this moment; a clock that has jumped since it was judged is not vouched for until it is again."""
        mono_s, wall_ms, state = self._mono_s(), self._wall_ms(), self._state
        if state == "synced" and abs(wall_ms - round(mono_s * 1000) - self._offset_ms) >= CLOCK_STEP_MS:
            state = "holdover"
        return Moment(mono_s, wall_ms, state)

    def judge(self) -> int | None:
        """Judge again; return by how much the wall clock has moved if that or its state matters, else None."""
        offset_ms, before = self._offset(), self._state
        state = self._judge()
        if state == "unsynced" and before != "unsynced":
            state = "holdover"
        self._state = state
        step_ms = offset_ms - self._offset_ms
        if state == before and abs(step_ms) < CLOCK_STEP_MS:
            # Slewing is no step: what NTP corrects slowly must not add up to one.
            self._offset_ms = offset_ms
            return None
        self._offset_ms = offset_ms
        return step_ms

    def _offset(self) -> int:
        return self._wall_ms() - round(self._mono_s() * 1000)
