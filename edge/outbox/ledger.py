"""What is durably stored and up to where the hub has it, in memory, for every thread that asks."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from contract.messages import OutboxStatus
from edge.core.sender import Holding, Positions
from edge.outbox.schema import Stream


@dataclass(frozen=True, slots=True)
class Measures:
    """What the writer last read from the file."""

    size_bytes: int = 0
    oldest_ms: int | None = None
    disk_free_bytes: int | None = None


class Ledger:
    """The streams of the file as of the last commit. The writer alone adds and prunes; the link moves positions."""

    def __init__(self, quota_bytes: int) -> None:
        self.quota_bytes = quota_bytes
        self._lock = threading.Lock()
        self._streams: list[Stream] = []
        self._current: Stream | None = None
        self._moved: dict[int, int] = {}
        self._measures = Measures()
        self._acknowledged_ms: int | None = None
        self._refused_count = 0
        self._storage_ok = False

    def status(self) -> OutboxStatus:
        """Return what is kept for the hub."""
        with self._lock:
            depth = sum(stream.last - stream.acknowledged for stream in self._streams)
            return OutboxStatus(
                stream=self._current.stream if self._current else None,
                depth=depth,
                oldest_at=self._measures.oldest_ms if depth else None,
                acknowledged_at=self._acknowledged_ms,
                size_bytes=self._measures.size_bytes,
                quota_bytes=self.quota_bytes,
                refused_count=self._refused_count,
                storage="ok" if self._storage_ok else "degraded",
                disk_free_bytes=self._measures.disk_free_bytes,
            )

    def held(self) -> tuple[Holding, ...]:
        """Return the positions that are stored, oldest stream first."""
        with self._lock:
            return tuple(Holding(stream.stream, stream.first, stream.last) for stream in self._streams)

    def acknowledge(self, positions: Positions, now_ms: int) -> None:
        """Move positions: up only, unless a Hello was answered, whose answer is the truth."""
        with self._lock:
            for stream in self._streams:
                told = positions.of.get(stream.stream)
                if told is None or (not positions.answered and told <= stream.acknowledged):
                    continue
                # The first rows may be gone already: what was pruned counts as acknowledged here.
                position = max(stream.first - 1, min(told, stream.last))
                if position != stream.acknowledged:
                    stream.acknowledged = self._moved[stream.ordinal] = position
                self._acknowledged_ms = now_ms

    def moved(self) -> dict[int, int]:
        """Return the positions, by ordinal, that are not written to the file yet."""
        with self._lock:
            return dict(self._moved)

    def written(self, positions: Mapping[int, int]) -> None:
        """Note that these positions are in the file; one that moved meanwhile stays to be written."""
        with self._lock:
            for ordinal, position in positions.items():
                if self._moved.get(ordinal) == position:
                    del self._moved[ordinal]

    def streams(self) -> list[Stream]:
        """Return the streams, oldest first: for the writer, which alone changes their ends."""
        with self._lock:
            return list(self._streams)

    @property
    def current(self) -> Stream | None:
        """The stream under way, or None before its first event."""
        return self._current

    def reload(self, streams: list[Stream], acknowledged_ms: int | None) -> None:
        """Take what a freshly opened file holds; the next event begins a new stream."""
        with self._lock:
            self._acknowledged_ms = self._acknowledged_ms or acknowledged_ms
            self._streams = streams
            self._current = None
            self._moved.clear()

    def storage_works(self, works: bool) -> None:
        """Note whether events can be stored."""
        with self._lock:
            self._storage_ok = works

    def appended(self, stream: Stream, last: int) -> None:
        """Note that the stream under way is stored up to `last`."""
        with self._lock:
            stream.last = last
            if self._current is not stream:
                self._current = stream
                self._streams.append(stream)

    def prunable(self, stream: Stream, through: int, count: int) -> int:
        """Return up to where at most `count` rows may go: acknowledged, at most `through`, from the front.

        The stream under way keeps its last row, so that a Hello always has something to say of it.
        """
        with self._lock:
            last = stream.last - 1 if stream is self._current else stream.last
            return min(through, stream.acknowledged, last, stream.first + count - 1)

    def pruned(self, stream: Stream, through: int) -> None:
        """Note that the front of a stream is gone; a stream wholly gone is forgotten."""
        with self._lock:
            stream.first = through + 1
            if stream.first > stream.last:
                self._streams.remove(stream)
                self._moved.pop(stream.ordinal, None)

    @property
    def acknowledged_ms(self) -> int | None:
        """When the hub last said what it has."""
        return self._acknowledged_ms

    def disk(self, free_bytes: int | None) -> None:
        """Note the room on the disk while the file cannot be used."""
        with self._lock:
            self._measures = replace(self._measures, disk_free_bytes=free_bytes)

    def measured(self, measures: Measures) -> None:
        """Take what the writer read from the file."""
        with self._lock:
            self._measures = measures

    def refused(self, count: int) -> None:
        """Count events that were refused since the agent started."""
        with self._lock:
            self._refused_count += count
