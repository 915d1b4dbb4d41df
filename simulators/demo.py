"""The demo: a hub with its broker, the simulated devices, and one real agent per telecentre, on this machine alone.

It prepares the state folder, keeps its children alive, and stops them in an order in which nothing is lost: people
first, agents once the hub has what they hold, then the hub, then the devices.

It has no threads, and waits for an answer of the hub where it stands, for seconds at most: it does nothing but keep its
children, and a child forked beside a thread that holds a lock may wait for it for ever. Seen under libfaketime, whose
own locks no fork resets: of some hundred children started beside such a thread, one never began.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from simulators.accounts import AccountError, differences, edge_account, hub_accounts, rebuild_differs
from simulators.badges_file import BadgesFileError
from simulators.control import ControlError, ask
from simulators.folder import DEFAULT_STATE, Folder, open_run, write_settings, write_sites
from simulators.hub_page import has_caught_up, is_ready, read_figures
from simulators.network import Network
from simulators.processes import Child, program, watch_without_threads
from simulators.registration import RegistrationError, register

log = logging.getLogger(__name__)

LEFTOVERS_GONE_WITHIN_S = 20.0
"""The children of a killed demo may still be ending when the next one starts."""

READY_WITHIN_S = 60.0
"""Far more than a hub needs, on a small laptop that is busy with something else."""

HUB_TRIES = 3
"""A hub that has never been ready and ends three times will not come up by itself."""

DRAINED_WITHIN_S = 20.0
AGENT_STOPS_WITHIN_S = 20.0
HUB_STOPS_WITHIN_S = 20.0
DEVICES_STOP_WITHIN_S = 15.0

LINE_EVERY_S = 10.0
"""How often the summary is printed where it cannot be overwritten."""


class DemoError(RuntimeError):
    """The demo cannot run: one sentence with its remedy."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `for_s` is empty for a demo that runs until it is stopped."""

    network: Network
    folder: Folder
    port: int
    seed: int
    speed: float
    for_s: float | None
    log_level: str = "info"

    @property
    def url(self) -> str:
        """Where the board is."""
        return f"http://127.0.0.1:{self.port}"


class Demo:
    """The children of a running demo. `lock` is the descriptor of the folder's lock, which each of them holds too."""

    def __init__(self, options: Options, lock: int) -> None:
        self.options = options
        self._broker_port = _free_port()
        folder, held = options.folder, (lock,)
        config = ["--config", str(folder.hub_toml)]
        self.hub = Child("hub", [program("telecentre-hub"), "serve", *config], folder.log / "hub.log", held=held)
        devices = [program("telecentre-sim"), "site", "--state", str(folder.root)]
        devices += ["--seed", str(options.seed), "--speed", str(options.speed)]
        self.devices = Child("devices", devices, folder.log / "devices.log", held=held)
        self.agents = [_agent(folder, site.id, held) for site in options.network.sites]

    async def start(self) -> None:
        """Prepare the folder, start every child, and return when the hub is ready.

        Raises:
            DemoError: the hub refuses what it is told or does not come up, with what it said.
        """
        await self._prepare()
        self.devices.start()
        self.hub.start()
        # The agents come after the hub: they find its broker at once, and the page can be looked at while they start.
        await self._hub_is_ready()
        for agent in self.agents:
            agent.start()
        sites = [site.id for site in self.options.network.sites]
        state = {"pid": os.getpid(), "url": self.options.url, "seed": self.options.seed, "sites": sites}
        self.options.folder.demo_json.write_text(json.dumps(state) + "\n", encoding="utf-8")

    async def _prepare(self) -> None:
        """Write every file, and register telecentres, people and badges as far as the hub does not know them."""
        options, port = self.options, self._broker_port
        write_settings(
            options.folder, options.network, web_port=options.port, broker_port=port, log_level=options.log_level
        )
        try:
            hub_key = await register(options.folder, options.network, seed=options.seed, today=datetime.now(UTC).date())
        except (RegistrationError, BadgesFileError) as error:
            raise DemoError(str(error)) from error
        write_sites(options.folder, options.network, hub_key=hub_key, broker_port=port, log_level=options.log_level)

    async def _hub_is_ready(self) -> None:
        until_s = time.monotonic() + READY_WITHIN_S
        while not is_ready(self.options.url):
            if time.monotonic() > until_s or self.hub.restarts >= HUB_TRIES:
                said = _last_word(self.options.folder.log / "hub.log")
                raise DemoError(f"The hub does not come up; the last it said: {said}")
            await asyncio.sleep(0.2)

    async def hush(self) -> None:
        """Send the people home, and wait until the hub has nearly all that the agents hold; both bounded.

        The rest the agents hand over themselves when they stop.
        """
        with contextlib.suppress(ControlError):
            ask(self.options.folder.control, {"do": "hush"})
        sites = {site.id for site in self.options.network.sites}
        until_s = time.monotonic() + DRAINED_WITHIN_S
        while not has_caught_up(self.options.url, sites):
            if time.monotonic() > until_s:
                log.warning("event=not_caught_up within_s=%s", DRAINED_WITHIN_S)
                return
            await asyncio.sleep(0.5)

    async def stop(self) -> list[str]:
        """Stop every child in order; return the names of those that did not stop by themselves."""
        stopped = await asyncio.gather(*(agent.stop(AGENT_STOPS_WITHIN_S) for agent in self.agents))
        unwilling = [agent.name for agent, well in zip(self.agents, stopped, strict=True) if not well]
        for child, within_s in ((self.hub, HUB_STOPS_WITHIN_S), (self.devices, DEVICES_STOP_WITHIN_S)):
            if not await child.stop(within_s):
                unwilling.append(child.name)
        self.options.folder.demo_json.unlink(missing_ok=True)
        return unwilling


def _agent(folder: Folder, site: str, held: tuple[int, ...]) -> Child:
    command = [program("telecentre-edge"), "run", "--config", str(folder.site_toml(site))]
    env = {"GPIOZERO_PIN_FACTORY": "telecentre-sim", "TELECENTRE_SIM_PINS": str(folder.pins(site))}
    return Child(f"edge-{site}", command, folder.log / f"edge-{site}.log", held=held, env=env)


async def run_demo(options: Options) -> int:
    """Run the demo until it is stopped or its time is over, and return its exit code: 0 when both ends are equal.

    Raises:
        DemoError: it cannot start.
    """
    watch_without_threads()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with _locked(options.folder) as lock:
        _refuse_taken(options.port)
        open_run(options.folder, tuple(site.id for site in options.network.sites))
        demo = Demo(options, lock)
        try:
            if await _unless(stopping, demo.start()):
                _say(_welcome(demo))
                await _watch(options, stopping)
                _say("Stopping: people go home, agents hand over what they hold...")
                await demo.hush()
        finally:
            unwilling = await demo.stop()
        for name in unwilling:
            _say(f"{name} did not stop by itself; see {options.folder.log / name}.log")
        return await reckon(options.folder)


async def reckon(folder: Folder) -> int:
    """Compare what every agent of the folder has ever committed with what the hub has; print it; 0 when equal."""
    sites = sorted(path.name for path in (folder.root / "sites").iterdir())
    try:
        edges = dict(zip(sites, await asyncio.gather(*(edge_account(folder, site) for site in sites)), strict=True))
        hub = await hub_accounts(folder)
        told = differences(edges, hub)
        if await rebuild_differs(folder):
            told.append("the hub's statistics differ from a computation of everything anew")
    except AccountError as error:
        _say(str(error))
        return 1
    for sentence in told:
        _say(sentence)
    counts = {
        "edge_events": sum(edge.events for edge in edges.values()),
        "hub_events": sum(hub[site].events for site in sites if site in hub),
        "equal": not told,
    }
    _say(json.dumps(counts))
    return 1 if told else 0


async def _unless(stopping: asyncio.Event, start: Coroutine[None, None, None]) -> bool:
    """Run `start` to its end and return True, or give it up and return False when the demo is told to stop."""
    starting, told = asyncio.ensure_future(start), asyncio.ensure_future(stopping.wait())
    await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if starting.done():
        starting.result()
        return True
    starting.cancel()
    await asyncio.wait([starting])
    return False


async def _watch(options: Options, stopping: asyncio.Event) -> None:
    """Print what moves until the demo is told to stop, or its time is over."""
    begun_s = time.monotonic()
    live = sys.stdout.isatty()
    every_s = 1.0 if live else LINE_EVERY_S
    while not stopping.is_set():
        left_s = every_s if options.for_s is None else begun_s + options.for_s - time.monotonic()
        if left_s <= 0:
            break
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(every_s, left_s))
        figures = read_figures(options.url)
        sentence = "the hub does not answer; it is restarted" if figures is None else figures.sentence()
        _say(f"\r\x1b[2K{sentence}" if live else sentence, end="" if live else "\n")
    if live:
        _say("")


def _welcome(demo: Demo) -> str:
    options = demo.options
    command = os.path.relpath(program("telecentre-sim"))
    here = options.folder.root == DEFAULT_STATE.absolute()
    state = "" if here else f" --state {shlex.quote(str(options.folder.root))}"
    site = "murat" if any(site.id == "murat" for site in options.network.sites) else options.network.sites[0].id
    sites, desks = len(options.network.sites), sum(site.desks for site in options.network.sites)
    return f"""
{sites} telecentres, {desks} desks: {options.url}    (logs in {os.path.relpath(options.folder.log)})

Try, in another terminal:
  {command} tap {site}{state}
      a badge opens the door; `--clone` shows a copy of it, `--badge lost` one that was reported lost
  {command} unplug {site} reader{state}
      the page says what is broken; `plug` repairs it
  kill -9 {demo.hub.pid}
      the hub dies, is restarted, and catches up: nothing is lost, nothing counted twice
Ctrl-C stops everything.
"""


@contextlib.asynccontextmanager
async def _locked(folder: Folder) -> AsyncIterator[int]:
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until_s = time.monotonic() + LEFTOVERS_GONE_WITHIN_S
        while not _lock(lock):
            if (running := _running(folder)) or time.monotonic() > until_s:
                where = f"{folder.root} ({running})" if running else f"{folder.root}"
                raise DemoError(f"A demo already runs in {where}: stop it, or choose another folder with --state.")
            await asyncio.sleep(0.2)
        yield lock
    finally:
        os.close(lock)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running(folder: Folder) -> str:
    """Return who holds the folder, as far as that is written down and still true."""
    try:
        state = json.loads(folder.demo_json.read_text(encoding="utf-8"))
        os.kill(int(state["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return ""
    return f"process {state['pid']}, {state['url']}"


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} of 127.0.0.1 cannot be used ({error.strerror}): choose another one with --port."
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_word(log_file: Path) -> str:
    """Return the last line of a log that its program wrote, not we."""
    try:
        lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "nothing"
    return next((line for line in reversed(lines) if line and not line.startswith("---")), "nothing")


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
