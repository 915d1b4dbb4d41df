"""The outbox thread: takes events from a bounded queue, groups them, stores them, and lives through storage errors.

An event counts as stored once its transaction is durable (WAL, synchronous=FULL). The main loop never waits for the
disk. While the storage is away, up to `QUEUE_EVENTS` events wait in memory: that is how many a power cut can then cost,
and what comes on top is refused, counted, and told as an event later.

Source: docs/mqtt-api.md, protocol TC1, "Identity" and "Edge".
"""

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from pydantic import TypeAdapter

from contract.events import Event
from contract.identity import CredentialId
from contract.messages import OutboxStatus
from edge.config import OutboxSettings
from edge.core.sender import Holding, Positions
from edge.outbox.ahead import ReadAhead
from edge.outbox.aside import aside_suffix, forget_aside
from edge.outbox.file import OutboxFile
from edge.outbox.ledger import Ledger
from edge.outbox.schema import MEGABYTE, StorageError, free_bytes, is_corruption
from edge.outbox.writer import Attempt, Waiting, Writer

QUEUE_EVENTS = 5_000
"""Events waiting in memory: five days of a telecentre without storage, some 10 MB."""

GROUP_EVENTS = 50
GROUP_S = 0.1
"""A transaction waits for 50 events or 100 ms: one sync for many. An access event does not wait."""

TAKE_EVENTS = 500
"""The most that one transaction stores when many events have waited."""

POSITIONS_S = 900.0
"""Acknowledged positions are written with the next events, or after so long: losing them costs one Hello only, and each
write of their own costs the card as much as half an event. A sign of life usually comes before."""

BLANK_EVERY_S = 3_600.0
BLANK_SOON_S = 60.0
"""After a synchronised clock told of days without power."""

RETRY_MIN_S = 1.0
RETRY_MAX_S = 60.0
"""How long to wait before a failed storage is opened again: doubled from the one to the other."""

_CREDENTIAL: TypeAdapter[str] = TypeAdapter(CredentialId)
_OUR_BUGS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError, sqlite3.DataError)
_LOG = logging.getLogger(__name__)


class Outbox:
    """The writer's thread and its queue.

    The folder must have been prepared (`prepare_folder`); until it is there, with its marker, events wait in memory.
    `on_new_stream` is called from the outbox thread when all states must be said again: the stream changed in a running
    agent, or refusals ended. `on_crash` gets what can only be our own bug.
    """

    def __init__(
        self,
        settings: OutboxSettings,
        *,
        boot: str,
        new_id: Callable[[], str],
        wall_ms: Callable[[], int],
        on_new_stream: Callable[[], None],
        on_crash: Callable[[BaseException], None],
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = settings.folder
        self._boot = boot
        self._new_id = new_id
        self._wall_ms = wall_ms
        self._mono_s = mono_s
        self._on_new_stream = on_new_stream
        self._on_crash = on_crash
        self._on_stored: Callable[[], None] = lambda: None
        self._ledger = Ledger(settings.quota_mb * MEGABYTE)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        # Under the condition's lock: what other threads give.
        self._changed = threading.Condition()
        self._waiting: deque[Waiting] = deque()
        self._waiting_since_s = 0.0
        self._refused: Counter[str] = Counter()
        self._moved_since_s: float | None = None
        self._urgent = False
        self._answered = False
        self._stopping = False
        # The outbox thread's own.
        self._attempt: Attempt | None = None
        self._retry_s = RETRY_MIN_S
        self._sound = False
        self._warned = False
        self._was_sound = False
        self._found_damage = False
        self._unreadable: sqlite3.DatabaseError | None = None
        self._was_unreadable = False
        self._blank_due_s = 0.0
        # The link thread's own.
        self._ahead = ReadAhead(settings.folder, mono_s)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Store what was put, close the file, end the thread; what a failing storage cannot take is logged."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def put(self, event: Event, person: str | None) -> bool:
        """Queue one event; `person` is the credential id of an access event. False when the queue is full.

        Raises:
            ValueError: `person` is not a credential id.
        """
        if person is not None:
            _CREDENTIAL.validate_python(person)
        with self._changed:
            if len(self._waiting) >= QUEUE_EVENTS:
                self._refused[event.kind] += 1
                self._ledger.refused(1)
                return False
            if not self._waiting:
                self._waiting_since_s = self._mono_s()
            self._waiting.append(Waiting(event, person))
            self._urgent |= event.kind == "access_decided"
            if self._urgent or len(self._waiting) in (1, GROUP_EVENTS):
                self._changed.notify()
        return True

    def status(self) -> OutboxStatus:
        """Return what is kept for the hub, from any thread."""
        return self._ledger.status()

    def stuck_s(self) -> float:
        """Return for how long events have waited while the storage is not known to be in trouble; 0 when none wait.

        A few seconds are a slow card; more is a thread that hangs, which only a restart cures.
        """
        with self._changed:
            return self._mono_s() - self._waiting_since_s if self._waiting and not self._warned else 0.0

    def on_stored(self, listener: Callable[[], None]) -> None:
        """Set who is told, from the outbox thread, that `held` has changed; it must not block."""
        self._on_stored = listener

    def held(self) -> tuple[Holding, ...]:
        """Return the positions that are durably stored, oldest stream first."""
        return self._ledger.held()

    def read(self, stream: str, first: int, last: int) -> tuple[str, list[tuple[bytes, str | None]]] | None:
        """Return the boot of a stream and (line, person) of its positions `first` to `last`, or None if not to be had.

        For the link's thread alone. A row that cannot be read back comes as an event of kind `lost`.
        """
        try:
            return self._ahead.rows(stream, first, last)
        except sqlite3.DatabaseError as error:
            self._note_unreadable(error)
            return None

    def acknowledge(self, positions: Positions) -> None:
        """Take the positions that the hub has committed; an answered Hello also lets the outbox prune."""
        self._ledger.acknowledge(positions, self._wall_ms())
        with self._changed:
            if self._moved_since_s is None:
                self._moved_since_s = self._mono_s()
            if positions.answered:
                self._answered = True
                self._changed.notify()

    def _note_unreadable(self, error: sqlite3.DatabaseError) -> None:
        """Have the writer open the file anew and look at all of it: it may have in memory what no longer stands there.

        Once in a life: a file that is found whole all the same must not be opened at each question.
        """
        with self._changed:
            if not self._was_unreadable:
                self._was_unreadable = True
                self._unreadable = error
                self._changed.notify()

    def _run(self) -> None:
        try:
            self._live()
        except BaseException as error:  # noqa: BLE001 -- the top of the thread: our own bug is forwarded to main
            self._on_crash(error)

    def _live(self) -> None:
        last_try = False
        while True:
            try:
                file = OutboxFile(self._folder, aside_suffix=aside_suffix(self._wall_ms()), thorough=self._found_damage)
                try:
                    self._serve(file)
                finally:
                    file.close()
            except _OUR_BUGS:
                raise
            except (sqlite3.Error, OSError) as error:
                self._note_trouble(error)
            else:
                return
            if last_try:
                self._note_loss()
                return
            # A stop ends the pause, and the storage gets one more chance to take what waits.
            last_try = self._stopped_within(self._retry_s)
            self._retry_s = min(RETRY_MAX_S, 2 * self._retry_s)

    def _stopped_within(self, wait_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping, wait_s)

    def _note_trouble(self, error: Exception) -> None:
        self._sound = False
        self._found_damage = isinstance(error, sqlite3.DatabaseError) and is_corruption(error)
        self._ledger.storage_works(False)
        # Without its marker, the folder may be on another disk than the outbox.
        self._ledger.disk(None if isinstance(error, StorageError) else free_bytes(self._folder))
        if not self._warned:
            self._warned = True
            _LOG.warning("storage=degraded waiting_max=%d events wait in memory: %s", QUEUE_EVENTS, error)

    def _note_soundness(self) -> None:
        """Note that what waited is stored: a file that only opens, on a full disk, is not sound yet."""
        if self._sound:
            return
        self._sound = True
        self._retry_s = RETRY_MIN_S
        self._ledger.storage_works(True)
        if self._warned:
            self._warned = False
            _LOG.info("storage=ok sqlite=%s", sqlite3.sqlite_version)
        if self._was_sound:
            self._on_new_stream()
        self._was_sound = True

    def _note_loss(self) -> None:
        lost_count = len(self._waiting) + (len(self._attempt.events) if self._attempt else 0)
        if lost_count:
            _LOG.error("storage=degraded events_lost=%d the agent stops while its storage is away", lost_count)

    def _serve(self, file: OutboxFile) -> None:
        """Store until the agent stops, from an open file."""
        self._resume(file)
        writer = Writer(
            file,
            self._ledger,
            boot=self._boot,
            new_id=self._new_id,
            wall_ms=self._wall_ms,
            mono_s=self._mono_s,
        )
        writer.measure()
        self._blank_due_s = self._mono_s()
        while True:
            self._wait()
            if self._unreadable is not None:
                error, self._unreadable = self._unreadable, None
                raise error
            self._store(writer)
            self._tend(writer)
            self._forget(file, writer)
            self._note_soundness()
            with self._changed:
                if self._stopping and not (self._waiting or self._answered or self._moved_since_s is not None):
                    return

    def _resume(self, file: OutboxFile) -> None:
        """Take what the file holds as stored, and what a failed transaction did not store as waiting again."""
        if file.moved_aside is not None:
            _LOG.error("storage=corrupt the outbox was moved aside as %s and a new one begun", file.moved_aside)
        streams, refused, acknowledged_ms = file.streams(), file.refused(), file.acknowledged_ms()
        # Nothing that can fail comes after this line: the attempt is the only place that has its events.
        attempt, self._attempt = self._attempt, None
        if attempt is not None and attempt.is_stored_in(streams, refused):
            self._ledger.refused(attempt.refused_count)
        elif attempt is not None:
            with self._changed:
                self._waiting.extendleft(reversed(attempt.events))
                self._refused.update(attempt.refused)
        self._ledger.reload(streams, acknowledged_ms)
        self._on_stored()

    def _wait(self) -> None:
        """Wait until there is something to do."""
        with self._changed:
            while (due_s := self._due_in_s()) > 0:
                self._changed.wait(due_s)

    def _due_in_s(self) -> float:
        if self._stopping or self._urgent or self._answered or len(self._waiting) >= GROUP_EVENTS or self._unreadable:
            return 0.0
        due_s = [self._blank_due_s]
        if self._waiting:
            due_s.append(self._waiting_since_s + GROUP_S)
        if self._moved_since_s is not None:
            due_s.append(self._moved_since_s + POSITIONS_S)
        return min(due_s) - self._mono_s()

    def _store(self, writer: Writer) -> None:
        with self._changed:
            events = [self._waiting.popleft() for _ in range(min(TAKE_EVENTS, len(self._waiting)))]
            refused, self._refused = self._refused, Counter()
            self._waiting_since_s = self._mono_s()
            self._urgent &= bool(self._waiting)
            if events:
                self._moved_since_s = None
        if not events and not refused:
            return
        self._attempt = Attempt(events, refused)
        tells = writer.store(self._attempt)
        self._attempt = None
        self._on_stored()
        if tells:
            self._on_new_stream()

    def _tend(self, writer: Writer) -> None:
        """Do what has no hurry: write positions, prune after an answer."""
        now_s = self._mono_s()
        with self._changed:
            answered, self._answered = self._answered, False
            moved_since_s = self._moved_since_s
            due = moved_since_s is not None and (answered or self._stopping or now_s >= moved_since_s + POSITIONS_S)
            if due:
                self._moved_since_s = None
        if due and self._ledger.moved():
            writer.write_positions()
        if answered:
            writer.prune_aged()
            writer.make_room()
            self._on_stored()

    def _forget(self, file: OutboxFile, writer: Writer) -> None:
        """Blank persons whose time has come, and delete files that were moved aside."""
        now_s = self._mono_s()
        if writer.woke_late:
            writer.woke_late = False
            self._blank_due_s = min(self._blank_due_s, now_s + BLANK_SOON_S)
        if now_s < self._blank_due_s:
            return
        self._blank_due_s = now_s + BLANK_EVERY_S
        writer.blank_persons()
        if deleted := forget_aside(self._folder, writer.synced_ms, writer.lived_ms):
            file.count_forgotten(deleted)
