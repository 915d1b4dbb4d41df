"""A running demo, driven from a test as a user would: commands, pages, and signals to processes."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.support.ports import free_port

STOPS_WITHIN_S = 90.0
"""People, agents, hub and devices stop one after another, each within its own bound."""

UP_WITHIN_S = 90.0
"""Ten times what three telecentres need beside other tests."""

Seen = TypeVar("Seen")


def program(name: str) -> str:
    """Return one of our commands, beside the Python that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def until(see: Callable[[], Seen | None], *, within_s: float, what: str) -> Seen:
    """Look until something is seen, and return it; the deadline is generous, the wait short."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        seen = see()
        if seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"not seen within {within_s} s: {what}")


@dataclass(slots=True)
class RunningDemo:
    """A demo in a process of its own, its output in a file."""

    process: subprocess.Popen[bytes]
    state: Path
    url: str
    output: Path

    @classmethod
    def start(cls, folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> "RunningDemo":
        """Start a demo whose state is `folder`/state, with `before` in front of the command (faketime)."""
        port, output, state = free_port(), folder / "output.txt", folder / "state"
        command = [*before, program("telecentre-sim"), "demo", "--port", str(port), "--state", str(state), *arguments]
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        return cls(process, state, f"http://127.0.0.1:{port}", output)

    def said(self) -> str:
        """Return all that it has printed."""
        return self.output.read_text(encoding="utf-8")

    def comes_up(self) -> None:
        """Wait until it has told its address; a demo that has ended or hangs says what it has printed."""
        end_s = time.monotonic() + UP_WITHIN_S
        while not (self.state / "demo.json").exists():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end_s, f"not up within {UP_WITHIN_S} s: {self.said()}"
            time.sleep(0.1)

    def sim(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `telecentre-sim` on this demo."""
        command = [program("telecentre-sim"), *arguments, "--state", str(self.state)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at a path of the hub, or None while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:  # noqa: S310 - the hub, on loopback
                return json.load(answer)
        except OSError:
            return None

    def live(self) -> dict[str, Any]:
        """Return what the board shows, by site; nothing while the hub does not answer."""
        board = self.get("/api/v1/live")
        return {site["site_id"]: site for site in board["sites"]} if board else {}

    def state_of(self, site: str, resource: str) -> str | None:
        """Return the state of a desk, a room or a door as the board shows it."""
        there = self.live().get(site, {})
        states = {each["id"]: each["state"] for kind in ("desks", "rooms", "doors") for each in there.get(kind, [])}
        return states.get(resource)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return its children, and theirs, whose command line holds every word."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = " ".join(child.cmdline())
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                found.append(child)
        return found

    def stop(self) -> str:
        """Press Ctrl-C, wait for the end, and return the last line."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOPS_WITHIN_S)
        return self.said().strip().splitlines()[-1]

    def give_up(self) -> None:
        """End whatever a failed test has left, by process id."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            self.process.wait(10)
            for child in children:
                if child.is_running():
                    child.kill()
