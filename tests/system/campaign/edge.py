"""One edge of a campaign: the outbox and the link as shipped, without devices, in a process made to be killed.

python -m tests.system.campaign.edge SITE FOLDER PORT SEED EVENTS_PER_S START_MS BOOT REBOOTED

Says on standard output, one line each: `stored STREAM LAST` for what is durable, `drained COUNT` when it was asked to
observe no more and the hub has everything. A line on standard input ends the observing, its end ends the process.
"""

import os
import secrets
import sys
import threading
import time
from pathlib import Path
from random import Random

from contract.messages import Now, Report, RightsStatus
from edge.config import LinkSettings, OutboxSettings
from edge.link import Link
from edge.outbox import Outbox, prepare_folder, read_status
from tests.system.campaign.events import event_of

KEEPALIVE_S = 5
TICK_S = 0.05
UNSTORED_EVENTS = 2_000
"""Fewer than the outbox's queue takes: what it refuses would be an event of its own."""

STOP_S = 60.0


class Edge:
    """The agent of a site, reduced to what keeps and sends its events."""

    def __init__(self, site: str, folder: Path, port: int, boot: str) -> None:
        self._site = site
        self._boot = boot
        self._told: dict[str, int] = {}
        self.outbox = Outbox(
            OutboxSettings(folder=folder),
            boot=boot,
            new_id=lambda: secrets.token_hex(16),
            wall_ms=_wall_ms,
            on_new_stream=lambda: None,
            on_crash=_crash,
        )
        self.link = Link(
            LinkSettings(port=port, hello_spread_s=0.5, keepalive_s=KEEPALIVE_S, status_interval_s=5),
            site,
            self.outbox,
            now=lambda: Now(site=site, as_of=_wall_ms(), clock="synced", desks=[], rooms=[], doors=[]),
            report=self._report,
            random=Random(),
            on_crash=_crash,
        )

    def start(self) -> None:
        """Start both threads."""
        self.outbox.start()
        self.link.start()

    def stop(self) -> None:
        """Stop both, in the agent's order."""
        self.link.stop(STOP_S)
        self.outbox.stop(STOP_S)

    def stored_count(self) -> int:
        """Return how many events are durable, and say each stream that has grown."""
        held = self.outbox.held()
        for each in held:
            if self._told.get(each.stream) != each.last:
                self._told[each.stream] = each.last
                _say(f"stored {each.stream} {each.last}")
        return sum(each.last for each in held)

    def is_drained(self, count: int) -> bool:
        """Return whether `count` events are durable and the hub has all of them."""
        return self.stored_count() == count and self.link.online and self.outbox.status().depth == 0

    def _report(self) -> Report:
        rights = RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0)
        return Report(
            version="campaign",
            boot=self._boot,
            started_at=_wall_ms(),
            at=_wall_ms(),
            clock="synced",
            outbox=self.outbox.status(),
            rights=rights,
            devices=[],
        )


def observe(edge: Edge, seed: str, first: int, events_per_s: float, start_ms: int, rebooted: bool) -> int:
    """Put events from number `first` on until a line is read; return how many the site has then made."""
    enough, number, begun_s = _when_told(), first, time.monotonic()
    pause = threading.Event()
    while not enough.is_set():
        due = first + int((time.monotonic() - begun_s) * events_per_s) + 1
        while number < min(due, edge.stored_count() + UNSTORED_EVENTS):
            event, person = event_of(seed, number, start_ms, life=first, rebooted=rebooted)
            if not edge.outbox.put(event, person):
                _say("crash the queue was full")
            number += 1
        pause.wait(TICK_S)
    return number


def _when_told() -> threading.Event:
    told = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        told.set()

    threading.Thread(target=listen, name="told", daemon=True).start()
    return told


def _crash(error: BaseException) -> None:
    _say(f"crash {error!r}")
    os._exit(70)


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # one write, so that a kill leaves whole lines


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def main(arguments: list[str]) -> None:
    """Observe, drain, stop."""
    site, folder, port, seed, events_per_s, start_ms, boot, rebooted = arguments
    prepare_folder(Path(folder))
    first = read_status(OutboxSettings(folder=Path(folder))).events
    edge = Edge(site, Path(folder), int(port), boot)
    edge.start()
    count = observe(edge, seed, first, float(events_per_s), int(start_ms), rebooted == "yes")
    pause = threading.Event()
    while not edge.is_drained(count):
        pause.wait(TICK_S)
    _say(f"drained {count}")
    sys.stdin.read()
    edge.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
