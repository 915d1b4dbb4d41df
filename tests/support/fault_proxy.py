"""A bad line between two programs of this machine: TCP through a loopback port, with every fault of a rural network.

It runs in a thread of its own and can be changed at any moment. It cannot lose or repeat a part of a connection: TCP
hides that. What lost packets look like from above is a line that stalls (`loss`); real packets are lost in
tests/support/lossy_network.py. A message can come twice (`repeats`), because the proxy knows where MQTT packets end;
in another order they come in tests/protocol.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

PATIENCE_S = 30.0
CHUNK_BYTES = 16_384
THIN_CHUNK_BYTES = 512
SEGMENT_BYTES = 1_460
"""What one packet carries of a TCP connection over Ethernet."""

FIRST_RETRY_S, LONGEST_RETRY_S = 0.2, 3.2
"""Linux sends a lost segment again after at least 0.2 s, and waits twice as long each time."""

LARGEST_PACKET_BYTES = 2_097_152
"""Larger than any of ours: what claims more is not plain MQTT, and its packets are not looked for any more."""

PUBLISH, QOS_BITS, DUP_BIT = 3, 0b0110, 0b1000


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the line now, in both directions."""

    delay_s: float = 0.0
    """Each piece waits so long: with 16 KiB a piece, this bounds the rate as well."""
    silent: bool = False
    """A black hole: connections stay open, new ones are taken, and nothing passes. Later all goes on, as TCP would."""
    mute: bool = False
    """Half of a black hole: nothing of the near side reaches the broker, what the broker says goes on to arrive."""
    refused: bool = False
    """New connections end at once."""
    bytes_per_s: float | None = None
    """A thin line: the reader on its far side is slow, and the sender's buffers fill."""
    loss: float = 0.0
    """Share of packets lost: each comes later, and everything behind it waits. Above it, a line that stalls."""
    repeats: bool = False
    """Each message to the broker comes twice, as after a reconnection in which an answer was lost."""


NO_FAULTS = Faults()


class FaultProxy:
    """A line to `target_port`; use it as a context. Its methods may be called from any thread."""

    def __init__(self, target_port: int, *, seed: int = 0) -> None:
        self.port = 0
        self.attempts: list[float] = []
        """When each connection was asked for, monotonic seconds."""
        self._target_port = target_port
        self._faults = NO_FAULTS
        self._random = Random(seed)
        self._cut_after_bytes: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._hears, self._speaks = asyncio.Event(), asyncio.Event()
        self._hears.set()
        self._speaks.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._stopped.set)
        self._thread.join(PATIENCE_S)

    def put(self, faults: Faults) -> None:
        """Make the line as bad as this from now on; NO_FAULTS heals it."""
        self._call(lambda: self._put(faults))

    def cut(self) -> None:
        """End every connection at once, as a router that restarts does."""
        self._call(self._cut)

    def cut_after(self, size_bytes: int) -> None:
        """End every connection once so many more bytes have passed, wherever in a message that is."""
        self._call(lambda: setattr(self, "_cut_after_bytes", size_bytes))

    def _call(self, act: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        self._cut()

    def _put(self, faults: Faults) -> None:
        self._faults = faults
        for passes, stopped in ((self._hears, faults.silent), (self._speaks, faults.silent or faults.mute)):
            if stopped:
                passes.clear()
            else:
                passes.set()

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        self.attempts.append(time.monotonic())
        writers = {near_writer}
        self._open |= writers
        try:
            if not self._faults.refused:
                far, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port, limit=CHUNK_BYTES)
                writers.add(far_writer)
                self._open.add(far_writer)
                both = [
                    asyncio.ensure_future(self._pass(near, far_writer, Packets())),
                    asyncio.ensure_future(self._pass(far, near_writer, None)),
                ]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for direction in both:
                    direction.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            return  # nobody listens at the target: the near side sees its connection end
        finally:
            self._open -= writers
            for writer in writers:
                writer.close()  # what has come goes on its way; after a cut there is nothing left

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, packets: "Packets | None") -> None:
        """Pass bytes in one direction, through the faults of the moment; `packets` are those towards the broker."""
        passes = self._hears if packets is None else self._speaks
        try:
            while True:
                await passes.wait()
                piece = await source.read(self._piece_bytes())
                if not piece:
                    return
                await asyncio.sleep(self._takes_s(len(piece)))
                await passes.wait()
                if packets is not None:
                    piece = packets.passed(piece, twice=self._faults.repeats)
                if self._is_cut_by(piece):
                    return
                sink.write(piece)
                await sink.drain()
        except OSError:
            return  # one side has ended: so does the other

    def _piece_bytes(self) -> int:
        if self._faults.loss:
            return SEGMENT_BYTES
        return CHUNK_BYTES if self._faults.bytes_per_s is None else THIN_CHUNK_BYTES

    def _takes_s(self, size_bytes: int) -> float:
        """Return how long a piece is on its way."""
        faults = self._faults
        takes_s = faults.delay_s + (0.0 if faults.bytes_per_s is None else size_bytes / faults.bytes_per_s)
        retry_s = FIRST_RETRY_S
        while self._random.random() < faults.loss:
            takes_s += retry_s
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        return takes_s

    def _is_cut_by(self, piece: bytes) -> bool:
        """Count down the bytes that may still pass; at zero every connection ends."""
        if self._cut_after_bytes is None:
            return False
        self._cut_after_bytes -= len(piece)
        if self._cut_after_bytes > 0:
            return False
        self._cut_after_bytes = None
        self._cut()
        return True


class Packets:
    """Where the packets of one MQTT connection begin and end, in the direction of the broker. Pure."""

    def __init__(self) -> None:
        self._open = bytearray()
        self._is_mqtt = True

    def passed(self, piece: bytes, *, twice: bool) -> bytes:
        """Return what goes on of a piece: itself, and behind each message that it completes, if `twice`, that again."""
        if not self._is_mqtt:
            return piece
        before = len(self._open)
        self._open += piece
        passed = bytearray()
        while (size := packet_bytes(self._open)) is not None and size <= len(self._open):
            packet = bytes(self._open[:size])
            del self._open[:size]
            passed += packet[before:]
            before = 0
            if twice and packet[0] >> 4 == PUBLISH and packet[0] & QOS_BITS:
                passed += bytes([packet[0] | DUP_BIT]) + packet[1:]
        passed += self._open[before:]
        if size is not None and size > LARGEST_PACKET_BYTES:
            self._is_mqtt = False
            self._open.clear()
        return bytes(passed)


def packet_bytes(begun: bytes | bytearray) -> int | None:
    """Return the size of the packet that begins here, None while its head is not whole.

    Source: MQTT 5.0, 2.1 (fixed header) and 1.5.5 (variable byte integer).
    """
    size = 0
    for place, byte in enumerate(begun[1:5]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return 2 + place + size
    return None if len(begun) < 5 else LARGEST_PACKET_BYTES + 1
