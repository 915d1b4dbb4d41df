"""The processes of a campaign: edges, broker and hub, each behind a line that can be bad, each made to be killed."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from tests.support.brokers import Kind, RunningBroker
from tests.support.demo import program
from tests.support.fault_proxy import FaultProxy
from tests.support.ports import free_port

DAY_MS = 86_400_000
BEGUN_BEFORE_MS = 40 * DAY_MS
"""The telecentres' weeks lie before today, and within the journal's 90 days."""

STOPS_WITHIN_S = 60.0


class Process:
    """A program that is killed and started again; what it says goes to one file for all its lives."""

    def __init__(self, name: str, command: Callable[[], list[str]], log: Path) -> None:
        self.name = name
        self.kills = 0
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it lives; a process that ended by itself has failed."""
        if self._process is None:
            return False
        code = self._process.poll()
        assert code is None, f"{self.name} ended with {code}: {self.said()[-2000:]}"
        return True

    def start(self) -> None:
        """Begin a life."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.PIPE, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it without a word."""
        assert self.is_running
        assert self._process is not None
        self._process.kill()
        self._end()
        self.kills += 1

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.is_running
        assert self._process is not None
        self._process.send_signal(number)

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def stop(self) -> None:
        """End its standard input and ask it to stop; it must do so, with success."""
        assert self.is_running
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        if self.name == "hub":
            process.terminate()
        code = process.wait(STOPS_WITHIN_S)
        self._process = None
        assert code == 0, f"{self.name} ended with {code}: {self.said()[-2000:]}"

    def give_up(self) -> None:
        """End it whatever its state."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._end()

    def said(self) -> str:
        """Return all that it has said."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _end(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(STOPS_WITHIN_S)
            self._process = None


class World:
    """Everything that a campaign runs; use it as a context. Nothing is started before `start`."""

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        sites: tuple[str, ...],
        *,
        seed: int,
        events_per_s: float,
        opening_hours: str | None = None,
    ) -> None:
        """`opening_hours`: of all telecentres, instead of their own."""
        self.folder, self.sites, self.seed = folder, sites, seed
        self._opening_hours = opening_hours
        self.broker = RunningBroker(kind, folder)
        self.lines = {name: FaultProxy(self.broker.port) for name in (*sites, "hub")}
        self.hub = Process("hub", self._hub_command, folder / "hub.log")
        self.edges = {site: Process(site, self._edge_command(site), folder / f"{site}.log") for site in sites}
        self.broker_runs, self.broker_kills = False, 0
        self.rebooted = dict.fromkeys(sites, True)
        self.database = folder / "hub.db"
        self._events_per_s = events_per_s
        self.start_ms = (time.time_ns() // 1_000_000 // DAY_MS) * DAY_MS - BEGUN_BEFORE_MS
        self._random = Random(f"boots {seed}")
        self._boots = dict.fromkeys(sites, "")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for line in self.lines.values():
            self._stack.enter_context(line)
        self._stack.callback(self.broker.kill)
        for process in (self.hub, *self.edges.values()):
            self._stack.callback(process.give_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Install the hub and start everything."""
        (self.folder / "hub.toml").write_text(
            f'log_level = "info"\n[web]\nport = {free_port()}\n'
            f'[database]\nfile = "hub.db"\n[broker]\nport = {self.lines["hub"].port}\n'
        )
        network = self.folder / "network.toml"
        text = (resources.files("simulators") / "cantal.toml").read_text(encoding="utf-8")
        if self._opening_hours is not None:
            text = re.sub("^opening_hours = .*$", f'opening_hours = "{self._opening_hours}"', text, flags=re.MULTILINE)
        network.write_text(text)
        self.ask_hub("site", "import", str(network))
        self.broker.start()
        self.broker_runs = True
        self.hub.start()
        for edge in self.edges.values():
            edge.start()

    def is_running(self, name: str) -> bool:
        """Return whether an edge, the hub or the broker lives."""
        return self.broker_runs if name == "broker" else self._process(name).is_running

    def kill(self, name: str) -> None:
        """Kill an edge, the hub or the broker."""
        if name == "broker":
            self.broker.kill()
            self.broker_runs = False
            self.broker_kills += 1
        else:
            self._process(name).kill()

    def send(self, name: str, number: int) -> None:
        """Send a signal to an edge, the hub or the broker."""
        (self.broker if name == "broker" else self._process(name)).send(number)

    def revive(self, name: str, *, rebooted: bool) -> None:
        """Start again what was killed; an edge goes on in the same boot of its machine, unless `rebooted`."""
        if name == "broker":
            self.broker.start()
            self.broker_runs = True
            return
        if name in self.rebooted:
            self.rebooted[name] = rebooted
        self._process(name).start()

    def ask_hub(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the hub's beside it."""
        command = [program("telecentre-hub"), *arguments, "--config", str(self.folder / "hub.toml")]
        return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)

    def figures_are_settled(self) -> bool:
        """Return whether the hub has brought every figure up to its events."""
        asked = self.ask_hub("status", "--json")
        return asked.returncode == 0 and json.loads(asked.stdout)["dirty"] == 0

    def outbox_of(self, site: str) -> Path:
        """Return the file of an edge's events."""
        return self.folder / site / "outbox.db"

    def _process(self, name: str) -> Process:
        return self.hub if name == "hub" else self.edges[name]

    def _hub_command(self) -> list[str]:
        return [program("telecentre-hub"), "serve", "--config", str(self.folder / "hub.toml")]

    def _edge_command(self, site: str) -> Callable[[], list[str]]:
        def command() -> list[str]:
            rebooted = self.rebooted[site]
            if rebooted:
                self._boots[site] = f"{self._random.getrandbits(128):032x}"
            words = (
                site,
                self.folder / site,
                self.lines[site].port,
                f"{self.seed} {site}",
                self._events_per_s,
                self.start_ms,
                self._boots[site],
                "yes" if rebooted else "no",
            )
            return [sys.executable, "-m", "tests.system.campaign.edge", *map(str, words)]

        return command
