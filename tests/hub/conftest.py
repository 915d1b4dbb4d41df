"""Tests of the store run on both engines: each has a home for it, a folder or a database on a server of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.connection import Engine
from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, for all tests of one process."""
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def homes(request: pytest.FixtureRequest) -> Callable[[Path], Path | Engine]:
    """Give an empty home for a store, with a folder for what is kept beside the database."""
    if request.param == "sqlite":
        return lambda folder: folder
    server: Postgres = request.getfixturevalue("postgres")
    return server.database


@pytest.fixture
def home(homes: Callable[[Path], Path | Engine], tmp_path: Path) -> Path | Engine:
    """Where a store lives: a folder for its file, or an empty database on the server."""
    return homes(tmp_path)
