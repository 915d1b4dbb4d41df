"""One day of an edge's outbox on the disk, without its pauses: what the process had the disk write.

Run as a program: `python -m tests.benchmarks.stored_day FOLDER EVENTS`. The outbox holds a month already, so that the
day also prunes what is 30 days old and blanks persons. Each event is durable before the next comes, the hub
acknowledges each, and answers a Hello every quarter of an hour. Prints the bytes that the kernel counts as written for
this process.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from contract.events import Access, AccessDecided, Desk, DeskStateChanged, EdgeAlive, Event, Nothing
from edge.config import OutboxSettings
from edge.core.sender import HELLO_EVERY_S, Positions
from edge.outbox import Outbox, prepare_folder
from tests.benchmarks.replaying_edge import BOOT, START_MS, crash

DAY_S = 86_400
MONTH_DAYS = 31
CHUNK_EVENTS = 500
WITHIN_S = 60.0
PERSON = "k7q2m9x4"
ACCESS_EVERY = 5
ALIVE_EVERY = 4
"""Of 1,000 events a day, 200 are badges, 200 signs of life, and the rest desks."""


class Day:
    """An outbox, and the time that has passed for it without being waited for."""

    def __init__(self, folder: Path, events_a_day: int) -> None:
        self.count = 0
        self._step_s = DAY_S / events_a_day
        self._skipped_s = 0.0
        self._greeted_s = 0.0
        self._pause = threading.Event()
        self.outbox = Outbox(
            OutboxSettings(folder=folder),
            boot=BOOT,
            new_id=lambda: secrets.token_hex(16),
            wall_ms=lambda: START_MS + round(self._skipped_s * 1000),
            on_new_stream=lambda: None,
            on_crash=crash,
            mono_s=lambda: time.monotonic() + self._skipped_s,
        )
        self.outbox.start()

    def fill(self, count: int) -> None:
        """Store so many events together, and have them acknowledged."""
        for _ in range(count):
            self._put()
            if self.count % CHUNK_EVENTS == 0:
                self._until(lambda: self._last() == self.count)
                self._acknowledge(answered=False)
        self._until(lambda: self._last() == self.count)
        self._acknowledge(answered=True)

    def live(self, count: int) -> None:
        """Store so many events one by one, each acknowledged before the next."""
        for _ in range(count):
            self._put()
            self._until(lambda: self._last() == self.count)
            answered = self._skipped_s - self._greeted_s >= HELLO_EVERY_S
            self._acknowledge(answered=answered)

    def _put(self) -> None:
        event, person = _event(self.count, round(self._skipped_s * 1000))
        self.outbox.put(event, person)
        self.count += 1
        self._skipped_s += self._step_s

    def _acknowledge(self, *, answered: bool) -> None:
        told = threading.Event()
        self.outbox.on_stored(told.set)
        self.outbox.acknowledge(Positions({self.outbox.held()[0].stream: self.count}, answered=answered))
        if answered:
            self._greeted_s = self._skipped_s
            self._until(told.is_set)

    def _last(self) -> int:
        return sum(holding.last for holding in self.outbox.held())

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WITHIN_S
        while not condition():
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"the outbox did not write within {WITHIN_S:.0f} s")
            self._pause.wait(0.002)


def main(folder: Path, events_a_day: int) -> None:
    """Live a month at once, then one day event by event."""
    prepare_folder(folder)
    day = Day(folder, events_a_day)
    day.fill(MONTH_DAYS * events_a_day)
    before = _written_bytes()
    day.live(events_a_day)
    day.outbox.stop(WITHIN_S)
    sys.stdout.write(f"{_written_bytes() - before}\n")


def _event(number: int, up: int) -> tuple[Event, str | None]:
    at_ms = START_MS + up
    if number % ACCESS_EVERY == 0:
        access = Access(door="door-01", reason="GRANTED", assurance="uid")
        return AccessDecided(subject="reader-01", t=at_ms, clock="synced", up=up, value=access), PERSON
    if number % ALIVE_EVERY == 0:
        return EdgeAlive(subject="agent", t=at_ms, clock="synced", up=up, value=Nothing()), None
    desk = Desk(state="occupied" if number % 2 else "vacant")
    return DeskStateChanged(subject=f"desk-{number % 6 + 1:02}", t=at_ms, clock="synced", up=up, value=desk), None


def _written_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
