"""B7 and the table of flat costs: a fleet of simulated sites on Mosquitto and a hub of its own, watched from outside.

The fleet is calm (no outages of its own). A hub's first word from thousands of sites is a burst; only when every site
has been answered does the measuring begin. CPU is what the kernel counts for the hub, a wait is from an event's
observation to the word, at its site, that the hub has committed it.

At one rate for all, ten sites play days and thousands minutes: what the database grows by is measured apart, of a day
that each site has lived.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.opening import HOUR_MS
from hub.store import Store
from tests.benchmarks import stored_month
from tests.benchmarks.figures import Figure
from tests.support.brokers import RunningBroker
from tests.support.ports import free_port
from tests.support.secure_broker import SHIPPED

SITES = 4_072
RATE = 300.0
LASTS_S = 60.0
FLAT_SITES = (10, 100, 1_000, 4_072)
FLAT_LASTS_S = 20.0
CPU_REACH, WAIT_REACH_S = 0.5, 1.0
FLAT_REACH = 2.0
"""Of the cheapest size, what one event may cost at any other in CPU, and the day of one site in bytes: what sites say
beside events is counted to them."""

GREETED_WITHIN_S, ENDS_WITHIN_S = 150.0, 300.0
LOOK_EVERY_S = 0.5
CALM_AFTER_S = 10.0
"""After the burst of first words: figures have a share of the hub's time and go on all the while."""

_COMPLETE = re.compile(r"fleet=complete")


@dataclass(frozen=True, slots=True)
class Load:
    """What a fleet did to a hub."""

    told: dict[str, Any]
    cpu_share: float
    """Of one core, over the measured time."""
    measured_s: float
    cpu_s_an_event: float

    @property
    def wait_p99_s(self) -> float:
        """Within what time 99 of 100 events were committed and their site knew it."""
        return float(self.told["event_wait"]["p99_s"])


def measure_peak() -> list[Figure]:
    """Return the figure of B7."""
    load = played(SITES, RATE, LASTS_S)
    return [
        Figure(
            name="B7",
            what=f"{SITES:,} simulated sites, {load.told['rate']:.0f} events/s: CPU of the hub, event to Ack",
            measured=f"{load.cpu_share:.0%} of one core; p50 {load.told['event_wait']['p50_s']} s,"
            f" p99 {load.wait_p99_s} s; {_equal(load)}",
            peer="none that speaks TC1",
            size=f"{load.told['events']:,} events, {load.measured_s:.0f} s measured, Mosquitto, SQLite",
            reach="<= 50 % of one core, stored within 1 s p99",
            reached=load.cpu_share <= CPU_REACH and load.wait_p99_s <= WAIT_REACH_S and load.told["equal"],
        )
    ]


def measure_flat() -> list[Figure]:
    """Return what events and days cost at four sizes of a network: the flat-cost table, one line a size."""
    loads = {sites: played(sites, RATE, FLAT_LASTS_S) for sites in FLAT_SITES}
    return flat(loads, {sites: bytes_of_a_day(sites) for sites in FLAT_SITES})


def bytes_of_a_day(sites: int) -> float:
    """Return by how much a database grows for a site and the first day of its life, with register and all figures."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "hub.db"
        with closing(Store(file, now_ms=lambda: stored_month.NOW_MS)) as store:
            empty_bytes = stored_bytes(file)
            stored_month.play(store, sites, stored_month.MONTH[0] + 23 * HOUR_MS)
            return (stored_bytes(file) - empty_bytes) / sites


def flat(loads: Mapping[int, Load], day_bytes: Mapping[int, float]) -> list[Figure]:
    """Return the table of what was measured at several sizes, each judged by the cheapest."""
    cpu_s = min(load.cpu_s_an_event for load in loads.values())
    stored = min(day_bytes.values())
    return [
        Figure(
            name="B9",
            what=f"what an event, and a site's day, cost with {sites:,} sites",
            measured=f"{load.told['rate']:.0f} events/s; {1000 * load.cpu_s_an_event:.2f} ms CPU an event;"
            f" {day_bytes[sites]:,.0f} bytes a site's day; p99 {load.wait_p99_s} s; {_equal(load)}",
            peer=f"the cheapest sizes: {1000 * cpu_s:.2f} ms, {stored:,.0f} bytes",
            size=f"{load.told['events']:,} events, {load.told['played_days']} days, {load.measured_s:.0f} s measured",
            reach=f"flat from {min(loads):,} to {max(loads):,} sites: CPU and bytes within {FLAT_REACH:g} x",
            reached=load.cpu_s_an_event <= FLAT_REACH * cpu_s
            and day_bytes[sites] <= FLAT_REACH * stored
            and load.told["equal"],
        )
        for sites, load in loads.items()
    ]


def played(sites: int, rate: float, lasts_s: float) -> Load:
    """Play a fleet on a hub, and return what that cost."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = RunningBroker("mosquitto", folder)
        shipped = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
        broker.limit([line for line in shipped.splitlines() if line.startswith("max_")])
        broker.start()
        running.callback(broker.kill)
        _program("telecentre-sim", "fleet", "--sites", str(sites), "--write-network", str(folder / "network.toml"))
        hub = running.enter_context(running_hub(folder, broker.port))
        fleet = running.enter_context(_running_fleet(folder, broker.port, rate))
        _await("every site is answered", GREETED_WITHIN_S, lambda: _COMPLETE.search(_log(folder)) is not None)
        threading.Event().wait(CALM_AFTER_S)
        measured_s, cpu_s = _watch(hub.pid, lasts_s)
        fleet.send_signal(signal.SIGTERM)
        told = json.loads(fleet.communicate(timeout=ENDS_WITHIN_S)[0])
        hub.terminate()
        hub.wait(30)
    return Load(told, cpu_s / measured_s, measured_s, cpu_s / measured_s / told["rate"])


@contextmanager
def running_hub(folder: Path, broker_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a hub that knows the fleet's network until the block ends."""
    settings = folder / "hub.toml"
    settings.write_text(
        f'log_level = "warning"\n[web]\nport = {free_port()}\n'
        f'[database]\nfile = "hub.db"\n[broker]\nport = {broker_port}\n',
        encoding="utf-8",
    )
    _program("telecentre-hub", "site", "import", str(folder / "network.toml"), "--config", str(settings))
    process = subprocess.Popen([_path("telecentre-hub"), "serve", "--config", str(settings)])
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


@contextmanager
def _running_fleet(folder: Path, broker_port: int, rate: float) -> Iterator[subprocess.Popen[str]]:
    command = [_path("telecentre-sim"), "fleet", "--calm", "--network", str(folder / "network.toml")]
    command += ["--rate", f"{rate:g}", "--broker", f"127.0.0.1:{broker_port}"]
    with (folder / "fleet.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def _watch(pid: int, lasts_s: float) -> tuple[float, float]:
    """Return for how long we watched a process, and how much CPU it took meanwhile, in seconds."""
    begun_s, before_s = time.monotonic(), _cpu_s(pid)
    threading.Event().wait(lasts_s)
    return time.monotonic() - begun_s, _cpu_s(pid) - before_s


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored_bytes(file: Path) -> int:
    """Return the size of a database with all of its log brought in: a log is as long as it once had to be."""
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        pages, page_bytes = (connection.execute(f"pragma {what}").fetchone()[0] for what in ("page_count", "page_size"))
        return int(pages * page_bytes)


def _equal(load: Load) -> str:
    return "nothing lost" if load.told["equal"] else str(load.told["said"])


def _log(folder: Path) -> str:
    return (folder / "fleet.log").read_text(encoding="utf-8")


def _await(what: str, within_s: float, reached: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + within_s
    while not reached():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"not within {within_s:.0f} s: {what}")
        threading.Event().wait(LOOK_EVERY_S)


def _program(name: str, *arguments: str) -> None:
    subprocess.run([_path(name), *arguments], check=True, timeout=120, stdout=subprocess.DEVNULL)


def _path(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
