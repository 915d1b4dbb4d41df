"""A real hub whose time is played: its folder, its process, its commands, its answers."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from simulators.processes import program

READY_S = 60.0
"""A hub answers after two seconds; a machine under load takes its time."""

ANSWER_S = 120.0
COMMAND_S = 300.0
"""The longest answer holds a month of hours; the longest command rebuilds a year."""

SETTLE_S = 900.0
"""A hub counts the persons of zones in a twentieth of its time: a month of seven zones takes a minute of that."""

STOP_S = 30.0
SETTLE_LOOK_S = 0.2
_STILL_COUNTING = "still to be"
"""What it says while figures are not computed or persons not counted (docs/operating.md)."""


class HubError(Exception):
    """The hub does not do what it is asked: one sentence."""


class UnknownAddressError(HubError):
    """It knows no such address."""


class PlayedHub:
    """A `telecentre-hub` in a folder of its own, on free loopback ports, with the time of a file."""

    def __init__(self, folder: Path, now_ms: int) -> None:
        self.broker = ("127.0.0.1", _free_port())
        self._folder = folder
        self._web = f"http://127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.set_clock(now_ms)
        port = self._web.rpartition(":")[2]
        self._config.write_text(
            f'simulated_clock = "clock"\nlog_level = "warning"\n[web]\nport = {port}\n'
            f'[database]\nfile = "hub.sqlite"\n[broker]\nembedded = true\nport = {self.broker[1]}\n',
            encoding="utf-8",
        )

    @property
    def _config(self) -> Path:
        return self._folder / "hub.toml"

    def set_clock(self, now_ms: int) -> None:
        """Let it be another time; the file is replaced, so the hub never reads half of it."""
        new = self._folder / "clock.new"
        new.write_text(f"{now_ms}\n", encoding="utf-8")
        new.replace(self._folder / "clock")

    def start(self) -> None:
        """Start it, and wait until it takes history.

        Raises:
            HubError: it ends, or is not ready in time.
        """
        with (self._folder / "hub.log").open("ab") as log:
            command = [program("telecentre-hub"), "serve", "--config", str(self._config)]
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"}
            )
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise HubError(f"the hub has ended: see {self._folder / 'hub.log'}")
            try:
                with urllib.request.urlopen(f"{self._web}/readyz", timeout=5.0):  # noqa: S310 - our own loopback address
                    return
            except OSError:
                time.sleep(SETTLE_LOOK_S)
        raise HubError(f"the hub is not ready after {READY_S:.0f} s: see {self._folder / 'hub.log'}")

    def stop(self) -> None:
        """Stop it, by its process id.

        Raises:
            HubError: it ended with an error, before or now.
        """
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        if code:
            raise HubError(f"the hub ended with {code}: see {self._folder / 'hub.log'}")

    def kill(self) -> None:
        """End it where it is, as when the power goes."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    def run(self, *words: str) -> dict[str, Any]:
        """Run one of its commands, and return the JSON that it prints.

        Raises:
            HubError: it fails, or prints something else.
        """
        command = [program("telecentre-hub"), *words, "--config", str(self._config), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise HubError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout[:200]}") from error
        return answer

    def import_network(self, content: str) -> None:
        """Make the register say what a network file says, from the played day on."""
        file = self._folder / "network.toml"
        file.write_text(content, encoding="utf-8")
        self.run("site", "import", str(file))

    def import_members(self, content: str) -> dict[str, str]:
        """Register members, passes and badges; return what the register calls each badge, by its id."""
        file = self._folder / "members.csv"
        file.write_text(content, encoding="utf-8")
        self.run("member", "import", str(file))
        return {one["badge"]: one["credential"] for one in self.run("badge", "list")["badges"]}

    def settle(self) -> None:
        """Wait until every figure is computed.

        Raises:
            HubError: some are still not.
        """
        deadline_s = time.monotonic() + SETTLE_S
        while self.run("status")["dirty"]:
            if time.monotonic() > deadline_s:
                raise HubError("the hub still computes figures")
            time.sleep(SETTLE_LOOK_S)

    def export(self, month: str, folder: Path, audience: str) -> dict[str, Any]:
        """Let it publish a month in a folder, as soon as everything is counted; return what it says.

        Raises:
            HubError: it does not.
        """
        deadline_s = time.monotonic() + SETTLE_S
        while True:
            try:
                return self.run("export", "--month", month, "--to", str(folder), "--audience", audience)
            except HubError as error:
                if _STILL_COUNTING not in str(error) or time.monotonic() > deadline_s:
                    raise
            time.sleep(SETTLE_LOOK_S)

    def ask(self, path: str, **question: str) -> dict[str, Any] | None:
        """Return an answer of its API; None where it knows no such address.

        Raises:
            HubError: it refuses the question.
        """
        try:
            content: dict[str, Any] = json.loads(self.ask_text(path, **question))
        except UnknownAddressError:
            return None
        return content

    def ask_text(self, path: str, **question: str) -> str:
        """Return an answer of its API as it is written, such as a file.

        Raises:
            UnknownAddressError: it knows no such address.
            HubError: it refuses the question.
        """
        url = f"{self._web}{path}?{urlencode({key.rstrip('_'): value for key, value in question.items()})}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:  # noqa: S310 - our own loopback address
                content: bytes = answer.read()
                return content.decode()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise UnknownAddressError(f"{url}: there is no such address") from error
            raise HubError(f"{url}: {error.code} {error.read()[:300].decode(errors='replace')}") from error


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
