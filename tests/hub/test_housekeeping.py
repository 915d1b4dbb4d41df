"""Figures have their share of the ingest's time, and every telecentre its turn, however much comes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.events import Desk, DeskStateChanged, EdgeAlive, Nothing, encode
from contract.messages import BatchHeader
from hub.housekeeping import Housekeeping
from hub.network import Network, read_network
from hub.receiver import Batch
from hub.store import Store, Writer
from hub.store.writer import MAX_SITES_A_SLICE
from tests.support.telecentres import CANTAL, NOON_MS

HOUR_MS, HOUR_S = 3_600_000, 3_600.0
SITES = [f"site-{number:03d}" for number in range(3 * MAX_SITES_A_SLICE)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    cantal = read_network(CANTAL)
    sites = [cantal.site[0].model_copy(update={"id": name}) for name in SITES]
    with closing(Store(tmp_path / "hub.db", now_ms=lambda: NOON_MS)) as store:
        store.import_network(Network(network=cantal.network, site=sites))
        yield store


def put(writer: Writer, site: str, number: int) -> None:
    """Store that a desk was taken, and one more sign of life, without bringing figures on."""
    t = NOON_MS - HOUR_MS + 1_000 * number
    occupied = DeskStateChanged(subject="desk-01", value=Desk(state="occupied"), t=t, clock="synced", up=t)
    alive = EdgeAlive(subject="agent", value=Nothing(), t=t + 1, clock="synced", up=t + 1)
    header = BatchHeader(site=site, stream="a" * 32, boot="b" * 32, first=2 * number + 1, n=2, sent_at=t)
    with writer.transaction():
        writer.receive(Batch(header, [encode(occupied), encode(alive)]), NOON_MS)


def rested(writer: Writer) -> Housekeeping:
    """Return a housekeeping that has found nothing to do."""
    house = Housekeeping(lambda: NOON_MS)
    house.keep(writer, idle=True)
    assert not writer.is_pending()
    return house


def test_a_transaction_brings_its_own_figures_on_when_none_wait_and_they_have_rested() -> None:
    house = Housekeeping(lambda: NOON_MS)
    assert house.may_settle()
    house.settled(HOUR_S, left=False)
    assert not house.may_settle(), "they have had their share"
    house = Housekeeping(lambda: NOON_MS)
    house.settled(0.0, left=True)
    assert not house.may_settle(), "older ones come first"


def test_what_was_left_waits_while_messages_do_and_is_brought_on_when_none_comes(store: Store) -> None:
    with closing(store.writer()) as writer:
        house = rested(writer)
        put(writer, SITES[0], 0)
        house.keep(writer, idle=True)
        put(writer, SITES[0], 1)
        house.settled(0.0, left=True)
        house.keep(writer, idle=False, waiting=True)
        assert writer.is_pending()
        house.keep(writer, idle=True)
        assert not writer.is_pending()


def test_figures_that_took_long_rest_until_nothing_comes(store: Store) -> None:
    with closing(store.writer()) as writer:
        house = rested(writer)
        put(writer, SITES[0], 0)
        house.settled(0.0, left=True)
        house.keep(writer, idle=True)
        house.settled(HOUR_S, left=False)
        put(writer, SITES[0], 1)
        house.settled(0.0, left=True)
        house.keep(writer, idle=False)
        assert writer.is_pending()
        house.keep(writer, idle=True)
        assert not writer.is_pending()


def test_every_telecentre_has_its_turn_although_the_first_always_have_more(store: Store) -> None:
    with closing(store.writer()) as writer:
        for turn in range(3):
            for site in SITES:
                put(writer, site, turn)
            with writer.transaction():
                writer.settle_slice()
    rows = store.occupancy(None, "desk", "day", NOON_MS - 24 * HOUR_MS, NOON_MS)
    assert {row.site for row in rows if row.observed_ms} == set(SITES)
