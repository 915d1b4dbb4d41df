"""Several writers at once on PostgreSQL: four bring history of the same sites, two settle, and days go cold.

A bucket that is marked again and again hides a lost mark: here no day is written to again once all have left it, so
that what is wrong stays wrong. Source: docs/decisions/0025-one-store-on-two-engines.md.
"""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from contract.messages import BatchHeader, encode_batch
from hub.custody import Message, commit
from hub.store import Store, StoreDownError
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.postgres import Postgres
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal

SITES = ("allanche", "murat", "ydes")
WRITERS, SETTLERS = 4, 2
DAY_MS = 1_440 * MINUTE_MS
DAYS = 30 if CAMPAIGN_MINUTES else 5
JOINED_WITHIN_S = 3_000.0 if CAMPAIGN_MINUTES else 100.0
BATCHES_A_DAY = 6
"""Of each writer; two sites in one transaction each time, in any order."""


@pytest.fixture
def store(postgres: Postgres, tmp_path: Path) -> Iterator[Store]:
    with closing(cantal(postgres.database(tmp_path), now_ms=NOON_MS + DAY_MS)) as store:
        yield store


def message(site: str, writer: int, first: int, changes: list[tuple[int, str]]) -> Message:
    """Return history of one desk, in the stream that this writer brings of the site."""
    lines = [
        json.dumps(
            {
                "subject": f"desk-0{writer + 1}",
                "t": at_ms,
                "clock": "synced",
                "up": 5,
                "kind": "desk_state_changed",
                "value": {"state": state},
            }
        ).encode()
        for at_ms, state in changes
    ]
    header = BatchHeader(
        site=site, stream=f"{writer:032x}", boot=f"{writer:032x}", first=first, n=len(lines), sent_at=NOON_MS
    )
    content_type, payload = encode_batch(header, lines)
    return Message(1, 1, 1, site, "up", content_type, payload, NOON_MS)


class Race:
    """The threads and what they share: a barrier at each end of a day, and what went wrong in any of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sent = 0
        self.wrong: list[BaseException] = []
        self._lock = threading.Lock()
        self._day_over = threading.Barrier(WRITERS)
        self._done = threading.Event()

    def run(self) -> None:
        """Let writers and settlers run until every day is over."""
        settlers = [threading.Thread(target=self._told(self._settle)) for _ in range(SETTLERS)]
        writers = [threading.Thread(target=self._told(self._bring), args=(number,)) for number in range(WRITERS)]
        for thread in settlers + writers:
            thread.start()
        for thread in writers:
            thread.join(JOINED_WITHIN_S)
        self._done.set()
        for thread in settlers:
            thread.join(JOINED_WITHIN_S)
        if self.wrong:
            raise self.wrong[0]

    def _told(self, work: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: int) -> None:
            try:
                work(*arguments)
            except BaseException as error:  # noqa: BLE001 - the top of a thread: the test raises it
                self.wrong.append(error)
                self._day_over.abort()

        return run

    def _bring(self, number: int) -> None:
        rng = random.Random(number)
        positions = dict.fromkeys(SITES, 0)
        with closing(self.store.writer()) as writer:
            for day in range(DAYS):
                begin_ms = NOON_MS - (DAYS - day) * DAY_MS
                for nth in range(BATCHES_A_DAY):
                    messages = []
                    for site in rng.sample(SITES, 2):
                        at_ms = begin_ms + nth * 20 * MINUTE_MS
                        changes = [(at_ms + rng.randrange(MINUTE_MS), "occupied"), (at_ms + 9 * MINUTE_MS, "vacant")]
                        messages.append(message(site, number, positions[site] + 1, changes))
                        positions[site] += len(changes)
                    commit(writer, messages, settle=rng.random() < 0.5)
                self._day_over.wait(JOINED_WITHIN_S)
        with self._lock:
            self.sent += sum(positions.values())

    def _settle(self) -> None:
        with closing(self.store.writer()) as writer:
            pending = True
            while pending or not self._done.is_set():
                with writer.transaction():
                    pending = writer.settle_slice()


def test_no_day_is_wrong_after_several_writers_and_settlers(store: Store) -> None:
    race = Race(store)
    race.run()
    totals = store.totals()
    assert (totals.events, totals.quarantined, totals.dirty) == (race.sent, 0, 0)
    assert store.rebuild() == []


def test_a_settler_leaves_the_site_that_another_writer_has(store: Store) -> None:
    with closing(store.writer()) as first, closing(store.writer()) as second:
        commit(first, [message(site, 0, 1, [(NOON_MS, "occupied")]) for site in SITES], settle=False)
        with first.transaction():
            first.lock_sites({"murat"})
            with second.transaction():
                assert second.settle_slice(), "murat is left"
            with store.seen() as connection:
                assert [row[0] for row in connection.execute("select distinct site from timeline order by site")] == [
                    "allanche",
                    "ydes",
                ]
        with second.transaction():
            assert not second.settle_slice()


def test_senders_that_nobody_knows_are_taken_in_turn_too(store: Store) -> None:
    with closing(store.writer()) as first, closing(store.writer()) as second:
        commit(first, [message("nowhere", 0, 1, [(NOON_MS, "occupied")])], settle=False)
        with first.transaction():
            first.lock_sites({"elsewhere"})
            with second.transaction():
                assert second.settle_slice()
        with second.transaction():
            assert not second.settle_slice()


@pytest.mark.parametrize(
    ("key", "clause", "lost"), [("", "", False), (", primary key (site, day)", "on conflict do nothing", True)]
)
def test_a_mark_is_lost_when_it_is_only_made_where_there_is_none(
    postgres: Postgres, tmp_path: Path, key: str, clause: str, lost: bool
) -> None:
    address = postgres.database(tmp_path).address
    where = f"host={address.host} port={address.port} dbname={address.name} user=telecentre"
    mark = b"insert into marked values ('murat', 'today') " + clause.encode()
    with psycopg.connect(where) as ingest, psycopg.connect(where, autocommit=True) as settler:
        settler.execute(f"create table marked (site text, day text{key})".encode())
        settler.execute(mark)
        ingest.execute(mark)  # and the events that it is about, not yet committed
        settler.execute("delete from marked")  # and the figures, from what is committed
        ingest.commit()
        left = settler.execute("select count(*) from marked").fetchone()
    assert left == (0 if lost else 1,)


def test_a_second_hub_on_the_same_database_is_refused(store: Store, postgres: Postgres, tmp_path: Path) -> None:
    hub = store.engine
    other = postgres.named(hub.address.name, tmp_path)  # type: ignore[attr-defined]  # the fixture's is a server
    with hub.claimed(), closing(store.writer()):
        with pytest.raises(StoreDownError, match="in use by a hub"), other.claimed():
            pass
        with closing(Store(other)) as commands:
            assert len(commands.sites()) == 10, "a command beside the hub is welcome"
    with other.claimed():
        pass
