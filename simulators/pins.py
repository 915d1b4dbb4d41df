"""The other end of an agent's GPIO lines: who presses, opens and moves, and what the agent's outputs do.

An agent started with `GPIOZERO_PIN_FACTORY=telecentre-sim` connects to the board's unix socket through the factory of
simulators/pin_factory.py. Both speak lines of ASCII:

    agent to board   `output 17 1`       the pin is an output at this level
                     `input 27 up`       the pin is an input with this pull: up, down or floating
    board to agent   `drive 27 0`        something outside drives the line
                     `release 27`        nothing does any more: the pull decides
                     `ready`             all that was driven before the agent came has been said
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

_log = logging.getLogger(__name__)

MAX_PIN = 27
"""The GPIO lines of the 40-pin header are numbered 0 to 27."""
MAX_CHANGES = 1000
"""Per pin; older changes are forgotten."""
MAX_LINE_BYTES = 64
MAX_UNREAD_BYTES = 65_536
"""An agent that leaves so much unread hangs; it is dropped, and learns all again when it is back."""
MAX_SOCKET_PATH_BYTES = 107
"""What `sockaddr_un` holds."""


@dataclass
class _Line:
    """One GPIO line between the agent and the world."""

    driven: bool | None = None
    output: bool | None = None
    pull: str = "floating"
    owner: object = None
    level: bool = False
    changes: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=MAX_CHANGES))


class PinBoard:
    """The lines of one agent; it lives on the running asyncio loop and is touched from that loop only.

    `on_output(pin, level)` is called each time a line that the agent drives, or has just let go, takes another level.
    A line that the agent leaves, by closing it or by dying, is an input again, as the kernel makes it: its level is
    then what the board drives (a pull-up resistor on a relay board is `drive(pin, True)`), else what the pull says,
    else low. What is known before `start` is best driven before it: an agent that is waiting sees no other level first.
    """

    def __init__(self, path: Path, on_output: Callable[[int, bool], None] | None = None) -> None:
        self.path = path
        self.on_output = on_output
        self._lines = {pin: _Line() for pin in range(MAX_PIN + 1)}
        self._agents: set[_Agent] = set()
        self._server: asyncio.Server | None = None

    @property
    def connected(self) -> bool:
        """Whether an agent holds the lines."""
        return bool(self._agents)

    async def start(self) -> None:
        """Listen for the agent.

        Raises:
            OSError: another board listens there already, or the path is too long for a socket.
        """
        if len(str(self.path).encode()) > MAX_SOCKET_PATH_BYTES:
            raise OSError(
                f"{self.path}: longer than the {MAX_SOCKET_PATH_BYTES} bytes that the path of a socket may have"
            )
        _remove_abandoned(self.path)
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Agent(self), str(self.path))

    async def stop(self) -> None:
        """Drop the agent and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for agent in list(self._agents):
            agent.drop()
        await self._server.wait_closed()
        self._server = None
        self.path.unlink(missing_ok=True)

    def drive(self, pin: int, high: bool) -> None:
        """Hold a line at a level from outside; a line that the agent drives wins."""
        self._set_driven(pin, high)

    def release(self, pin: int) -> None:
        """Let a line go: its pull decides."""
        self._set_driven(pin, None)

    def level(self, pin: int) -> bool:
        """Return the level of a line, whoever drives it."""
        return self._lines[pin].level

    def is_output(self, pin: int) -> bool:
        """Return whether the agent drives the line."""
        return self._lines[pin].output is not None

    def changes(self, pin: int) -> list[tuple[float, bool]]:
        """Return the last changes of a line: monotonic seconds and the new level, oldest first."""
        return list(self._lines[pin].changes)

    def _set_driven(self, pin: int, driven: bool | None) -> None:
        line = self._lines[pin]
        if line.driven == driven:
            return
        line.driven = driven
        for agent in self._agents:
            agent.tell(pin, driven)
        self._settle(pin, line)

    def _settle(self, pin: int, line: _Line, *, told: bool = False) -> None:
        level = next((level for level in (line.output, line.driven) if level is not None), line.pull == "up")
        if level == line.level:
            return
        line.level = level
        line.changes.append((time.monotonic(), level))
        if told and self.on_output is not None:
            self.on_output(pin, level)

    def agent_came(self, agent: "_Agent") -> None:
        """Take note of a new connection, and tell it all that is driven."""
        self._agents.add(agent)
        for pin, line in self._lines.items():
            if line.driven is not None:
                agent.tell(pin, line.driven)

    def agent_said(self, agent: "_Agent", pin: int, output: bool | None, pull: str) -> None:
        """Take note of what a connection makes of a line: an output at a level, or an input with a pull."""
        line = self._lines[pin]
        was_output = line.output is not None
        line.owner, line.output, line.pull = agent, output, pull
        self._settle(pin, line, told=was_output or output is not None)

    def agent_went(self, agent: "_Agent") -> None:
        """Make inputs of the lines of a connection that has ended."""
        self._agents.discard(agent)
        for pin, line in self._lines.items():
            # A new agent may already hold the line when the end of the old one is noticed.
            if line.owner is agent:
                was_output = line.output is not None
                line.owner, line.output, line.pull = None, None, "floating"
                self._settle(pin, line, told=was_output)


class _Agent(asyncio.Protocol):
    """The connection of one agent."""

    def __init__(self, board: PinBoard) -> None:
        self._board = board
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._board.agent_came(self)
        self._transport.write(b"ready\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._board.agent_went(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > MAX_LINE_BYTES or not all(self._take(line) for line in lines):
            _log.warning("pins: agent dropped, it does not speak our lines socket=%s", self._board.path)
            self.drop()

    def tell(self, pin: int, driven: bool | None) -> None:
        """Say what drives a line."""
        if self._transport is not None:
            line = f"release {pin}\n" if driven is None else f"drive {pin} {driven:d}\n"
            self._transport.write(line.encode())
            if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                _log.warning("pins: agent dropped, it does not read socket=%s", self._board.path)
                self.drop()

    def drop(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, line: bytes) -> bool:
        """Return whether the line was one of ours."""
        match line.decode("ascii", errors="replace").split():
            case ["output", pin, ("0" | "1") as level] if _is_pin(pin):
                self._board.agent_said(self, int(pin), level == "1", "floating")
            case ["input", pin, ("up" | "down" | "floating") as pull] if _is_pin(pin):
                self._board.agent_said(self, int(pin), None, pull)
            case _:
                return False
        return True


def _is_pin(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= MAX_PIN


def _remove_abandoned(path: Path) -> None:
    """Remove the socket of a board that was killed; a board that lives keeps its own.

    Raises:
        OSError: somebody listens there, or the path is something else than a socket.
    """
    if not path.exists():
        return
    if not path.is_socket():
        raise FileExistsError(f"{path}: exists and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise FileExistsError(f"{path}: another simulator listens there")
