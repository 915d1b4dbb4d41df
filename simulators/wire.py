"""A serial line that a real driver can open: a pseudo-terminal, a device behind it, and what goes wrong in between."""

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import termios
import tty
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

READ_BYTES = 4096
MAX_UNDERWAY_BYTES = 65_536
"""A lane holds no more than this: what is said beyond it is lost, as in the overrun of a real line."""
UNREAD_LIMIT_BYTES = 4000
"""Linux keeps 4,095 bytes for a reader who does not read; what comes later is lost, as on a real line."""

# The kernel's `struct termios2` carries the speed as a number, as custom speeds such as 256000 need
# (asm-generic/ioctls.h).
_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("4I20B2I")


class Device(Protocol):
    """What lives behind a wire: a model that knows bytes and moments, no file and no clock."""

    @property
    def speed_baud(self) -> int:
        """The speed at which the device talks now."""

    def power_on(self, now_s: float) -> None:
        """Begin as after a power cut: only what the real device keeps in flash survives."""

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
        """Take what the host wrote at some speed and return what is answered at once."""

    def due_s(self) -> float | None:
        """Return the moment at which the device has something to say by itself, None for never."""

    def speak(self, now_s: float) -> bytes:
        """Return what the device says now that the moment of `due_s` has come."""


@dataclass(frozen=True)
class Faults:
    """What a wire does to the bytes on it, in both directions; the default is a good wire."""

    one_byte: bool = False
    """Every byte travels alone."""
    delay_s: float = 0.0
    """Every byte arrives so much later."""
    loss: float = 0.0
    """The probability that a byte is lost."""
    garbage: float = 0.0
    """The probability that 1 to 8 bytes of noise precede what the device says."""


NO_FAULTS = Faults()


class Wire:
    """One pseudo-terminal, published as the symbolic link `link`, with a device behind it.

    It lives on the running asyncio loop and is touched from that loop only. `faults` may be replaced at any moment.
    """

    def __init__(self, link: Path, device: Device, faults: Faults = NO_FAULTS, *, seed: int = 0) -> None:
        self.link = link
        self.device = device
        self.faults = faults
        self.dropped_bytes = 0
        self._random = random.Random(seed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._master: int | None = None
        self._slave = -1
        self._path = ""
        self._timer: asyncio.TimerHandle | None = None
        self._inward = _Lane(self._arrive_at_device)
        self._outward = _Lane(self._arrive_at_host)

    @property
    def plugged(self) -> bool:
        """Whether the link exists and the device has power."""
        return self._master is not None

    async def start(self) -> None:
        """Plug the device in.

        Raises:
            FileExistsError: `link` exists already: nothing that this wire did not make is ever replaced.
        """
        self._loop = asyncio.get_running_loop()
        self.plug()

    async def stop(self) -> None:
        """Unplug the device for good; the link is removed if it is still ours."""
        self.unplug()

    def plug(self) -> None:
        """Make a new pseudo-terminal with its link, and give the device power; nothing happens when it has both.

        Raises:
            FileExistsError: `link` exists already.
        """
        if self._master is not None:
            return
        loop = self._running()
        master, slave = os.openpty()
        try:
            # Raw before the path is known to anyone: an echo would corrupt the first frames.
            tty.setraw(slave)
            os.set_blocking(master, False)
            path = os.ttyname(slave)
            # symlink(2) never replaces: as root, an unlink here could destroy a real device node.
            self.link.symlink_to(path)
        except OSError:
            os.close(master)
            os.close(slave)
            raise
        # The slave stays open here, or the master would fail with EIO between two openings by the host.
        self._master, self._slave, self._path = master, slave, path
        loop.add_reader(master, self._hear, master)
        self.power_cycle()

    def unplug(self) -> None:
        """Pull the plug: the link goes, the host's next read or write fails, the device loses its power."""
        if self._master is None:
            return
        loop = self._running()
        with contextlib.suppress(OSError):
            if str(self.link.readlink()) == self._path:
                self.link.unlink()
        # The reader goes before its descriptor: the number is reused by the next open of this process.
        loop.remove_reader(self._master)
        self._silence()
        os.close(self._slave)
        os.close(self._master)
        self._master = None

    def power_cycle(self) -> None:
        """Take the device's power away for a moment; the host's side of the wire stays. Unplugged, it has none."""
        if self._master is None:
            return
        self._silence()
        self.device.power_on(self._running().time())
        self._set_timer()

    def inject(self, noise: bytes) -> None:
        """Let the host read bytes that no device said."""
        if self._master is not None:
            self._write(noise)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the wire has not been started")
        return self._loop

    def _silence(self) -> None:
        self._inward.clear()
        self._outward.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hear(self, master: int) -> None:
        try:
            data = os.read(master, READ_BYTES)
        except BlockingIOError:
            return
        self._inward.put(self._running(), self._thinned(data), _speed_baud(self._slave), self.faults)

    def _arrive_at_device(self, data: bytes, speed_baud: int) -> None:
        now_s = self._running().time()
        self._say(self.device.receive(data, speed_baud, now_s))
        self._set_timer()

    def _set_timer(self) -> None:
        # What the device does to the world may have pulled its own plug.
        due_s = self.device.due_s() if self._master is not None else None
        if self._timer is not None:
            if self._timer.when() == due_s:
                return
            self._timer.cancel()
            self._timer = None
        if due_s is not None:
            self._timer = self._running().call_at(due_s, self._ring, due_s)

    def _ring(self, due_s: float) -> None:
        self._timer = None
        # asyncio may ring one tick of its clock early.
        self._say(self.device.speak(max(due_s, self._running().time())))
        self._set_timer()

    def _say(self, data: bytes) -> None:
        if not data:
            return
        if self.faults.garbage and self._random.random() < self.faults.garbage:
            data = self._random.randbytes(self._random.randint(1, 8)) + data
        lost = self._outward.put(self._running(), self._thinned(data), self.device.speed_baud, self.faults)
        self.dropped_bytes += lost

    def _thinned(self, data: bytes) -> bytes:
        if not self.faults.loss:
            return data
        kept = bytes(byte for byte in data if self._random.random() >= self.faults.loss)
        self.dropped_bytes += len(data) - len(kept)
        return kept

    def _arrive_at_host(self, data: bytes, speed_baud: int) -> None:
        if self._master is not None and _speed_baud(self._slave) != speed_baud:
            # A receiver at another speed samples the line at the wrong moments: as many bytes, none of them right.
            data = self._random.randbytes(len(data))
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._master is None or _unread_bytes(self._slave) > UNREAD_LIMIT_BYTES:
            self.dropped_bytes += len(data)
            return
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self.dropped_bytes += len(data) - written


class _Lane:
    """One direction of a wire: bytes arrive in order, late or one by one when the faults say so."""

    def __init__(self, arrive: Callable[[bytes, int], None]) -> None:
        self._arrive = arrive
        self._underway: deque[tuple[float, bytes, int]] = deque()
        self._underway_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, loop: asyncio.AbstractEventLoop, data: bytes, speed_baud: int, faults: Faults) -> int:
        """Send bytes on their way; returns how many found no place."""
        if not data:
            return 0
        if not (faults.delay_s or faults.one_byte or self._underway):
            self._arrive(data, speed_baud)
            return 0
        if self._underway_bytes + len(data) > MAX_UNDERWAY_BYTES:
            return len(data)
        at_s = loop.time() + faults.delay_s
        step = 1 if faults.one_byte else len(data)
        self._underway.extend((at_s, data[i : i + step], speed_baud) for i in range(0, len(data), step))
        self._underway_bytes += len(data)
        self._set_timer(loop)
        return 0

    def clear(self) -> None:
        """Forget what is on its way."""
        self._underway.clear()
        self._underway_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None and self._underway:
            self._timer = loop.call_at(self._underway[0][0], self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        _, data, speed_baud = self._underway.popleft()
        self._underway_bytes -= len(data)
        self._arrive(data, speed_baud)
        self._set_timer(loop)


def _speed_baud(descriptor: int) -> int:
    """Return the speed to which the host has set the terminal."""
    answer = fcntl.ioctl(descriptor, _TCGETS2, bytes(_TERMIOS2.size))
    return int(_TERMIOS2.unpack(answer)[-1])


def _unread_bytes(descriptor: int) -> int:
    """Return how many bytes wait for a host that has not read them."""
    answer = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, "little")
