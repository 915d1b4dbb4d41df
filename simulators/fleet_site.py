"""One site of the fleet: what it holds, and a sending half of TC1 of its own. Pure: time and chance are arguments.

Written from docs/mqtt-api.md apart from the edge's sender, so that one misreading cannot hide in both. Each start of a
site's agent begins a new stream, as on a Pi.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Literal

from contract.events import encode
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import (
    Ack,
    BatchHeader,
    Held,
    Hello,
    OutboxStatus,
    Report,
    RightsStatus,
    Status,
    encode_batch,
)
from simulators.fleet_expected import Memory
from simulators.fleet_place import VERSION, Moment, Place, Seen
from simulators.fleet_tally import Tally

WINDOW_BATCHES = 32
TIMER_MIN_S, TIMER_MAX_S, TIMER_JITTER = 5.0, 60.0, 0.25
HELLO_EVERY_S = 900.0
STATUS_EVERY_S = 60.0
NOW_EVERY_S = 1.0
"""TC1's own numbers, and the settings of a site as shipped (docs/mqtt-api.md, docs/operating.md)."""

KEPT_ACKNOWLEDGED = 250
"""Acknowledged events that a site still holds after a Hello: a real one keeps them for 30 days. No multiple of a batch:
a hub that goes back by whole batches does not end exactly before what is held, of which nobody can say what it lost."""

QUOTA_BYTES = 1 << 30

MAX_HELLO_STREAMS = 100
"""The newest: half of what a Hello may have, and years of a site that restarts once a month, longer than any play."""

NOT_CONNECTED = float("nan")


@dataclass(frozen=True, slots=True)
class Say:
    """A message to publish."""

    channel: Literal["up", "hello", "now", "status"]
    payload: bytes
    content_type: str = ""
    retain: bool = False


@dataclass(slots=True)
class Stream:
    """A stream as the site holds it: `lines` begins at position `first`."""

    name: str
    first: int = 1
    position: int = 0
    """Up to where the hub has said that it committed the stream."""
    lines: list[bytes] = field(default_factory=list)
    persons: dict[int, str] = field(default_factory=dict)
    lost: int = 0
    """Events, at least, that the hub had acknowledged, no longer has, and that are no longer held here."""
    made_s: deque[float] = field(default_factory=deque)
    """When each event beyond the position was made: for how long it waits; not a number when that is no one's fault."""
    hashed: Any = field(default_factory=sha256)

    @property
    def last(self) -> int:
        """The position of the last event: what the hub must end with."""
        return self.first + len(self.lines) - 1

    @property
    def digest(self) -> str:
        """The SHA-256 of the SHA-256 of each line, in order: what the hub must have, to the byte."""
        return str(self.hashed.hexdigest())


class FleetSite:
    """What one site holds, and what it says next.

    `random` is its own, so that a site does not depend on the others; a new hub is greeted after up to `spread_s`.
    """

    def __init__(self, name: str, place: Place, *, random: Random, tally: Tally, spread_s: float) -> None:
        self.name = name
        self.streams: list[Stream] = []
        """Oldest first."""
        self.observed = 0
        """How many events it has ever stored, over all streams."""
        self.memory = Memory()
        self._boot = f"{random.getrandbits(128):032x}"
        self._random = random
        self._spread_s = spread_s
        self._tally = tally
        self._place = place
        self._started_ms = 0
        self._connected = False
        self._question: str | None = None
        self._asked = self._answered = False
        self._hub = self._hint = ""
        self._sending: Stream | None = None
        self._pointer = 1
        self._in_flight: deque[int] = deque()
        self._timeout_s = TIMER_MIN_S
        self._timer_s = self._hello_due_s = self._periodic_s = float("inf")
        self._now_changed = True
        self._now_due_s = self._status_due_s = 0.0

    @property
    def committed(self) -> int:
        """How many of its events the hub has said that it committed."""
        return sum(stream.position for stream in self.streams)

    @property
    def answered(self) -> bool:
        """Whether the hub has answered on this connection, and nothing has raised a doubt since."""
        return self._answered

    @property
    def next_ms(self) -> int:
        """When it next observes something, in the fleet's time."""
        return self._place.next_ms

    # What it observes.

    def start(self, at_ms: int, now_s: float) -> None:
        """Begin to observe at an instant of the fleet's time: an agent says that it started, and every state."""
        self._started_ms = at_ms
        self._keep(self._place.start(at_ms), now_s)

    def observe(self, now_s: float) -> int:
        """Observe the next thing: a desk or a room changes, somebody badges; return how many events that makes."""
        seen = self._place.observe()
        self._keep(seen, now_s)
        return len(seen.events)

    def _keep(self, seen: Seen, now_s: float) -> None:
        if seen.restarted:
            self.streams.append(Stream(f"{self._random.getrandbits(128):032x}"))
        stream = self.streams[-1]
        for event, person in seen.events:
            line = encode(event)
            stream.lines.append(line)
            stream.hashed.update(sha256(line).digest())
            # How long the hub takes is asked of what a connected site says; the rest waits for its line.
            stream.made_s.append(now_s if self._answered else NOT_CONNECTED)
            if person is not None:
                stream.persons[stream.last] = person
            is_start = event.kind == "edge_started"
            self.memory.hear(event.t, event.subject, getattr(event.value, "state", None), restarted=is_start)
            self._now_changed |= event.kind.endswith("_state_changed")
        self.observed += len(seen.events)

    # What it hears.

    def connected(self, now_s: float) -> None:
        """Begin anew on a connection: both documents, and a Hello."""
        self._connected = True
        self._timeout_s = TIMER_MIN_S
        self._now_changed = True
        self._now_due_s = self._status_due_s = now_s
        self._ask(now_s)

    def lost(self, now_s: float) -> None:
        """Forget what was under way."""
        if self._connected:
            self._tally.left(self.name, now_s)
        self._connected = self._asked = self._answered = False
        self._question = None
        self._in_flight.clear()
        self._timer_s = self._hello_due_s = self._periodic_s = float("inf")

    def hub_seen(self, incarnation: str, now_s: float) -> None:
        """Take the retained hint: a new one earns a Hello after a random wait."""
        if incarnation == self._hint:
            return
        self._hint = incarnation
        if incarnation != self._hub and self._connected:
            self._hello_due_s = now_s + self._random.random() * self._spread_s

    def heard(self, ack: Ack, now_s: float) -> None:
        """Take an answer, which is the truth, or an advance."""
        told = {item.stream: item.seq for item in ack.acks}
        if ack.site != self.name or not told:
            return
        if self._asked:
            if ack.hello_id is not None and ack.hello_id == self._question:
                self._take_answer(told, ack.hub, now_s)
        elif self._answered and ack.hello_id is None:
            if ack.hub != self._hub:
                self._ask(now_s)
            else:
                self._advance(told, now_s)

    def ask(self, now_s: float) -> None:
        """Ask the hub once more what it has: for the last word on what was committed.

        It is asked again after 5, 10, 20 s, however long the earlier waits were: a minute would outlast who waits.
        """
        if not self._connected:
            return
        self._timeout_s = TIMER_MIN_S
        if self._asked:
            self._start_timer(now_s)
        else:
            self._ask(now_s)

    def _ask(self, now_s: float) -> None:
        self._asked, self._answered, self._question = True, False, None
        self._in_flight.clear()
        self._hello_due_s = self._periodic_s = float("inf")
        self._start_timer(now_s)

    def _take_answer(self, told: dict[str, int], hub: str, now_s: float) -> None:
        self._asked, self._answered, self._question = False, True, None
        self._hub = hub
        if hub == self._hint:
            self._hello_due_s = float("inf")
        for stream in self._held():
            seq = told.get(stream.name, stream.position)
            if seq > stream.position:
                self._timeout_s = TIMER_MIN_S
            self._move(stream, seq, now_s)
            _prune(stream)
        self._sending = None
        self._timer_s = float("inf")
        self._periodic_s = now_s + HELLO_EVERY_S
        self._tally.answered(self.name, now_s, held_up_to=self.observed)
        self._tally.committed(self.name, now_s, self.committed)

    def _advance(self, told: dict[str, int], now_s: float) -> None:
        moved = [stream for stream in self._held() if told.get(stream.name, 0) > stream.position]
        if not moved:
            return
        self._timeout_s = TIMER_MIN_S
        for stream in moved:
            self._move(stream, told[stream.name], now_s)
        if self._sending is not None:
            self._pointer = max(self._pointer, self._sending.position + 1)
            while self._in_flight and self._in_flight[0] <= self._sending.position:
                self._in_flight.popleft()
        self._timer_s = float("inf")
        if self._in_flight:
            self._start_timer(now_s)
        self._tally.committed(self.name, now_s, self.committed)

    def _move(self, stream: Stream, told: int, now_s: float) -> None:
        """Set a position. A lower one is the truth as well: the hub went back, and those events wait again."""
        stream.lost = max(stream.lost, _lost(stream, told))
        self._tally.took_back(stream.position - told)
        stream.made_s.extendleft([now_s] * (stream.position - told))
        for _ in range(min(told - stream.position, len(stream.made_s))):
            waited_s = now_s - stream.made_s.popleft()
            if waited_s >= 0:
                self._tally.waited(waited_s)
        stream.position = told

    def _held(self) -> list[Stream]:
        """Return the streams of a Hello: the newest, and so many that they are all."""
        return self.streams[-MAX_HELLO_STREAMS:]

    def _start_timer(self, now_s: float) -> None:
        self._timer_s = now_s + self._timeout_s * (1 + TIMER_JITTER * self._random.random())

    # What it says.

    def due_s(self) -> float:
        """Return when it next has something to say, although nothing happened."""
        if not self._connected:
            return float("inf")
        due_s = min(self._timer_s, self._hello_due_s, self._periodic_s, self._status_due_s)
        return min(due_s, self._now_due_s) if self._now_changed else due_s

    def say(self, at: Moment, room: int) -> Iterator[Say]:
        """Yield what is due now; `room` is how many batches the broker still takes."""
        if not self._connected:
            return
        if self._now_changed and at.s >= self._now_due_s:
            self._now_changed = False
            self._now_due_s = at.s + NOW_EVERY_S
            yield Say("now", self._place.now(at).model_dump_json().encode(), retain=True)
        if at.s >= self._status_due_s:
            self._status_due_s = at.s + STATUS_EVERY_S
            yield Say("status", self._status(at).model_dump_json().encode(), retain=True)
        yield from self._history(at, room)

    def farewell(self) -> Say:
        """Return what an agent says last, and what its Will says for it when it cannot."""
        return Say("status", Status(site=self.name, online=False).model_dump_json().encode(), retain=True)

    def _history(self, at: Moment, room: int) -> Iterator[Say]:
        if at.s >= self._timer_s:
            self._timeout_s = min(TIMER_MAX_S, 2 * self._timeout_s)
            self._ask(at.s)
        elif at.s >= min(self._hello_due_s, self._periodic_s):
            self._ask(at.s)
        if self._asked:
            if self._question is None:
                self._question = f"{self._random.getrandbits(64):016x}"
                held = [Held(stream=each.name, first=each.first, last=each.last) for each in self._held()]
                hello = Hello(site=self.name, hello_id=self._question, streams=held)
                yield Say("hello", hello.model_dump_json().encode())
            return
        while self._answered and room > 0 and len(self._in_flight) < WINDOW_BATCHES:
            stream = self._next_to_send()
            if stream is None:
                return
            if self._pointer < stream.first:
                # The hub went back behind what is still held: only a Hello can say so, and the hub notes the gap.
                self._ask(at.s)
                return
            yield self._batch(stream, at)
            room -= 1

    def _next_to_send(self) -> Stream | None:
        """Return the stream that has more to send: the oldest, and the next when that is wholly acknowledged."""
        if self._sending is None or self._sending.position >= self._sending.last:
            self._sending = next((each for each in self._held() if each.position < each.last), None)
            self._in_flight.clear()
            if self._sending is None:
                return None
            self._pointer = self._sending.position + 1
        return self._sending if self._pointer <= self._sending.last else None

    def _batch(self, stream: Stream, at: Moment) -> Say:
        """Return the next batch: 200 lines of this fleet stay far below the 64 KiB that a batch may have."""
        begin = self._pointer - stream.first
        lines = stream.lines[begin : begin + MAX_BATCH_EVENTS]
        last = self._pointer + len(lines) - 1
        persons = {seq: stream.persons[seq] for seq in range(self._pointer, last + 1) if seq in stream.persons}
        header = BatchHeader(
            site=self.name,
            stream=stream.name,
            boot=self._boot,
            first=self._pointer,
            n=len(lines),
            sent_at=at.wall_ms,
            persons=persons,
        )
        content_type, payload = encode_batch(header, lines)
        if not self._in_flight:
            self._start_timer(at.s)
        self._in_flight.append(last)
        self._pointer = last + 1
        return Say("up", payload, content_type)

    def _status(self, at: Moment) -> Status:
        depth = max(0, self.observed - self.committed)
        outbox = OutboxStatus(
            stream=self.streams[-1].name if self.streams else None,
            depth=depth,
            oldest_at=at.wall_ms if depth else None,
            acknowledged_at=None,
            size_bytes=0,
            quota_bytes=QUOTA_BYTES,
            refused_count=0,
            storage="ok",
        )
        report = Report(
            version=VERSION,
            boot=self._boot,
            started_at=self._started_ms,
            at=at.wall_ms,
            clock="synced",
            outbox=outbox,
            rights=RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0),
            devices=[],
        )
        return Status(site=self.name, online=True, report=report)


def _lost(stream: Stream, told: int) -> int:
    """Return how many events a hub that has a stream up to `told` lost for good, at least.

    What is held from `first` on is sent again. A hub that had less notes a gap and answers with its end, `first` - 1,
    whatever it had: one event at least. So does one that went back exactly there, which is wronged.
    """
    if stream.first == 1 or told >= min(stream.first, stream.position):
        return 0
    return max(1, stream.first - 1 - told)


def _prune(stream: Stream) -> None:
    surplus = min(stream.position, stream.last) - KEPT_ACKNOWLEDGED - stream.first + 1
    if surplus > 0:
        del stream.lines[:surplus]
        stream.first += surplus
        stream.persons = {seq: person for seq, person in stream.persons.items() if seq >= stream.first}
