"""One frame a second for everyone who watches: rendered once per audience, and no queue per watcher.

A watcher who is exactly one version behind gets what changed; any other (new, back after a cut, too slow to follow)
gets everything as it is now. So nothing is ever kept for anyone, and a slow reader costs nobody else anything.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from fastapi.sse import format_sse_event

from hub.live import Frame, LiveBoard

logger = logging.getLogger(__name__)

TICK_S = 1.0
"""A board that moves once a second is live to the eye; what happens faster is shown together."""

KEEP_ALIVE_TICKS = 15
"""Proxies close what is silent for 30 to 60 s; the page calls itself cut after 45 s."""

REGISTER_TICKS = 30
"""How soon a site imported by another process appears."""

MAX_WATCHERS = 2_000
"""Twice what is promised (1,000): beyond, one answers 503 rather than slowing everyone down."""

RETRY_MS = 3_000
"""How long a browser waits before it connects again."""

Draw = Callable[[Frame, frozenset[str] | None], str | None]
"""Returns what an audience is shown of a frame: of all sites (None), or of those that changed; None: nothing for it."""


@dataclass(frozen=True)
class Audience:
    """Those who watch the same thing in the same language; equal names share one rendering."""

    name: str
    draw: Draw
    keep_alive: bytes = b": keep-alive\n\n"


class Stream:
    """The heart of the live pages: beats once a second on the event loop, and wakes every watcher."""

    def __init__(
        self,
        board: LiveBoard,
        wall_ms: Callable[[], int],
        look: Callable[[], bool],
        refresh: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`look` is called at each beat and returns whether to `refresh` the board from the database at once."""
        self._board = board
        self._wall_ms = wall_ms
        self._look = look
        self._refresh = refresh
        self._frame = board.tick(wall_ms())
        self._beat = 0
        self._woken = asyncio.Event()
        self._drawn: dict[tuple[str, bool], bytes] = {}
        self._closed = False
        self.watchers = 0

    async def run(self) -> None:
        """Beat until cancelled. An exception here is our own mistake: it ends the stream and reaches the caller."""
        refreshing: asyncio.Task[None] | None = None
        try:
            while not self._closed:
                await asyncio.sleep(TICK_S)
                at_once = self.beat()
                if refreshing is not None and refreshing.done():
                    refreshing.result()
                    refreshing = None
                if refreshing is None and (at_once or self._beat % REGISTER_TICKS == 0):
                    # Beside the beat: a database that says nothing for a minute must not stop the live board.
                    refreshing = asyncio.create_task(self._refresh(), name="board-refresh")
        finally:
            self.close()
            if refreshing is not None:
                refreshing.cancel()

    def beat(self) -> bool:
        """Take the board's next frame and wake every watcher; return whether the database is to be asked at once."""
        self._beat += 1
        at_once = self._look()
        frame = self._board.tick(self._wall_ms())
        if frame.version != self._frame.version:
            self._frame = frame
            self._drawn.clear()
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()
        return at_once

    def close(self) -> None:
        """Let every watcher go, so that a server that stops need not wait for them; they come back to the next one."""
        self._closed = True
        self._woken.set()

    def frame(self) -> Frame:
        """Return what every watcher is shown, at this moment: a page drawn from it never jumps back a second."""
        return replace(self._frame, at_ms=self._wall_ms())

    @property
    def is_full(self) -> bool:
        """Whether as many watch already as this hub serves."""
        return self.watchers >= MAX_WATCHERS

    @property
    def alive(self) -> bool:
        """Whether the stream still beats."""
        return not self._closed

    async def watch(self, audience: Audience, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
        """Return the bytes for one watcher until it leaves or the stream closes."""
        self.watchers += 1
        try:
            seen = self._seen(last_event_id)
            said_at = self._beat
            yield f"retry: {RETRY_MS}\n\n".encode()
            while not self._closed:
                frame, woken, content = self._frame, self._woken, b""
                if frame.version != seen:
                    content = self._content(audience, frame, whole=frame.redraw or seen != frame.version - 1)
                    seen = frame.version
                if not content and self._beat - said_at >= KEEP_ALIVE_TICKS:
                    content = audience.keep_alive
                if content:
                    said_at = self._beat
                    yield content
                else:
                    await woken.wait()
        finally:
            self.watchers -= 1

    def _seen(self, last_event_id: str | None) -> int | None:
        run, _, version = (last_event_id or "").rpartition("-")
        return int(version) if run == self._board.run and version.isascii() and version.isdigit() else None

    def _content(self, audience: Audience, frame: Frame, *, whole: bool) -> bytes:
        key = (audience.name, whole)
        if key not in self._drawn:
            data = audience.draw(frame, None if whole else frame.changed)
            event_id = f"{self._board.run}-{frame.version}"
            self._drawn[key] = b"" if data is None else format_sse_event(data_str=data, id=event_id)
        return self._drawn[key]
