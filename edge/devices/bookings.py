"""A visio room's bookings from an iCalendar file: only when the room is booked, never by whom or for what."""

import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.core.moment import Moment
from edge.core.observations import Booking, BookingsRead
from edge.devices.device import DeviceError, DeviceThread

MAX_FILE_BYTES = 1_048_576
"""A room's calendar of many years stays far below."""

LOOK_S = 10.0
READ_AGAIN_S = 3600.0
"""The days looked at move with the time, even when the file does not change."""

READ_WITHIN_S = 60.0
"""Its reader may compute for 20 s, which last longer on a machine that has other work."""

STOP_LOOK_S = 0.5
"""How soon an agent that stops is noticed while a calendar is read."""


@dataclass(frozen=True, slots=True)
class _Broken:
    """A file that could not be read, and why."""

    version: tuple[int, int]
    read_s: float
    error: DeviceError


class Bookings:
    """One room's file; the last good content stays in force while it cannot be read."""

    def __init__(self, room: str, file: Path, zone: ZoneInfo) -> None:
        self._room = room
        self._file = file
        self._zone = zone
        self._tried: tuple[int, int] | None = None
        self._broken: _Broken | None = None

    def may_be_back(self) -> bool:
        """Return whether the file is another than the one that was tried last."""
        try:
            return self._version() != self._tried
        except DeviceError:
            return False

    def session(self, device: DeviceThread) -> None:
        """Read the file, and again whenever it changes."""
        self._tried = None
        read_s = 0.0
        while not device.stopping.is_set():
            at = device.clock()
            version = self._version()
            if version != self._tried or at.mono_s - read_s >= READ_AGAIN_S:
                self._tried, read_s = version, at.mono_s
                self._refuse_again(version, at)
                now = dt.datetime.fromtimestamp(at.wall_ms / 1000, dt.UTC)
                try:
                    bookings = read_bookings(self._content(), self._zone, now, stopping=device.stopping)
                except DeviceError as error:
                    self._broken = _Broken(version, at.mono_s, error)
                    raise
                device.ready()
                device.emit(BookingsRead(at, self._room, bookings))
            device.rest(LOOK_S)

    def _refuse_again(self, version: tuple[int, int], at: Moment) -> None:
        """Raise the error of a file that has not changed since: to read it may have taken 20 s of the processor."""
        broken = self._broken
        if broken is not None and broken.version == version and at.mono_s - broken.read_s < READ_AGAIN_S:
            raise DeviceError(broken.error.fault, str(broken.error))
        self._broken = None

    def _content(self) -> bytes:
        try:
            with self._file.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise DeviceError("refused", f"{self._file}: {error.strerror}") from error
        if len(content) > MAX_FILE_BYTES:
            raise DeviceError("unreadable", f"{self._file} is larger than 1 MiB")
        return content

    def _version(self) -> tuple[int, int]:
        try:
            found = self._file.stat()
        except FileNotFoundError as error:
            raise DeviceError("absent", f"{self._file} does not exist") from error
        except OSError as error:
            raise DeviceError("refused", f"{self._file}: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size


def read_bookings(
    content: bytes,
    zone: ZoneInfo,
    now: dt.datetime,
    *,
    within_s: float = READ_WITHIN_S,
    stopping: threading.Event | None = None,
) -> tuple[Booking, ...]:
    """Return the bookings of yesterday to the day after tomorrow, in order of start; a process of its own reads them.

    Raises:
        DeviceError: the content is not a calendar that can be read in reasonable time, or `stopping` was set.
    """
    command = [sys.executable, "-P", "-m", "edge.devices.calendar", zone.key, now.isoformat()]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(content)
        given.seek(0)
        try:
            reader = subprocess.Popen(command, stdin=given, stdout=answer, stderr=subprocess.DEVNULL)  # our own program
        except OSError as error:
            raise DeviceError("refused", f"the calendar cannot be read: {error.strerror}") from error
        code = _ended(reader, within_s, stopping or threading.Event())
        if code != 0:
            raise DeviceError("unreadable", "the calendar cannot be read" + (", or not in time" if code < 0 else ""))
        answer.seek(0)
        return tuple(Booking(start_ms, end_ms) for start_ms, end_ms in json.load(answer))


def _ended(reader: subprocess.Popen[bytes], within_s: float, stopping: threading.Event) -> int:
    """Return how the process ended: its exit code, or less than 0 when a signal ended it, ours for example."""
    until_s = time.monotonic() + within_s
    try:
        while time.monotonic() < until_s and not stopping.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                return reader.wait(STOP_LOOK_S)
    finally:
        reader.kill()
        reader.wait()
    return reader.returncode
