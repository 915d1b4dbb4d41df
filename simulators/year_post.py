"""The sending half of TC1 for one telecentre of the year: many streams, one after the other. Pure.

The fleet's sender has one stream for each telecentre; here each life of the agent has its own, and an old batch is sent
again now and then, as after an acknowledgement that was lost.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

from contract.limits import MAX_BATCH_EVENTS
from contract.messages import Ack, BatchHeader, Held, Hello, Status, encode_batch
from simulators.year_record import Entry, Stream

WINDOW_BATCHES = 32
"""As a site that is shipped (docs/mqtt-api.md)."""

REPEATED_SHARE = 0.03
"""Of all batches, those that are sent once more."""

MAX_HELD_STREAMS = 150
"""Of one Hello: TC1 allows 200."""


class Say(NamedTuple):
    """A message to publish."""

    channel: Literal["up", "hello", "status"]
    payload: bytes
    content_type: str = ""


class Post:
    """What one telecentre still has to bring to the hub."""

    def __init__(self, site: str, streams: Sequence[Stream], random: Random) -> None:
        self.site = site
        self.credentials: Mapping[str, str] = {}
        """What the hub's register calls a badge, by its id; who is not in it goes by the latter."""
        self.positions = {stream.life.stream: 0 for stream in streams}
        """Up to where the hub has said that it committed each stream."""
        self._streams = {stream.life.stream: stream for stream in streams}
        self._wanted: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._question: str | None = None
        self._is_new = True
        self._random = random

    def want(self, up_to: Mapping[str, int]) -> None:
        """Bring each stream to the hub up to a position."""
        self._wanted = dict(up_to)

    def greet(self) -> Say | None:
        """Return a Hello, whose answer is the truth; None while nothing is held."""
        held = [Held(stream=name, first=1, last=last) for name, last in self._wanted.items() if last]
        if not held:
            return None
        self._question = f"{self._random.getrandbits(64):016x}"
        hello = Hello(site=self.site, hello_id=self._question, streams=held[-MAX_HELD_STREAMS:])
        return Say("hello", hello.model_dump_json().encode())

    @property
    def is_done(self) -> bool:
        """Whether the hub has everything that it should have by now."""
        return all(self.positions[name] >= last for name, last in self._wanted.items())

    def heard(self, ack: Ack) -> None:
        """Take the answer to the last Hello, or an advance."""
        if ack.hello_id is not None and ack.hello_id != self._question:
            return
        for item in ack.acks:
            if item.stream not in self.positions:
                continue
            if ack.hello_id is not None:
                self.positions[item.stream] = self._sent[item.stream] = item.seq
            elif item.seq > self.positions[item.stream]:
                self.positions[item.stream] = item.seq
        if ack.hello_id is not None:
            self._question = None

    def say(self, sent_ms: int) -> list[Say]:
        """Return the batches that may go out now: none before a Hello is answered."""
        said: list[Say] = []
        if self._question is not None:
            return said
        for name, last in self._wanted.items():
            position = self.positions[name]
            while self._sent.get(name, 0) < min(last, position + WINDOW_BATCHES * MAX_BATCH_EVENTS // 2):
                first = self._sent.get(name, 0) + 1
                upto = min(last, first + self._random.randint(20, MAX_BATCH_EVENTS) - 1)
                batch = self._batch(self._streams[name], first, upto, sent_ms)
                said += [batch, batch] if self._random.random() < REPEATED_SHARE else [batch]
                self._sent[name] = upto
            if position < last:
                break  # a stream begins when the one before it is wholly acknowledged
        return said

    def farewell(self) -> bytes:
        """Return what its Will says."""
        return Status(site=self.site, online=False).model_dump_json().encode()

    def _batch(self, stream: Stream, first: int, last: int, sent_ms: int) -> Say:
        entries = stream.entries[first - 1 : last]
        persons = {
            first + n: self.credentials.get(entry.statement.person, entry.statement.person)
            for n, entry in enumerate(entries)
            if entry.statement.person is not None
        }
        header = BatchHeader(
            site=self.site,
            stream=stream.life.stream,
            boot=stream.life.boot,
            first=first,
            n=len(entries),
            sent_at=sent_ms,
            persons=persons,
        )
        content_type, payload = encode_batch(header, [line_of(entry) for entry in entries])
        return Say("up", payload, content_type)


def line_of(entry: Entry) -> bytes:
    """Return an entry as a line of TC1."""
    statement = entry.statement
    content = {
        "subject": statement.subject,
        "t": entry.t_ms,
        "clock": entry.clock,
        "up": entry.up_ms,
        "kind": statement.kind,
        "value": dict(statement.value),
    }
    return json.dumps(content, separators=(",", ":")).encode()
