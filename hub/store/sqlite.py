"""How the store speaks to SQLite: connections that cannot lose a commit."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from hub.store.connection import StoreDownError, StoreRefusedError, Values, snapshot
from hub.store.erasures import ledger_of
from hub.store.lock import claimed
from hub.store.together import put_together

BEAT_S = 0.5
"""Between two signs of life while a whole file is read."""

CACHE_KIB = 65_536
"""Of the database in memory: the inner pages of the history's index stay there (the default is 2 MiB)."""

CHECKPOINT_PAGES = 8_000
"""Of 4 KiB in the log before they are moved to the file: 32 MiB, so that a burst does not stop for it too often."""

BUSY_TIMEOUT_MS = 10_000
"""How long one writer waits for another (an import beside a running hub) before the database counts as down."""


class SqliteConnection(sqlite3.Connection):
    """SQLite's own connection, with what makes it a `Connection` of the store."""

    def ask(self, *questions: tuple[str, Values]) -> list[list[Any]]:
        """Return the rows of each statement, all of one consistent state."""
        with snapshot(self):
            return [self.execute(statement, values).fetchall() for statement, values in questions]

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction; one that writes takes its turn among the writers at once."""
        self.execute("begin immediate" if writes else "begin")

    def insert(self, statement: str, rows: Sequence[Sequence[object]], /, *, new: bool = False) -> int:  # noqa: ARG002 - it is no quicker then
        """Insert rows, their values in the order of the one group of marks; return how many were written."""
        return put_together(self, statement, rows)

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands: a file does not go away by itself."""
        return True

    def lock_sites(self, sites: Iterable[str], *, waits: bool = True) -> set[str]:  # noqa: ARG002 - nobody else writes
        """Return the sites: who writes has the whole file."""
        return set(sites)

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """See that what is deleted within the block is overwritten: it would stay readable in the file's free pages."""
        self.execute("pragma secure_delete = on")
        yield
        self.execute("pragma secure_delete = off")  # figures are deleted and written anew all the time

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the library's errors, within the block, into the two that the ingest knows."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            raise StoreRefusedError(str(error)) from error
        except sqlite3.Error as error:
            raise StoreDownError(str(error)) from error


class SqliteFile:
    """The database in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def ledger(self) -> Path:
        """Where the erasures are kept: beside the file."""
        return ledger_of(self.file)

    def writer(self) -> SqliteConnection:
        """Return the connection of the ingest, which alone moves the log into the file."""
        connection = connect(self.file, writes=True)
        connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
        return connection

    def guest(self) -> SqliteConnection:
        """Return a connection that writes beside a running hub.

        Only the ingest's connection checkpoints then: two that do can lose a commit in SQLite before 3.51.3.
        """
        connection = connect(self.file, writes=True)
        connection.execute("pragma wal_autocheckpoint = 0")
        return connection

    def reader(self) -> SqliteConnection:
        """Return a connection that only reads."""
        return connect(self.file, writes=False)

    def check(self, beat: Callable[[], bool]) -> None:
        """Read the whole file and see that it holds together."""
        check(self.file, beat)

    def claimed(self) -> AbstractContextManager[None]:
        """Keep the file for one hub."""
        return claimed(self.file)


def open_file(file: Path) -> SqliteConnection:
    """Return a connection as SQLite gives it; a transaction begins when it is begun, and not before."""
    # Threads share no connection, except that the thread that closes the store closes them all.
    return sqlite3.connect(
        file, isolation_level=None, check_same_thread=False, cached_statements=256, factory=SqliteConnection
    )


def connect(file: Path, *, writes: bool) -> SqliteConnection:
    """Return a connection in WAL mode that syncs every commit to the disk (`synchronous=FULL`, asserted).

    Raises:
        StoreDownError: the file cannot be opened, or SQLite would not promise durability.
    """
    try:
        if not file.parent.is_dir():
            raise StoreDownError(f"{file}: its folder does not exist")
        _make(file)
        connection = open_file(file)
    except sqlite3.Error as error:
        raise StoreDownError(f"{file}: cannot be opened ({error})") from error
    try:
        connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
        journal = connection.execute("pragma journal_mode = wal").fetchone()[0]
        connection.execute("pragma synchronous = full")
        durable = connection.execute("pragma synchronous").fetchone()[0]
        if not writes:
            connection.execute("pragma query_only = on")
    except sqlite3.Error as error:
        connection.close()
        raise StoreDownError(f"{file}: not usable as a database ({error})") from error
    if (journal, durable) != ("wal", 2):
        connection.close()
        raise StoreDownError(f"{file}: this file system gives no durable commits (journal {journal}, sync {durable})")
    return connection


def _make(file: Path) -> None:
    """Make an empty file, ours alone: members are named in it. Its journals get the same mode from SQLite."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreDownError(f"{file}: cannot be made ({error.strerror})") from error


def check(file: Path, beat: Callable[[], bool]) -> None:
    """Read the whole file and see that it holds together; some seconds for each gigabyte.

    `beat` is called twice a second while it lasts, and leaves it alone by returning True.

    Raises:
        StoreDownError: the file is damaged, cannot be read, or `beat` did not want to wait.
    """
    found: list[str] = []
    # SQLite calls nobody back while it looks at a large table: the waiting is ours.
    thread = threading.Thread(target=lambda: found.append(_state(file)), name="database-check", daemon=True)
    thread.start()
    thread.join(BEAT_S)
    while not beat() and thread.is_alive():
        thread.join(BEAT_S)
    if thread.is_alive():
        raise StoreDownError(f"{file}: the check was left")
    if found != ["ok"]:
        raise StoreDownError(
            f"{file}: damaged: put back the newest copy (telecentre-hub restore). SQLite says: {''.join(found)}"
        )


def _state(file: Path) -> str:
    """Return `ok`, or what is wrong with a file."""
    try:
        with closing(connect(file, writes=False)) as connection, connection.translated():
            return str(connection.execute("pragma quick_check(1)").fetchone()[0])
    except StoreDownError as error:
        return str(error)
