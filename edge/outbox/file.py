"""The one connection that writes the outbox file, owned by the outbox thread: statements, not rules.

It also checkpoints: two writers, or a reader that checkpoints, could meet the WAL-reset bug of SQLite before 3.51.3.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from edge.outbox.lifetime import Stamp
from edge.outbox.schema import (
    ACKNOWLEDGED,
    ASIDE_FORGOTTEN,
    BUSY_S,
    FILE_NAME,
    MARKER_NAME,
    MIGRATIONS,
    CorruptError,
    StorageError,
    Stream,
    acknowledged_ms,
    all_streams,
    as_text,
    check_sense,
    free_bytes,
    is_corruption,
    oldest_waiting_ms,
    size_bytes,
    sync_folder,
)

PAGE_BYTES = 2_048
"""An event is durable with two pages, its own and its stream's: smaller ones wear the card less. Some ten rows fit."""

WAL_LIMIT_BYTES = 4 * 1024 * 1024
"""What the journal may keep of the disk after a long transaction."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is stored: its bytes, who it was about, and its time.

    That is its own time by a synchronised clock (`trusted`), else what the wall clock said when it was stored.
    """

    line: bytes
    person: str | None
    stored_ms: int
    trusted: bool


class OutboxFile:
    """The file, open to write. Every method raises sqlite3.Error when the storage fails; then close and reopen."""

    def __init__(self, folder: Path, *, aside_suffix: str, thorough: bool = False) -> None:
        """Open the file, or begin a new one; a corrupt one is moved aside under `aside_suffix`, never deleted.

        `thorough` is for a file that seemed sound and was not: the index of persons is made anew, and all compared.

        Raises:
            StorageError: the folder is not ours, or another agent uses it.
            sqlite3.Error, OSError: the storage fails.
        """
        self._folder = folder
        self._lock_fd = _lock(folder)
        self.moved_aside: Path | None = None
        try:
            try:
                self._connection = _open_to_write(folder / FILE_NAME, thorough=thorough)
            except sqlite3.DatabaseError as error:
                if not is_corruption(error):
                    raise
                self.moved_aside = _move_aside(folder / FILE_NAME, aside_suffix)
                self._connection = _open_to_write(folder / FILE_NAME)
        except (sqlite3.Error, OSError):
            os.close(self._lock_fd)
            raise

    def close(self) -> None:
        """Close; a failing storage cannot make this fail."""
        with suppress(sqlite3.Error):
            self._connection.close()
        os.close(self._lock_fd)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit durably what the block writes, or nothing. A failing COMMIT may nevertheless have been durable."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def streams(self) -> list[Stream]:
        """Return all streams, oldest first."""
        return all_streams(self._connection)

    def begin_stream(self, stream: str, boot: str) -> Stream:
        """Store a new stream; to be called in the transaction of its first event."""
        cursor = self._connection.execute(
            "INSERT INTO stream (stream, boot, first, last) VALUES (?, ?, 1, 0)", (stream, boot)
        )
        return Stream(cursor.lastrowid or 0, stream, boot, first=1, last=0, acknowledged=0)

    def append(self, stream: Stream, lines: Sequence[Line], now: Stamp) -> None:
        """Store `lines` under the next positions of `stream`."""
        rows = [
            (stream.ordinal, seq, line.line, line.person, line.stored_ms, line.trusted, now.lived_ms)
            for seq, line in enumerate(lines, start=stream.last + 1)
        ]
        self._connection.executemany(
            "INSERT INTO outbox (ordinal, seq, line, person, stored_ms, trusted, lived_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._connection.execute(
            "UPDATE stream SET last = ?, lived_ms = ?, sure_ms = ? WHERE ordinal = ?",
            (stream.last + len(rows), now.lived_ms, now.sure_ms, stream.ordinal),
        )

    def left(self) -> Stamp:
        """Return the moment of the last event."""
        row = self._connection.execute("SELECT lived_ms, sure_ms FROM stream ORDER BY ordinal DESC LIMIT 1").fetchone()
        return Stamp(*row) if row else Stamp()

    def set_position(self, ordinal: int, position: int, *, wall_ms: int, noted: int) -> None:
        """Store up to where the hub has a stream; a lower position takes back the acknowledgement of the rows above.

        `noted` is the present, as `Lifetime.acknowledged` says it. Rows that this does not change are not written: each
        would be a page on the card.
        """
        self._connection.execute(
            "UPDATE stream SET acknowledged = ?, acknowledged_ms = ? WHERE ordinal = ?", (position, wall_ms, ordinal)
        )
        self._connection.execute(
            "UPDATE outbox SET acknowledged_ms = CASE WHEN seq <= ? THEN ? END"
            " WHERE ordinal = ? AND person IS NOT NULL AND (seq <= ?) = (acknowledged_ms IS NULL)",
            (position, noted, ordinal, position),
        )

    def aged(self, stored_before_ms: int, *, lived_before_ms: int = 0) -> tuple[int, int] | None:
        """Return (ordinal, seq) of the newest row that is surely so old, by either clock: all before are older.

        Rows stored without a synchronised clock thus age with the next row that has one.
        """
        found: tuple[int, int] | None = self._connection.execute(
            "SELECT ordinal, seq FROM outbox WHERE (stored_ms < ? AND trusted) OR lived_ms < ?"
            " ORDER BY ordinal DESC, seq DESC LIMIT 1",
            (stored_before_ms, lived_before_ms),
        ).fetchone()
        return found

    def prune(self, stream: Stream, through: int, *, forget: bool) -> None:
        """Delete the front of `stream` up to `through`; `forget` also drops the stream, keeping its count."""
        self._connection.execute("DELETE FROM outbox WHERE ordinal = ? AND seq <= ?", (stream.ordinal, through))
        if forget:
            if (last_ms := acknowledged_ms(self._connection)) is not None:
                self._connection.execute("INSERT OR REPLACE INTO tally VALUES (?, ?)", (ACKNOWLEDGED, last_ms))
            self._connection.execute("DELETE FROM stream WHERE ordinal = ?", (stream.ordinal,))
            self._connection.execute("UPDATE tally SET count = count + ? WHERE name = 'forgotten'", (stream.last,))
        else:
            # Only what is acknowledged is pruned, although the position may not be written yet.
            self._connection.execute(
                "UPDATE stream SET first = ?, acknowledged = max(acknowledged, ?) WHERE ordinal = ?",
                (through + 1, through, stream.ordinal),
            )

    def blank_persons(self, acknowledged_before: Stamp, aged: tuple[int, int] | None) -> None:
        """Blank who an event was about: acknowledged before the one, by its own clock, or stored up to the other."""
        self._connection.execute(
            "UPDATE outbox SET person = NULL WHERE person IS NOT NULL"
            " AND ((acknowledged_ms >= 0 AND acknowledged_ms < ?) OR (acknowledged_ms < 0 AND -1 - acknowledged_ms < ?)"
            " OR (ordinal, seq) <= (?, ?))",
            (acknowledged_before.sure_ms, acknowledged_before.lived_ms, *(aged or (0, 0))),
        )

    def refused(self) -> dict[str, int]:
        """Return how many events of each kind were refused and are not told yet."""
        return dict(self._connection.execute("SELECT kind, count FROM refused").fetchall())

    def set_refused(self, counts: dict[str, int]) -> None:
        """Replace the refusals that are not told yet."""
        self._connection.execute("DELETE FROM refused")
        self._connection.executemany("INSERT INTO refused VALUES (?, ?)", list(counts.items()))

    def acknowledged_ms(self) -> int | None:
        """Return when a position was last moved, or None."""
        return acknowledged_ms(self._connection)

    def count_forgotten(self, files: int) -> None:
        """Count files that were moved aside and are deleted now."""
        self._connection.execute(
            "INSERT INTO tally VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
            (ASIDE_FORGOTTEN, files),
        )

    def disk_free_bytes(self) -> int | None:
        """Return the room on the disk, or None when it cannot be asked."""
        return free_bytes(self._folder)

    def size_bytes(self) -> int:
        """Return what the rows take: pages in use, without the ones that pruning freed."""
        return size_bytes(self._connection)

    def oldest_waiting_ms(self, streams: Sequence[Stream]) -> int | None:
        """Return when the oldest event that the hub does not have was stored, or None."""
        return oldest_waiting_ms(self._connection, streams)


def _lock(folder: Path) -> int:
    """Return the open marker file, locked: it proves that the right file system is mounted and that we are alone."""
    marker = folder / MARKER_NAME
    try:
        marker_fd = os.open(marker, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise StorageError(
            f"{marker} is missing: mount the data partition, or run `telecentre-edge outbox init` on a new machine"
        ) from error
    try:
        fcntl.flock(marker_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(marker_fd)
        raise StorageError(f"{folder} is in use by another agent: stop it first") from error
    return marker_fd


def _open_to_write(path: Path, *, thorough: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    connection.text_factory = as_text
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        # `synchronous` belongs to the connection, not to the file, and a file system may refuse WAL: both are asserted.
        if _pragma(connection, "journal_mode = WAL") != "wal":
            raise sqlite3.OperationalError("write-ahead logging is not possible here")
        connection.execute("PRAGMA synchronous = FULL")
        if _pragma(connection, "synchronous") != 2:
            raise sqlite3.OperationalError("synchronous = FULL is not possible here")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
        connection.execute("PRAGMA secure_delete = ON")
        _check(connection, "quick_check(1)")
        MIGRATIONS.apply(Database(connection))
        if thorough:
            connection.execute("REINDEX outbox_person")
            _check(connection, "integrity_check(1)")
        # Few rows, and every question about a stream goes through its index.
        _check(connection, "integrity_check(stream)")
        check_sense(connection)
        # A full or read-only disk opens well: only a write shows that there is storage.
        connection.execute("UPDATE tally SET count = count + 1 WHERE name = 'opened'")
    except UnicodeDecodeError as error:
        # SQLite's own message quotes the damage.
        connection.close()
        raise CorruptError("the names of its tables are no text") from error
    except (sqlite3.Error, OSError) as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            # Not the disk: the tables are not those that we made.
            raise CorruptError(str(error)) from error
        raise
    return connection


def _check(connection: sqlite3.Connection, how: str) -> None:
    if (found := _pragma(connection, how)) != "ok":
        raise CorruptError(str(found))


def _pragma(connection: sqlite3.Connection, text: str) -> object:
    return connection.execute(f"PRAGMA {text}").fetchone()[0]


def _move_aside(path: Path, suffix: str) -> Path:
    aside = path.with_name(f"{path.name}.{suffix}")
    # The journal first: a database without its journal is whole as of its last checkpoint, the reverse is nothing.
    for ending in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    sync_folder(path.parent)
    return aside
