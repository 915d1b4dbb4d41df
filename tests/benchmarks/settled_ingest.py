"""B2: batches of ten sites into the hub's database with every figure brought up to them, on both engines.

Measured in turns with what a user would pick instead (mq-bridge) and with the limit (a bare SQLite insert loop): what a
shared machine does to one it does to the others. The figures are medians of the rounds; the engines are compared round
by round, and take turns at being first, for a machine may be half as fast a minute later.
"""

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from random import Random
from statistics import median

from contract.events import encode
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader, encode_batch
from hub.custody import Message, commit
from hub.ingest import MAX_GROUP
from hub.network import read_network
from hub.store import Store
from hub.store.connection import Engine
from tests.benchmarks import mq_bridge_sink
from tests.benchmarks.figures import Figure
from tests.benchmarks.replay import SITES
from tests.benchmarks.replaying_edge import BOOT, START_MS, STEP_MS, backlog
from tests.support.postgres import Postgres

EVENTS_PER_SITE = 10_000
RECEIVED_MS = START_MS + (EVENTS_PER_SITE + 1) * STEP_MS
ROUNDS = 5
REACH = 20_000.0
REACH_BETWEEN_ENGINES = 2.0


def measure() -> list[Figure]:
    """Return the figures of B2."""
    lines = {site: [encode(event) for event in backlog(Random(site), EVENTS_PER_SITE)] for site in SITES}
    total = EVENTS_PER_SITE * len(SITES)
    rates: dict[str, list[float]] = {"limit": [], "peer": [], "sqlite": [], "postgres": []}
    wrong = {"sqlite": 0, "postgres": 0}
    with tempfile.TemporaryDirectory() as name, running_postgres() as server:
        for number in range(ROUNDS):
            folder = Path(name) / str(number)
            folder.mkdir()
            rates["limit"].append(total / _inserted_in_s(folder / "bare.db", lines))
            if mq_bridge_sink.is_there():
                rates["peer"].append(mq_bridge_sink.rows_per_s(folder / "peer", lines))
            homes: dict[str, Path | Engine] = {"sqlite": folder / "hub.db", "postgres": server.database(folder)}
            for engine in sorted(homes, reverse=number % 2 == 0):
                took_s, stored, differences = _settled_in_s(homes[engine], lines)
                rates[engine].append(total / took_s)
                wrong[engine] += total - stored + differences
    peer = (
        f"mq-bridge 1.2, a file into SQLite, no figures: {median(rates['peer']):,.0f}" if rates["peer"] else "no peer"
    )
    peers = f"{peer}; a bare SQLite insert loop, the limit: {median(rates['limit']):,.0f} events/s"
    size = f"{total:,} events of {len(SITES)} sites, {MAX_GROUP} batches a transaction, median of {ROUNDS} rounds"
    times = [of_sqlite / of_postgres for of_sqlite, of_postgres in zip(rates["sqlite"], rates["postgres"], strict=True)]
    reached = {"sqlite": median(rates["sqlite"]) >= REACH, "postgres": median(times) <= REACH_BETWEEN_ENGINES}
    between = {"sqlite": "", "postgres": f" ({median(times):.2f} x less; {min(times):.2f} to {max(times):.2f})"}
    asked = {"sqlite": ">= 20,000 events/s", "postgres": "SQLite's rate within 2 x"}
    engines = {"sqlite": "SQLite, synchronous=FULL", "postgres": "PostgreSQL"}
    return [
        Figure(
            name="B2",
            what=f"hub ingest, {engines[engine]}: batches decoded, stored, and every figure brought up to them",
            measured=f"{median(rates[engine]):,.0f} events/s{between[engine]},"
            f" {wrong[engine]} lost or different after a rebuild",
            peer=peers,
            size=size,
            reach=asked[engine],
            reached=reached[engine] and wrong[engine] == 0,
        )
        for engine in engines
    ]


@contextmanager
def running_postgres(**settings: str) -> Iterator[Postgres]:
    """Run a PostgreSQL server of our own, with settings of its own, until the block ends."""
    server = Postgres(**settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _inserted_in_s(file: Path, lines: Mapping[str, list[bytes]]) -> float:
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


def _settled_in_s(home: Path | Engine, lines: Mapping[str, list[bytes]]) -> tuple[float, int, int]:
    """Return how long storing and settling take, how many events are stored, and which figures a rebuild corrects."""
    store = Store(home)
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


def _messages(lines: Mapping[str, list[bytes]]) -> list[Message]:
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
