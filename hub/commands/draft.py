"""A folder that is there with all its files, or not at all: made under another name beside its place, then moved."""

import fcntl
import os
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from hub.release import FIGURES, METHOD, PLACES, SUMS, ReleaseError

OURS: Collection[str] = (FIGURES, METHOD, PLACES, SUMS)
"""What a draft may hold; nothing else is ever taken away."""


class Draft:
    """A folder under way; nobody else writes to it while its lock is held."""

    def __init__(self, folder: Path, draft: Path) -> None:
        self._folder, self._draft = folder, draft
        self.is_published = False

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write the files to the disk.

        Raises:
            ReleaseError: they cannot be written.
        """
        try:
            for name, content in files.items():
                with (self._draft / name).open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise _refused(self._folder, error) from error

    def publish(self) -> None:
        """Give the folder its name.

        Raises:
            ReleaseError: something else has the name by now.
        """
        try:
            self._draft.rename(self._folder)
            self.is_published = True
        except OSError as error:
            raise _refused(self._folder, error) from error


@contextmanager
def drafted(folder: Path) -> Iterator[Draft]:
    """Give a draft of a folder; what is not published when the block ends is taken away.

    What an export that was killed has left is taken over.

    Raises:
        ReleaseError: the folder is there already, cannot be made, or another export writes to it.
    """
    if os.path.lexists(folder):
        raise ReleaseError(f"{folder} is there already: a release is never written over")
    draft = folder.with_name(f".{folder.name}.draft")
    lock_fd = _locked(folder, draft)
    made = Draft(folder, draft)
    try:
        yield made
    finally:
        if not made.is_published:
            with suppress(OSError):
                _empty(draft)
                draft.rmdir()
        os.close(lock_fd)


def _locked(folder: Path, draft: Path) -> int:
    """Make the draft, or empty the one that is there; return what keeps others from it until it is closed."""
    try:
        with suppress(FileExistsError):
            draft.mkdir()
        lock_fd = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(folder, error) from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(draft)
        others = sorted(file.name for file in draft.iterdir())
    except OSError as error:
        os.close(lock_fd)
        if isinstance(error, BlockingIOError):
            raise ReleaseError(f"another export writes {folder} at this moment") from error
        raise _refused(folder, error) from error
    if others:
        os.close(lock_fd)
        raise ReleaseError(f"{draft} is in the way: it holds {others[0]}")
    return lock_fd


def _empty(draft: Path) -> None:
    for name in OURS:
        (draft / name).unlink(missing_ok=True)


def _refused(folder: Path, error: OSError) -> ReleaseError:
    if os.path.lexists(folder):
        return ReleaseError(f"{folder} is there already: a release is never written over")
    return ReleaseError(f"{folder} cannot be written: {error.strerror}")


@contextmanager
def stoppable() -> Iterator[None]:
    """End the block in one sentence when somebody stops it: Ctrl-C, or the SIGTERM of a system that goes down."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        raise ReleaseError("stopped: nothing was frozen, and nothing written") from error
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def unstoppable() -> Iterator[None]:
    """Go through the block, of a second or two, whoever wants to stop it."""
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
