"""Which files a database is: told by device and number, so that another one in their place is not taken for it.

A file that was moved or removed takes commits as before, and loses them when its last reader closes it. So a promise is
given only after both files, the database and its log, were seen in their place once the commit was done.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from hub.store.connection import StoreMovedError

Identity = tuple[int, int]
"""Device and number of a file; the system gives no other file the same as long as somebody has it open."""


def identity(file: str | Path) -> Identity | None:
    """Return which file stands at a path, or None when none can be seen there."""
    try:
        found = os.stat(file)  # noqa: PTH116 - twice in each transaction: half of the time of Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True, slots=True)
class Place:
    """The files that a connection has open."""

    file: str
    """As it is configured, and opened at the next start: it may be a link, or lie behind one."""
    log_file: str
    """Beside the file that the link led to when it was opened."""
    database: Identity | None
    log: Identity | None

    @classmethod
    def of(cls, file: str, opened: str) -> "Place":
        """Return which files stand at a path and beside what it led to, as SQLite says, now."""
        return cls(file, f"{opened}-wal", identity(file), identity(f"{opened}-wal"))

    def check(self) -> None:
        """See that the same files still stand there.

        Raises:
            StoreMovedError: they do not.
        """
        if identity(self.file) != self.database:
            raise moved(self.file)
        if identity(self.log_file) != self.log:
            raise StoreMovedError(
                f"{self.log_file} was moved, removed or replaced while it was open: restart the hub (systemctl restart"
                " telecentre-hub), which then writes into the database what it still holds"
            )


def moved(file: str | Path) -> StoreMovedError:
    """Return what to say of a database that is not where it was opened."""
    return StoreMovedError(
        f"{file} was moved, removed or replaced while it was open: put the same file back, or stop the hub and go back"
        " to a copy (telecentre-hub restore)"
    )
