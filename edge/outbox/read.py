"""Reading the outbox beside its writer: each question opens its own connection, read-only, and closes it at once."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edge.config import OutboxSettings
from edge.outbox.aside import count_aside
from edge.outbox.schema import (
    ASIDE_FORGOTTEN,
    BUSY_S,
    FILE_NAME,
    MARKER_NAME,
    MEGABYTE,
    StorageError,
    acknowledged_ms,
    all_streams,
    as_text,
    free_bytes,
    is_corruption,
    is_writable,
    oldest_waiting_ms,
    size_bytes,
    tally,
)

StoredRow = tuple[int, bytes | None, str | None]
"""Position, line and person of one row as it was read; the line is None when it cannot be read back."""


def read_rows(
    folder: Path, stream: str, first: int, last: int, *, ahead: int = 0
) -> tuple[str, list[StoredRow]] | None:
    """Return the boot of a stream and its rows `first` to `last`, each position present; None if they cannot be had.

    At most `ahead` more rows come along if they are there. None means that the storage is away, or that the rows were
    pruned meanwhile: they must not be taken for lost.

    Raises:
        sqlite3.DatabaseError: the file is damaged where its streams stand.
    """
    try:
        with closing(_open_to_read(folder)) as connection:
            connection.execute("BEGIN")
            head = connection.execute(
                "SELECT ordinal, boot, first, last FROM stream WHERE stream = ?", (stream,)
            ).fetchone()
            if head is None or not head[2] <= first <= last <= head[3]:
                return None
            return str(head[1]), _readable_rows(connection, int(head[0]), first, min(last + ahead, int(head[3])))
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.DatabaseError) and is_corruption(error):
            raise
        return None


def _readable_rows(connection: sqlite3.Connection, ordinal: int, first: int, last: int) -> list[StoredRow]:
    question = (
        "SELECT seq, CASE typeof(line) WHEN 'blob' THEN line END, person FROM outbox"
        " WHERE ordinal = ? AND seq BETWEEN ? AND ? ORDER BY seq"
    )
    found: list[StoredRow] = []
    try:
        found = connection.execute(question, (ordinal, first, last)).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_corruption(error):
            raise
        for seq in range(first, last + 1):
            # Row by row, so that one bad page does not cost its neighbours.
            with suppress(sqlite3.DatabaseError):
                found += connection.execute(question, (ordinal, seq, seq)).fetchall()
    if len(found) == last - first + 1:
        return found
    by_seq = {row[0]: row for row in found}
    return [by_seq.get(seq, (seq, None, None)) for seq in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream as the file has it: positions held, how many were ever committed, and up to where the hub has them."""

    stream: str
    first: int
    last: int
    committed: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class OutboxReport:
    """The outbox as its file and its disk tell it, with or without a running agent; `events` counts all committed."""

    folder: Path
    events: int
    depth: int
    oldest_at: int | None
    size_bytes: int
    quota_bytes: int
    streams: tuple[StreamReport, ...]
    stream: str | None = None
    """The newest stream."""
    acknowledged_at: int | None = None
    """When the hub last took something over."""
    storage: Literal["ok", "degraded"] = "degraded"
    """Whether an agent could store here: the marker is there, and the disk has room and can be written."""
    disk_free_bytes: int | None = None
    aside_count: int = 0
    """Damaged files that stand aside."""
    aside_forgotten: int = 0
    """Files that stood aside, and were deleted after 90 days."""


def read_status(settings: OutboxSettings) -> OutboxReport:
    """Return what the outbox file holds, whether an agent runs or not; all zero when none ever ran. It only reads.

    Raises:
        StorageError: the file is there and cannot be read.
    """
    folder = settings.folder
    disk_free_bytes = free_bytes(folder)
    empty = OutboxReport(
        folder,
        events=0,
        depth=0,
        oldest_at=None,
        size_bytes=0,
        quota_bytes=settings.quota_mb * MEGABYTE,
        streams=(),
        storage="ok" if (folder / MARKER_NAME).exists() and disk_free_bytes and is_writable(folder) else "degraded",
        disk_free_bytes=disk_free_bytes,
        aside_count=count_aside(folder),
    )
    path = folder / FILE_NAME
    if not path.exists():
        return empty
    try:
        with closing(_open_to_read(settings.folder)) as connection:
            connection.execute("BEGIN")
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'tally'").fetchone() is None:
                return empty
            return _report(connection, empty)
    except sqlite3.Error as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error


def _report(connection: sqlite3.Connection, empty: OutboxReport) -> OutboxReport:
    streams = all_streams(connection)
    forgotten = tally(connection, "forgotten") or 0
    return replace(
        empty,
        events=forgotten + sum(stream.last for stream in streams),
        depth=sum(stream.last - stream.acknowledged for stream in streams),
        oldest_at=oldest_waiting_ms(connection, streams),
        size_bytes=size_bytes(connection),
        streams=tuple(StreamReport(it.stream, it.first, it.last, it.last, it.acknowledged) for it in streams),
        stream=streams[-1].stream if streams else None,
        acknowledged_at=acknowledged_ms(connection),
        aside_forgotten=tally(connection, ASIDE_FORGOTTEN) or 0,
    )


def _open_to_read(folder: Path) -> sqlite3.Connection:
    """Return a read-only connection for one short question; it never writes nor checkpoints.

    A reader, too, shares an index of the journal, which it cannot make on a read-only disk. There, a file without a
    journal is whole, and nobody changes it.
    """
    path = folder / FILE_NAME
    still = not is_writable(folder) and not path.with_name(f"{FILE_NAME}-wal").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)
    connection.text_factory = as_text
    connection.execute("PRAGMA query_only = ON")
    return connection
