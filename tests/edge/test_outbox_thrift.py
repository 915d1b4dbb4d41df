"""What an event costs the SD card, counted in the journal; `make bench ARGS=B8` measures a whole day."""

from collections import Counter
from pathlib import Path

from contract.events import Event
from edge.core.sender import Positions
from edge.outbox.file import PAGE_BYTES, OutboxFile
from edge.outbox.ledger import Ledger
from edge.outbox.schema import MEGABYTE
from edge.outbox.writer import Attempt, Waiting, Writer
from tests.support.events import PERSON, T0_MS, access, desk
from tests.support.outbox_agent import folder

__all__ = ["folder"]  # fixtures

EVENTS = 60
EVENTS_A_DAY = 1_000
DAY_BYTES = 15_000_000
"""Three quarters of what a day may cost: the rest is pruning, blanking and what the journal gives back to the file."""

BLOCK_BYTES = 4_096
"""A transaction begins in the middle of a block of the disk, which is then written once more."""


def written(folder: Path) -> int:
    return (folder / "outbox.db-wal").stat().st_size


class Card:
    """An outbox that stores one event at a time, as a quiet telecentre does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = OutboxFile(folder, aside_suffix="never")
        self._ledger = Ledger(200 * MEGABYTE)
        self._ledger.reload(self._file.streams(), None)
        self._writer = Writer(
            self._file, self._ledger, boot="b" * 32, new_id=lambda: "e" * 32, wall_ms=lambda: T0_MS, mono_s=lambda: 0.0
        )
        self.store(desk(0))

    def store(self, *events: Event) -> int:
        """Store each event in a transaction of its own, acknowledged before the next; return what that wrote."""
        before = written(self._folder)
        for event in events:
            person = PERSON if event.kind == "access_decided" else None
            self._writer.store(Attempt([Waiting(event, person)], Counter()))
            (held,) = self._ledger.held()
            self._ledger.acknowledge(Positions({held.stream: held.last}, answered=False), T0_MS)
        return written(self._folder) - before

    def close(self) -> None:
        self._file.close()


def test_an_event_and_the_position_before_it_are_durable_with_two_pages(folder: Path) -> None:
    card = Card(folder)
    wrote = sorted(card.store(desk(number)) for number in range(1, 10))
    card.close()
    assert wrote[0] == wrote[4] == 2 * (PAGE_BYTES + 24), "its own and its stream's; now and then a page is full"


def test_a_thousand_events_leave_room_under_20_megabytes_a_day(folder: Path) -> None:
    card = Card(folder)
    events = [access(number) if number % 5 == 0 else desk(number) for number in range(EVENTS)]
    each_bytes = card.store(*events) / EVENTS + BLOCK_BYTES
    card.close()
    assert each_bytes * EVENTS_A_DAY < DAY_BYTES
