"""An open serial port with an LD2410 at its other end: frames in, commands out, errors as device trouble."""

import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import serial

from edge.devices.device import DeviceError
from edge.devices.port import Port
from edge.protocols.ld2410 import Frame, FrameError, FrameSplitter, Report, decode_reply, decode_report
from edge.protocols.ld2410_config import Command, CommandError, Conversation

BAUD_RATE_BD = 256_000
READ_TIMEOUT_S = 0.25
"""How long a stop may have to wait for a read."""
WRITE_TIMEOUT_S = 1.0
MAX_READ_BYTES = 4096
SILENT_AFTER_S = 2.0
"""Twenty reports missed."""


class RadarLine:
    """One radar's port, held exclusively while the `with` block lasts.

    Raises:
        DeviceError: the port cannot be had, or has gone.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._splitter = FrameSplitter()
        self._line: serial.Serial | None = None
        self.bytes_count = 0
        """Bytes that have come since the port was opened."""

    @property
    def noise_count(self) -> int:
        """Pieces of noise since the port was opened."""
        return self._splitter.noise_count

    def __enter__(self) -> Self:
        self._port.check()
        with self._trouble():
            self._line = serial.Serial(
                self._port.path,
                BAUD_RATE_BD,
                timeout=READ_TIMEOUT_S,
                write_timeout=WRITE_TIMEOUT_S,
                exclusive=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.close()

    def write(self, data: bytes) -> None:
        """Write what there is to write."""
        if data:
            with self._trouble():
                self._open().write(data)

    def frames(self) -> list[Frame]:
        """Return the frames that have come, after a quarter of a second at most."""
        line = self._open()
        with self._trouble():
            data = line.read(max(1, min(line.in_waiting, MAX_READ_BYTES)))
        self.bytes_count += len(data)
        return self._splitter.feed(data)

    def forget(self) -> None:
        """Drop what has come and was not read: it is older than now."""
        with self._trouble():
            self._open().reset_input_buffer()

    def _open(self) -> serial.Serial:
        if self._line is None:
            raise DeviceError("absent", f"{self._port.path} is not open")
        return self._line

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except DeviceError:
            raise
        except (OSError, termios.error) as error:
            raise self._port.trouble(error, "unplugged") from error


def ask(line: RadarLine, commands: Iterable[Command], now_s: Callable[[], float]) -> Conversation:
    """Return a conversation held to its end.

    Raises:
        DeviceError: the port has gone, or the module does not answer or refuses a command.
    """
    conversation = Conversation(commands)
    try:
        while not conversation.finished:
            line.write(conversation.say(now_s()))
            for frame in line.frames():
                if frame.kind == "reply":
                    _take(conversation, frame.payload)
    except CommandError as error:
        raise DeviceError(error.reason, str(error)) from error
    return conversation


def _take(conversation: Conversation, payload: bytes) -> None:
    try:
        reply = decode_reply(payload)
    except FrameError:
        return  # noise: the command is said again
    conversation.take(reply)


def reports(line: RadarLine, for_s: float, now_s: Callable[[], float]) -> Iterator[Report]:
    """Yield the reports of the next `for_s` seconds.

    Raises:
        DeviceError: the port has gone, or no report comes for two seconds.
    """
    end_s = now_s() + for_s
    heard_s = now_s()
    while (at_s := now_s()) < end_s:
        for frame in line.frames():
            if frame.kind != "report":
                continue
            try:
                report = decode_report(frame.payload)
            except FrameError:
                continue
            heard_s = at_s
            yield report
        if at_s - heard_s > SILENT_AFTER_S:
            raise DeviceError("silent", f"no report for {SILENT_AFTER_S:.0f} s")
