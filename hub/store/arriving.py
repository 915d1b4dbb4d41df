"""What one transaction brings of history, gathered until it is written: together, rows cost a fraction of one by one.

What must stay true here: whoever reads events or streams within the transaction has it written first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from contract.messages import BatchHeader
from hub.receiver import Receipt
from hub.store.connection import Connection
from hub.store.schema import statements

Reference = tuple[int, str, int, int]
"""What ties a boot's clock to UTC: `up`, stream and seq of the event that said it, and the offset."""

_SQL = statements("history")


class Stream(NamedTuple):
    """A stream as it will be once what arrived is written."""

    boot: str
    position: int
    reference: Reference | None


@dataclass(slots=True)
class _Growth:
    """What is to be written of a stream."""

    boot: str
    received_at: int
    position: int = 0
    events: int = 0
    quarantined: int = 0
    first_at: int | None = None


class Arriving:
    """The history of one transaction: what is known of its streams, and what is still to be written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Stream] = {}
        self._events: dict[str, list[tuple[object, ...]]] = {}
        self._growths: dict[str, dict[str, _Growth]] = {}

    def begin(self) -> None:
        """Know nothing: another transaction begins, and others have written meanwhile."""
        self._known.clear()
        self._events.clear()
        self._growths.clear()

    def stream(self, header: BatchHeader) -> Stream:
        """Return the stream of a batch as it is before it; a new one has the batch's boot, and nothing committed."""
        # Of a stream that nothing was written of, the next batch may still name another boot.
        return self._known.get((header.site, header.stream)) or self._read(header)

    def _read(self, header: BatchHeader) -> Stream:
        key = {"site": header.site, "stream": header.stream, "boot": header.boot}
        row = self._connection.execute(_SQL["stream"], key).fetchone()
        if row is None:
            return Stream(header.boot, 0, self._connection.execute(_SQL["boot"], key).fetchone())
        boot, position, *reference = row
        return Stream(boot or header.boot, position, None if reference[0] is None else (*reference,))

    def add_events(self, site: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Take rows of events that nobody has stored: their site is ours, and they are beyond what was committed."""
        self._events.setdefault(site, []).extend(rows)

    def add_to_stream(
        self, header: BatchHeader, stream: Stream, receipt: Receipt, received_at: int, counts: tuple[int, int]
    ) -> None:
        """Bring a stream forward over a batch, of which so many events were stored and so many lines quarantined."""
        self._known[header.site, header.stream] = stream._replace(position=receipt.position)
        growths = self._growths.setdefault(header.site, {})
        growth = growths.setdefault(header.stream, _Growth(header.boot, received_at))
        growth.position = receipt.position
        growth.events += counts[0]
        growth.quarantined += counts[1]
        if growth.first_at is None:
            growth.first_at = next((event.at_ms for event in receipt.events if event.at_ms is not None), None)

    def write(self) -> None:
        """Write what was gathered, each site by itself: the sites may stand on several servers one day."""
        for events in self._events.values():
            self._connection.insert(_SQL["put_event"], events, new=True)
        for site, growths in self._growths.items():
            rows = [
                (site, stream, one.boot, one.position, one.events, one.quarantined, one.received_at, one.first_at, 0)
                for stream, one in growths.items()
            ]
            self._connection.insert(_SQL["put_stream"], rows)
        self._events.clear()
        self._growths.clear()

    def write_for_others(self) -> None:
        """Write what was gathered for somebody who changes streams or clocks; they are read anew after that."""
        self.write()
        self._known.clear()
