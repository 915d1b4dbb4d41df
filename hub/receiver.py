"""The receiving half of TC1: what a hub does with a message, given what it has committed. Pure.

What must stay true here: a position is told to the edge only when everything up to it is stored, quarantined or in a
recorded gap; repeating a message changes nothing; a bad line costs neither its neighbours nor its successors.
Source: protocol TC1 (docs/mqtt-api.md), "Hub, per transaction", "Hello" and "Time".
"""

import hashlib
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from contract.events import Clock, decode
from contract.limits import MAX_EVENT_BYTES, MAX_FUTURE_MS, MAX_MESSAGE_BYTES
from contract.messages import (
    BatchHeader,
    Held,
    Hello,
    MessageError,
    Now,
    Status,
    decode_batch,
    is_of_another_version,
)

EARLIEST_MS = 1_577_836_800_000
"""2020-01-01: before it no telecentre of ours existed, so a clock that says so was never set."""

MAX_MS = 2**53
"""The largest instant that an event may name (contract.events.Milliseconds)."""

AS_WRITTEN = re.compile(
    rb'\{"subject":"([a-z0-9-]+)","t":(0|[1-9][0-9]{0,15}),"clock":"([a-z]+)","up":(0|[1-9][0-9]{0,15}),'
    rb'("kind":"[a-z_]+","value":\{[^{}]*\})\}'
)
"""A line as an edge of ours writes it, apart from events that count by kind. Nothing can follow its value."""

SAYINGS = 4_096
"""Of what lines say beside their instants, kept decoded: some 50 for each telecentre, 2 KiB at most each."""

Told = TypeVar("Told", Hello, Now, Status)
"""What an edge tells of itself in one JSON document."""


class RefusedError(ValueError):
    """A whole message is refused: its reason is one of a few words, fit for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose header can be believed; its lines are not yet decoded."""

    header: BatchHeader
    lines: list[bytes]


class NewEvent(NamedTuple):
    """An event to store. `at_ms` is the instant that the figures use, empty when there is none to believe.

    A tuple, not a dataclass: a burst makes hundreds of thousands of them.
    """

    seq: int
    kind: str
    subject: str
    value: str
    t: int
    clock: Clock
    up: int
    at_ms: int | None
    digest: bytes


class Said(NamedTuple):
    """What a line says beside its two instants."""

    kind: str
    subject: str
    value: str
    clock: Clock


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line to set aside under its position: it counts as stored, or it would block its stream for ever."""

    seq: int
    sha256: str
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class ClockReference:
    """What ties a boot's monotonic clock to UTC: `at = up + offset_ms`."""

    up: int
    seq: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one batch changes. `position` is what to commit and acknowledge; the rest is what to store for it."""

    position: int
    events: tuple[NewEvent, ...] = ()
    bad: tuple[BadLine, ...] = ()
    repeated: tuple[tuple[int, bytes], ...] = ()
    """(seq, digest) of lines at or below the committed position: only to be compared with what is stored."""
    persons: tuple[tuple[int, str], ...] = ()
    """(seq, credential id) of new access events."""
    misplaced_persons: int = 0
    """Persons named for an event that is not about access: not stored, alarmed."""
    suspect: int = 0
    """New events whose time is more than 5 minutes ahead of their reception: stored, out of the figures."""
    reference: ClockReference | None = None

    def without(self, seqs: AbstractSet[int]) -> "Receipt":
        """Return the same without the events at some positions, and without what only they say of persons."""
        return replace(
            self,
            events=tuple(event for event in self.events if event.seq not in seqs),
            persons=tuple((seq, person) for seq, person in self.persons if seq not in seqs),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer for one held stream, and what it reveals."""

    position: int
    gap: tuple[int, int] | None = None
    """First and last position that nobody holds any more."""
    went_back: bool = False
    """The edge holds less than it once sent: its disk was rolled back or cloned, or this Hello is older than that."""


def read_batch(site: str, content_type: str, payload: bytes) -> Batch:
    """Return the batch that came on the topic of `site`.

    Raises:
        RefusedError: `size`, `content_type`, `compression`, `version`, `header`, `count` or `site`.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise RefusedError("size")
    try:
        header, lines = decode_batch(content_type, payload)
    except MessageError as error:
        raise RefusedError(error.reason) from error
    if header.site != site:
        raise RefusedError("site")
    return Batch(header, lines)


def read_hello(site: str, payload: bytes) -> Hello:
    """Return the Hello that came on the topic of `site`.

    Raises:
        RefusedError: `size`, `version`, `hello` or `site`.
    """
    return _read(Hello, "hello", site, payload)


def read_now(site: str, payload: bytes) -> Now:
    """Return the Now that came on the topic of `site`.

    Raises:
        RefusedError: `size`, `version`, `now` or `site`.
    """
    return _read(Now, "now", site, payload)


def read_status(site: str, payload: bytes) -> Status:
    """Return the Status that came on the topic of `site`.

    Raises:
        RefusedError: `size`, `version`, `status` or `site`.
    """
    return _read(Status, "status", site, payload)


def _read(model: type[Told], name: str, site: str, payload: bytes) -> Told:
    if len(payload) > MAX_MESSAGE_BYTES:
        raise RefusedError("size")
    try:
        message = model.model_validate_json(payload)
    except ValidationError as error:
        raise RefusedError("version" if is_of_another_version(error) else name) from error
    if message.site != site:
        raise RefusedError("site")
    return message


def believed_at(t: int, clock: Clock, up: int, received_at: int, offset_ms: int | None) -> int | None:
    """Return the instant that the figures may use for an event, UTC ms, or None when there is none to believe.

    `offset_ms` ties the monotonic clock of the event's boot to UTC; without it an unsynced event has its order only.
    """
    if clock == "unsynced":
        if offset_ms is None:
            return None
        t = up + offset_ms
    return t if EARLIEST_MS <= t <= received_at + MAX_FUTURE_MS else None


def offset_told(t: int, clock: Clock, up: int, received_at: int) -> int | None:
    """Return how a `clock_set` ties its boot's clock to UTC, `at = up + offset`; None when it is not to believe."""
    return None if believed_at(t, clock, up, received_at, None) is None else t - up


def receive(batch: Batch, committed: int, received_at: int, offset_ms: int | None) -> Receipt:
    """Return what a batch changes for a stream committed up to `committed`.

    A batch that begins beyond the next position changes nothing: the committed position is told again.
    """
    header = batch.header
    if header.first > committed + 1:
        return Receipt(committed)
    known = max(0, committed + 1 - header.first)
    repeated = tuple((header.first + n, hashlib.sha256(line).digest()) for n, line in enumerate(batch.lines[:known]))
    events: list[NewEvent] = []
    bad: list[BadLine] = []
    references: list[ClockReference] = []
    suspect = 0
    for seq, line in enumerate(batch.lines[known:], start=header.first + known):
        digest = hashlib.sha256(line)
        read = read_line(line)
        if isinstance(read, str):
            bad.append(BadLine(seq, digest.hexdigest(), read, line))
            continue
        (kind, subject, value, clock), t, up = read
        at_ms = believed_at(t, clock, up, received_at, offset_ms)
        suspect += clock != "unsynced" and t > received_at + MAX_FUTURE_MS
        if kind == "clock_set" and (own_ms := offset_told(t, clock, up, received_at)) is not None:
            references.append(ClockReference(up, seq, own_ms))
        events.append(NewEvent(seq, kind, subject, value, t, clock, up, at_ms, digest.digest()))
    persons, misplaced = _persons(header, events)
    return Receipt(
        position=max(committed, header.last),
        events=tuple(events),
        bad=tuple(bad),
        repeated=repeated,
        persons=persons,
        misplaced_persons=misplaced,
        suspect=suspect,
        reference=min(references, key=lambda reference: (reference.up, reference.seq), default=None),
    )


def answer(held: Held, committed: int) -> Answer:
    """Return what a Hello learns about one of its streams, given how far that is committed.

    Positions between the committed one and the first one held are gone for good: a gap to record, then counted as done.
    """
    if held.first > committed + 1:
        return Answer(held.first - 1, gap=(committed + 1, held.first - 1))
    return Answer(committed, went_back=held.last < committed)


def read_line(line: bytes) -> tuple[Said, int, int] | str:
    """Return what a line says, its `t` and its `up`; or, in a word, why it is no event.

    A telecentre says the same few things at ever new instants: each is decoded once, with zeros in their place.
    """
    if len(line) > MAX_EVENT_BYTES:
        return "size"
    written = AS_WRITTEN.fullmatch(line)
    try:
        if written is not None:
            subject, t, clock, up, rest = written.groups()
            if (t_ms := int(t)) <= MAX_MS and (up_ms := int(up)) <= MAX_MS:
                return _said(subject, clock, rest), t_ms, up_ms
        return _decoded(line)
    except ValidationError:
        return "event"


@lru_cache(SAYINGS)
def _said(subject: bytes, clock: bytes, rest: bytes) -> Said:
    return _decoded(b'{"subject":"%b","t":0,"clock":"%b","up":0,%b}' % (subject, clock, rest))[0]


def _decoded(line: bytes) -> tuple[Said, int, int]:
    event = decode(line)
    return Said(event.kind, event.subject, event.value.model_dump_json(), event.clock), event.t, event.up


def _persons(header: BatchHeader, events: list[NewEvent]) -> tuple[tuple[tuple[int, str], ...], int]:
    if not header.persons:
        return (), 0
    access = {event.seq for event in events if event.kind == "access_decided"}
    others = {event.seq for event in events} - access
    persons = tuple((seq, person) for seq, person in header.persons.items() if seq in access)
    return persons, sum(seq in others for seq in header.persons)
