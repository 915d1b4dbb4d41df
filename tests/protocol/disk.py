"""An outbox file in memory: transactions that work, fail, or fail although durable, and a disk that can lie.

`SimulatedFile` has the face of `edge.outbox.file.OutboxFile`, so that the edge's own rules run above it.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from contract.events import Lost, Size, encode
from edge.outbox.file import Line
from edge.outbox.lifetime import Stamp
from edge.outbox.schema import Stream
from tests.protocol.oracle import Oracle

Trouble = Literal["works", "refuses", "fails", "durable"]
"""What a transaction does: refuses to begin, fails and keeps nothing, or fails although it is durable."""

Undo = Callable[[], None]
ROW_BYTES = 60
LYING_TRANSACTIONS = 4
"""How far back a power cut can take a disk that promises more than it does."""


@dataclass(slots=True)
class StoredStream:
    """One stream and its rows."""

    head: Stream
    rows: dict[int, Line] = field(default_factory=dict)


class Disk:
    """What survives a power cut."""

    def __init__(self, site: str, oracle: Oracle) -> None:
        self.site = site
        self.oracle = oracle
        self.streams: dict[int, StoredStream] = {}
        self.refused: dict[str, int] = {}
        self.size_bytes = 0
        self.troubles: deque[Trouble] = deque()
        self.readable = True
        self.unreadable: set[tuple[str, int]] = set()
        self.ordinals = 0
        self._undo: deque[list[Undo]] = deque(maxlen=LYING_TRANSACTIONS)

    def commit(self, changes: Sequence[Callable[[], Undo]]) -> None:
        """Make one transaction durable, as far as the disk is honest."""
        self._undo.append([change() for change in changes])

    def cut_power(self, transactions: int) -> None:
        """Lose the last transactions, although they were promised."""
        for _ in range(min(transactions, len(self._undo))):
            for undo in reversed(self._undo.pop()):
                undo()
        self._undo.clear()
        self.troubles.clear()
        self.readable = True

    def damage(self, stream: str, seq: int, *, garble: bool) -> None:
        """Make one row unreadable, or readable as something that is no event."""
        self.oracle.damaged.add((self.site, stream, seq))
        if not garble:
            self.unreadable.add((stream, seq))
            return
        stored = next(it for it in self.streams.values() if it.head.stream == stream)
        line = stored.rows[seq]
        stored.rows[seq] = replace(line, line=b"?" * len(line.line))

    def read(self, stream: str, first: int, last: int) -> tuple[str, list[tuple[bytes, str | None]]] | None:
        """Return boot and (line, person) as `Outbox.read` does: None when away or pruned, `lost` when unreadable."""
        stored = next((it for it in self.streams.values() if it.head.stream == stream), None)
        if not self.readable or stored is None or not stored.head.first <= first <= last <= stored.head.last:
            return None
        return stored.head.boot, [self._as_sent(stored, seq) for seq in range(first, last + 1)]

    def _as_sent(self, stored: StoredStream, seq: int) -> tuple[bytes, str | None]:
        row = stored.rows[seq]
        if (stored.head.stream, seq) in self.unreadable:
            return encode(Lost(subject="outbox", t=0, clock="unsynced", up=0, value=Size(size_bytes=0))), None
        return row.line, row.person


class SimulatedFile:
    """The disk as the outbox's writer sees it: what a transaction writes is there after it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._changes: list[Callable[[], Undo]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        outcome = self._disk.troubles.popleft() if self._disk.troubles else "works"
        if outcome == "refuses":
            raise sqlite3.OperationalError("attempt to write a readonly database")
        self._changes = []
        yield
        if outcome != "fails":
            self._disk.commit(self._changes)
        if outcome != "works":
            raise sqlite3.OperationalError("disk I/O error")

    def streams(self) -> list[Stream]:
        return [replace(self._disk.streams[ordinal].head) for ordinal in sorted(self._disk.streams)]

    def begin_stream(self, stream: str, boot: str) -> Stream:
        disk = self._disk
        disk.ordinals += 1
        ordinal = disk.ordinals

        def begin() -> Undo:
            disk.streams[ordinal] = StoredStream(Stream(ordinal, stream, boot, first=1, last=0, acknowledged=0))

            def undo() -> None:
                del disk.streams[ordinal]

            return undo

        self._changes.append(begin)
        return Stream(ordinal, stream, boot, first=1, last=0, acknowledged=0)

    def left(self) -> Stamp:
        return Stamp()

    def append(self, stream: Stream, lines: Sequence[Line], _now: Stamp) -> None:
        disk, first = self._disk, stream.last + 1
        last = stream.last + len(lines)

        def append() -> Undo:
            stored = disk.streams[stream.ordinal]
            rows = dict(enumerate(lines, start=first))
            told = {seq: (line.line, _number(line.line)) for seq, line in rows.items()}
            disk.oracle.edge_stored(disk.site, stream.stream, told)
            stored.rows.update(rows)
            stored.head.last = last
            grown_bytes = _size_bytes(rows)
            disk.size_bytes += grown_bytes

            def undo() -> None:
                for seq in rows:
                    del stored.rows[seq]
                stored.head.last = first - 1
                disk.size_bytes -= grown_bytes
                disk.oracle.edge_took_back(disk.site, stream.stream, rows)

            return undo

        self._changes.append(append)

    def set_position(self, ordinal: int, position: int, **_when: int) -> None:
        def set_position() -> Undo:
            head = self._disk.streams[ordinal].head
            before, head.acknowledged = head.acknowledged, position

            def undo() -> None:
                head.acknowledged = before

            return undo

        self._changes.append(set_position)

    def disk_free_bytes(self) -> int | None:
        return None

    def prune(self, stream: Stream, through: int, *, forget: bool) -> None:
        disk = self._disk

        def prune() -> Undo:
            stored = disk.streams[stream.ordinal]
            before = stored.head.first
            gone = {seq: stored.rows.pop(seq) for seq in range(before, through + 1)}
            disk.oracle.edge_pruned(disk.site, stream.stream, gone)
            freed_bytes = _size_bytes(gone)
            disk.size_bytes -= freed_bytes
            stored.head.first = through + 1
            if forget:
                del disk.streams[stream.ordinal]

            def undo() -> None:
                disk.streams[stream.ordinal] = stored
                stored.rows = gone | stored.rows
                stored.head.first = before
                disk.size_bytes += freed_bytes

            return undo

        self._changes.append(prune)

    def aged(self, stored_before_ms: int) -> tuple[int, int] | None:
        for ordinal in sorted(self._disk.streams, reverse=True):
            for seq, line in sorted(self._disk.streams[ordinal].rows.items(), reverse=True):
                if line.stored_ms < stored_before_ms and line.trusted:
                    return ordinal, seq
        return None

    def refused(self) -> dict[str, int]:
        return dict(self._disk.refused)

    def set_refused(self, counts: dict[str, int]) -> None:
        def set_refused() -> Undo:
            before, self._disk.refused = self._disk.refused, counts

            def undo() -> None:
                self._disk.refused = before

            return undo

        self._changes.append(set_refused)

    def size_bytes(self) -> int:
        return self._disk.size_bytes

    def oldest_waiting_ms(self, streams: Sequence[Stream]) -> int | None:
        for stream in streams:
            if stream.acknowledged < stream.last:
                row = self._disk.streams[stream.ordinal].rows.get(stream.acknowledged + 1)
                return row.stored_ms if row is not None else None
        return None


def _size_bytes(rows: dict[int, Line]) -> int:
    return sum(len(line.line) + ROW_BYTES for line in rows.values())


def _number(line: bytes) -> int | None:
    """Return the number by which tests tell an event: its `up`, which what the outbox itself tells only borrows."""
    if b'"events_refused"' in line or b'"lost"' in line:
        return None
    return int(line.partition(b'"up":')[2].partition(b",")[0])
