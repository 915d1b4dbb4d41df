"""What the ingest does between messages: bring figures on, count visits, let the journal forget; each in its time."""

import logging
import time
from collections.abc import Callable
from typing import Literal, get_args

from hub.store import Writer

log = logging.getLogger(__name__)

Work = Literal["figures", "visits", "zones"]
WORK: tuple[Work, ...] = get_args(Work)
"""What can wait: figures of places, counts of persons and doors at sites, counts of persons in zones."""

WORK_EVERY_S = 10.0
"""In a long burst, some is done this often all the same: to walk what comes costs as much as to store it."""

SHARE = 1 / 7
"""Of the ingest's time, at most, that all this takes while messages come one by one: who waits for an Ack comes first.
At 300 events a second each of 4,072 telecentres has its turn within some minutes; a network of ten, at once."""

LOOK_EVERY_S = 1.0
"""How often the ingest looks whether figures are pending: a burst leaves some, and the register changes beside us."""

HOUR_MS = 3_600_000
"""The journal forgets when the hub's clock begins another hour: it grows old by that one, whoever drives it."""

ZONE_SLICE_S = 0.05
"""Of counting a zone: one of thousands of telecentres takes a hundred of them."""

REST_AFTER_ZONE = 20
"""After a slice of a zone, none is for so many times as long: a large one is to be counted again as soon as it was."""


class Housekeeping:
    """What is pending, and when it was last looked after; used by the ingest thread alone."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._looked_s = self._zones_from_s = self._rested_s = float("-inf")
        self._worked_s = time.monotonic()
        self._pending: dict[Work, bool] = dict.fromkeys(WORK, True)
        self._behind = False
        self._purged_hour: int | None = None

    def may_settle(self) -> bool:
        """Return whether a transaction may bring its own figures on: none wait, and they have not had their share."""
        return not self._behind and time.monotonic() >= self._rested_s

    def settled(self, took_s: float, *, left: bool) -> None:
        """Take note of a transaction that brought its figures on, in so long, or `left` them for later."""
        if left:
            self._pending["figures"] = self._behind = True
        else:
            self._rest(took_s)

    def keep(self, writer: Writer, *, idle: bool, waiting: bool = False) -> None:
        """Do some of what is due; `idle`: no message came for a while; `waiting`: messages wait already."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            visits, zones = writer.visits_pending()
            self._pending |= {"figures": writer.is_pending(), "visits": visits, "zones": zones}
        if idle or (now_s >= self._rested_s and not waiting) or now_s - self._worked_s >= WORK_EVERY_S:
            self._work(writer, now_s)
        self._purge(writer)

    def _work(self, writer: Writer, now_s: float) -> None:
        """Do one slice of what is pending: what was not done for longest."""
        due = [work for work, pending in self._pending.items() if pending]
        if now_s < self._zones_from_s and "zones" in due:
            due.remove("zones")
        if not due:
            return
        work = due[0]
        with writer.transaction():
            if work == "figures":
                left = writer.settle_slice()
            elif work == "visits":
                left = writer.settle_visits()
            else:
                left = writer.settle_zone(ZONE_SLICE_S)
        self._worked_s = time.monotonic()
        took_s = self._worked_s - now_s
        self._rest(took_s)
        del self._pending[work]
        self._pending[work] = left  # at the end: the others come first now
        if work == "figures":
            self._behind = self._behind and left
        elif work == "visits":
            self._pending["zones"] = True
        else:
            self._zones_from_s = self._worked_s + REST_AFTER_ZONE * took_s

    def _rest(self, took_s: float) -> None:
        self._rested_s = time.monotonic() + took_s * (1 - SHARE) / SHARE

    def _purge(self, writer: Writer) -> None:
        now_ms = self._now_ms()
        if now_ms // HOUR_MS == self._purged_hour:
            return
        with writer.transaction():
            purged = writer.purge_journal(now_ms)
        self._purged_hour = now_ms // HOUR_MS
        if purged:
            log.info("journal=purged events=%d", purged)
