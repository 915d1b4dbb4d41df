"""B1: the backlog of ten sites from their outboxes into the hub's database, against a Mosquitto bridge."""

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

from tests.benchmarks.figures import Figure
from tests.benchmarks.mosquitto_bridge import bridged_events_per_s
from tests.support.brokers import RunningBroker, free_port

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
DONE_WITHIN_S = 300.0


def measure() -> list[Figure]:
    """Return the figure of B1."""
    peer = bridged_events_per_s(BRIDGED_EVENTS)
    rate, stored, held_once = _replayed_events_per_s()
    total = EVENTS_PER_SITE * len(SITES)
    return [
        Figure(
            name="B1",
            what="replay: edge SQLite, broker, committed at the hub with its figures marked",
            measured=f"{rate:,.0f} events/s ({rate / peer:.1f} x), {total - stored} lost, {stored - held_once} twice",
            peer=f"Mosquitto bridge to a counting subscriber, nothing stored: {peer:,.0f} events/s",
            size=f"{total:,} events of {len(SITES)} sites through Mosquitto; bridge: {BRIDGED_EVENTS:,}",
            reach=">= 5 x the bridge, >= 50,000 events/s, 0 lost, 0 twice",
            reached=rate >= 5 * peer and rate >= 50_000 and stored == held_once == total,
        )
    ]


def _replayed_events_per_s() -> tuple[float, int, int]:
    """Return events a second, rows stored, and distinct (site, stream, seq) among them."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = RunningBroker("mosquitto", folder)
        broker.start()
        running.callback(broker.kill)
        database = running.enter_context(running_hub(folder, broker.port))
        edges = [running.enter_context(waiting_edge(site, folder / site, broker.port)) for site in SITES]
        for edge in edges:
            expect_ready(edge)
        begun_s = time.monotonic()
        for edge in edges:
            say_go(edge)
        wait_until_committed(database, EVENTS_PER_SITE * len(SITES))
        took_s = time.monotonic() - begun_s
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            (stored,) = connection.execute("select count(*) from event").fetchone()
            (once,) = connection.execute(
                "select count(*) from (select distinct site, stream, seq from event)"
            ).fetchone()
    return EVENTS_PER_SITE * len(SITES) / took_s, stored, once


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


def wait_until_committed(database: Path, total: int) -> None:
    """Wait until a hub has committed so many positions."""
    pause = threading.Event()
    deadline_s = time.monotonic() + DONE_WITHIN_S
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        while time.monotonic() < deadline_s:
            (position,) = connection.execute("select coalesce(sum(position), 0) from stream").fetchone()
            if position >= total:
                return
            pause.wait(0.05)
    raise RuntimeError(f"the hub has {position} of {total} events after {DONE_WITHIN_S:.0f} s")
