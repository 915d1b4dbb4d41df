"""Tests of the store run on both engines: a fixture that is a folder, or a database on a server of our own."""

from collections.abc import Iterator
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


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Engine:
    """Where a store lives: a folder for its file, or an empty database on the server."""
    if request.param == "sqlite":
        return tmp_path
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(tmp_path)
