"""The rounds of a thread that looks into the database again and again, and waits while the database is down."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
"""Before the database is asked again, doubling."""


def go_round(
    look: Callable[[], None],
    stopping: threading.Event,
    *,
    every_s: float,
    waits_on: tuple[type[Exception], ...],
    on_crash: Callable[[BaseException], None],
) -> None:
    """Call `look` until `stopping` is set; what it may have to wait for is in `waits_on`, all else is a bug of ours."""
    wait_s = FIRST_WAIT_S
    try:
        while not stopping.is_set():
            try:
                look()
                wait_s = FIRST_WAIT_S
                stopping.wait(every_s)
            except waits_on as error:
                log.warning(
                    "thread=%s waits wait_s=%.1f reason=%r", threading.current_thread().name, wait_s, str(error)
                )
                stopping.wait(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
    except BaseException as error:  # noqa: BLE001 - the top of a thread: main decides, and the process ends
        on_crash(error)
