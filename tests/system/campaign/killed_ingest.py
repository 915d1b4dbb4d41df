"""A fleet whose hub is killed again and again while it takes history, on either engine: equal to the oracle, or not.

The oracle is the fleet: it knows each event that it made, and computes the figures of each day by a model of its own.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import psycopg

from tests.support.brokers import RunningBroker
from tests.support.demo import program
from tests.support.fleet_ledger import different, different_in_file
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.secure_broker import SHIPPED
from tests.support.waiting import eventually
from tests.system.campaign.world import Process

Engine = Literal["sqlite", "postgres"]

PLAYED_S_A_KILL = 2.5
"""For how long the fleet observes: about as long as the hub is killed; it then waits for 180 s at most."""

READY_WITHIN_S = 90.0
DRAINED_WITHIN_S = 240.0
DATABASE = "telecentre"
READY = re.compile(r"hub=ready")


@dataclass(frozen=True, slots=True)
class Kills:
    """How large a fleet is, and how often its hub dies under it."""

    sites: int
    rate: float
    """Events a second, over all sites."""
    kills: int
    alive_s: tuple[float, float] = (0.3, 3.0)
    """How long a hub lives, at least and at most, once it takes history."""
    spread_s: float = 2.0


@dataclass(frozen=True, slots=True)
class KilledIngest:
    """What the fleet said, and what is in the database."""

    told: dict[str, Any]
    kills: int
    different: list[str]
    differences: int
    """Figures that a full recomputation finds different."""

    @property
    def is_right(self) -> bool:
        """Whether the hub has each event once, and the figures that the fleet's own model has."""
        return self.told["equal"] and not self.different and self.differences == 0

    def __str__(self) -> str:
        told = self.told
        return (
            f"{self.kills} kills, {told['sites']:,} sites, {told['events']:,} events in {told['streams']:,} streams,"
            f" {told['committed']:,} committed, expected {told['expected']}; different: {self.different[:5]}"
            f" ({len(self.different)}); rebuilt: {self.differences}; not answered {told['different']}"
        )


def run_killed(folder: Path, engine: Engine, plan: Kills, seed: int) -> KilledIngest:
    """Play a fleet, kill the hub as often as planned, let it catch up, and compare."""
    random = Random(f"kills {seed}")
    with ExitStack() as stack:
        broker = _broker(folder)
        stack.callback(broker.kill)
        server = stack.enter_context(_server(engine))
        settings = _settings(folder, broker.port, server)
        network, ledger = folder / "network.toml", folder / "ledger.jsonl"
        _run("telecentre-sim", "fleet", "--sites", str(plan.sites), "--write-network", str(network))
        _run("telecentre-hub", "site", "import", str(network), "--config", str(settings))
        command = [program("telecentre-hub"), "serve", "--config", str(settings)]
        hub = Process("hub", lambda: command, folder / "hub.log")
        stack.callback(hub.give_up)
        hub.start()
        fleet = stack.enter_context(_fleet(folder, network, ledger, broker.port, plan, seed))
        for number in range(plan.kills):
            _await_ready(folder, number + 1)
            time.sleep(random.uniform(*plan.alive_s))
            hub.kill()
            hub.start()
        _await_ready(folder, plan.kills + 1)
        out, _ = fleet.communicate(timeout=DRAINED_WITHIN_S)
        hub.stop()
        rebuilt = json.loads(_run("telecentre-hub", "rebuild", "--json", "--config", str(settings)))
        found = _different(folder, server, ledger)
    return KilledIngest(json.loads(out), plan.kills, found, rebuilt["differences"])


def _broker(folder: Path) -> RunningBroker:
    """Return Mosquitto with the limits of firmware_config/mosquitto, started."""
    shipped = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
    broker = RunningBroker("mosquitto", folder)
    broker.limit([line for line in shipped.splitlines() if line.startswith("max_")])
    broker.start()
    return broker


@contextmanager
def _server(engine: Engine) -> Iterator[Postgres | None]:
    """Run a PostgreSQL server until the block ends, where one is asked for."""
    if engine == "sqlite":
        yield None
        return
    server = Postgres()
    try:
        server.start()
        server.run(f"create database {DATABASE}", "postgres")
        yield server
    finally:
        server.remove()


def _settings(folder: Path, broker_port: int, server: Postgres | None) -> Path:
    file = folder / "hub.toml"
    where = 'file = "hub.db"' if server is None else f'url = "{_url(server)}"\nerasures_file = "hub.erasures"'
    file.write_text(
        f"[web]\nport = {free_port()}\n[database]\n{where}\n[broker]\nport = {broker_port}\n", encoding="utf-8"
    )
    return file


def _url(server: Postgres) -> str:
    return f"postgresql://telecentre@127.0.0.1:{server.port}/{DATABASE}"


@contextmanager
def _fleet(
    folder: Path, network: Path, ledger: Path, broker_port: int, plan: Kills, seed: int
) -> Iterator[subprocess.Popen[str]]:
    command = [program("telecentre-sim"), "fleet", "--network", str(network), "--ledger", str(ledger)]
    command += ["--rate", f"{plan.rate:g}", "--for", f"{PLAYED_S_A_KILL * plan.kills:g}", "--seed", str(seed)]
    command += ["--spread", f"{plan.spread_s:g}", "--broker", f"127.0.0.1:{broker_port}"]
    with (folder / "fleet.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def _await_ready(folder: Path, times: int) -> None:
    """Wait until the hub has become ready for the `times`th time."""
    log = folder / "hub.log"
    eventually(
        lambda: log.exists() and len(READY.findall(log.read_text())) >= times,
        what=f"the hub is ready {times} times: {log.read_text()[-500:] if log.exists() else ''}",
        within_s=READY_WITHIN_S,
    )


def _different(folder: Path, server: Postgres | None, ledger: Path) -> list[str]:
    if server is None:
        return different_in_file(folder / "hub.db", ledger)
    with psycopg.connect(host=str(server.folder), port=server.port, dbname=DATABASE, user="telecentre") as connection:
        return different(lambda question: connection.execute(question.encode()), ledger)


def _run(name: str, *arguments: str) -> str:
    """Run one of our commands; return what it prints."""
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
