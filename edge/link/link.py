"""The link to the hub: the history lane by TC1 (edge.core.sender decides), and the now lane.

One thread owns the connection and everything said on it. A link that is down is not an error: events wait in the
outbox. Whatever a broker forgets is said again on the next connection, because nothing relies on its memory.

Source: docs/mqtt-api.md, protocol TC1.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from pydantic import ValidationError

from contract.identity import bucket_of
from contract.limits import MAX_BATCH_BYTES, MAX_MESSAGE_BYTES, MAX_RIGHTS_BYTES
from contract.messages import Ack, BatchHeader, Held, Hello, HubState, Now, Report, Status, encode_batch
from contract.topics import hub_topic, topic_for
from edge.config import LinkSettings
from edge.core.sender import Holding, Positions, SendBatch, Sender, SendHello
from edge.link.connection import Connection, Received
from edge.link.pauses import Pauses

SOON_S = 1.0
"""At most one Now and one Status a second, whatever changes."""

BATCH_EVERY_S = 0.02
"""A backlog leaves at 10,000 events a second at most: between two batches the processor is the door's. A batch keeps a
Pi busy for some milliseconds, and a badge that waits behind several of them is felt; a day's events take 0.1 s."""

HEADER_BYTES = 400
"""More than a batch header without persons can take."""

PERSON_BYTES = 24
"""What one person takes in the header beside the credential id: a position, quotes and marks."""

_LOG = logging.getLogger(__name__)


class Custody(Protocol):
    """What the link asks of the outbox."""

    def on_stored(self, listener: Callable[[], None]) -> None:
        """Set who is told that `held` has changed."""

    def held(self) -> Sequence[Holding]:
        """Return what is stored, oldest stream first."""

    def read(self, stream: str, first: int, last: int) -> tuple[str, list[tuple[bytes, str | None]]] | None:
        """Return the boot of a stream and its (line, person) of these positions, or None if not to be had now."""

    def acknowledge(self, positions: Positions) -> None:
        """Take up to where the hub has each stream."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Who takes what the hub sends beside acknowledgements, sealed as it came; called from the link's thread.

    A command comes with whether the broker had retained it.
    """

    rights: Callable[[bytes], None]
    command: Callable[[bytes, bool], None]


class Link:
    """The link's thread. `now` and `report` are called from it; `on_crash` gets what can only be our own bug."""

    def __init__(
        self,
        settings: LinkSettings,
        site: str,
        outbox: Custody,
        *,
        now: Callable[[], Now],
        report: Callable[[], Report],
        random: Random,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._site = site
        self._outbox = outbox
        self._now = now
        self._report = report
        self._orders: Orders | None = None
        self._random = random
        self._on_crash = on_crash
        self._sender = Sender(hello_spread_s=settings.hello_spread_s, draw=random.random)
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._stopping = threading.Event()
        self._online = threading.Event()
        self._now_changed = threading.Event()
        self._report_changed = threading.Event()
        self._stored = threading.Event()
        # The thread's own.
        self._now_due_s = self._report_due_s = self._status_due_s = self._batch_due_s = 0.0
        self._told_down: set[str] = set()
        self._noise_count = 0
        self._too_large: set[str] = set()
        self._refused: set[str] = set()

    @property
    def online(self) -> bool:
        """Whether the broker has accepted the connection that is open now."""
        return self._online.is_set()

    def hand_orders_to(self, orders: Orders) -> None:
        """Ask the hub for lists of rights and commands too; to be called before the start."""
        self._orders = orders

    def start(self) -> None:
        """Start the thread, which connects and reconnects by itself."""
        self._outbox.on_stored(self._on_stored)
        self._stored.set()
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Say that the agent goes offline, disconnect and end the thread."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout_s)

    def now_changed(self) -> None:
        """Publish `now()` soon: at once, or a second after the one before."""
        self._now_changed.set()
        self._wake()

    def report_changed(self) -> None:
        """Publish a Status with `report()` soon; one goes out every `status_interval_s` anyway."""
        self._report_changed.set()
        self._wake()

    def _on_stored(self) -> None:
        self._stored.set()
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_writer.send(b"\0")
        except (BlockingIOError, OSError):
            return  # it is awake already, or has ended

    def _run(self) -> None:
        try:
            self._live()
        except BaseException as error:  # noqa: BLE001 -- the top of the thread: our own bug is forwarded to main
            self._on_crash(error)
        finally:
            self._online.clear()
            self._wake_reader.close()
            self._wake_writer.close()

    def _live(self) -> None:
        pauses = Pauses(self._random.random, spread_s=self._settings.hello_spread_s)
        while not self._stopping.is_set():
            self._sender.disconnected()
            offline = Status(site=self._site, online=False).model_dump_json().encode()
            will = (topic_for(self._site, "status"), offline)
            connection = Connection(self._settings, self._site, will)
            opened_s = time.monotonic()
            connection.open()
            heard = self._serve(connection)
            if self._stopping.is_set():
                farewell = connection.publish(*will, retain=True) if connection.ready else None
                connection.leave(farewell, self._wake_reader)
                return
            connection.close()
            self._note_down(connection.lost or "")
            lasted_s = time.monotonic() - opened_s
            self._stopping.wait(pauses.after(lasted_s=lasted_s, heard=heard, closed=not connection.silent))

    def _serve(self, connection: Connection) -> bool:
        """Speak until the connection is lost or the agent stops; return whether the hub was heard on it."""
        greeted = heard = False
        while connection.lost is None and not self._stopping.is_set():
            received = connection.turn(self._idle_s() if greeted else SOON_S, self._wake_reader)
            self._drain_wakes()
            now_s = time.monotonic()
            if connection.ready and not greeted:
                self._greet(connection, now_s)
                greeted = True
            for message in received:
                self._take(message, now_s)
            if greeted and connection.lost is None:
                self._speak(connection)
                heard |= self._sender.answered
        self._online.clear()
        return heard

    def _greet(self, connection: Connection, now_s: float) -> None:
        topics = [topic_for(self._site, "ack"), hub_topic(bucket_of(self._site))]
        if self._orders is not None:
            topics += [topic_for(self._site, "rights"), topic_for(self._site, "cmd")]
        connection.subscribe(topics)
        self._online.set()
        self._told_down.clear()
        _LOG.info("link=up broker=%s:%d", self._settings.host, self._settings.port)
        self._now_due_s = self._report_due_s = self._status_due_s = 0.0
        self._now_changed.set()
        self._sender.held(self._outbox.held())
        self._sender.connected(now_s)

    def _note_down(self, why: str) -> None:
        """Say why the link is down, each reason once until it is up again."""
        if why not in self._told_down:
            self._told_down.add(why)
            _LOG.info("link=down broker=%s:%d reason=%s", self._settings.host, self._settings.port, why)

    def _idle_s(self) -> float:
        """Return how long nothing needs to be said."""
        due_s = [self._status_due_s]
        if self._now_changed.is_set():
            due_s.append(self._now_due_s)
        if self._report_changed.is_set():
            due_s.append(self._report_due_s)
        if (wake_s := self._sender.wake_s()) is not None:
            due_s.append(wake_s)
        if self._batch_due_s:
            due_s.append(self._batch_due_s)
        # A second at most, so that paho can watch its keepalive.
        return min(SOON_S, min(due_s) - time.monotonic())

    def _drain_wakes(self) -> None:
        try:
            self._wake_reader.recv(4096)
        except BlockingIOError:
            return

    def _take(self, message: Received, now_s: float) -> None:
        """Take one message from the hub; what does not decode is noise. A retained acknowledgement is stale."""
        if self._orders is not None and message.topic == topic_for(self._site, "rights"):
            # One byte above the limit is enough to be refused for its size, and told.
            self._orders.rights(message.payload[: MAX_RIGHTS_BYTES + 1])
            return
        if len(message.payload) > MAX_MESSAGE_BYTES:
            self._count_noise(message, "too large")
            return
        try:
            if message.topic == hub_topic(bucket_of(self._site)):
                self._sender.hub_seen(HubState.model_validate_json(message.payload).hub, now_s)
            elif message.topic == topic_for(self._site, "ack") and not message.retained:
                self._take_ack(message, Ack.model_validate_json(message.payload), now_s)
            elif self._orders is not None and message.topic == topic_for(self._site, "cmd"):
                self._orders.command(message.payload, message.retained)
        except ValidationError as error:
            self._count_noise(message, str(error))

    def _count_noise(self, message: Received, why: str) -> None:
        self._noise_count += 1
        _LOG.debug("link noise_count=%d topic=%s: %s", self._noise_count, message.topic, why)

    def _take_ack(self, message: Received, ack: Ack, now_s: float) -> None:
        if ack.site != self._site:
            self._count_noise(message, "another site's")
            return
        self._sender.held(self._outbox.held())
        positions = self._sender.ack(ack, now_s)
        if positions is not None:
            self._outbox.acknowledge(positions)

    def _speak(self, connection: Connection) -> None:
        """Say everything that is due on both lanes."""
        now_s = time.monotonic()
        if self._now_changed.is_set() and now_s >= self._now_due_s:
            self._now_changed.clear()
            self._now_due_s = now_s + SOON_S
            self._publish(connection, topic_for(self._site, "now"), self._now().model_dump_json().encode())
        if now_s >= self._status_due_s or (self._report_changed.is_set() and now_s >= self._report_due_s):
            self._report_changed.clear()
            self._report_due_s = now_s + SOON_S
            self._status_due_s = now_s + self._settings.status_interval_s
            status = Status(site=self._site, online=True, report=self._report())
            self._publish(connection, topic_for(self._site, "status"), status.model_dump_json().encode())
        if self._stored.is_set():
            self._stored.clear()
            self._sender.held(self._outbox.held())
        self._send_what_is_due(connection)
        for reason in connection.refusals():
            if reason not in self._refused:
                self._refused.add(reason)
                _LOG.warning("link=refused reason=%s the broker does not take our messages", reason)

    def _send_what_is_due(self, connection: Connection) -> None:
        while (now_s := time.monotonic()) >= self._batch_due_s:
            self._batch_due_s = 0.0
            order = self._sender.next(now_s) if connection.takes_more() else None
            if order is None:
                return
            if isinstance(order, SendHello):
                self._send_hello(connection, order)
            else:
                self._send_batch(connection, order)
                self._batch_due_s = time.monotonic() + BATCH_EVERY_S

    def _publish(self, connection: Connection, topic: str, payload: bytes) -> None:
        """Publish a retained message, unless the broker would refuse it for its size and end the connection."""
        if len(payload) <= connection.max_payload_bytes:
            connection.publish(topic, payload, retain=True)
        elif topic not in self._too_large:
            self._too_large.add(topic)
            _LOG.error("topic=%s bytes=%d too large for the broker: not published", topic, len(payload))

    def _send_hello(self, connection: Connection, order: SendHello) -> None:
        streams = [Held(stream=item.stream, first=item.first, last=item.last) for item in order.streams]
        hello = Hello(site=self._site, hello_id=order.hello_id, streams=streams)
        connection.publish(topic_for(self._site, "hello"), hello.model_dump_json().encode())

    def _send_batch(self, connection: Connection, order: SendBatch) -> None:
        found = self._outbox.read(order.stream, order.first, order.last)
        if found is None:
            self._sender.unreadable(time.monotonic())
            return
        boot, rows = found
        rows = rows[: fitting_count(rows, min(MAX_BATCH_BYTES, connection.max_payload_bytes))]
        if not rows:
            self._sender.unreadable(time.monotonic())
            return
        header = BatchHeader(
            site=self._site,
            stream=order.stream,
            boot=boot,
            first=order.first,
            n=len(rows),
            sent_at=time.time_ns() // 1_000_000,
            persons={seq: person for seq, (_, person) in enumerate(rows, start=order.first) if person is not None},
        )
        content_type, payload = encode_batch(header, [line for line, _ in rows])
        connection.publish(topic_for(self._site, "up"), payload, content_type=content_type)
        self._sender.sent(header.last, time.monotonic())


def fitting_count(rows: Sequence[tuple[bytes, str | None]], limit_bytes: int) -> int:
    """Return how many rows, from the first on, a batch of `limit_bytes` can carry."""
    used_bytes = HEADER_BYTES
    for count, (line, person) in enumerate(rows):
        used_bytes += len(line) + 1 + (len(person) + PERSON_BYTES if person else 0)
        if used_bytes > limit_bytes:
            return count
    return len(rows)
