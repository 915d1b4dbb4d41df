"""Telling a store a history as its edges and its register would: in pieces, interleaved, some of it twice."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from functools import partial
from random import Random

from contract.messages import BatchHeader, Held, Hello
from hub.receiver import Batch
from hub.store import Store, Writer
from tests.support.histories import GONE, SITE, START, History, Said, Stream, Version, received_ms
from tests.support.minutes import Told, first_heard


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
        name = rng.choice(sorted(waiting))
        piece = next(waiting[name], None)
        if piece is None:
            del waiting[name]
            continue
        received += 1
        told.received.setdefault(name, received)
        known[name] = piece[-1][0]
        with writer.transaction():
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


def _pieces(stream: Stream, rng: Random) -> Iterator[list[tuple[int, Said]]]:
    """Cut a stream into batches of one to five lines; what is gone lies between two."""
    numbered = list(enumerate(stream.said, start=1))
    while numbered:
        count = next((n for n, (_, said) in enumerate(numbered[:5]) if said is GONE), 5)
        if count == 0:
            count = next((n for n, (_, said) in enumerate(numbered) if said is not GONE), len(numbered))
        else:
            count = min(rng.randint(1, 5), count)
        yield numbered[:count]
        numbered = numbered[count:]


def _say(writer: Writer, stream: Stream, piece: list[tuple[int, Said]], now: int, start_ms: int) -> None:
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
