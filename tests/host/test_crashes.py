import threading
from collections.abc import Iterator

import pytest

from host.crashes import end_with_threads


@pytest.fixture(autouse=True)
def _usual_hook() -> Iterator[None]:
    usual = threading.excepthook
    yield
    threading.excepthook = usual


def test_a_bug_in_a_thread_that_is_not_ours_is_heard_of() -> None:
    crashes: list[BaseException] = []
    end_with_threads(crashes.append)

    def fail() -> None:
        raise RuntimeError("in a callback of a library")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join(10)
    assert [str(crash) for crash in crashes] == ["in a callback of a library"]
