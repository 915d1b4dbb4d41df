"""One site of the fleet: what it observes, and a sending half of TC1 of its own. Pure: time and chance are arguments.

Written from docs/mqtt-api.md apart from the edge's sender, so that one misreading cannot hide in both. A site of the
fleet has one stream, which lives as long as the fleet.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Literal

from contract.events import Event, encode
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
from simulators.fleet_place import VERSION, Moment, Place
from simulators.fleet_tally import Tally

WINDOW_BATCHES = 32
TIMER_MIN_S, TIMER_MAX_S, TIMER_JITTER = 5.0, 60.0, 0.25
HELLO_EVERY_S = 900.0
STATUS_EVERY_S = 60.0
NOW_EVERY_S = 1.0
"""TC1's own numbers, and the settings of a site as shipped (docs/mqtt-api.md, docs/operating.md)."""

KEPT_ACKNOWLEDGED = 200
"""Acknowledged events that a site still holds after a Hello: a real one keeps them for 30 days."""

QUOTA_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Say:
    """A message to publish."""

    channel: Literal["up", "hello", "now", "status"]
    payload: bytes
    content_type: str = ""
    retain: bool = False


@dataclass(slots=True)
class _Held:
    """The stream as the site holds it: `lines` begins at position `first`."""

    first: int = 1
    lines: list[bytes] = field(default_factory=list)
    persons: dict[int, str] = field(default_factory=dict)
    made_s: deque[float] = field(default_factory=deque)
    """When each event beyond the position was made: for how long it waits."""

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


class FleetSite:
    """What one site holds, and what it says next.

    `random` is its own, so that a site does not depend on the others; a new hub is greeted after up to `spread_s`.
    """

    def __init__(self, name: str, *, desks: int, rooms: int, random: Random, tally: Tally, spread_s: float) -> None:
        self.name = name
        self.stream = f"{random.getrandbits(128):032x}"
        self.position = 0
        """Up to where the hub has said that it committed the stream."""
        self._boot = f"{random.getrandbits(128):032x}"
        self._random = random
        self._spread_s = spread_s
        self._tally = tally
        self._held = _Held()
        self._digest = sha256()
        self._place = Place(name, desks=desks, rooms=rooms, random=random)
        self._started_ms = 0
        self._connected = False
        self._question: str | None = None
        self._asked = self._answered = False
        self._hub = self._hint = ""
        self._pointer = 1
        self._in_flight: deque[int] = deque()
        self._timeout_s = TIMER_MIN_S
        self._timer_s = self._hello_due_s = self._periodic_s = float("inf")
        self._now_changed = True
        self._now_due_s = self._status_due_s = 0.0

    @property
    def last(self) -> int:
        """The position of the last event that it observed: what the hub must end with."""
        return self._held.last

    @property
    def digest(self) -> str:
        """The SHA-256 of the SHA-256 of each line, in order: what the hub must have, to the byte."""
        return self._digest.hexdigest()

    @property
    def answered(self) -> bool:
        """Whether the hub has answered on this connection, and nothing has raised a doubt since."""
        return self._answered

    # What it observes.

    def start(self, at: Moment) -> None:
        """Begin to observe: an agent says that it started, and every state."""
        self._started_ms = at.wall_ms
        for event in self._place.start(at):
            self._keep(event, at)

    def observe(self, at: Moment) -> None:
        """Observe one more thing: a desk or a room changes, or somebody badges."""
        event, person = self._place.observe(at)
        self._keep(event, at, person)
        self._now_changed |= person is None

    def _keep(self, event: Event, at: Moment, person: str | None = None) -> None:
        held = self._held
        line = encode(event)
        held.lines.append(line)
        self._digest.update(sha256(line).digest())
        held.made_s.append(at.s)
        if person is not None:
            held.persons[held.last] = person

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
        told = next((item.seq for item in ack.acks if item.stream == self.stream), None)
        if ack.site != self.name or told is None:
            return
        if self._asked:
            if ack.hello_id is not None and ack.hello_id == self._question:
                self._take_answer(told, ack.hub, now_s)
        elif self._answered and ack.hello_id is None:
            if ack.hub != self._hub:
                self._ask(now_s)
            elif told > self.position:
                self._advance(told, now_s)

    def ask(self, now_s: float) -> None:
        """Ask the hub once more what it has: for the last word on what was committed."""
        if self._connected and not self._asked:
            self._ask(now_s)

    def _ask(self, now_s: float) -> None:
        self._asked, self._answered, self._question = True, False, None
        self._in_flight.clear()
        self._hello_due_s = self._periodic_s = float("inf")
        self._start_timer(now_s)

    def _take_answer(self, told: int, hub: str, now_s: float) -> None:
        self._asked, self._answered, self._question = False, True, None
        self._hub = hub
        if hub == self._hint:
            self._hello_due_s = float("inf")
        if told > self.position:
            self._timeout_s = TIMER_MIN_S
        self._move(told, now_s)
        self._pointer = told + 1
        self._timer_s = float("inf")
        self._periodic_s = now_s + HELLO_EVERY_S
        self._tally.answered(self.name, now_s, held_up_to=self.last)
        self._tally.committed(self.name, now_s, told)
        self._prune()

    def _advance(self, told: int, now_s: float) -> None:
        self._timeout_s = TIMER_MIN_S
        self._move(told, now_s)
        self._pointer = max(self._pointer, told + 1)
        while self._in_flight and self._in_flight[0] <= told:
            self._in_flight.popleft()
        self._timer_s = float("inf")
        if self._in_flight:
            self._start_timer(now_s)
        self._tally.committed(self.name, now_s, told)

    def _move(self, told: int, now_s: float) -> None:
        """Set the position. A lower one is the truth as well: the hub went back, and those events wait again."""
        self._held.made_s.extendleft([now_s] * (self.position - told))
        for _ in range(min(told - self.position, len(self._held.made_s))):
            self._tally.waited(now_s - self._held.made_s.popleft())
        self.position = told

    def _prune(self) -> None:
        held = self._held
        surplus = min(self.position, held.last) - KEPT_ACKNOWLEDGED - held.first + 1
        if surplus > 0:
            del held.lines[:surplus]
            held.first += surplus
            held.persons = {seq: person for seq, person in held.persons.items() if seq >= held.first}

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
                held = Held(stream=self.stream, first=self._held.first, last=self._held.last)
                hello = Hello(site=self.name, hello_id=self._question, streams=[held])
                yield Say("hello", hello.model_dump_json().encode())
            return
        while self._answered and room > 0 and len(self._in_flight) < WINDOW_BATCHES and self._pointer <= self.last:
            if self._pointer < self._held.first:
                # The hub went back behind what is still held: only a Hello can say so, and the hub notes the gap.
                self._ask(at.s)
                return
            yield self._batch(at)
            room -= 1

    def _batch(self, at: Moment) -> Say:
        """Return the next batch: 200 lines of this fleet stay far below the 64 KiB that a batch may have."""
        begin = self._pointer - self._held.first
        lines = self._held.lines[begin : begin + MAX_BATCH_EVENTS]
        last = self._pointer + len(lines) - 1
        persons = {seq: who for seq, who in self._held.persons.items() if self._pointer <= seq <= last}
        header = BatchHeader(
            site=self.name,
            stream=self.stream,
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
        depth = max(0, self.last - self.position)
        outbox = OutboxStatus(
            stream=self.stream,
            depth=depth,
            oldest_at=at.wall_ms - round(1000 * (at.s - self._held.made_s[0])) if depth and self._held.made_s else None,
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
