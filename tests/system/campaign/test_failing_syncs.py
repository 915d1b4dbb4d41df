"""Every sync of the outbox fails once, and every sync is once the last thing its process does."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.config import OutboxSettings
from edge.outbox import read_status
from tests.support.events import desk
from tests.support.outbox_agent import Agent, statement

pytestmark = [pytest.mark.needs_ptrace, pytest.mark.timeout(300)]

EVENTS = 130
CHILD_S = 110.0
_EVENTS = "SELECT stream, seq, json_extract(line, '$.up') FROM outbox JOIN stream USING (ordinal) ORDER BY ordinal, seq"
AT_ONCE = 2
"""Children side by side: the tests have two cores."""


@pytest.fixture(autouse=True)
def _needs_ptrace() -> None:
    """Skip where strace is not installed, or may not trace."""
    if (
        shutil.which("strace") is None
        or subprocess.run(["strace", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("strace is not installed, or the kernel does not allow ptrace")


class Life:
    """One child that stores EVENTS events while its n-th sync fails; n = 0 leaves it in peace."""

    def __init__(self, folder: Path, fault: str, sync: int) -> None:
        self.folder, self.sync = folder / "outbox", sync
        self._trace = folder / "trace"
        folder.mkdir()
        wrap = ["strace", "-f", "-o", str(self._trace), "-e", "trace=fdatasync"]
        inject = ["-e", f"inject=fdatasync:{fault}:when={sync}"] if sync else []
        child = [sys.executable, "-m", "tests.support.outbox_child", str(self.folder), "0", str(EVENTS), "0"]
        done = subprocess.run(
            [*wrap, *inject, *child], stdin=subprocess.DEVNULL, capture_output=True, timeout=CHILD_S, check=False
        )
        self.told = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]

    @property
    def syncs(self) -> int:
        """How many syncs it made."""
        return self._trace.read_text().count("fdatasync(")

    @property
    def was_hit(self) -> bool:
        """Whether the fault came."""
        trace = self._trace.read_text()
        return "(INJECTED)" in trace or "killed by SIGKILL" in trace

    def said_stored(self) -> dict[str, int]:
        """Return the last position of each stream that it ever called stored."""
        stored = Counter[str]()
        for told in self.told:
            stored |= Counter(told["held"])
        return dict(stored)

    def in_file(self) -> dict[str, int]:
        """Return the last position of each stream of the file; no stream may have a hole."""
        last: dict[str, int] = {}
        for stream, seq, _ in self._rows():
            assert seq == last.get(stream, 0) + 1, f"sync {self.sync}: a hole in {stream}"
            last[stream] = seq
        return last

    def numbers(self) -> list[int]:
        """Return the number of each event in the file, in order."""
        return [number for _, _, number in self._rows()]

    def _rows(self) -> list[tuple[str, int, int]]:
        """Return stream, seq and number of each event; a life that ended before its first commit has no table."""
        has_table = statement(self.folder, "SELECT 1 FROM sqlite_schema WHERE name = 'tally'")
        rows = statement(self.folder, _EVENTS) if has_table else []
        return [(str(stream), int(str(seq)), int(str(number))) for stream, seq, number in rows]


def at_every_sync(folder: Path, fault: str, check: Callable[[Life], None]) -> None:
    """Let each sync of a life fail in turn, and check what is left of each."""
    syncs = Life(folder / "in-peace", fault, 0).syncs
    assert syncs > 8
    with ThreadPoolExecutor(AT_ONCE) as pool:
        lives = list(pool.map(lambda sync: Life(folder / str(sync), fault, sync), range(1, syncs + 1)))
    # The last syncs of a life vary by one or two with what the machine let it do together.
    assert sum(life.was_hit for life in lives) >= syncs - 2
    for life in lives:
        in_file = life.in_file()
        for stream, last in life.said_stored().items():
            assert in_file.get(stream, 0) >= last, f"sync {life.sync}: said to be stored, and lost"
        check(life)


def test_an_error_at_any_sync_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    def check(life: Life) -> None:
        assert life.told[-1]["what"] == "stopped", f"sync {life.sync}: {life.told[-1]}"
        assert life.numbers() == list(range(EVENTS)), f"sync {life.sync}"
        began_again = any(told["what"] == "new_stream" for told in life.told)
        assert len(life.in_file()) == 1 + began_again, f"sync {life.sync}: the outbox goes on in a new stream"

    at_every_sync(tmp_path, "error=EIO", check)


def test_a_kill_at_any_sync_loses_nothing_that_was_called_stored(tmp_path: Path) -> None:
    def check(life: Life) -> None:
        before = life.numbers()
        assert before == list(range(len(before))), f"sync {life.sync}: only a tail may be missing"
        streams = life.in_file()
        agent = Agent(life.folder).start()
        agent.store(desk(EVENTS))
        agent.stop()
        assert life.numbers() == [*before, EVENTS]
        assert len(life.in_file()) == len(streams) + 1, f"sync {life.sync}: a new life is a new stream"
        assert read_status(OutboxSettings(folder=life.folder)).events == len(before) + 1

    at_every_sync(tmp_path, "signal=KILL", check)
