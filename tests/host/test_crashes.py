import subprocess
import sys
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


def test_a_program_that_holds_keys_leaves_no_core_file() -> None:
    script = "import resource; from host.crashes import forbid_core_dumps as f; f(); print(resource.getrlimit(4))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout == "(0, 0)\n"
