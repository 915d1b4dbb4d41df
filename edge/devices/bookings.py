"""A visio room's bookings from an iCalendar, in a file or over HTTP: when it is booked, never by whom or for what."""

import base64
import contextlib
import datetime as dt
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from contract.events import Fault
from edge.core.moment import Moment
from edge.core.observations import Booking, BookingsRead
from edge.devices.calendar import MAX_FILE_BYTES
from edge.devices.device import DeviceError, DeviceThread
from host.settings import SettingsError

LOOK_S = 10.0
READ_AGAIN_S = 3600.0
"""The days looked at move with the time, even when the file does not change."""

CLOCK_STEP_S = 60.0
"""A clock that is set after the calendar was read has moved the days that matter."""

READ_WITHIN_S = 60.0
"""Its reader may compute for 20 s, which last longer on a machine that has other work."""

FETCH_WITHIN_S = 30.0
"""Names, connection, TLS, redirects and the whole content, over a slow line."""

REFUSED_WAIT_S = 1_800.0
"""A login does not become right by trying, and a certificate seldom."""

STOP_LOOK_S = 0.5
"""How soon an agent that stops is noticed while a calendar is read."""


@dataclass(frozen=True, slots=True)
class _Broken:
    """A file that could not be read, and why."""

    version: tuple[int, int]
    read_s: float
    error: DeviceError


@dataclass(frozen=True, slots=True)
class Feed:
    """Where a calendar is on the web. `secret` is read at each question, and may raise SettingsError."""

    url: str
    every_s: float
    login: Literal["basic", "bearer"] | None = None
    secret: Callable[[], bytes] = bytes
    ca_file: Path | None = None
    within_s: float = FETCH_WITHIN_S

    def authorization(self) -> str:
        """Return the header's value; empty without a login.

        Raises:
            SettingsError: the secret cannot be read, or could not stand in a header.
        """
        if self.login is None:
            return ""
        secret = self.secret()
        if not (secret.isascii() and secret.decode("latin-1").isprintable()):
            raise SettingsError("the secret of the calendar must be one line of plain letters")
        if self.login == "basic":
            return "Basic " + base64.b64encode(secret).decode("ascii")
        return "Bearer " + secret.decode("ascii")


class WebBookings:
    """One room's calendar over HTTP; asked with what the last answer said of itself, so that most answers are empty."""

    def __init__(self, room: str, feed: Feed, zone: ZoneInfo) -> None:
        self._room = room
        self._feed = feed
        self._zone = zone
        self._bookings: tuple[Booking, ...] = ()
        self._known: dict[str, str] = {}
        self._read: Moment | None = None
        self._refused: str | None = None

    def may_be_back(self) -> bool:
        """Return whether the login is another than the one that was refused."""
        with contextlib.suppress(SettingsError):
            return self._refused is not None and self._feed.authorization() != self._refused
        return False

    def session(self, device: DeviceThread) -> None:
        """Ask for the calendar again and again; the last good one stays in force meanwhile."""
        ready = False
        while not device.stopping.is_set():
            at = device.clock()
            self._ask(at, device.stopping)
            if not ready:
                device.ready()
            ready = True
            device.emit(BookingsRead(at, self._room, self._bookings))
            device.rest(self._feed.every_s)

    def _ask(self, at: Moment, stopping: threading.Event) -> None:
        try:
            authorization = self._feed.authorization()
        except SettingsError as error:
            raise DeviceError("unreadable", str(error)) from error
        request: dict[str, Any] = {"url": self._feed.url, "within_s": self._feed.within_s}
        request["authorization"] = authorization
        if self._feed.ca_file is not None:
            request["ca_file"] = str(self._feed.ca_file)
        if self._read is not None and not _is_old(self._read, at):
            request |= self._known
        answer = self._fetch(request, at, stopping)
        if fault := answer.get("fault"):
            self._refused = authorization if fault == "refused" else None
            raise DeviceError(fault, answer["sentence"], wait_s=self._wait_s(fault))
        self._refused = None
        if self._read is None and "bookings" not in answer:
            raise DeviceError("garbled", "the calendar's server says, unasked, that nothing has changed")
        if "bookings" in answer:
            self._bookings = _bookings(answer["bookings"])
            self._known = {key: answer[key] for key in ("etag", "modified")}
            self._read = at

    def _fetch(self, request: dict[str, Any], at: Moment, stopping: threading.Event) -> dict[str, Any]:
        given = json.dumps(request).encode("utf-8")
        try:
            answer: dict[str, Any] = json.loads(
                _run("feed", given, self._zone, _utc(at), self._feed.within_s + READ_WITHIN_S, stopping)
            )
        except DeviceError as error:
            raise DeviceError(error.fault, str(error), wait_s=self._wait_s(error.fault)) from error
        return answer

    def _wait_s(self, fault: Fault) -> float:
        """Return for how long not to ask again: a server that does not answer may be tried soon, a large one not."""
        if fault in ("absent", "silent"):
            return 0.0
        return REFUSED_WAIT_S if fault == "refused" else self._feed.every_s


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
        read: Moment | None = None
        while not device.stopping.is_set():
            at = device.clock()
            version = self._version()
            if version != self._tried or read is None or _is_old(read, at):
                self._tried, read = version, at
                self._refuse_again(version, at)
                try:
                    bookings = read_bookings(self._content(), self._zone, _utc(at), stopping=device.stopping)
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
    return _bookings(json.loads(_run("calendar", content, zone, now, within_s, stopping or threading.Event())))


def _bookings(spans: list[list[int]]) -> tuple[Booking, ...]:
    return tuple(Booking(start_ms, end_ms) for start_ms, end_ms in spans)


def _utc(at: Moment) -> dt.datetime:
    return dt.datetime.fromtimestamp(at.wall_ms / 1000, dt.UTC)


def _is_old(read: Moment, at: Moment) -> bool:
    """Return whether what was read then may lack what matters now: an hour has passed, or the clock was set."""
    step_s = (at.wall_ms - read.wall_ms) / 1000 - (at.mono_s - read.mono_s)
    return at.mono_s - read.mono_s >= READ_AGAIN_S or abs(step_s) >= CLOCK_STEP_S


def _run(
    program: str, content: bytes, zone: ZoneInfo, now: dt.datetime, within_s: float, stopping: threading.Event
) -> bytes:
    """Return what one of our programs that handle calendars prints, given `content`.

    Raises:
        DeviceError: it failed, took too long, or `stopping` was set.
    """
    command = [sys.executable, "-P", "-m", f"edge.devices.{program}", zone.key, now.isoformat()]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(content)
        given.seek(0)
        try:
            reader = subprocess.Popen(command, stdin=given, stdout=answer, stderr=subprocess.DEVNULL)  # our own program
        except OSError as error:
            raise DeviceError("refused", f"the calendar cannot be read: {error.strerror}") from error
        code = _ended(reader, within_s, stopping)
        if code != 0:
            raise DeviceError("unreadable", "the calendar cannot be read" + (", or not in time" if code < 0 else ""))
        answer.seek(0)
        return answer.read()


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
