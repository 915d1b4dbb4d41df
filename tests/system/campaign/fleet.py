"""Thousands of simulated sites and one broker that is killed: does every site come back, and is all of it there?"""

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.support.brokers import RunningBroker
from tests.support.demo import program
from tests.support.fleet_ledger import different_in_file
from tests.support.ports import free_port
from tests.support.secure_broker import SHIPPED
from tests.support.waiting import eventually
from tests.system.campaign.world import Process

BACK_WITHIN_S = 120.0
"""After a broker's restart every site has been answered, and what it held is committed: the promise."""

STEADY_S = 11.0
"""How long a connection must have lasted for its loss to count as the broker's: else it is a bad line."""

_STATE = re.compile(r"fleet=(\w+) sites=")


@dataclass(frozen=True, slots=True)
class FleetSize:
    """How large a fleet is, and for how long its broker is gone."""

    sites: int
    rate: float
    """Events a second, over all sites."""
    spread_s: float = 30.0
    away_s: float = 2.0


@dataclass(frozen=True, slots=True)
class FleetOutcome:
    """What the fleet said, and what the hub's file says without any code of either."""

    told: dict[str, Any]
    different: list[str]
    """Streams and figures of days that the hub has otherwise than the fleet."""
    differences: int
    """Figures that a full recomputation finds different."""
    dropped: dict[str, int]

    @property
    def is_right(self) -> bool:
        """Whether the hub has each event once as it was made, and every site came back within the promised time."""
        told = self.told
        all_back = min(told["fewest_connections"] - 1, told["absence"]["n"] // told["sites"]) >= 1
        caught_up = told["caught_up"]["n"] >= told["sites"] and told["caught_up"]["max_s"] <= BACK_WITHIN_S
        return told["equal"] and not self.different and self.differences == 0 and all_back and caught_up

    def __str__(self) -> str:
        told = self.told
        return (
            f"{told['sites']:,} sites, {told['events']:,} events, {told['committed']:,} committed,"
            f" {len(self.different)} streams or figures different; away {told['absence']}, caught up"
            f" {told['caught_up']}, events waited {told['event_wait']}, first answers {told['first_answer']};"
            f" dropped by the hub {self.dropped};"
            f" figures different: {self.differences}"
        )


def run_fleet(folder: Path, size: FleetSize, seed: int) -> FleetOutcome:
    """Start broker, hub and fleet; kill the broker under it, start it again, and see what comes of it."""
    ledger, web_port = folder / "ledger.jsonl", free_port()
    broker = _shipped_limits(folder)
    with ExitStack() as stack:
        hub = _running_hub(folder, stack, broker, size.sites, web_port)
        command = ["--spread", f"{size.spread_s:g}", "--seed", str(seed), "--ledger", str(ledger)]
        fleet = stack.enter_context(_running_fleet(folder, broker, size.rate, command))
        _await_all(folder, 1)
        time.sleep(STEADY_S)
        broker.kill()
        time.sleep(size.away_s)
        broker.start()
        _await_all(folder, 2)
        fleet.send_signal(signal.SIGTERM)
        out, _ = fleet.communicate(timeout=BACK_WITHIN_S)
        dropped = _dropped(web_port)
        hub.stop()
    rebuilt = json.loads(_hub("rebuild", "--json", "--config", str(folder / "hub.toml")))
    told = json.loads(out)
    return FleetOutcome(told, different_in_file(folder / "hub.db", ledger), rebuilt["differences"], dropped)


def run_frozen(folder: Path, sites: int, wait_s: float) -> tuple[int, dict[str, Any]]:
    """Let a fleet end while its hub stands still; return its exit code and what it said."""
    broker = _shipped_limits(folder)
    with ExitStack() as stack:
        hub = _running_hub(folder, stack, broker, sites, free_port())
        command = ["--spread", "2", "--wait", f"{wait_s:g}"]
        fleet = stack.enter_context(_running_fleet(folder, broker, 100.0, command))
        _await_all(folder, 1)
        hub.send(signal.SIGSTOP)
        # It has to observe something that the hub cannot hear.
        time.sleep(1.0)
        fleet.send_signal(signal.SIGTERM)
        out, _ = fleet.communicate(timeout=BACK_WITHIN_S)
    return fleet.returncode, json.loads(out)


def _running_hub(folder: Path, stack: ExitStack, broker: RunningBroker, sites: int, web_port: int) -> Process:
    """Start a broker and a hub that knows a fleet of so many sites; both end with the stack."""
    network, settings = folder / "network.toml", folder / "hub.toml"
    _sim("--sites", str(sites), "--write-network", str(network))
    settings.write_text(
        f'[web]\nport = {web_port}\n[database]\nfile = "hub.db"\n[broker]\nport = {broker.port}\n', encoding="utf-8"
    )
    _hub("site", "import", str(network), "--config", str(settings))
    hub = Process("hub", lambda: [program("telecentre-hub"), "serve", "--config", str(settings)], folder / "hub.log")
    stack.callback(broker.kill)
    stack.callback(hub.give_up)
    broker.start()
    hub.start()
    return hub


def _shipped_limits(folder: Path) -> RunningBroker:
    """Return a broker on loopback with the limits of firmware_config/mosquitto."""
    shipped = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
    broker = RunningBroker("mosquitto", folder)
    broker.limit([line for line in shipped.splitlines() if line.startswith("max_")])
    return broker


@contextmanager
def _running_fleet(
    folder: Path, broker: RunningBroker, rate: float, arguments: list[str]
) -> Iterator[subprocess.Popen[str]]:
    """Run a calm fleet of the network in the folder until the block ends."""
    command = [program("telecentre-sim"), "fleet", "--network", str(folder / "network.toml"), "--calm"]
    command += ["--broker", f"127.0.0.1:{broker.port}", "--rate", f"{rate:g}", *arguments]
    with (folder / "fleet.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def _await_all(folder: Path, times: int) -> None:
    """Wait until the hub has answered every site, for the `times`th time: it says so again now and then."""
    log = folder / "fleet.log"

    def became_complete() -> int:
        return [state for state, _ in groupby(_STATE.findall(log.read_text()))].count("complete")

    eventually(
        lambda: became_complete() >= times,
        what=f"all sites are answered: {log.read_text()[-500:]}",
        within_s=BACK_WITHIN_S,
    )


def _sim(*arguments: str) -> None:
    subprocess.run([program("telecentre-sim"), "fleet", *arguments], check=True, timeout=60, stdout=subprocess.DEVNULL)


def _hub(*arguments: str) -> str:
    command = [program("telecentre-hub"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout


def _dropped(web_port: int) -> dict[str, int]:
    """Return what the hub dropped for want of room, by reason."""
    with urllib.request.urlopen(f"http://127.0.0.1:{web_port}/metrics", timeout=60) as answer:
        told = answer.read().decode()
    return {why: int(n) for why, n in re.findall(r'ingest_dropped_total\{reason="(\w+)"\} (\d+)', told)}
