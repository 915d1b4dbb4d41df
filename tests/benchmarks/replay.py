"""B1: the backlog of ten sites from their outboxes into the hub's database, against a Mosquitto bridge.

Both are timed from the first event that arrives to the last, in turns: what a shared machine does to one it does to
the other. The figure is the median of the rounds.
"""

import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.figures import Figure
from tests.benchmarks.mosquitto_bridge import bridged_events_per_s
from tests.support.brokers import RunningBroker
from tests.support.ports import free_port

SITES: tuple[str, ...] = (
    "aurillac",
    "saint-flour",
    "murat",
    "mauriac",
    "allanche",
    "chaudes-aigues",
    "riom-es-montagnes",
    "ydes",
)
SITES += ("montmurat", "vic-sur-cere")
EVENTS_PER_SITE = 30_000
BRIDGED_EVENTS = 50_000
ROUNDS = 3
DONE_WITHIN_S = 300.0


def measure() -> list[Figure]:
    """Return the figure of B1."""
    rounds = [(_replayed(), bridged_events_per_s(BRIDGED_EVENTS)) for _ in range(ROUNDS)]
    rate = median(ours.events_per_s for ours, _ in rounds)
    ratios = sorted(ours.events_per_s / peer for ours, peer in rounds)
    total = EVENTS_PER_SITE * len(SITES)
    lost = sum(total - ours.stored for ours, _ in rounds)
    twice = sum(ours.stored - ours.once for ours, _ in rounds)
    return [
        Figure(
            name="B1",
            what="replay: edge SQLite, broker, committed at the hub with its figures marked",
            measured=f"{rate:,.0f} events/s ({median(ratios):.1f} x; {ratios[0]:.1f} to {ratios[-1]:.1f}), "
            f"{lost} lost, {twice} twice",
            peer="Mosquitto bridge to a counting subscriber, nothing stored: "
            f"{median(peer for _, peer in rounds):,.0f} events/s",
            size=f"{ROUNDS} rounds of {total:,} events of {len(SITES)} sites through Mosquitto; "
            f"bridge: {BRIDGED_EVENTS:,}; medians",
            reach=">= 5 x the bridge, >= 50,000 events/s, 0 lost, 0 twice",
            reached=median(ratios) >= 5 and rate >= 50_000 and lost == twice == 0,
        )
    ]


class Replayed(NamedTuple):
    """One replay: its rate, the rows stored, and distinct (site, stream, seq) among them."""

    events_per_s: float
    stored: int
    once: int


def _replayed() -> Replayed:
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = RunningBroker("mosquitto", folder)
        broker.start()
        running.callback(broker.kill)
        database = running.enter_context(running_hub(folder, broker.port))
        edges = [running.enter_context(waiting_edge(site, folder / site, broker.port)) for site in SITES]
        for edge in edges:
            expect_ready(edge)
        for edge in edges:
            say_go(edge)
        first = wait_until_committed(database, 1)
        begun_s = time.monotonic()
        total = wait_until_committed(database, EVENTS_PER_SITE * len(SITES))
        took_s = time.monotonic() - begun_s
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            (stored,) = connection.execute("select count(*) from event").fetchone()
            (once,) = connection.execute(
                "select count(*) from (select distinct site, stream, seq from event)"
            ).fetchone()
    return Replayed((total - first) / took_s, stored, once)


@contextmanager
def running_hub(folder: Path, broker_port: int) -> Iterator[Path]:
    """Run a hub that knows the ten sites until the block ends; give its database."""
    settings, network = folder / "hub.toml", folder / "network.toml"
    settings.write_text(
        f'log_level = "warning"\n[web]\nport = {free_port()}\n'
        f'[database]\nfile = "hub.db"\n[broker]\nport = {broker_port}\n'
    )
    network.write_text((resources.files("simulators") / "cantal.toml").read_text(encoding="utf-8"), encoding="utf-8")
    program = str(Path(sys.executable).with_name("telecentre-hub"))
    command = [program, "site", "import", str(network), "--config", str(settings)]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([program, "serve", "--config", str(settings)])
    try:
        yield folder / "hub.db"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def waiting_edge(site: str, folder: Path, broker_port: int) -> Iterator[subprocess.Popen[str]]:
    """Run an edge that stores its backlog and waits for the word until the block ends."""
    folder.mkdir()
    module = "tests.benchmarks.replaying_edge"
    command = [sys.executable, "-m", module, site, str(folder / "outbox"), str(broker_port), str(EVENTS_PER_SITE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def expect_ready(edge: subprocess.Popen[str]) -> None:
    """Wait until an edge has stored its backlog."""
    assert edge.stdout is not None
    if edge.stdout.readline() != "ready\n":
        raise RuntimeError("an edge could not store its backlog")


def say_go(edge: subprocess.Popen[str]) -> None:
    """Let an edge hand its backlog over."""
    assert edge.stdin is not None
    edge.stdin.write("go\n")
    edge.stdin.flush()


def wait_until_committed(database: Path, total: int) -> int:
    """Wait until a hub has committed so many positions; return how many it has."""
    pause = threading.Event()
    deadline_s = time.monotonic() + DONE_WITHIN_S
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        while time.monotonic() < deadline_s:
            (position,) = connection.execute("select coalesce(sum(position), 0) from stream").fetchone()
            if position >= total:
                return int(position)
            pause.wait(0.01)
    raise RuntimeError(f"the hub has {position} of {total} events after {DONE_WITHIN_S:.0f} s")
