"""A line on which IP packets are really lost: two network namespaces, a TUN device in each, and a loop between them.

What TCP makes of it (retransmission, back-off, a window that stays small) is the kernel's own. Needs the right to make
namespaces and TUN devices, and not `tc netem`, which many kernels lack. Nothing outside the two namespaces changes.
"""

import asyncio
import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self, TypeVar

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
NEAR, FAR, FAR_PORT = "10.99.0.1", "10.99.0.2", 1883
MTU_BYTES = 1_500
QUEUED_PACKETS = 64
"""What a router holds before it drops the newest."""

LOOK_S = 0.01
PATIENCE_S = 30.0
R = TypeVar("R")


class NotAllowedError(Exception):
    """The kernel does not let us make namespaces or TUN devices."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What the line is like, in each direction."""

    loss: float
    delay_s: float
    bytes_per_s: float


class _Side:
    """One end of the line: a thread in a namespace of its own, and that namespace's TUN device."""

    def __init__(self, own: str, other: str) -> None:
        self._pool = ThreadPoolExecutor(1)
        self.tun_fd = self.do(lambda: _new_namespace(own, other))

    def do(self, act: Callable[[], R]) -> R:
        """Act within the namespace; a socket made there stays there."""
        return self._pool.submit(act).result(PATIENCE_S)

    def close(self) -> None:
        """End the thread, and with it the namespace."""
        os.close(self.tun_fd)
        self._pool.shutdown()


def _new_namespace(own: str, other: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise NotAllowedError(os.strerror(ctypes.get_errno()))
    try:
        tun_fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(tun_fd, TUNSETIFF, struct.pack("16sH", b"line", IFF_TUN | IFF_NO_PI))
        for words in (f"address add {own} peer {other} dev line", f"link set line mtu {MTU_BYTES} up"):
            subprocess.run(["ip", *words.split()], check=True, capture_output=True, timeout=PATIENCE_S)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotAllowedError(str(error)) from error
    return tun_fd


class LossyNetwork:
    """A line to `target_port` of this machine, entered at `port`; use it as a context.

    Raises:
        NotAllowedError: on entry, where the kernel refuses.
    """

    def __init__(self, target_port: int, weather: Weather, *, seed: int = 0) -> None:
        self.port = 0
        self.passed, self.lost = 0, 0
        """Packets, both directions together."""
        self._target_port, self._weather, self._random = target_port, weather, Random(seed)
        self._stack = ExitStack()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._joined: dict[asyncio.Future[None], tuple[_End, _End]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._near = stack.enter_context(closing(_Side(NEAR, FAR)))
            self._far = stack.enter_context(closing(_Side(FAR, NEAR)))
            for name, work in (("lossy-packets", self._carry_packets), ("lossy-connections", self._run)):
                thread = threading.Thread(target=work, name=name, daemon=True)
                thread.start()
                stack.callback(thread.join, PATIENCE_S)
            stack.callback(lambda: self._loop.call_soon_threadsafe(self._stopped.set))
            stack.callback(self._stopping.set)
            assert self._ready.wait(PATIENCE_S)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _carry_packets(self) -> None:
        """Carry, delay and lose the packets of both directions."""
        ends = {self._near.tun_fd: self._far.tun_fd, self._far.tun_fd: self._near.tun_fd}
        due: list[tuple[float, int, int, bytes]] = []
        free_s, waiting, count = dict.fromkeys(ends, 0.0), dict.fromkeys(ends, 0), 0
        while not self._stopping.is_set():
            wait_s = max(0.0, min(LOOK_S, due[0][0] - time.monotonic())) if due else LOOK_S
            readable, _, _ = select.select(list(ends), [], [], wait_s)
            now_s = time.monotonic()
            for source in readable:
                packet = os.read(source, MTU_BYTES)
                if self._random.random() < self._weather.loss or waiting[source] >= QUEUED_PACKETS:
                    self.lost += 1
                    continue
                free_s[source] = max(now_s, free_s[source]) + len(packet) / self._weather.bytes_per_s
                heapq.heappush(due, (free_s[source] + self._weather.delay_s, count, source, packet))
                waiting[source] += 1
                count += 1
            while due and due[0][0] <= now_s:
                _, _, source, packet = heapq.heappop(due)
                waiting[source] -= 1
                self.passed += 1
                os.write(ends[source], packet)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        listener = self._far.do(lambda: socket.create_server((FAR, FAR_PORT)))
        far = await asyncio.start_server(self._leave_the_line, sock=listener)
        near = await asyncio.start_server(self._enter_the_line, "127.0.0.1", 0)
        self.port = near.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        near.close()
        far.close()
        for ends in self._joined.values():
            for _, writer in ends:
                writer.transport.abort()
        if self._joined:
            await asyncio.wait(self._joined, timeout=PATIENCE_S)

    async def _join(self, one: "_End", other: "_End") -> None:
        """Pass what comes at either end to the other, until one ends."""
        joined = asyncio.ensure_future(_pass_both(one, other))
        self._joined[joined] = (one, other)
        try:
            await joined
        finally:
            del self._joined[joined]

    async def _enter_the_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        across = self._near.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        across.setblocking(False)
        try:
            await self._loop.sock_connect(across, (FAR, FAR_PORT))
        except OSError:
            across.close()
            writer.close()
            return
        await self._join((reader, writer), await asyncio.open_connection(sock=across))

    async def _leave_the_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        await self._join((reader, writer), target)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pass_both(one: _End, other: _End) -> None:
    both = [asyncio.ensure_future(_pass(one[0], other[1])), asyncio.ensure_future(_pass(other[0], one[1]))]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for direction in both:
        direction.cancel()
    await asyncio.gather(*both, return_exceptions=True)
    one[1].close()
    other[1].close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # one side has ended: so does the other
        while piece := await reader.read(MTU_BYTES):
            writer.write(piece)
            await writer.drain()
