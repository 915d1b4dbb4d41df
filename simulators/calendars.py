"""A calendar server on loopback: every room's iCalendar over HTTP, with the bad manners of real ones.

Source: RFC 9110, sections 8.8 (validators), 13.1 (conditional requests) and 15 (status codes); RFC 5545 (content).
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

MAX_REQUEST_BYTES = 16_384
REQUEST_WITHIN_S = 10.0
MAX_CALLERS = 64

HUGE_BYTES = 50 * 1024 * 1024

Manner = Literal[
    "good",
    "unasked",
    "hang",
    "drip",
    "drip_headers",
    "huge",
    "huge_chunked",
    "not_ical",
    "broken_off",
    "error",
    "loop",
    "astray",
]
"""`unasked` says that nothing has changed, whatever was asked; `hang` never answers; `drip` says a byte a second;
`huge` has 50 MB, announced or in chunks; `not_ical` is a login page; `broken_off` stops half-way; `error` is status
500; `loop` redirects for ever; `astray` to an address that is not encrypted."""


@dataclass(slots=True)
class Calendar:
    """One address: its content and since when it is so, and how it answers."""

    content: bytes
    changed_s: int
    manner: Manner = "good"
    authorization: str = ""
    """The header that is asked for; empty for none."""
    moved_to: str = ""
    """Where it is now, as an address."""

    @property
    def etag(self) -> str:
        """A name for this content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


class CalendarServer:
    """Calendars by their path; lives on the running asyncio loop."""

    def __init__(self, *, etags: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.calendars: dict[str, Calendar] = {}
        self.answered: list[tuple[str, int, dict[str, str]]] = []
        """Path, status and headers of the last requests."""
        self._etags = etags
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return self._port

    def put(self, path: str, text: str, changed_s: int) -> None:
        """Replace what is at a path, which begins with `/`; `changed_s` is UTC since 1970."""
        known = self.calendars.get(path)
        if known is None:
            self.calendars[path] = Calendar(text.encode("utf-8"), changed_s)
        else:
            known.content, known.changed_s = text.encode("utf-8"), changed_s

    async def start(self, port: int = 0) -> None:
        """Listen at a port of 127.0.0.1; 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port or self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop who is connected."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if len(self._open) <= MAX_CALLERS:
                async with asyncio.timeout(REQUEST_WITHIN_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.decode("latin-1"), writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller has gone, or is none
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        path = first.split(" ")[1] if first.count(" ") == 2 else ""
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
        }
        calendar = self.calendars.get(path)
        status = _status(calendar, headers)
        self.answered = [*self.answered[-99:], (path, status, headers)]
        async for part in self._parts(status, path, calendar):
            writer.write(part)
            await writer.drain()

    async def _parts(self, status: int, path: str, calendar: Calendar | None) -> AsyncIterator[bytes]:
        if calendar is None or status in (401, 500):
            yield _head(status, "Content-Length: 0")
        elif calendar.manner == "hang":
            await asyncio.sleep(3600)
        elif status in (301, 302):
            there = {"loop": path, "astray": "http://192.0.2.1/room.ics"}.get(calendar.manner, calendar.moved_to)
            yield _head(status, f"Location: {there}", "Content-Length: 0")
        else:
            validators = [f"Last-Modified: {formatdate(calendar.changed_s, usegmt=True)}"]
            validators += [f"ETag: {calendar.etag}"] if self._etags else []
            if status == 304:
                yield _head(304, *validators)
                return
            async for part in _BODIES.get(calendar.manner, _good)(calendar.content, validators):
                yield part


def _status(calendar: Calendar | None, headers: dict[str, str]) -> int:
    if calendar is None:
        return 404
    if calendar.authorization and headers.get("authorization") != calendar.authorization:
        return 401
    if calendar.moved_to:
        return 302
    if (forced := _FORCED.get(calendar.manner)) is not None:
        return forced
    if calendar.manner != "good":
        return 200  # what it says now is not what it said before
    if "if-none-match" in headers:
        unchanged = headers["if-none-match"] == calendar.etag
    else:
        unchanged = headers.get("if-modified-since") == formatdate(calendar.changed_s, usegmt=True)
    return 304 if unchanged else 200


_FORCED: dict[Manner, int] = {"unasked": 304, "error": 500, "loop": 302, "astray": 302}
_REASONS = {200: "OK", 302: "Found", 304: "Not Modified", 401: "Unauthorized", 404: "Not Found", 500: "Server Error"}


def _head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "Content-Type: text/calendar; charset=utf-8", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1")


Body = Callable[[bytes, list[str]], AsyncIterator[bytes]]


async def _good(content: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    yield _head(200, *validators, f"Content-Length: {len(content)}") + content


async def _drip(content: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    yield _head(200, *validators, f"Content-Length: {len(content)}")
    for byte in content:
        yield bytes([byte])
        await asyncio.sleep(1.0)


async def _drip_headers(_: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    for byte in _head(200, *validators, "X-Long: " + "a" * 10_000):
        yield bytes([byte])
        await asyncio.sleep(1.0)


async def _huge(_: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    yield _head(200, *validators, f"Content-Length: {HUGE_BYTES}")
    for _block in range(HUGE_BYTES // 65_536):
        yield bytes(65_536)


async def _huge_chunked(_: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    yield _head(200, *validators, "Transfer-Encoding: chunked")
    for _block in range(HUGE_BYTES // 65_536):
        yield b"10000\r\n" + bytes(65_536) + b"\r\n"
    yield b"0\r\n\r\n"


async def _not_ical(_: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    page = b"<!doctype html><title>Sign in</title>"
    yield _head(200, *validators, f"Content-Length: {len(page)}") + page


async def _broken_off(content: bytes, validators: list[str]) -> AsyncIterator[bytes]:
    yield _head(200, *validators, f"Content-Length: {len(content)}") + content[: len(content) // 2]


_BODIES: dict[Manner, Body] = {
    "drip": _drip,
    "drip_headers": _drip_headers,
    "huge": _huge,
    "huge_chunked": _huge_chunked,
    "not_ical": _not_ical,
    "broken_off": _broken_off,
}
