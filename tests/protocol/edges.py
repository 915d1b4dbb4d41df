"""An edge without threads: the turns of its outbox and its link over a simulated disk.

Sender, ledger and the writer's rules are the real ones.
"""

import sqlite3
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol, cast

from contract.events import Clock, Event
from contract.messages import Ack, BatchHeader, Held, Hello, encode_batch
from edge.core.sender import SendBatch, Sender, SendHello
from edge.outbox.ledger import Ledger
from edge.outbox.writer import Attempt, Waiting, Writer
from tests.protocol.disk import Disk, SimulatedFile
from tests.protocol.oracle import Oracle, hold
from tests.support.events import PERSON, T0_MS, access, alive, desk

if TYPE_CHECKING:
    from edge.outbox.file import OutboxFile

HELLO_SPREAD_S = 30.0
MAX_SAID = 40
"""Messages in one turn of the link: more than a window."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What an edge publishes on its history lane."""

    site: str
    channel: str
    content_type: str
    payload: bytes


class Now(Protocol):
    """The simulated time, shared by all."""

    now_s: float


class Edge:
    """One site. `sender` makes the sending half of TC1, so that a wrong one can be put in its place."""

    def __init__(
        self, site: str, time: Now, random: Random, oracle: Oracle, *, quota_bytes: int, sender: type[Sender]
    ) -> None:
        self.site = site
        self.disk = Disk(site, oracle)
        self.connected = False
        self.clock: Clock = "synced"
        self.clock_error_ms = 0
        self.batch_events = 200
        self.put_count = 0
        self.waiting: deque[Waiting] = deque()
        self._gone_count = 0
        self._time = time
        self._random = random
        self._oracle = oracle
        self._quota_bytes = quota_bytes
        self._new_sender = sender
        self._answered = False
        self._answered_by: str | None = None
        self._asked: str | None = None
        self._greeted = False
        self.start()

    def start(self) -> None:
        """Start the agent: what waited in memory is gone, what the disk holds counts."""
        self._boot = f"{self._random.getrandbits(128):032x}"
        self.waiting.clear()
        self._gone_count = self._unaccounted()
        self.connected = self._answered = False
        self._answered_by = None
        self.ledger = Ledger(self._quota_bytes)
        self.sender = self._new_sender(hello_spread_s=HELLO_SPREAD_S, draw=self._random.random)
        self._open(None)

    def cut_power(self, transactions: int) -> None:
        """Lose the power, and with it what a lying disk had not written."""
        self.disk.cut_power(transactions)
        self.start()

    # The outbox's turns.

    def put(self, count: int, *, unwelcome: bool = False) -> None:
        """Let events happen; the hub's database will refuse the first one if it is `unwelcome`."""
        if unwelcome:
            self._oracle.unwelcome.add((self.site, self.put_count))
        for _ in range(count):
            make = (desk, access, alive)[self.put_count % 3] if self.clock == "synced" else _unsynced
            event = make(self.put_count).model_copy(update={"t": self._wall_ms()})
            self.waiting.append(Waiting(event, PERSON if event.kind == "access_decided" else None))
            self.put_count += 1

    def store(self) -> None:
        """Take the outbox's turn: store what waits, write positions, prune after an answer."""
        attempt = None
        try:
            if self.waiting:
                attempt = Attempt(list(self.waiting), Counter())
                self.waiting.clear()
                self._writer.store(attempt)
                attempt = None
            if self._answered:
                self._answered = False
                if self.ledger.moved():
                    self._writer.write_positions()
                self._writer.prune_aged()
                self._writer.make_room()
        except sqlite3.Error:
            self._open(attempt)
        hold(self._unaccounted() == self._gone_count, "an event is stored, waits, or is counted as refused, once")

    def _wall_ms(self) -> int:
        return T0_MS + int(self._time.now_s * 1000) + self.clock_error_ms

    def _unaccounted(self) -> int:
        accounted = self._oracle.accounted[self.site] + sum(self.disk.refused.values())
        return self.put_count - accounted - len(self.waiting)

    def _open(self, attempt: Attempt | None) -> None:
        """Open the file again after a storage error: what is in it counts as stored, only the rest is stored again."""
        file = SimulatedFile(self.disk)
        streams = file.streams()
        if attempt is not None and not attempt.is_stored_in(streams, file.refused()):
            self.waiting.extendleft(reversed(attempt.events))
        self.ledger.reload(streams, None)
        self._writer = Writer(
            cast("OutboxFile", file),
            self.ledger,
            boot=self._boot,
            new_id=lambda: f"{self._random.getrandbits(128):032x}",
            wall_ms=self._wall_ms,
            mono_s=lambda: self._time.now_s,
        )

    # The link's turns.

    def connect(self) -> None:
        """Be on a fresh connection to the broker."""
        self.connected, self._greeted = True, False
        self._asked = None
        self.sender.held(self.ledger.held())
        self.sender.connected(self._time.now_s)

    def disconnect(self) -> None:
        """Lose the connection."""
        self.connected = self._greeted = False
        self.sender.disconnected()

    def hear_hub(self, incarnation: str) -> None:
        """Take the retained hint."""
        self.sender.hub_seen(incarnation, self._time.now_s)

    def hear(self, ack: Ack) -> None:
        """Take an acknowledgement or an answer."""
        self.sender.held(self.ledger.held())
        positions = self.sender.ack(ack, self._time.now_s)
        if positions is None:
            return
        if positions.answered:
            hold(ack.hello_id == self._asked, "only the answer to the last Hello counts")
            self._answered_by = ack.hub
            self._answered = self._greeted = True
        else:
            hold(ack.hello_id is None, "an answer to another Hello is ignored")
        hold(ack.hub == self._answered_by, "an advance counts only from the hub that answered the Hello")
        self._oracle.edge_believes(self.site, positions, ack.hub)
        self.ledger.acknowledge(positions, 0)

    def speak(self) -> list[Packet]:
        """Say everything that is due."""
        said: list[Packet] = []
        self.sender.held(self.ledger.held())
        for _ in range(MAX_SAID):
            order = self.sender.next(self._time.now_s)
            if order is None:
                break
            hold(self.connected, "nothing is said without a connection")
            if isinstance(order, SendHello):
                said.append(self._hello(order))
            elif (batch := self._batch(order)) is None:
                self.sender.unreadable(self._time.now_s)
            else:
                said.append(batch)
        return said

    def _hello(self, order: SendHello) -> Packet:
        self._asked = order.hello_id
        streams = [Held(stream=item.stream, first=item.first, last=item.last) for item in order.streams]
        hello = Hello(site=self.site, hello_id=order.hello_id, streams=streams)
        return Packet(self.site, "hello", "", hello.model_dump_json().encode())

    def _batch(self, order: SendBatch) -> Packet | None:
        hold(self._greeted, "nothing is sent before a Hello was answered on this connection")
        found = self.disk.read(order.stream, order.first, order.last)
        if found is None:
            return None
        boot, rows = found
        rows = rows[: self.batch_events]
        header = BatchHeader(
            site=self.site,
            stream=order.stream,
            boot=boot,
            first=order.first,
            n=len(rows),
            sent_at=0,
            persons=_persons(order.first, rows),
        )
        self.sender.sent(header.last, self._time.now_s)
        return Packet(self.site, "up", *encode_batch(header, [line for line, _ in rows]))


def _persons(first: int, rows: Sequence[tuple[bytes, str | None]]) -> dict[int, str]:
    return {seq: person for seq, (_, person) in enumerate(rows, start=first) if person is not None}


def _unsynced(number: int) -> Event:
    return desk(number, clock="unsynced")
