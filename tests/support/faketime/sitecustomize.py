"""Lets every Python process under faketime sleep; loaded by its folder being on PYTHONPATH.

libfaketime 0.9.10 with FAKETIME_DONT_FAKE_MONOTONIC=1 shifts the absolute deadline of `clock_nanosleep` all the same,
and `time.sleep` (Python 3.11 and later) then fails with EINVAL. Without that variable every timed wait of a thread
would last for ever. A select without files waits as long, on a clock that is not faked.
"""

import select
import time
from typing import SupportsIndex


def _sleep(for_s: float | SupportsIndex, /) -> None:
    wait_s = for_s if isinstance(for_s, float) else float(for_s.__index__())
    if wait_s < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], wait_s)


time.sleep = _sleep
