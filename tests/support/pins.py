"""A pin board to which gpiozero of the test's own process is wired."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import gpiozero
import pytest

from simulators.pin_factory import SimulatedFactory
from simulators.pins import PinBoard
from simulators.presence import played
from tests.support.bench import Bench, eventually


class Pins:
    """A pin board, the bench on which it stands, and gpiozero's end of its lines."""

    def __init__(self, bench: Bench, board: PinBoard, factory: SimulatedFactory) -> None:
        self.bench = bench
        self.board = board
        self._factory = factory

    def drive(self, pin: int, *, high: bool) -> None:
        """Hold a line at a level; at the return gpiozero reads it, so that a device opened next starts with it."""
        self.bench.call(self.board.drive, pin, high)
        assert eventually(lambda: self._factory.driven(pin) == high)

    def play(self, pin: int, levels: list[tuple[float, bool]]) -> None:
        """Let a line take its levels from now on, on the board's own clock."""
        self.bench.call(lambda: played(levels, lambda high: self.board.drive(pin, high), asyncio.get_running_loop()))

    def level(self, pin: int) -> bool:
        return self.bench.call(self.board.level, pin)

    def changes(self, pin: int) -> list[tuple[float, bool]]:
        """When the pin took which level, in monotonic seconds."""
        return list(self.bench.call(self.board.changes, pin))


@contextmanager
def wired(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pins]:
    """Wire gpiozero to a board of its own."""
    with Bench() as bench:
        board = bench.board()
        monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
        factory = SimulatedFactory()
        monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
        yield Pins(bench, board, factory)
        factory.close()
