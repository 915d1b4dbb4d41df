"""Telling a store a history as its edges and its register would: in pieces, interleaved, some of it twice.

Mostly a few lines come at a time; sometimes a whole stream in as few messages as may be, as after weeks without a line,
and sometimes many messages in one transaction, as when the hub was away. So a server is given single rows, arrays of
rows and copies of them: test_random_histories.py looks that it is.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from functools import partial
from random import Random

from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader, Held, Hello
from hub.receiver import Batch
from hub.store import Store, Writer
from tests.support.histories import GONE, SITE, START, History, Said, Stream, Version, received_ms
from tests.support.minutes import Told, first_heard

Piece = list[tuple[int, Said]]
"""Positions of a stream that follow one another."""

MOST_LINES = (5, MAX_BATCH_EVENTS)
"""Of one message: an edge sends what it sees, or catches up."""
MESSAGES = (1, 1, 1, 12)
"""Of one transaction, at most: the hub takes together what waits for it."""


def deliver(store: Store, streams: list[Stream], rng: Random, start_ms: int = START) -> Told:
    """Send every stream in pieces, interleaved, some twice, settling now and then; return all that the hub knows of."""
    told = Told(start_ms)
    # A draw of `rng` may end the example in the middle, by an exception of hypothesis.
    with closing(store.writer()) as writer:
        _send(writer, store, streams, rng, told, [])
    return told


def tell(store: Store, history: History, rng: Random) -> Told:
    """Deliver a history, and import each version of its register at some moment meanwhile."""
    told = Told(history.start_ms)
    (since, version), *later = history.register
    _import(store, told, since, version)
    with closing(store.writer()) as writer:
        _send(writer, store, list(history.streams), rng, told, later)
    return told


def _send(
    writer: Writer,
    store: Store,
    streams: list[Stream],
    rng: Random,
    told: Told,
    register: list[tuple[date, Version]],
) -> None:
    received = received_ms(told.start_ms)
    waiting = {stream.id: _pieces(stream, rng) for stream in streams}
    by_id = {stream.id: stream for stream in streams}
    known: dict[str, int] = {}
    while waiting or register:
        if register and (not waiting or rng.random() < 0.1):
            settle(writer)
            told.streams = [_until(by_id[name], position) for name, position in known.items()]
            _import(store, told, *register.pop(0))
            continue
        with writer.transaction():
            for name, piece in _next_pieces(waiting, rng):
                received += 1
                told.received.setdefault(name, received)
                known[name] = piece[-1][0]
                for _ in range(rng.choice([1, 1, 2])):
                    _say(writer, by_id[name], piece, received, told.start_ms)
            if rng.random() < 0.5:
                writer.settle_sites({SITE})
        if rng.random() < 0.2:
            with writer.transaction():
                writer.settle_slice()
    settle(writer)
    told.streams = [_until(by_id[name], position) for name, position in known.items()]


def settle(writer: Writer) -> None:
    """Compute all figures that are pending."""
    pending = True
    while pending:
        with writer.transaction():
            pending = writer.settle_slice()


def _next_pieces(waiting: dict[str, Iterator[Piece]], rng: Random) -> Iterator[tuple[str, Piece]]:
    """Yield what one transaction takes of the streams that wait; a stream of which nothing is left waits no more."""
    for _ in range(rng.choice(MESSAGES)):
        if not waiting:
            return
        name = rng.choice(sorted(waiting))
        piece = next(waiting[name], None)
        if piece is None:
            del waiting[name]
        else:
            yield name, piece


def _pieces(stream: Stream, rng: Random) -> Iterator[Piece]:
    """Cut a stream into batches; what is gone lies between two."""
    numbered = list(enumerate(stream.said, start=1))
    most = rng.choice(MOST_LINES)
    while numbered:
        count = next((n for n, (_, said) in enumerate(numbered) if said is GONE), len(numbered))
        if count == 0:
            count = next((n for n, (_, said) in enumerate(numbered) if said is not GONE), len(numbered))
        else:
            count = min(rng.randint(1, most), count)
        yield numbered[:count]
        numbered = numbered[count:]


def _say(writer: Writer, stream: Stream, piece: Piece, now: int, start_ms: int) -> None:
    """Send one batch; or say, as an edge does when it begins, which line is the first that it still has."""
    first, last = piece[0][0], piece[-1][0]
    if piece[0][1] is GONE:
        held = Held(stream=stream.id, first=last + 1, last=len(stream.said))
        writer.greet(Hello(site=SITE, hello_id="0" * 16, streams=[held]), now)
        return
    header = BatchHeader(site=SITE, stream=stream.id, boot=stream.boot, first=first, n=len(piece), sent_at=now)
    writer.receive(Batch(header, [said.line(start_ms) for _, said in piece]), now)


def _until(stream: Stream, position: int) -> Stream:
    return Stream(stream.id, stream.boot, stream.said[:position])


def _import(store: Store, told: Told, since: date, version: Version) -> None:
    store.import_network(version.network(), today=since)
    told.register.take(version, since, partial(first_heard, told))
