"""A hub without threads: its receiver, its custody and its backlog are real, its database is in memory and fails."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Literal, Protocol, cast

from contract.messages import Ack, Hello, StreamAck
from hub.backlog import OVERHEAD_BYTES, Backlog
from hub.custody import Message, Outcome, commit
from hub.receiver import Batch, Receipt, answer, receive
from hub.store import StoreDownError, StoreRefusedError, Writer
from tests.protocol.edges import Now, Packet
from tests.protocol.oracle import Kept, Name, Oracle, hold
from tests.support.events import T0_MS

Failure = Literal["works", "away", "fails", "durable"]
"""What a transaction does: does not begin, fails and keeps nothing, or fails although it is durable."""

Receive = Callable[[Batch, int, int, int | None], Receipt]
MAX_BYTES, HELLO_BYTES, SITE_BYTES = 40_000, 8_000, 24_000
"""A backlog for some twenty messages, so that it is often full; the largest batch here takes 8,000 bytes."""


class Database:
    """What survives a restart of the hub. It has the face of `hub.store.Writer`, as far as custody uses it."""

    def __init__(self, time: Now, oracle: Oracle, receive_: Receive) -> None:
        self.streams: dict[Name, Kept] = {}
        self.failures: deque[Failure] = deque()
        self.incarnation = ""
        self._time = time
        self._oracle = oracle
        self._receive = receive_
        self._changed: dict[Name, Kept] = {}
        self._backup: tuple[float, dict[Name, Kept]] = (time.now_s, {})

    def open(self, incarnation: str) -> None:
        """Serve a new connection."""
        self.incarnation = incarnation
        self._oracle.hub_opened(incarnation, self.streams)

    def back_up(self) -> None:
        """Make a backup in place of the one before."""
        self._backup = (self._time.now_s, dict(self.streams))

    def restore(self) -> None:
        """Go back to the backup, with the gap row of all sites that tells it."""
        backup_s, streams = self._backup
        self.streams = dict(streams)
        self._oracle.restores.append((backup_s, self._time.now_s))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        outcome = self.failures.popleft() if self.failures else "works"
        if outcome == "away":
            raise StoreDownError("the database does not answer")
        self._changed = {}
        yield
        if outcome != "fails":
            for name, after in self._changed.items():
                before = self.streams.get(name, Kept())
                self.streams[name] = after
                self._oracle.hub_committed(self.incarnation, name, before, after, self._time.now_s)
        if outcome != "works":
            raise StoreDownError("the connection was lost at the commit")

    def lock_sites(self, sites: set[str]) -> None:
        """Nobody else writes here."""

    def receive(self, batch: Batch, received_at: int, *, singly: bool = False) -> tuple[int, int]:
        header = batch.header
        name = (header.site, header.stream)
        kept = self._read(name)
        receipt = self._receive(batch, kept.position, received_at, None)
        if receipt.position == kept.position:
            return kept.position, 0
        kept = self._changed[name] = kept.copy()
        for event in receipt.events:
            hold(event.seq not in kept.rows, "no event is stored twice")
            if (header.site, event.up) in self._oracle.unwelcome and event.kind not in ("events_refused", "lost"):
                if not singly:
                    raise StoreRefusedError("a constraint")
                kept.aside.add(event.seq)
            else:
                kept.rows[event.seq] = event.digest
        kept.aside.update(bad.seq for bad in receipt.bad)
        kept.position = receipt.position
        return receipt.position, len(receipt.events)

    def greet(self, hello: Hello, _received_at: int) -> list[StreamAck]:
        acks: list[StreamAck] = []
        for held in hello.streams:
            name = (hello.site, held.stream)
            kept = self._read(name)
            found = answer(held, kept.position)
            if found.gap is not None:
                kept = self._changed[name] = kept.copy()
                kept.gaps[found.gap[0]] = found.gap[1]
                kept.position = found.position
            acks.append(StreamAck(stream=held.stream, seq=found.position))
        return acks

    def refuse(self, site: str, reason: str, _received_at: int, _sample: bytes) -> None:
        hold(reason != "database", f"no message of {site} is refused whole because of one event in it")

    def settle_sites(self, sites: set[str]) -> None:
        """Figures are another matter."""

    def _read(self, name: Name) -> Kept:
        return self._changed.get(name) or self.streams.get(name) or Kept()


class Downlink(Protocol):
    """What the hub says through the broker."""

    def publish_ack(self, ack: Ack) -> None:
        """Send an acknowledgement or an answer to its site."""

    def announce(self, incarnation: str) -> None:
        """Retain the hint of this incarnation."""


class Hub:
    """The worker: one incarnation after the other."""

    backlog_of = Backlog

    def __init__(
        self, time: Now, random: Random, oracle: Oracle, downlink: Downlink, receive_: Receive = receive
    ) -> None:
        self.database = Database(time, oracle, receive_)
        self.dropped = 0
        self._time = time
        self._random = random
        self._downlink = downlink
        self._start()

    @property
    def incarnation(self) -> str:
        return self.database.incarnation

    @property
    def idle(self) -> bool:
        return not self._heard and not self._unfinished

    def restart(self) -> None:
        """Die and start again: what was heard and not committed is gone."""
        self._start()

    def _start(self) -> None:
        self._backlog = self.backlog_of(max_bytes=MAX_BYTES, hello_bytes=HELLO_BYTES, site_bytes=SITE_BYTES)
        self._heard: deque[Message] = deque()
        self._behind: set[str] = set()
        self._unfinished: list[Message] = []
        self._open()

    def restore(self) -> None:
        """Restore the backup, which restarts the hub."""
        self.database.restore()
        self.restart()

    def hear(self, packet: Packet) -> None:
        """Take a message from the broker."""
        message = Message(
            generation=0,
            mid=0,
            qos=1,
            site=packet.site,
            channel="hello" if packet.channel == "hello" else "up",
            content_type=packet.content_type,
            payload=packet.payload,
            received_at=T0_MS + int(self._time.now_s * 1000),
        )
        if self._backlog.put(message) is None:
            self._heard.append(message)
            self._check_backlog(message)
        else:
            self.dropped += 1
            self._behind |= {message.site} if message.channel == "up" else set()

    def _check_backlog(self, taken: Message) -> None:
        if taken.channel == "hello":
            self._behind.discard(taken.site)
        hold(taken.site not in self._behind, "nothing waits at the hub behind a batch that it dropped")
        sizes = [(message.site, OVERHEAD_BYTES + len(message.payload)) for message in self._heard]
        hold(sum(size for _, size in sizes) <= MAX_BYTES, "what waits at the hub is bounded")
        of_site = sum(size for site, size in sizes if site == taken.site)
        hold(of_site <= SITE_BYTES, "what waits at the hub of one site is bounded")

    def work(self, count: int, *, promise: bool = True) -> None:
        """Commit up to `count` messages together, then promise; without `promise` it dies in between."""
        if not self._unfinished:
            self._unfinished = self._backlog.take(count, 0.0)
            expected = [self._heard.popleft() for _ in range(min(count, len(self._heard)))]
            hold(self._unfinished == expected, "what came first at the hub is taken first, and all of it")
        if not self._unfinished:
            return
        try:
            outcome = self.commit(self._unfinished)
        except StoreDownError:
            self._open()
            return
        self._unfinished = []
        if promise:
            self.promise(outcome)
        else:
            self.restart()

    def commit(self, messages: list[Message]) -> Outcome:
        """Commit together what can be committed together."""
        # The database has of the writer what custody uses, and nothing else.
        return commit(cast("Writer", self.database), messages)

    def promise(self, outcome: Outcome) -> None:
        """Answer each Hello and acknowledge each site once."""
        hub = self.incarnation
        for site, hello_id, acks in outcome.answers:
            self._downlink.publish_ack(Ack(site=site, hub=hub, acks=acks, hello_id=hello_id))
        for site, positions in outcome.positions.items():
            acks = [StreamAck(stream=stream, seq=seq) for stream, seq in positions.items()]
            self._downlink.publish_ack(Ack(site=site, hub=hub, acks=acks))

    def _open(self) -> None:
        """Begin an incarnation: a new worker, or a new connection to the database."""
        self.database.open(f"{self._random.getrandbits(128):032x}")
        self._downlink.announce(self.incarnation)
