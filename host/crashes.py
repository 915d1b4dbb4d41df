"""Bugs of ours in threads that nobody watches."""

import threading
from collections.abc import Callable


def end_with_threads(on_crash: Callable[[BaseException], None]) -> None:
    """Hear of a bug in any thread, also in a library's own, which would end without a word and leave a deaf program."""

    def forward(crash: threading.ExceptHookArgs) -> None:
        on_crash(crash.exc_value or crash.exc_type())

    threading.excepthook = forward
