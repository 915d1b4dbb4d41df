"""What the ingest does between messages: bring figures on, count visits, let the journal forget; each in its time."""

import logging
import time
from collections.abc import Callable

from hub.store import Writer

log = logging.getLogger(__name__)

SETTLE_EVERY_S = 10.0
"""In a long burst, figures are brought on this often all the same: to walk what comes costs as much as to store it."""

SHARE = 0.2
"""Of the ingest's time, at most, that figures take while messages come one by one: who waits for an Ack comes first.
At 300 events a second each of 4,072 telecentres has its turn within some minutes; a network of ten, at once."""

LOOK_EVERY_S = 1.0
"""How often the ingest looks whether figures are pending: a burst leaves some, and the register changes beside us."""

HOUR_MS = 3_600_000
"""The journal forgets when the hub's clock begins another hour: it grows old by that one, whoever drives it."""

REST_AFTER_ZONE = 20
"""After a zone was counted, no other is for so many times as long: a network of thousands of sites takes seconds."""

MAX_REST_S = 300.0

PATIENCE_S = 600.0
"""So long zones wait for a moment in which nothing comes; a fleet that never rests has one counted all the same."""


class Housekeeping:
    """What is pending, and when it was last looked after; used by the ingest thread alone."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._settled_s = self._counted_s = self._looked_s = self._zones_from_s = self._rested_s = float("-inf")
        self._zoned_s = time.monotonic()
        self._figures = self._visits = self._zones = True
        self._behind = False
        self._purged_hour: int | None = None

    def may_settle(self) -> bool:
        """Return whether a transaction may bring its own figures on: none wait, and they have not had their share."""
        return not self._behind and time.monotonic() >= self._rested_s

    def settled(self, took_s: float, *, left: bool) -> None:
        """Take note of a transaction that brought its figures on, in so long, or `left` them for later."""
        if left:
            self._figures = self._behind = True
        else:
            self._rest(took_s)

    def keep(self, writer: Writer, *, idle: bool, waiting: bool = False) -> None:
        """Do some of what is due; `idle`: no message came for a while; `waiting`: messages wait already."""
        now_s = time.monotonic()
        in_turn = now_s >= self._rested_s and not waiting
        if self._figures and (idle or in_turn or now_s - self._settled_s >= SETTLE_EVERY_S):
            with writer.transaction():
                self._figures = writer.settle_slice()
            self._behind = self._behind and self._figures
            self._settled_s = time.monotonic()
            self._rest(self._settled_s - now_s)
        elif now_s - self._looked_s >= LOOK_EVERY_S:
            self._figures = writer.is_pending()
            self._visits, self._zones = writer.visits_pending()
            self._looked_s = now_s
        if self._visits and (idle or now_s - self._counted_s >= SETTLE_EVERY_S):
            with writer.transaction():
                self._visits = writer.settle_visits()
            self._counted_s, self._zones = time.monotonic(), True
        elif self._zones and (idle or now_s - self._zoned_s >= PATIENCE_S) and now_s >= self._zones_from_s:
            self._count_zone(writer)
        self._purge(writer)

    def _rest(self, took_s: float) -> None:
        self._rested_s = time.monotonic() + took_s * (1 - SHARE) / SHARE

    def _count_zone(self, writer: Writer) -> None:
        began_s = time.monotonic()
        with writer.transaction():
            self._zones = writer.settle_zone()
        self._zoned_s = time.monotonic()
        self._zones_from_s = self._zoned_s + min(MAX_REST_S, REST_AFTER_ZONE * (self._zoned_s - began_s))

    def _purge(self, writer: Writer) -> None:
        now_ms = self._now_ms()
        if now_ms // HOUR_MS == self._purged_hour:
            return
        with writer.transaction():
            purged = writer.purge_journal(now_ms)
        self._purged_hour = now_ms // HOUR_MS
        if purged:
            log.info("journal=purged events=%d", purged)
