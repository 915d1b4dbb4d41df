"""A pin board to which gpiozero of the test's own process is wired."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import gpiozero
import pytest

from simulators.pin_factory import SimulatedFactory
from simulators.pins import PinBoard
from simulators.presence import played
from tests.support.bench import Bench


class Pins:
    """A pin board, and the bench on which it stands."""

    def __init__(self, bench: Bench, board: PinBoard) -> None:
        self.bench = bench
        self.board = board

    def drive(self, pin: int, *, high: bool) -> None:
        self.bench.call(self.board.drive, pin, high)

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
        yield Pins(bench, board)
        factory.close()
