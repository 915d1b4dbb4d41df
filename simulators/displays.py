"""Displays on TCP: a screen that speaks Samsung MDC and one that speaks PJLink, with the bad manners of real ones.

Own encoders, from the documents: Samsung "Multiple Display Control (MDC) protocol"; JBMIA "PJLink Specifications" 2.00.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol

Power = Literal["on", "standby", "warming", "cooling"]

READ_BYTES = 1024
MAX_CALLERS = 16
"""Connections at one time; one more is closed."""

IDLE_S = 30.0
"""PJLink, section 5.5: a connection on which nothing is said for so long is closed."""


@dataclass(frozen=True)
class Manners:
    """What a display and its network do wrong; the default is a good display."""

    closes_in_standby: bool = False
    """In standby the connection is closed without a word: its network sleeps."""
    hangs: bool = False
    """It takes the connection and says nothing."""
    half: bool = False
    """It closes after half of its answer."""
    garbage: bool = False
    """It says other bytes instead of its answer."""
    refuses: bool = False
    """It understands and refuses (MDC's NAK; PJLink's ERRA)."""
    slow_s: float = 0.0
    """It thinks for so long before it answers."""
    one_byte: bool = False
    """Every byte travels alone."""
    cut: float = 0.0
    """The probability that the connection breaks before an answer."""


GOOD = Manners()


class Screen:
    """The power of a display: it warms up and cools down."""

    def __init__(
        self, *, warming_s: float = 0.0, cooling_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._warming_s, self._cooling_s = warming_s, cooling_s
        self._clock = clock
        self._lit = False
        self._since_s = float("-inf")

    @property
    def power(self) -> Power:
        """What the display says now."""
        busy = self._clock() - self._since_s < (self._warming_s if self._lit else self._cooling_s)
        if self._lit:
            return "warming" if busy else "on"
        return "cooling" if busy else "standby"

    def switch(self, *, on: bool) -> None:
        """Switch on or off, as a person does; nothing happens when it is so already."""
        if on != self._lit:
            self._lit, self._since_s = on, self._clock()


class Talk(Protocol):
    """One connection to a display."""

    def greeting(self) -> bytes:
        """Return what the display says first."""

    def hear(self, data: bytes, *, refuses: bool) -> bytes:
        """Take what the caller said and return what is answered."""


class MdcTalk:
    """A connection to a Samsung display. Source: MDC, "Control codes"."""

    def __init__(self, screen: Screen, display_id: int = 0) -> None:
        self._screen = screen
        self._display_id = display_id
        self._heard = bytearray()

    def greeting(self) -> bytes:
        """Return nothing: the caller speaks first."""
        return b""

    def hear(self, data: bytes, *, refuses: bool = False) -> bytes:
        """Answer every whole frame; another display's, and a broadcast, are left without an answer."""
        self._heard += data
        answers = b""
        while len(self._heard) >= 5:
            if self._heard[0] != 0xAA:
                del self._heard[0]
                continue
            length = 5 + self._heard[3]
            if len(self._heard) < length:
                break
            frame = bytes(self._heard[:length])
            del self._heard[:length]
            if sum(frame[1:-1]) & 0xFF == frame[-1] and frame[2] == self._display_id:
                answers += self._answer(frame[1], frame[4:-1], refuses=refuses)
        return answers

    def _answer(self, command: int, data: bytes, *, refuses: bool) -> bytes:
        if refuses or command != 0x11 or len(data) > 1:
            return mdc_frame(0xFF, self._display_id, bytes([ord("N"), command, 0x01]))
        if data:
            self._screen.switch(on=data[0] == 1)
        lit = data[0] if data else int(self._screen.power in ("on", "warming"))
        return mdc_frame(0xFF, self._display_id, bytes([ord("A"), 0x11, lit]))


def mdc_frame(command: int, display_id: int, data: bytes) -> bytes:
    """Return one MDC frame, with the sum of its bytes at the end."""
    frame = bytearray([0xAA, command, display_id, len(data), *data])
    frame.append(sum(frame[1:]) & 0xFF)
    return bytes(frame)


class PjlinkTalk:
    """A connection to a PJLink display of class 1 or 2. Source: PJLink Specifications 2.00, sections 4 and 5."""

    def __init__(self, screen: Screen, random: Random, *, password: str = "", pjlink_class: int = 1) -> None:
        self._screen = screen
        self._class = pjlink_class
        self._password = password
        self._salt = f"{random.getrandbits(32):08x}"
        self._known = not password
        self._heard = b""

    def greeting(self) -> bytes:
        """Return the greeting, with a random number when there is a password."""
        return b"PJLINK 0\r" if not self._password else f"PJLINK 1 {self._salt}\r".encode("ascii")

    def hear(self, data: bytes, *, refuses: bool = False) -> bytes:
        """Answer every whole line; the first must begin with the right digest."""
        self._heard += data
        answers = b""
        while b"\r" in self._heard:
            line, _, self._heard = self._heard.partition(b"\r")
            answers += self._answer(line.decode("latin-1"), refuses=refuses)
        return answers

    def _answer(self, line: str, *, refuses: bool) -> bytes:
        if not self._known:
            digest = hashlib.md5((self._salt + self._password).encode(), usedforsecurity=False).hexdigest()
            self._known = line.startswith(digest) and not refuses
            line = line[32:]
        if not self._known:
            return b"PJLINK ERRA\r"
        header, _, said = line.partition(" ")
        if header.upper() == "%1CLSS" and said == "?":
            return f"%1CLSS={self._class}\r".encode("ascii")
        if header.upper() != "%1POWR":
            return f"{header}=ERR1\r".encode("ascii", "replace")
        if said in ("0", "1"):
            self._screen.switch(on=said == "1")
            return b"%1POWR=OK\r"
        if said != "?":
            return b"%1POWR=ERR2\r"
        number = {"standby": 0, "on": 1, "cooling": 2, "warming": 3}[self._screen.power]
        return f"%1POWR={number}\r".encode("ascii")


class DisplayServer:
    """A display's network socket, on loopback. `manners` may be replaced at any moment, in the loop's thread."""

    def __init__(self, screen: Screen, talk: Callable[[], Talk], *, random: Random, manners: Manners = GOOD) -> None:
        self.screen = screen
        self.manners = manners
        self.plugged = True
        """Whether its network cable is in; without, connections are closed at once."""
        self.callers_count = 0
        """Connections that were ever taken."""
        self._talk = talk
        self._random = random
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._address = ("127.0.0.1", 0)

    @property
    def port(self) -> int:
        """The port at which it listens, the same after each `plug`."""
        return self._address[1]

    async def start(self, port: int = 0) -> None:
        """Listen at a port of 127.0.0.1; 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, self._address[0], port or self.port)
        self._address = self._server.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        """Pull the network cable: nobody listens, and who was connected is not any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers_count += 1
        self._open.add(writer)
        try:
            if len(self._open) <= MAX_CALLERS:
                await self._converse(reader, writer)
        except (OSError, TimeoutError):
            pass  # the caller has gone, or has nothing to say
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.plugged or (self.manners.closes_in_standby and self.screen.power == "standby"):
            return
        talk = self._talk()
        if not await self._say(writer, talk.greeting()):
            return
        while True:
            async with asyncio.timeout(IDLE_S):
                data = await reader.read(READ_BYTES)
            if not data or not await self._say(writer, talk.hear(data, refuses=self.manners.refuses)):
                return

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> bool:
        """Say something as the manners have it; return whether the connection goes on."""
        manners = self.manners
        if not answer or manners.hangs:
            return True
        if self._random.random() < manners.cut:
            return False
        if manners.garbage:
            answer = b"\x00HTTP/1.1 400 Bad Request\r\n\r\n"
        await asyncio.sleep(manners.slow_s)
        for part in _parts(answer[: len(answer) // 2] if manners.half else answer, manners):
            writer.write(part)
            await writer.drain()
        return not manners.half


def _parts(answer: bytes, manners: Manners) -> list[bytes]:
    return [bytes([byte]) for byte in answer] if manners.one_byte else [answer]


def samsung(screen: Screen, *, display_id: int = 0, random: Random, manners: Manners = GOOD) -> DisplayServer:
    """Return a Samsung display; it listens after `start`."""
    return DisplayServer(screen, lambda: MdcTalk(screen, display_id), random=random, manners=manners)


def pjlink(
    screen: Screen, *, password: str = "", pjlink_class: int = 1, random: Random, manners: Manners = GOOD
) -> DisplayServer:
    """Return a PJLink display; it listens after `start`."""

    def talk() -> Talk:
        return PjlinkTalk(screen, random, password=password, pjlink_class=pjlink_class)

    return DisplayServer(screen, talk, random=random, manners=manners)
