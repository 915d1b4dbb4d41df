"""The outbox on disk: the folder with its marker, the schema of its one SQLite file, and what the file is made of."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database, Migrations

MARKER_NAME = "telecentre-outbox"
FILE_NAME = "outbox.db"
MEGABYTE = 1_000_000
BLOCK_BYTES = 4_096
"""SQLite reserves the shared index of its journal one page of memory at a time. Where a block is smaller, a
full disk then ends the whole process with SIGBUS, and the door with it."""

BUSY_S = 5.0
"""Nobody else writes; only a copy being made by a technician can hold the file this long."""


class StorageError(OSError):
    """The outbox cannot be used now: one sentence that says why, for the log."""


@dataclass(slots=True)
class Stream:
    """One stream of the file: positions `first` to `last` are held, up to `acknowledged` the hub has them."""

    ordinal: int
    stream: str
    boot: str
    first: int
    last: int
    acknowledged: int


MIGRATIONS = Migrations("outbox")


@MIGRATIONS()
def first_schema(db: Database) -> None:
    """Streams and their rows; `last` outlives pruning, and a stream wholly pruned leaves its count in `tally`."""
    statements = (
        """CREATE TABLE stream (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            stream TEXT NOT NULL UNIQUE,
            boot TEXT NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            acknowledged INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE outbox (
            ordinal INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            line BLOB NOT NULL,
            person TEXT,
            stored_ms INTEGER NOT NULL,
            trusted INTEGER NOT NULL,
            acknowledged_ms INTEGER,
            PRIMARY KEY (ordinal, seq)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX outbox_person ON outbox (ordinal, seq) WHERE person IS NOT NULL",
        "CREATE TABLE refused (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE tally (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "INSERT INTO tally VALUES ('forgotten', 0), ('opened', 0)",
    )
    for statement in statements:
        db.execute(statement)


@MIGRATIONS()
def sure_ages(db: Database) -> None:
    """Ages that no wall clock can make wrong; and all that an event changes of its stream, on one page."""
    db.execute("ALTER TABLE stream ADD COLUMN acknowledged_ms INTEGER")
    db.execute("ALTER TABLE stream ADD COLUMN sure_ms INTEGER NOT NULL DEFAULT 0")
    for table in ("stream", "outbox"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN lived_ms INTEGER NOT NULL DEFAULT 0")


def prepare_folder(folder: Path) -> None:
    """Create the outbox folder and its marker file; what is already there stays.

    Only an installation (`telecentre-edge outbox init`) or a simulated agent calls this. A running agent never creates
    the folder by itself: when the data partition is not mounted, it would buffer under the mount point, and those
    events would vanish at the next mount.

    Raises:
        StorageError: the file system has small blocks.
        OSError: the folder cannot be created or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    block_bytes = os.statvfs(folder).f_bsize
    if block_bytes < BLOCK_BYTES:
        raise StorageError(
            f"its file system has blocks of {block_bytes} bytes, which a full disk makes fatal:"
            " format it with `mkfs.ext4 -b 4096`"
        )
    marker = folder / MARKER_NAME
    if not marker.exists():
        marker.write_text("The events of this telecentre are kept here; without this file the agent stores nothing.\n")
        sync_folder(folder)


ACKNOWLEDGED, ASIDE_FORGOTTEN = "acknowledged_ms", "aside_forgotten"
"""Rows of `tally` that are there once there is something to say: the first of streams that are forgotten."""


def as_text(raw: bytes) -> str:
    """Return a text of the file: damaged bytes are for whoever asked to judge, not an error of the storage."""
    return raw.decode(errors="replace")


def tally(connection: sqlite3.Connection, name: str) -> int | None:
    """Return one number that the file keeps beside its rows, or None."""
    row = connection.execute("SELECT count FROM tally WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else None


def acknowledged_ms(connection: sqlite3.Connection) -> int | None:
    """Return when a position was last moved, or None."""
    (of_streams,) = connection.execute("SELECT max(acknowledged_ms) FROM stream").fetchone()
    return max(filter(None, (of_streams, tally(connection, ACKNOWLEDGED))), default=None)


def all_streams(connection: sqlite3.Connection) -> list[Stream]:
    """Return all streams, oldest first."""
    question = "SELECT ordinal, stream, boot, first, last, acknowledged FROM stream ORDER BY ordinal"
    return [Stream(*row) for row in connection.execute(question)]


def size_bytes(connection: sqlite3.Connection) -> int:
    """Return what the rows take: pages in use, without the ones that pruning freed."""
    pages, free, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def oldest_waiting_ms(connection: sqlite3.Connection, streams: Sequence[Stream]) -> int | None:
    """Return when the oldest event that the hub does not have was stored, or None."""
    for stream in streams:
        if stream.acknowledged < stream.last:
            row = connection.execute(
                "SELECT stored_ms FROM outbox WHERE ordinal = ? AND seq > ? ORDER BY seq LIMIT 1",
                (stream.ordinal, stream.acknowledged),
            ).fetchone()
            return int(row[0]) if row and 0 <= row[0] <= _MOST else None
    return None


class CorruptError(sqlite3.DatabaseError):
    """The file is damaged: its pages, or what stands on them."""


_MOST = 2**53
"""No number in the file is larger (contract.events.Milliseconds, contract.messages.Seq)."""

_SENSE = {
    "stream": """SELECT NOT EXISTS (SELECT 1 FROM stream WHERE NOT (
        length(stream) = 32 AND stream NOT GLOB '*[^0-9a-f]*' AND length(boot) = 32 AND boot NOT GLOB '*[^0-9a-f]*'
        AND ordinal <= :most AND last <= :most AND 1 <= first AND first <= last AND acknowledged BETWEEN 0 AND last
        AND last = (SELECT max(seq) FROM outbox WHERE outbox.ordinal = stream.ordinal)
        AND ifnull(acknowledged_ms, 0) BETWEEN 0 AND :most
        AND lived_ms BETWEEN 0 AND :most AND sure_ms BETWEEN 0 AND :most))""",
    "ordinal": """SELECT (SELECT max(ordinal) FROM outbox) IS (SELECT max(ordinal) FROM stream)
        AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE seq > :most)""",
    "tally": "SELECT NOT EXISTS (SELECT 1 FROM tally WHERE count NOT BETWEEN 0 AND :most)",
    "refused": """SELECT NOT EXISTS (SELECT 1 FROM refused
        WHERE count NOT BETWEEN 1 AND :most OR length(kind) > 40 OR kind GLOB '*[^a-z_]*')""",
}
"""What is true of every file that we wrote. SQLite answers: what is damaged may be no text that Python can read."""


def check_sense(connection: sqlite3.Connection) -> None:
    """Refuse a file that says what cannot be: quick_check knows pages, and not what stands on them.

    One changed bit in the name of a stream would otherwise end the agent at every start, and its door with it.

    Raises:
        CorruptError: it says such a thing.
    """
    for what, question in _SENSE.items():
        if not connection.execute(question, {"most": _MOST}).fetchone()[0]:
            raise CorruptError(f"its {what} cannot be true")


def is_corruption(error: sqlite3.DatabaseError) -> bool:
    """Return whether the file itself is damaged, rather than the disk full, away or read-only."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, CorruptError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def free_bytes(folder: Path) -> int | None:
    """Return the room on the disk that a folder is on, or None when it cannot be asked."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def is_writable(folder: Path) -> bool:
    """Return whether the disk that a folder is on takes writes: a card that fails is mounted read-only."""
    try:
        return not os.statvfs(folder).f_flag & os.ST_RDONLY
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
