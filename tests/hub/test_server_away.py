"""A PostgreSQL server that goes away under a running hub, by its process id, and comes back."""

import signal
from collections.abc import Callable, Iterator, Sized
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from hub.app import create_app
from hub.config import BrokerSettings, DatabaseSettings, HubSettings
from hub.ingest import Ingest
from hub.live import LiveBoard
from hub.store import Store, StoreDownError
from tests.hub.test_ingest import Edge
from tests.hub.test_receiver import NOW, batch, desk
from tests.support.brokers import RunningBroker, broker
from tests.support.postgres import Postgres
from tests.support.telecentres import cantal
from tests.support.waiting import PATIENCE_S, eventually
from tests.support.web import ask

__all__ = ["broker"]  # fixtures


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server for one test, which may stop it."""
    own = Postgres()
    own.start()
    yield own
    own.remove()


def test_while_the_server_is_away_nothing_is_acknowledged_and_nothing_is_lost(
    server: Postgres, broker: RunningBroker, tmp_path: Path
) -> None:
    crashes: list[BaseException] = []
    ids = count(1)
    with closing(cantal(server.database(tmp_path), now_ms=NOW)) as store:
        board = LiveBoard(store.sites())
        ingest = Ingest(
            BrokerSettings(port=broker.port),
            store,
            board,
            now_ms=lambda: NOW,
            new_id=lambda: f"{next(ids):032x}",
            on_crash=crashes.append,
        )
        settings = HubSettings(database=DatabaseSettings(file=tmp_path / "hub.db"))
        app = create_app(settings, store, board, ingest.health, now_ms=lambda: NOW)
        edge = Edge(broker.port)
        assert edge.hearing.wait(PATIENCE_S)
        ingest.start()
        try:
            eventually(lambda: ingest.health().ready, what="the ingest is ready")
            edge.send(batch(desk()))
            eventually(lambda: edge.position() == 1, what="the acknowledgement")
            before = ingest.health().incarnation
            assert ask(app, "/readyz").json()["database_open"]
            server.stop(signal.SIGQUIT)
            eventually(lambda: not ingest.health().database_open, what="the ingest notices")
            edge.send(batch(desk("vacant"), first=2))
            eventually(lambda: ingest.health().queue_depth == 1, what="the batch waits")
            assert not ask(app, "/readyz").json()["database_open"]
            assert ask(app, "/").status_code == 200, "the live board goes on"
            assert ask(app, "/api/v1/occupancy?kind=desk&step=day&from=2026-11-20&to=2026-11-21").status_code == 503
            assert edge.position() == 1
            server.start()
            eventually(lambda: edge.position() == 2, what="the acknowledgement, without another send")
            assert ingest.health().incarnation != before
            assert store.totals().events == 2
            eventually(lambda: ask(app, "/readyz").json()["database_open"], what="a whole turn went well")
        finally:
            edge.stop()
            ingest.stop(20)
    assert crashes == []


QUESTIONS: list[Callable[[Store], Sized]] = [
    lambda store: store.sites(),
    lambda store: store.hours("murat", "desk", NOW - 90_000_000, NOW),
]
"""One statement after the other; and all at once."""


@pytest.mark.parametrize("asked", QUESTIONS)
def test_a_reader_that_lost_its_server_reads_on_when_it_is_back(
    server: Postgres, tmp_path: Path, asked: Callable[[Store], Sized]
) -> None:
    with closing(cantal(server.database(tmp_path), now_ms=NOW)) as store:
        known = asked(store)
        assert len(known) > 0
        server.stop()
        with pytest.raises(StoreDownError, match="connection"):
            asked(store)
        with pytest.raises(StoreDownError, match="connection"):
            asked(store)
        server.start()
        assert asked(store) == known


def test_a_transaction_whose_server_died_kept_nothing(server: Postgres, tmp_path: Path) -> None:
    def die_in_the_middle(store: Store) -> None:
        with closing(store.writer()) as writer, writer.transaction():
            writer.receive(batch(desk()), NOW)
            server.stop(signal.SIGQUIT)

    with closing(cantal(server.database(tmp_path))) as store:
        with pytest.raises(StoreDownError):
            die_in_the_middle(store)
        server.start()
        assert store.totals().events == 0
