"""A bench for synchronous tests: simulated devices on an asyncio loop in a thread of its own, driven from the test.

with Bench() as bench:
    chip = Pn532(Random(1))
    port = bench.wire(chip, FOUR_WIRES["delayed"])     # the path that a real driver opens
    bench.call(chip.present, Ntag21x(uid))             # in the loop's thread, where models and wires live
    bench.unplug(port)
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from simulators.pins import PinBoard
from simulators.wire import NO_FAULTS, Device, Faults, Wire

FOUR_WIRES = {
    "whole": NO_FAULTS,
    "byte-at-a-time": Faults(one_byte=True),
    "lossy": Faults(loss=0.0005),
    "delayed": Faults(delay_s=0.01),
}
"""The wires on which every driver is tested; on the lossy one an exchange may fail, and a later one must work
(opening a PN532 takes some 900 bytes)."""

PATIENCE_S = 20.0
"""How long the bench waits for its own thread: hundred times what is usual on a busy machine."""

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Bench:
    """Wires and pin boards in a temporary folder; everything ends with the `with` block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._crashes.append(context))
        self._crashes: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="bench")
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._wires: dict[Path, Wire] = {}
        self._boards: list[PinBoard] = []

    @property
    def folder(self) -> Path:
        """Where ports and sockets are."""
        return Path(self._folder.name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for wire in self._wires.values():
            self.run(wire.stop())
        for board in self._boards:
            self.run(board.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        # The thread ends before its loop is closed: a selector must not wake on a number that is in use again.
        self._thread.join(PATIENCE_S)
        self._loop.close()
        self._folder.cleanup()
        # A model that raises in a callback of the loop would otherwise just fall silent.
        for context in self._crashes:
            raise RuntimeError(str(context["message"])) from context.get("exception")

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Return what a coroutine returns, run on the bench's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def call(self, function: Callable[Given, Answer], *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        """Return what a function returns, called in the loop's thread, where every model lives."""
        done: Future[Answer] = Future()

        def act() -> None:
            try:
                done.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the test that asked
                done.set_exception(error)

        self._loop.call_soon_threadsafe(act)
        return done.result(PATIENCE_S)

    def wire(self, device: Device, faults: Faults = NO_FAULTS, *, name: str = "", seed: int = 0) -> Path:
        """Plug a device in and return the path of its port."""
        port = self.folder / (name or f"port-{len(self._wires)}")
        wire = Wire(port, device, faults, seed=seed)
        self.run(wire.start())
        self._wires[port] = wire
        return port

    def board(self, on_output: Callable[[int, bool], None] | None = None, *, name: str = "pins") -> PinBoard:
        """Return a running pin board; its `path` is what TELECENTRE_SIM_PINS must say."""
        board = PinBoard(self.folder / name, on_output)
        self.run(board.start())
        self._boards.append(board)
        return board

    def set_faults(self, port: Path, faults: Faults) -> None:
        """Give a wire other faults while it is in use."""
        self.call(setattr, self._wires[port], "faults", faults)

    def unplug(self, port: Path) -> None:
        """Pull a device out."""
        self.call(self._wires[port].unplug)

    def unplug_after(self, port: Path, delay_s: float) -> None:
        """Pull a device out a moment later, while the test is busy with it."""
        self.call(self._loop.call_later, delay_s, self._wires[port].unplug)

    def plug(self, port: Path) -> None:
        """Put a device back, freshly powered."""
        self.call(self._wires[port].plug)

    def power_cycle(self, port: Path) -> None:
        """Take a device's power for a moment while its port stays."""
        self.call(self._wires[port].power_cycle)

    def inject(self, port: Path, noise: bytes) -> None:
        """Put bytes on the wire that no device said."""
        self.call(self._wires[port].inject, noise)


def eventually(holds: Callable[[], bool], within_s: float = 10.0, *, every_s: float = 0.002) -> bool:
    """Return whether a condition comes true before the deadline."""
    pause = threading.Event()
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            return False
        pause.wait(every_s)
    return True
