"""B2: batches of ten sites into the hub's database with every figure brought up to them, against a bare insert loop."""

import sqlite3
import tempfile
import time
from contextlib import closing
from importlib import resources
from pathlib import Path
from random import Random

from contract.events import encode
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader, encode_batch
from hub.custody import Message, commit
from hub.ingest import MAX_GROUP
from hub.network import read_network
from hub.store import Store
from tests.benchmarks.figures import Figure
from tests.benchmarks.replay import SITES
from tests.benchmarks.replaying_edge import BOOT, START_MS, STEP_MS, backlog

EVENTS_PER_SITE = 10_000
RECEIVED_MS = START_MS + (EVENTS_PER_SITE + 1) * STEP_MS


def measure() -> list[Figure]:
    """Return the figure of B2."""
    lines = {site: [encode(event) for event in backlog(Random(site), EVENTS_PER_SITE)] for site in SITES}
    total = EVENTS_PER_SITE * len(SITES)
    with tempfile.TemporaryDirectory() as name:
        limit = total / _inserted_in_s(Path(name) / "bare.db", lines)
        took_s, stored, differences = _settled_in_s(Path(name) / "hub.db", lines)
    rate = total / took_s
    return [
        Figure(
            name="B2",
            what="hub ingest: batches decoded, stored, and every figure brought up to them",
            measured=f"{rate:,.0f} events/s, {total - stored} lost, {differences} differences after a rebuild",
            peer=f"the same lines inserted by a bare SQLite loop, the limit: {limit:,.0f} events/s",
            size=f"{total:,} events of {len(SITES)} sites, {MAX_GROUP} batches a transaction, synchronous=FULL",
            reach=">= 20,000 events/s",
            reached=rate >= 20_000 and stored == total and differences == 0,
        )
    ]


def _inserted_in_s(file: Path, lines: dict[str, list[bytes]]) -> float:
    """Return how long it takes to insert lines under (site, stream, seq), in transactions as large as the hub's."""
    rows = [(site, site, seq, line) for site in SITES for seq, line in enumerate(lines[site], start=1)]
    group = MAX_GROUP * MAX_BATCH_EVENTS
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute(
            "create table event (site text, stream text, seq integer, line blob, primary key (site, stream, seq))"
        )
        begun_s = time.perf_counter()
        for at in range(0, len(rows), group):
            connection.execute("begin immediate")
            connection.executemany("insert into event values (?, ?, ?, ?)", rows[at : at + group])
            connection.execute("commit")
        return time.perf_counter() - begun_s


def _settled_in_s(file: Path, lines: dict[str, list[bytes]]) -> tuple[float, int, int]:
    """Return how long storing and settling take, how many events are stored, and which figures a rebuild corrects."""
    store = Store(file)
    with resources.as_file(resources.files("simulators") / "cantal.toml") as network:
        store.import_network(read_network(network))
    messages = _messages(lines)
    with closing(store), closing(store.writer()) as writer:
        begun_s = time.perf_counter()
        for at in range(0, len(messages), MAX_GROUP):
            commit(writer, messages[at : at + MAX_GROUP])
        pending = True
        while pending:
            with writer.transaction():
                pending = writer.settle_slice()
        took_s = time.perf_counter() - begun_s
        return took_s, store.totals().events, len(store.rebuild())


def _messages(lines: dict[str, list[bytes]]) -> list[Message]:
    """Return the batches as the broker would deliver them: those of all sites in turn."""
    return [
        _message(site, first, lines[site][first - 1 : first - 1 + MAX_BATCH_EVENTS])
        for first in range(1, EVENTS_PER_SITE + 1, MAX_BATCH_EVENTS)
        for site in SITES
    ]


def _message(site: str, first: int, lines: list[bytes]) -> Message:
    stream = site.encode().hex().rjust(32, "0")[:32]
    header = BatchHeader(site=site, stream=stream, boot=BOOT, first=first, n=len(lines), sent_at=RECEIVED_MS)
    content_type, payload = encode_batch(header, lines)
    return Message(
        generation=1,
        mid=1,
        qos=1,
        site=site,
        channel="up",
        content_type=content_type,
        payload=payload,
        received_at=RECEIVED_MS,
    )
