"""What must not happen when a program fails: a thread that ends without a word, secrets in a core file."""

import resource
import threading
from collections.abc import Callable
from contextlib import suppress

NO_CORE_BYTES = 1


def end_with_threads(on_crash: Callable[[BaseException], None]) -> None:
    """Hear of a bug in any thread, also in a library's own, which would end without a word and leave a deaf program."""

    def forward(crash: threading.ExceptHookArgs) -> None:
        on_crash(crash.exc_value or crash.exc_type())

    threading.excepthook = forward


def forbid_core_dumps() -> None:
    """Keep the keys in memory out of core files; where that is forbidden, systemd has done it.

    One byte and not none: no core is that small, and with none the kernel would still hand it to a program that
    collects them (`core_pattern` with a pipe). Source: Linux, fs/coredump.c (the limit of 1).
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (NO_CORE_BYTES, NO_CORE_BYTES))
