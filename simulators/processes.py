"""The child processes of a demo: started, restarted when they die, their logs bounded, and never outliving the demo."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

MAX_LOG_BYTES = 2_000_000
"""One file per child, and one older: an evening of demo, and nobody's disk full."""

BACK_OFF_S = (0.2, 5.0)
"""The first wait before a restart, and the longest: it doubles while the child keeps dying young."""

SETTLED_AFTER_S = 10.0
"""A child that has run so long did start: the next restart is quick again."""

_PR_SET_PDEATHSIG = 1
_CHUNK_BYTES = 65_536


def watch_without_threads() -> None:
    """Let asyncio hear of the end of children from the kernel, as it does by itself from Python 3.12 on.

    Otherwise it starts a thread for each child, and a fork beside a thread is a risk (simulators/demo.py).
    Source: docs of asyncio, PidfdChildWatcher.
    """
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)


def program(name: str) -> str:
    """Return the path of one of our commands: the one installed beside the Python that runs now."""
    return str(Path(sys.executable).with_name(name))


class BoundedLog:
    """A log file that is begun anew at the start, and moved aside once when it is full."""

    def __init__(self, path: Path, limit_bytes: int = MAX_LOG_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._file = path.open("wb", buffering=0)
        self._written_bytes = 0

    def write(self, data: bytes) -> None:
        """Append to the file."""
        if self._written_bytes + len(data) > self._limit_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._path.open("wb", buffering=0)
            self._written_bytes = 0
        self._file.write(data)
        self._written_bytes += len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Child:
    """One child process that is restarted until it is told to stop.

    It has its own process group, so that Ctrl-C in a terminal reaches the demo alone, which stops its children in
    order; and the kernel ends it when the demo dies. `held` are descriptors it keeps open: the lock of the folder.
    """

    def __init__(
        self, name: str, command: list[str], log_file: Path, *, held: tuple[int, ...] = (), env: Mapping[str, str] = {}
    ) -> None:
        self.name = name
        self.restarts = 0
        self._command = command
        self._log_file = log_file
        self._held = held
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self) -> None:
        """Start it, and restart it whenever it ends."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self, within_s: float) -> bool:
        """Ask it to stop, and kill it after `within_s`; return whether it stopped by itself, with success."""
        self._stop.set()
        if self._keeper is None:
            return True
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self._process.terminate()
        done, _ = await asyncio.wait([self._keeper], timeout=within_s)
        if not done and self._process is not None:
            log.warning("child=%s event=killed after_s=%s", self.name, within_s)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._keeper
        return bool(done) and self._process is not None and self._process.returncode == 0

    async def _keep(self) -> None:
        wait_s, most_s = BACK_OFF_S
        with _piped_into(self._log_file) as (pipe, bounded):
            while not self._stop.is_set():
                begun_s = time.monotonic()
                code = await self._run_once(pipe)
                if self._stop.is_set():
                    return
                bounded.write(f"--- {self.name} ended with {code}; it is restarted ---\n".encode())
                log.info("child=%s event=ended code=%s", self.name, code)
                lived_s = time.monotonic() - begun_s
                wait_s = BACK_OFF_S[0] if lived_s > SETTLED_AFTER_S else min(wait_s * 2, most_s)
                self.restarts += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), wait_s)

    async def _run_once(self, pipe: int) -> int:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            env=self._env,
            pass_fds=self._held,
            process_group=0,
            preexec_fn=_tether(),
        )
        if self._stop.is_set():  # it was asked to stop while the child was being made
            process.terminate()
        return await process.wait()


@contextlib.contextmanager
def _piped_into(log_file: Path) -> Iterator[tuple[int, BoundedLog]]:
    """Give a bounded log and a descriptor whose bytes go there too.

    One pipe for all lives of a child: an end of file would only come when its last grandchild has closed it, and
    nobody should wait for that.
    """
    loop = asyncio.get_running_loop()
    bounded = BoundedLog(log_file)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def pump() -> None:
        with contextlib.suppress(BlockingIOError):
            bounded.write(os.read(reading, _CHUNK_BYTES))

    loop.add_reader(reading, pump)
    try:
        yield writing, bounded
    finally:
        loop.remove_reader(reading)
        pump()
        os.close(reading)
        os.close(writing)
        bounded.close()


async def run_once(command: list[str], *, within_s: float) -> tuple[int, str, str]:
    """Run a short command to its end; return its exit code, standard output and standard error.

    Raises:
        TimeoutError: it took longer; it has been killed.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
        preexec_fn=_tether(),
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:  # too long, or nobody waits for it any more
            process.kill()
            await process.communicate()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


def _tether() -> Callable[[], None]:
    """Return what ties a child to this process, for the moment between fork and exec.

    Source: prctl(2), PR_SET_PDEATHSIG: the child gets SIGTERM when its parent dies, however the parent dies.
    """
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return tie
