"""How the store speaks to SQLite: connections that cannot lose a commit."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from hub.store.connection import StoreDownError, StoreMovedError, StoreRefusedError, Values, snapshot
from hub.store.erasures import ledger_of
from hub.store.lock import claimed
from hub.store.place import Identity, Place, identity, moved
from hub.store.together import put_together

logger = logging.getLogger(__name__)

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

    place: Place | None = None
    """Which files are open; None: nobody looks, as at a copy that is being made."""

    def watch(self, file: Path) -> None:
        """Remember which files were opened at a path: nothing is promised of others in their place."""
        self.execute("pragma schema_version")  # the log is opened by the first question
        self.place = Place.of(str(file), self.execute("pragma database_list").fetchone()[2])

    def check_place(self) -> None:
        """See that the files that are open still stand where they did; of one that its thread closes, nothing."""
        place = self.place
        if place is None:
            return
        try:
            place.check()
        except StoreMovedError:
            if self.place is not None:  # closed meanwhile: with the last connection goes the log
                raise

    def touch(self) -> None:
        """Write the first page as it is: whatever is written goes the same way."""
        self.execute("pragma user_version = 0")

    def ask(self, *questions: tuple[str, Values]) -> list[list[Any]]:
        """Return the rows of each statement, all of one consistent state."""
        with snapshot(self):
            return [self.execute(statement, values).fetchall() for statement, values in questions]

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction; one that writes takes its turn among the writers at once."""
        self.check_place()
        self.execute("begin immediate" if writes else "begin")

    def commit(self) -> None:
        """End the transaction durably, and see that it went where the next start will find it."""
        super().commit()
        self.check_place()

    def close(self) -> None:
        """Close the connection."""
        self.place = None  # first: with the last connection goes the log, which others would miss
        super().close()

    def insert(self, statement: str, rows: Sequence[Sequence[object]], /, *, new: bool = False) -> int:  # noqa: ARG002 - it is no quicker then
        """Insert rows, their values in the order of the one group of marks; return how many were written."""
        return put_together(self, statement, rows)

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands: one to a file does not break."""
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

    def __init__(self, file: Path, *, makes: bool = True) -> None:
        """`makes`: the file, when there is none; only before it was opened once, never while we run on it."""
        self.file = file
        self._makes = makes
        self._known: Identity | None = None
        self._log: Identity | None = None
        self._open = WeakSet[SqliteConnection]()
        self._lock = threading.Lock()

    @property
    def ledger(self) -> Path:
        """Where the erasures are kept: beside the file."""
        return ledger_of(self.file)

    def writer(self) -> SqliteConnection:
        """Return the connection of the ingest, which alone moves the log into the file."""
        connection = self._connect(writes=True)
        connection.execute(f"pragma cache_size = -{CACHE_KIB}")
        connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
        return connection

    def guest(self) -> SqliteConnection:
        """Return a connection that writes beside a running hub.

        Only the ingest's connection checkpoints then: two that do can lose a commit in SQLite before 3.51.3.
        """
        connection = self._connect(writes=True)
        connection.execute("pragma wal_autocheckpoint = 0")
        return connection

    def reader(self) -> SqliteConnection:
        """Return a connection that only reads."""
        return self._connect(writes=False)

    def check(self, beat: Callable[[], bool]) -> None:
        """Read the whole file and see that it holds together."""
        check(self.file, beat)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep the file for one hub; leave no log of ours beside another file that was put in its place."""
        with claimed(self.file):
            try:
                yield
            finally:
                self._leave()

    def _leave(self) -> None:
        """Set our log aside if another file is there: SQLite would write it into that one. If none is, it stays."""
        log = self.file.with_name(f"{self.file.name}-wal")
        is_replaced = self._known is not None and identity(self.file) not in (None, self._known)
        if is_replaced and self._log is not None and identity(log) == self._log:
            aside = log.with_name(f"{log.name}.of-another-file-{self._log[1]}")
            try:
                log.rename(aside)
            except OSError as error:
                logger.error("%s belongs to a file that is gone: move it away (%s)", log, error.strerror)  # noqa: TRY400
            else:
                logger.warning("%s belongs to a file that is gone: kept as %s", log, aside.name)

    def _connect(self, *, writes: bool) -> SqliteConnection:
        """Return a connection to the file that was opened first, and to the log that our other connections have.

        Raises:
            StoreMovedError: another file, or none, stands in its place.
        """
        if self._known is None and self._makes:
            _make(self.file)
        if self._known not in (None, identity(self.file)):
            raise moved(self.file)
        with self._lock:
            others = list(self._open)
        for other in others:
            other.check_place()  # with a second log beside the one in use, SQLite would tear the file
        connection = connect(self.file, writes=writes)
        place = connection.place
        if place is None or self._known not in (None, place.database):
            connection.close()
            raise moved(self.file)
        with self._lock:
            self._known, self._log = place.database, place.log
            self._open.add(connection)
        return connection


def open_file(file: Path) -> SqliteConnection:
    """Return a connection as SQLite gives it, to a file that is there; a transaction begins when it is begun."""
    # Threads share no connection, except that the thread that closes the store closes them all.
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=SqliteConnection,
    )


def connect(file: Path, *, writes: bool) -> SqliteConnection:
    """Return a connection in WAL mode that syncs every commit to the disk (`synchronous=FULL`, asserted).

    It makes no file: whoever only asks must not leave an empty database behind.

    Raises:
        StoreDownError: the file cannot be opened, or SQLite would not promise durability.
    """
    try:
        if not file.parent.is_dir():
            raise StoreDownError(f"{file}: its folder does not exist")
        if not file.exists():
            raise StoreDownError(
                f"{file}: there is no database: set database.file right, or make one (telecentre-hub site import)"
            )
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
        connection.watch(file)
    except sqlite3.Error as error:
        connection.close()
        raise StoreDownError(f"{file}: not usable as a database ({error})") from error
    if (journal, durable) != ("wal", 2):
        connection.close()
        raise StoreDownError(f"{file}: this file system gives no durable commits (journal {journal}, sync {durable})")
    return connection


def _make(file: Path) -> None:
    """Make an empty file, ours alone: members are named in it. Its journals get the same mode from SQLite."""
    if not file.parent.is_dir():
        raise StoreDownError(f"{file}: its folder does not exist")
    log = file.with_name(f"{file.name}-wal")
    if not file.exists() and log.exists():
        raise StoreDownError(
            f"{file}: missing, while {log.name} holds a part of it: put it back, or move that away too"
        )
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
