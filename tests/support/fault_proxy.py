"""A bad line between two programs of this machine: TCP through a loopback port, with every fault of a rural network.

It runs in a thread of its own and can be changed at any moment. What it cannot do is lose or repeat a part of a
connection: TCP hides that. Messages that come twice or in another order are the matter of tests/protocol.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE_S = 30.0
CHUNK_BYTES = 16_384
THIN_CHUNK_BYTES = 512


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the line now, in both directions."""

    delay_s: float = 0.0
    """Each piece waits so long: with 16 KiB a piece, this bounds the rate as well."""
    silent: bool = False
    """A black hole: connections stay open, new ones are taken, and nothing passes. Later all goes on, as TCP would."""
    refused: bool = False
    """New connections end at once."""
    bytes_per_s: float | None = None
    """A thin line: the reader on its far side is slow, and the sender's buffers fill."""


NO_FAULTS = Faults()


class FaultProxy:
    """A line to `target_port`; use it as a context. Its methods may be called from any thread."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.attempts: list[float] = []
        """When each connection was asked for, monotonic seconds."""
        self._target_port = target_port
        self._faults = NO_FAULTS
        self._cut_after_bytes: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._speaks = asyncio.Event()
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
        if faults.silent:
            self._speaks.clear()
        else:
            self._speaks.set()

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
                    asyncio.ensure_future(self._pass(source, sink))
                    for source, sink in ((near, far_writer), (far, near_writer))
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

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass bytes in one direction, through the faults of the moment."""
        try:
            while True:
                await self._speaks.wait()
                rate = self._faults.bytes_per_s
                piece = await source.read(CHUNK_BYTES if rate is None else THIN_CHUNK_BYTES)
                if not piece:
                    return
                await asyncio.sleep(self._faults.delay_s + (0.0 if rate is None else len(piece) / rate))
                await self._speaks.wait()
                if self._is_cut_by(piece):
                    return
                sink.write(piece)
                await sink.drain()
        except OSError:
            return  # one side has ended: so does the other

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
