"""The rules of storing, refusing, pruning and blanking, applied to one open file.

Source: docs/mqtt-api.md, protocol TC1, "Edge" and "Persons".
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contract.events import Event, EventsRefused, Lost, Refusal, Size, encode
from contract.limits import MAX_EVENT_BYTES
from edge.outbox.file import Line, OutboxFile
from edge.outbox.ledger import Ledger, Measures
from edge.outbox.lifetime import Lifetime, Stamp
from edge.outbox.schema import Stream

DAY_MS = 86_400_000
KEEP_ACKNOWLEDGED_MS = 30 * DAY_MS
"""Acknowledged events stay 30 days, for a hub that is restored from a backup."""

PERSON_ACKNOWLEDGED_MS = 7 * DAY_MS
PERSON_MS = 90 * DAY_MS

PRUNE_TO = 0.70
MAKE_ROOM_FROM = 0.95
TELL_BELOW = 0.90
"""Shares of the quota: pruned down to, pruned without a fresh answer from, and refusals told below."""

REFUSED_FROM = {
    "desk_state_changed": 0.95,
    "edge_alive": 0.95,
    "room_state_changed": 0.97,
    "booking_judged": 0.97,
    "access_decided": 1.0,
}
REFUSED_ELSE_FROM = 0.98
"""From which share of the quota a kind is refused. `edge_alive` goes with the desks, for which it vouches."""

PRUNE_ROWS = 5_000
"""Rows deleted in one transaction: some 50 ms on an SD card, so that a badge's event never waits long behind it."""

PRUNE_EVERY_MS = 6 * 3_600_000
"""What is 30 days old goes together: each time costs the card as much as three events, for one row or for hundreds."""

_PRUNE_AT_LEAST_ROWS = 50
_ROW_BYTES = 60
"""What a row takes beside its line: key, stamps, its share of the page."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is not stored yet, and who it is about."""

    event: Event
    person: str | None


@dataclass(slots=True)
class Attempt:
    """What one transaction tries to store, kept until it is known whether it did."""

    events: list[Waiting]
    refused: Counter[str]
    """Events that a full queue refused since the last transaction, by kind."""
    stream: str = ""
    last: int = 0
    """The position of the last event once stored; 0 while the transaction has none."""
    told: dict[str, int] = field(default_factory=dict)
    """The refusals that the file has once the transaction is durable."""
    refused_count: int = 0
    """How many of `events` a full outbox refuses."""

    def is_stored_in(self, streams: Sequence[Stream], refused: Mapping[str, int]) -> bool:
        """Return whether the transaction was durable although it raised: then the file has its last position.

        One that only counts refusals has no position. It counts more than there were: the file has these or fewer.
        """
        if self.last > 0:
            return any(it.stream == self.stream and it.last >= self.last for it in streams)
        return bool(self.told) and self.told == refused


class Writer:
    """Applies the rules to one open file and keeps the ledger equal to it. Raises sqlite3.Error when storage fails."""

    def __init__(
        self,
        file: OutboxFile,
        ledger: Ledger,
        *,
        boot: str,
        new_id: Callable[[], str],
        wall_ms: Callable[[], int],
        mono_s: Callable[[], float],
    ) -> None:
        self._file = file
        self._ledger = ledger
        self._boot = boot
        self._new_id = new_id
        self._wall_ms = wall_ms
        self._lifetime = Lifetime(file.left(), mono_s)
        self._prune_from_ms = 0
        self.synced_ms: int | None = None
        """When the last event was stored, if its clock was synchronised."""
        self.woke_late = False
        """Whether a synchronised clock told of days without power: persons may have become old in them."""

    def store(self, attempt: Attempt) -> bool:
        """Store events in one transaction, with their stream, the refusals and the positions that moved.

        Return whether it told earlier refusals: then the states must be said again.
        """
        offered = [self._line(waiting) for waiting in attempt.events]
        coming_bytes = sum(len(line.line) + _ROW_BYTES for line in offered)
        if self._file.size_bytes() + coming_bytes >= MAKE_ROOM_FROM * self._ledger.quota_bytes:
            self.make_room(coming_bytes)
        stream = self._ledger.current
        attempt.stream = stream.stream if stream else self._new_id()
        positions = self._ledger.moved()
        with self._file.transaction():
            lines, tells = self._admit(attempt, offered)
            if lines:
                stream = stream or self._file.begin_stream(attempt.stream, self._boot)
                attempt.last = stream.last + len(lines)
                self._file.append(stream, lines, self._lifetime.now())
            self._write(positions)
        if stream is not None and lines:
            self._ledger.appended(stream, attempt.last)
        self._ledger.written(positions)
        self._ledger.refused(attempt.refused_count)
        self.measure()
        return tells

    def write_positions(self) -> None:
        """Store the positions that moved."""
        positions = self._ledger.moved()
        with self._file.transaction():
            self._write(positions)
        self._ledger.written(positions)
        self.measure()

    def prune_aged(self) -> None:
        """Prune events that are acknowledged and 30 days older than the last one, if its clock was synchronised.

        A clock in holdover may have been set by hand, ten years ahead; so may the wall clock since that event.
        """
        if self.synced_ms is None or self.lived_ms < self._prune_from_ms:
            return
        aged = self._file.aged(self.synced_ms - KEEP_ACKNOWLEDGED_MS)
        if aged is None:
            return
        ordinal, seq = aged
        for stream in self._ledger.streams():
            if stream.ordinal > ordinal:
                return
            through = stream.last if stream.ordinal < ordinal else seq
            before = stream.first
            while self._prune_front(stream, through, PRUNE_ROWS):
                pass
            if stream.first > before:
                self._prune_from_ms = self.lived_ms + PRUNE_EVERY_MS

    def make_room(self, coming_bytes: int = 0) -> None:
        """Prune acknowledged events, oldest first, while above 70 % of the quota with what is coming."""
        keep_bytes = PRUNE_TO * self._ledger.quota_bytes - coming_bytes
        for stream in self._ledger.streams():
            while (excess_bytes := self._file.size_bytes() - keep_bytes) > 0:
                count = min(PRUNE_ROWS, max(_PRUNE_AT_LEAST_ROWS, int(excess_bytes) // 256))
                if not self._prune_front(stream, stream.last, count):
                    break

    def blank_persons(self) -> None:
        """Blank who the events were about: 7 days after acknowledgement, and at 90 days in any case.

        Both by clocks that cannot be ahead: a wall clock that is would take who came from events the hub has not yet.
        """
        now = self._lifetime.now()
        acknowledged_before = Stamp(now.lived_ms - PERSON_ACKNOWLEDGED_MS, now.sure_ms - PERSON_ACKNOWLEDGED_MS)
        with self._file.transaction():
            aged = self._file.aged(now.sure_ms - PERSON_MS, lived_before_ms=now.lived_ms - PERSON_MS)
            self._file.blank_persons(acknowledged_before, aged)

    @property
    def lived_ms(self) -> int:
        """How long agents have run on this file."""
        return self._lifetime.now().lived_ms

    def measure(self) -> None:
        """Tell the ledger how large the file is and how old what waits."""
        oldest_ms = self._file.oldest_waiting_ms(self._ledger.streams())
        self._ledger.measured(Measures(self._file.size_bytes(), oldest_ms, self._file.disk_free_bytes()))

    def _admit(self, attempt: Attempt, offered: list[Line]) -> tuple[list[Line], bool]:
        """Return the lines to store and whether they tell refusals; note in the attempt what a full outbox refuses."""
        quota_bytes = self._ledger.quota_bytes
        counts = Counter(self._file.refused()) + attempt.refused
        used_bytes = self._file.size_bytes()
        lines: list[Line] = []
        for waiting, line in zip(attempt.events, offered, strict=True):
            if used_bytes / quota_bytes >= REFUSED_FROM.get(waiting.event.kind, REFUSED_ELSE_FROM):
                counts[waiting.event.kind] += 1
                continue
            lines.append(line)
            used_bytes += len(line.line) + _ROW_BYTES
        attempt.refused_count = len(offered) - len(lines)
        tells = bool(counts and lines) and used_bytes < TELL_BELOW * quota_bytes
        if tells:
            # It travels with the first event that finds room again, and bears its time.
            told = _refusals(attempt.events[0].event, counts)
            lines.insert(0, self._line(Waiting(told, None)))
        if counts:
            attempt.told = {} if tells else dict(counts)
            self._file.set_refused(attempt.told)
        return lines, tells

    def _line(self, waiting: Waiting) -> Line:
        event, person = waiting.event, waiting.person
        line = encode(event)
        if len(line) > MAX_EVENT_BYTES:
            _LOG.error("kind=%s bytes=%d too large to be stored: kept as lost", event.kind, len(line))
            line, person = encode(_lost(event, len(line))), None
        if event.clock != "synced":
            self.synced_ms = None
            return Line(line, person, self._wall_ms(), trusted=False)
        # Its own time: while it waited for the storage, the clock may have been set by hand.
        self.synced_ms = event.t
        self.woke_late |= self._lifetime.synced(event.t)
        return Line(line, person, event.t, trusted=True)

    def _write(self, positions: Mapping[int, int]) -> None:
        wall_ms, noted = self._ledger.acknowledged_ms or self._wall_ms(), self._lifetime.acknowledged
        for ordinal, position in positions.items():
            self._file.set_position(ordinal, position, wall_ms=wall_ms, noted=noted)

    def _prune_front(self, stream: Stream, through: int, count: int) -> bool:
        """Delete some acknowledged rows from the front of a stream; return whether more may follow."""
        through = self._ledger.prunable(stream, through, count)
        if through < stream.first:
            return False
        forget = through == stream.last
        with self._file.transaction():
            self._file.prune(stream, through, forget=forget)
        self._ledger.pruned(stream, through)
        self.measure()
        return not forget


def _lost(event: Event, size_bytes: int) -> Lost:
    return Lost(subject="outbox", t=event.t, clock=event.clock, up=event.up, value=Size(size_bytes=size_bytes))


def _refusals(stamp: Event, counts: Mapping[str, int]) -> EventsRefused:
    value = Refusal(counts=dict(counts))
    return EventsRefused(subject="outbox", t=stamp.t, clock=stamp.clock, up=stamp.up, value=value)
