"""What must not happen when a program fails: a thread that ends without a word, secrets in a core file."""

import resource
import threading
from collections.abc import Callable
from contextlib import suppress


def end_with_threads(on_crash: Callable[[BaseException], None]) -> None:
    """Hear of a bug in any thread, also in a library's own, which would end without a word and leave a deaf program."""

    def forward(crash: threading.ExceptHookArgs) -> None:
        on_crash(crash.exc_value or crash.exc_type())

    threading.excepthook = forward


def forbid_core_dumps() -> None:
    """Keep the keys in memory out of core files; where that is forbidden, systemd has done it."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
