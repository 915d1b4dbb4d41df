import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

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
    # With 0 the kernel would still hand the core to a program that collects them (core_pattern with a pipe).
    assert said.stdout == "(1, 1)\n"


@pytest.mark.parametrize(("program", "command"), [("hub", ["keys", "show"]), ("edge", ["keys", "show"])])
def test_every_command_that_reads_a_key_leaves_no_core_file(program: str, command: list[str], tmp_path: Path) -> None:
    script = f"""
import resource, sys
from {program}.__main__ import main
try:
    main({[*command, "--config", str(tmp_path / "none.toml")]!r})
except SystemExit:
    print(resource.getrlimit(4))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "(1, 1)\n"
