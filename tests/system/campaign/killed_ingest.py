"""A fleet whose hub is killed again and again while it takes history, on either engine: equal to the oracle, or not.

The oracle is the fleet: it knows each event that it made, and computes the figures of each day by a model of its own.
"""

import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import psycopg

from tests.support.brokers import RunningBroker
from tests.support.demo import program
from tests.support.fleet_ledger import Ask, different
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.secure_broker import SHIPPED
from tests.support.waiting import eventually
from tests.system.campaign.world import Process

Engine = Literal["sqlite", "postgres"]

LEAVES_WITHIN_S = 60.0
"""For a fleet to write its ledger and to close its connections: it takes some seconds."""

LOOK_EVERY_S = 0.1
"""How often the database is asked whether the hub has taken history: seldom enough to cost it nothing."""

WITHIN_S, WITHIN_S_A_SITE = 120.0, 0.4
"""For a command, for a hub to be ready, for it to take history once more, for all of it in the end: half an hour for
4,072 sites. A hub that begins reads what each site last said and answers each; a recomputation takes every day of each.
Where nothing else runs that is seconds and some minutes: five times it is left for whatever runs beside it."""

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
    """How long a hub lives, at least and at most, once it has taken history: before, there is nothing to lose."""
    spread_s: float = 2.0

    @property
    def within_s(self) -> float:
        """How long anything may take."""
        return WITHIN_S + WITHIN_S_A_SITE * self.sites


@dataclass(frozen=True, slots=True)
class KilledIngest:
    """What the fleet said, and what is in the database."""

    told: dict[str, Any]
    kills: int
    different: list[str]
    differences: int
    """Figures that a full recomputation finds different."""
    before: int
    """Events that were there when the last of the hubs that are killed died."""

    @property
    def is_right(self) -> bool:
        """Whether the hub has each event once, never took one back, and has the figures that the fleet's model has."""
        kept = self.told["equal"] and self.told["taken_back"] == 0
        return kept and not self.different and self.differences == 0

    def __str__(self) -> str:
        told = self.told
        return (
            f"{self.kills} kills, {told['sites']:,} sites, {told['events']:,} events in {told['streams']:,} streams,"
            f" {self.before:,} of them there at the last kill, {told['committed']:,} in the end, taken back"
            f" {told['taken_back']}, expected {told['expected']}; different: {self.different[:5]}"
            f" ({len(self.different)}); rebuilt: {self.differences}; {told['said']}"
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
        _run(plan, "telecentre-sim", "fleet", "--sites", str(plan.sites), "--write-network", str(network))
        _run(plan, "telecentre-hub", "site", "import", str(network), "--config", str(settings))
        command = [program("telecentre-hub"), "serve", "--config", str(settings)]
        hub = Process("hub", lambda: command, folder / "hub.log")
        stack.callback(hub.give_up)
        hub.start()
        fleet = stack.enter_context(_fleet(folder, network, ledger, broker.port, plan, seed))
        before = 0
        for number in range(plan.kills):
            _await_ready(folder, number + 1, plan)
            await_history(folder, server, before, fleet, plan.within_s)
            time.sleep(random.uniform(*plan.alive_s))
            hub.kill()
            before = _events(folder, server)
            hub.start()
        _await_ready(folder, plan.kills + 1, plan)
        fleet.send_signal(signal.SIGTERM)
        out, _ = fleet.communicate(timeout=plan.within_s + LEAVES_WITHIN_S)
        hub.stop()
        rebuilt = json.loads(_run(plan, "telecentre-hub", "rebuild", "--json", "--config", str(settings)))
        with _asked(folder, server) as ask:
            found = different(ask, ledger)
    return KilledIngest(json.loads(out), plan.kills, found, rebuilt["differences"], before)


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
    command += ["--rate", f"{plan.rate:g}", "--seed", str(seed), "--wait", f"{plan.within_s:g}"]
    command += ["--spread", f"{plan.spread_s:g}", "--broker", f"127.0.0.1:{broker_port}"]
    with (folder / "fleet.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def _await_ready(folder: Path, times: int, plan: Kills) -> None:
    """Wait until the hub has become ready for the `times`th time."""
    log = folder / "hub.log"
    eventually(
        lambda: log.exists() and len(READY.findall(log.read_text())) >= times,
        what=f"the hub is ready {times} times: {log.read_text()[-500:] if log.exists() else ''}",
        within_s=plan.within_s,
    )


def await_history(
    folder: Path, server: Postgres | None, before: int, fleet: subprocess.Popen[str], within_s: float
) -> None:
    """Wait until there are more events than `before`: this hub has committed some.

    Raises:
        AssertionError: there are none within the time, or the fleet has ended: no more will come.
    """
    deadline_s = time.monotonic() + within_s
    while _events(folder, server) <= before:
        told = (folder / "fleet.log").read_text()[-500:]
        assert fleet.poll() is None, f"the fleet has ended with code {fleet.returncode}: {told}"
        assert time.monotonic() < deadline_s, f"still {before} events: {told}"
        time.sleep(LOOK_EVERY_S)


def _events(folder: Path, server: Postgres | None) -> int:
    with _asked(folder, server) as ask:
        return int(next(iter(ask("select coalesce(sum(events), 0) from stream")))[0])


@contextmanager
def _asked(folder: Path, server: Postgres | None) -> Iterator[Ask]:
    """Give questions to the hub's database, beside the hub."""
    if server is None:
        with closing(sqlite3.connect(f"file:{folder / 'hub.db'}?mode=ro", uri=True)) as file:
            yield file.execute
        return
    with psycopg.connect(host=str(server.folder), port=server.port, dbname=DATABASE, user="telecentre") as connection:
        yield lambda question: connection.execute(question.encode())


def _run(plan: Kills, name: str, *arguments: str) -> str:
    """Run one of our commands; return what it prints."""
    command = [program(name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=plan.within_s, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
