"""From messages to what a site may be promised: one durable transaction for many, and no message that blocks another.

When the database refuses a transaction, each message has one of its own, then each event: what it still refuses is set
aside under its position. When the database is down, nothing is promised and the caller tries the same messages again.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from contract.messages import StreamAck
from hub.receiver import RefusedError, read_batch, read_hello
from hub.store import StoreRefusedError, Writer

log = logging.getLogger(__name__)

SETTLE_AT_ONCE_EVENTS = 400
SETTLE_AT_ONCE_SITES = 8
"""A transaction with at most this many new events, of so many sites, brings the figures up to them: some 40 ms, when
each begins a day. A burst leaves that for after, so that it keeps no telecentre waiting for its Ack."""


@dataclass(frozen=True, slots=True)
class Message:
    """History as it came; `generation` is the connection it came on, `reason` is set when it is refused already."""

    generation: int
    mid: int
    qos: int
    site: str
    channel: Literal["up", "hello", "other"]
    content_type: str
    payload: bytes
    received_at: int
    reason: str | None = None


@dataclass(slots=True)
class Outcome:
    """What a committed transaction promises."""

    positions: dict[str, dict[str, int]] = field(default_factory=dict)
    """Committed position by site and stream."""
    answers: list[tuple[str, str, list[StreamAck]]] = field(default_factory=list)
    """Site, hello_id and committed positions of each Hello."""
    stored: int = 0
    refused: int = 0
    settled: bool = False
    """Whether the figures were brought on, too."""

    def add(self, other: "Outcome") -> None:
        """Take over what a later transaction promises."""
        for site, positions in other.positions.items():
            self.positions.setdefault(site, {}).update(positions)
        self.answers += other.answers
        self.stored += other.stored
        self.refused += other.refused


def commit(writer: Writer, messages: Iterable[Message], *, settle: bool = True) -> Outcome:
    """Make every message durable, in order; return what may be promised for them.

    Without `settle` figures are left for later: more is waiting, and whoever waits for an Ack comes first.

    Raises:
        StoreDownError: the database does not answer; the same messages are to be tried again.
    """
    listed = list(messages)
    try:
        return _together(writer, listed, settle=settle)
    except StoreRefusedError as error:
        log.warning("transaction=refused messages=%d reason=%r", len(listed), str(error))
    outcome = Outcome()
    for message in listed:
        outcome.add(_alone(writer, message))
    return outcome


def _together(writer: Writer, messages: list[Message], *, singly: bool = False, settle: bool = True) -> Outcome:
    outcome = Outcome()
    with writer.transaction():
        writer.lock_sites({message.site for message in messages})
        for message in messages:
            _apply(writer, message, outcome, singly=singly)
        few = 0 < outcome.stored <= SETTLE_AT_ONCE_EVENTS and len(outcome.positions) <= SETTLE_AT_ONCE_SITES
        if settle and few:
            writer.settle_sites(set(outcome.positions))
            outcome.settled = True
    return outcome


def _alone(writer: Writer, message: Message) -> Outcome:
    for singly in (False, True):
        try:
            # Without figures: a refused figure is not the message's fault, and is computed after it.
            return _together(writer, [message], singly=singly, settle=False)
        except StoreRefusedError as error:
            log.warning("message=refused site=%s singly=%s reason=%r", message.site, singly, str(error))
    outcome = Outcome()
    with writer.transaction():
        writer.lock_sites({message.site})
        _refuse(writer, message, "database", outcome)
    return outcome


def _apply(writer: Writer, message: Message, outcome: Outcome, *, singly: bool) -> None:
    if message.reason is not None:
        _refuse(writer, message, message.reason, outcome)
        return
    try:
        if message.channel == "up":
            batch = read_batch(message.site, message.content_type, message.payload)
            position, stored = writer.receive(batch, message.received_at, singly=singly)
            outcome.positions.setdefault(message.site, {})[batch.header.stream] = position
            outcome.stored += stored
        else:
            hello = read_hello(message.site, message.payload)
            outcome.answers.append((message.site, hello.hello_id, writer.greet(hello, message.received_at)))
    except RefusedError as error:
        _refuse(writer, message, error.reason, outcome)


def _refuse(writer: Writer, message: Message, reason: str, outcome: Outcome) -> None:
    writer.refuse(message.site, reason, message.received_at, message.payload)
    outcome.refused += 1
