"""One edge with a backlog: the outbox and the link as shipped, without devices.

Run as a program: `python -m tests.benchmarks.replaying_edge SITE FOLDER PORT EVENTS`. Stores EVENTS events, says
`ready`, waits for a line, then hands everything over and lives until its standard input ends.
"""

import secrets
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

from contract.events import Desk, DeskState, DeskStateChanged, Event
from contract.messages import Now, OutboxStatus, Report, RightsStatus
from edge.config import LinkSettings, OutboxSettings
from edge.link import Link
from edge.outbox import Outbox, prepare_folder

START_MS = 1_760_000_000_000
"""October 2025: a backlog is old."""

STEP_MS = 90_000
"""Some 1,000 events a day."""

CHUNK_EVENTS = 500
STORED_WITHIN_S = 120.0
BOOT = "b" * 32


def main(site: str, folder: Path, port: int, count: int) -> None:
    """Store, wait for the word, hand over."""
    outbox = _filled(folder, Random(site), count)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    link = Link(
        LinkSettings(port=port, hello_spread_s=0),
        site,
        outbox,
        now=lambda: Now(site=site, as_of=START_MS, clock="synced", desks=[], rooms=[], doors=[]),
        report=lambda: _report(outbox.status()),
        random=Random(site),
        on_crash=crash,
    )
    link.start()
    sys.stdin.readline()


def store_backlog(folder: Path, random: Random, count: int) -> None:
    """Leave an outbox in a folder that holds so many events."""
    _filled(folder, random, count).stop(STORED_WITHIN_S)


def _filled(folder: Path, random: Random, count: int) -> Outbox:
    """Return a running outbox that has stored so many events."""
    prepare_folder(folder)
    outbox = Outbox(
        OutboxSettings(folder=folder),
        boot=BOOT,
        new_id=lambda: secrets.token_hex(16),
        wall_ms=lambda: START_MS + count * STEP_MS,
        on_new_stream=lambda: None,
        on_crash=crash,
    )
    outbox.start()
    for number, event in enumerate(backlog(random, count), start=1):
        outbox.put(event, None)
        if number % CHUNK_EVENTS == 0 or number == count:
            wait_until_stored(outbox, number)
    return outbox


def backlog(random: Random, count: int) -> Iterator[Event]:
    """Yield what six desks said, one event every 90 s or so."""
    states: list[DeskState] = ["occupied", "vacant"]
    for number in range(count):
        at_ms = START_MS + number * STEP_MS + random.randrange(STEP_MS)
        desk = f"desk-{random.randint(1, 6):02}"
        yield DeskStateChanged(
            subject=desk, value=Desk(state=random.choice(states)), t=at_ms, clock="synced", up=at_ms - START_MS
        )


def wait_until_stored(outbox: Outbox, count: int) -> None:
    """Wait until so many events are durable: a queue that overflows would count refusals."""
    pause = threading.Event()
    for _ in range(int(STORED_WITHIN_S / 0.005)):
        if sum(holding.last for holding in outbox.held()) == count:
            return
        pause.wait(0.005)
    raise RuntimeError("the outbox did not store everything in time")


def _report(status: OutboxStatus) -> Report:
    rights = RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0)
    return Report(
        version="bench",
        boot=BOOT,
        started_at=START_MS,
        at=START_MS,
        clock="synced",
        outbox=status,
        rights=rights,
        devices=[],
    )


def crash(error: BaseException) -> None:
    """End the thread that has failed with its own bug."""
    raise error


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
