"""gpiozero's pins, wired to a board in another process: `GPIOZERO_PIN_FACTORY=telecentre-sim` gives them to any agent.

`TELECENTRE_SIM_PINS` names the unix socket of the board (simulators/pins.py has its lines).
"""

import logging
import os
import socket
import struct
import threading
import time
from typing import Any

from gpiozero.exc import BadPinFactory, PinFixedPull, PinInvalidFunction, PinInvalidPull, PinPWMUnsupported, PinSetInput
from gpiozero.pins.pi import PiFactory, PiPin

_log = logging.getLogger(__name__)

REVISION = 0xC03114
"""A Raspberry Pi 4B with 4 GB: 28 GPIO lines on the header, pull-ups of its own on GPIO2 and 3."""
FIRST_ANSWER_S = 2.0
"""How long the factory waits at first for the board to say what it drives; it is a matter of milliseconds."""
RETRY_S = 0.2
SEND_TIMEOUT_S = 0.5
"""A board that takes nothing for so long is dead; its kernel buffer holds some thousand lines."""
STOP_TIMEOUT_S = 2.0
MAX_LINE_BYTES = 64


class SimulatedPin(PiPin):  # type: ignore[misc]  # gpiozero ships no types
    """One line: an output that tells the board, or an input whose level the board or the pull decides."""

    def __init__(self, factory: "SimulatedFactory", info: Any) -> None:  # noqa: ANN401 - gpiozero's PinInfo has no type
        super().__init__(factory, info)
        self._output: bool | None = None
        self._pull: str = info.pull or "floating"
        self._bounce: float | None = None
        self._edges = "both"

    def line(self) -> str:
        """Return what the board is to know of this pin."""
        if self._output is None:
            return f"input {self._number} {self._pull}\n"
        return f"output {self._number} {self._output:d}\n"

    def fire(self, level: bool) -> None:
        """Call `when_changed`, in the factory's thread, after the board has moved an input to `level`."""
        wanted = {"both": True, "rising": level, "falling": not level}.get(self._edges, False)
        # The callback may wait; the lock is not held meanwhile, so that another thread can close the device.
        reference = self._when_changed
        method = reference() if reference is not None else None
        if self._output is None and wanted and method is not None:
            method(self._factory.ticks(), level)

    def close(self) -> None:
        """Make the pin an input again, which is what the kernel does."""
        self.when_changed = None
        self._output = None
        self._pull = self.info.pull or "floating"
        self._factory.tell(self)

    def output_with_state(self, state: bool) -> None:
        """Become an output at the right level at once, without a blip."""
        self._output = bool(state)
        self._factory.tell(self)

    def input_with_pull(self, pull: str) -> None:
        """Become an input with its pull at once."""
        self._output = None
        self._set_pull(pull)

    def _get_function(self) -> str:
        return "input" if self._output is None else "output"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        if value != self._get_function():
            self._output = None if value == "input" else self._get_state()
            self._factory.tell(self)

    def _get_state(self) -> bool:
        if self._output is not None:
            return self._output
        driven = self._factory.driven(self._number)
        return self._pull == "up" if driven is None else driven

    def _set_state(self, value: float) -> None:
        if self._output is None:
            raise PinSetInput(f"cannot set state of pin {self!r}")
        self._output = bool(value)
        self._factory.tell(self)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._output is not None:
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        if value not in ("up", "down", "floating"):
            raise PinInvalidPull(f'invalid pull "{value}" for pin {self!r}')
        if self.info.pull not in (value, ""):
            raise PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        self._pull = value
        self._factory.tell(self)

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise PinPWMUnsupported(f"PWM is not simulated on pin {self!r}")

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        # Kept and not applied, as in gpiozero's mock: the agent settles its inputs by itself.
        self._bounce = None if value is None else float(value)

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value

    def _enable_event_detect(self) -> None:
        """Edges are always heard."""

    def _disable_event_detect(self) -> None:
        """Edges are always heard."""


class SimulatedFactory(PiFactory):  # type: ignore[misc]  # gpiozero ships no types
    """The pins of a Raspberry Pi 4B whose lines end at a board in another process.

    One thread listens to the board and fires edges. When the board goes away inputs keep their level and outputs their
    state; the factory connects again by itself, and both sides say all they know.

    Raises:
        BadPinFactory: `TELECENTRE_SIM_PINS` is not set.
    """

    def __init__(self) -> None:
        super().__init__()
        path = os.environ.get("TELECENTRE_SIM_PINS")
        if not path:
            raise BadPinFactory("TELECENTRE_SIM_PINS must name the socket of the simulated pin board")
        self.pin_class = SimulatedPin
        self._path = path
        self._driven: dict[int, bool] = {}
        self._board: socket.socket | None = None
        self._board_lock = threading.Lock()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="simulated-pins", daemon=True)
        self._thread.start()
        if not self._ready.wait(FIRST_ANSWER_S):
            _log.warning("pins: the simulated board does not answer yet socket=%s", path)

    def close(self) -> None:
        """Release every pin, then leave the board."""
        super().close()
        self._stopping.set()
        self._hang_up()
        self._thread.join(STOP_TIMEOUT_S)

    def driven(self, number: int) -> bool | None:
        """Return the level at which the board holds a line, None when it leaves it to the pull."""
        return self._driven.get(number)

    def tell(self, pin: SimulatedPin) -> None:
        """Say a pin's function and level to the board at once; a board that is away learns them when it is back."""
        with self._board_lock:
            if self._board is None:
                return
            try:
                self._board.sendall(pin.line().encode())
            except OSError:
                # Its own thread notices the end of the connection, and connects again.
                self._shut(self._board)

    @staticmethod
    def ticks() -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        """Return the seconds between two ticks."""
        return later - earlier

    def _get_revision(self) -> int:
        return REVISION

    def _listen(self) -> None:
        while not self._stopping.is_set():
            board = self._connected()
            if board is None:
                self._stopping.wait(RETRY_S)
                continue
            with board:
                self._converse(board)
            _log.info("pins: the simulated board went away socket=%s", self._path)

    def _connected(self) -> socket.socket | None:
        board = socket.socket(socket.AF_UNIX)
        try:
            board.connect(self._path)
        except OSError:
            board.close()
            return None
        # Sending has a limit, listening has none: SO_SNDTIMEO, since a socket's own timeout holds for both.
        board.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(SEND_TIMEOUT_S))
        return board

    def _converse(self, board: socket.socket) -> None:
        heard: dict[int, bool] | None = {}
        buffer = b""
        try:
            with self._board_lock:
                if self._stopping.is_set():
                    return
                self._board = board
                # Under the lock, so that no newer word of a pin overtakes these.
                board.sendall("".join(pin.line() for pin in list(self.pins.values())).encode())
            while data := board.recv(4096):
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    heard = self._take(line.decode("ascii").split(), heard)
                if len(buffer) > MAX_LINE_BYTES:
                    break
        except OSError as error:
            _log.debug("pins: connection lost error=%s", error)
        finally:
            with self._board_lock:
                self._board = None

    def _take(self, words: list[str], heard: dict[int, bool] | None) -> dict[int, bool] | None:
        """Obey one line; until `ready`, what the board drives is only collected, in `heard`."""
        match words:
            case ["ready"] if heard is not None:
                for number in self._driven.keys() | heard.keys():
                    self._move(number, heard.get(number))
                self._ready.set()
                return None
            case ["drive", number, level] if heard is not None:
                heard[int(number)] = level == "1"
            case ["drive", number, level]:
                self._move(int(number), level == "1")
            case ["release", number]:
                self._move(int(number), None)
        return heard

    def _move(self, number: int, driven: bool | None) -> None:
        pin = next((pin for pin in list(self.pins.values()) if pin.info.name == f"GPIO{number}"), None)
        before = pin.state if pin is not None else None
        if driven is None:
            self._driven.pop(number, None)
        else:
            self._driven[number] = driven
        if pin is not None and pin.state != before:
            pin.fire(pin.state)

    def _hang_up(self) -> None:
        with self._board_lock:
            if self._board is not None:
                self._shut(self._board)

    @staticmethod
    def _shut(board: socket.socket) -> None:
        try:
            board.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            _log.debug("pins: already gone error=%s", error)


def _timeval(seconds: float) -> bytes:
    """Return `struct timeval` for setsockopt."""
    micros = int(seconds * 1_000_000)
    return struct.pack("ll", *divmod(micros, 1_000_000))
