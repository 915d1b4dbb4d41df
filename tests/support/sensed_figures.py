"""What the hub counts of the events that an edge has decided on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from contract.events import Event, encode
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader
from hub.network import read_network
from hub.receiver import Batch
from hub.store import Store
from hub.store.rows import Kind, OccupancyRow
from simulators.folder import network_toml
from simulators.network import packaged_network, part_of


def counted(folder: Path, events: Sequence[Event], kind: Kind, *, opening_hours: str) -> dict[str, OccupancyRow]:
    """Return the figures of Murat's desks or rooms for the days of these events, pooled."""
    last_ms = max(event.t for event in events)
    network = folder / f"{kind}.toml"
    played = part_of(packaged_network(), sites=len(packaged_network().sites), opening_hours=opening_hours)
    network.write_text(network_toml(played), encoding="utf-8")
    store = Store(folder / f"{kind}.sqlite", now_ms=lambda: last_ms)
    store.import_network(read_network(network))
    writer = store.writer()
    try:
        with writer.transaction():
            for batch in _batches(events, last_ms):
                writer.receive(batch, last_ms)
            writer.settle_sites({"murat"})
        day_ms = 86_400_000
        rows = store.occupancy("murat", kind, "day", min(event.t for event in events) - day_ms, last_ms + 1)
    finally:
        writer.close()
        store.close()
    heard = [row for row in rows if row.observed_ms]
    assert len({row.resource for row in heard}) == len(heard), "the events are of one local day"
    return {row.resource: row for row in heard}


def _batches(events: Sequence[Event], sent_ms: int) -> Iterator[Batch]:
    for start in range(0, len(events), MAX_BATCH_EVENTS):
        part = events[start : start + MAX_BATCH_EVENTS]
        header = BatchHeader(
            site="murat", stream="5" * 32, boot="b" * 32, first=start + 1, n=len(part), sent_at=sent_ms
        )
        yield Batch(header, [encode(event) for event in part])
