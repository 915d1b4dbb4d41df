"""Child processes that are kept alive, never outlive their parent, and do not fill the disk; and the reckoning."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from simulators.accounts import Account, differences
from simulators.processes import BoundedLog, Child, run_once

_SLEEP = "print('up', flush=True)\ntime.sleep(600)"
PATIENT = f"import time\n{_SLEEP}"
STUBBORN = f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{_SLEEP}"
WILLING = f"import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{_SLEEP}"


async def _until(seen: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not seen():  # noqa: ASYNC110 - a process is looked at, it does not notify
            await asyncio.sleep(0.02)


def _with_child(tmp_path: Path, program: str, use: Callable[[Child, Path], Awaitable[None]]) -> None:
    async def run() -> None:
        log_file = tmp_path / "child.log"
        child = Child("child", [sys.executable, "-c", program], log_file)
        child.start()
        try:
            await _until(lambda: log_file.exists() and "up" in log_file.read_text())
            await use(child, log_file)
        finally:
            await child.stop(5)

    asyncio.run(run())


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    async def use(child: Child, log_file: Path) -> None:
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await _until(lambda: child.pid not in (None, first))
        await _until(lambda: log_file.read_text().count("up") == 2)
        await _until(lambda: "ended with -9" in log_file.read_text())
        assert child.restarts == 1

    _with_child(tmp_path, PATIENT, use)


def test_a_child_that_stops_well_is_not_started_again(tmp_path: Path) -> None:
    async def use(child: Child, _log_file: Path) -> None:
        assert await child.stop(10)
        assert child.pid is None
        assert child.restarts == 0

    _with_child(tmp_path, WILLING, use)


def test_a_child_that_does_not_stop_is_killed_and_told(tmp_path: Path) -> None:
    async def use(child: Child, _log_file: Path) -> None:
        pid = child.pid
        assert not await child.stop(0.3)
        assert pid is not None
        assert not psutil.pid_exists(pid)

    _with_child(tmp_path, STUBBORN, use)


def test_a_child_that_waits_for_its_restart_stops_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        child = Child("child", [sys.executable, "-c", "raise SystemExit(1)"], tmp_path / "child.log")
        child.start()
        await _until(lambda: child.restarts >= 1)
        async with asyncio.timeout(5):
            await child.stop(60)

    asyncio.run(run())


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
import asyncio, sys
from pathlib import Path
from simulators.processes import Child

async def run():
    child = Child("child", [sys.executable, "-c", {PATIENT!r}], Path({str(tmp_path / "child.log")!r}))
    child.start()
    while child.pid is None:
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        child = psutil.Process(int(running.stdout.readline()))
        running.kill()
        child.wait(20)


def test_a_grandchild_that_keeps_the_output_open_does_not_delay_the_restart(tmp_path: Path) -> None:
    holder = "import subprocess, sys, time\nsubprocess.Popen(['sleep', '60'])\nprint('up', flush=True)\ntime.sleep(600)"

    async def use(child: Child, log_file: Path) -> None:
        assert child.pid is not None
        grandchildren = psutil.Process(child.pid).children()
        os.kill(child.pid, signal.SIGKILL)
        await _until(lambda: log_file.read_text().count("up") == 2)
        assert child.pid is not None
        for grandchild in [*grandchildren, *psutil.Process(child.pid).children()]:
            grandchild.kill()

    _with_child(tmp_path, holder, use)


def test_a_log_is_moved_aside_when_it_is_full_and_begun_anew_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "child.log"
    path.write_text("from the last start")
    log = BoundedLog(path, limit_bytes=100)
    for number in range(50):
        log.write(b"line %02d\n" % number)
    log.close()
    assert path.read_text().endswith("line 49\n")
    assert path.stat().st_size <= 100
    assert path.with_name("child.log.1").stat().st_size <= 100
    assert len(list(tmp_path.iterdir())) == 2


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(run_once([sys.executable, "-c", PATIENT], within_s=1))


def test_two_equal_accounts_differ_in_nothing() -> None:
    edges = {"murat": Account(5, {"a": 2, "b": 3})}
    assert differences(edges, {"murat": Account(5, {"a": 2, "b": 3, "older": 7})}) == []


def test_equal_sums_of_different_streams_are_a_difference() -> None:
    told = differences({"murat": Account(5, {"a": 2, "b": 3})}, {"murat": Account(5, {"a": 3, "b": 2})})
    assert told == [
        "murat, stream a: up to 2 at the edge, up to 3 at the hub",
        "murat, stream b: up to 3 at the edge, up to 2 at the hub",
    ]


def test_a_site_that_the_hub_has_never_heard_of_is_a_difference() -> None:
    assert differences({"ydes": Account(1, {"a": 1})}, {})[0] == "ydes: 1 events at the edge, 0 at the hub"
