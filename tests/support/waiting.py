"""Waiting for what other threads and processes do: a short look again and again, and a generous deadline."""

import time
from collections.abc import Callable

PATIENCE_S = 30.0
"""Many times what anything here takes on a busy machine."""


def eventually(condition: Callable[[], object], *, what: str, within_s: float = PATIENCE_S) -> None:
    """Return as soon as `condition()` is true.

    Raises:
        AssertionError: it is still false after `within_s`.
    """
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.002)
