"""Releases are kept as they were published, in either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.release import ReleaseError
from hub.store import Store
from hub.store.connection import Engine, StoreRefusedError
from hub.store.releases import Frozen, put_release, read_release
from tests.support.telecentres import store_in

FIRST = Frozen(1, b"\x00basis", {"public": {"a.csv": b"1\r\n", "b.csv": b"\xff"}, "agreement": {"a.csv": b"2"}})
SECOND = Frozen(2, b"more", {"public": {"a.csv": b"3"}})


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    opened = store_in(home)
    with opened.changed() as connection:
        put_release(connection, "2026-10", FIRST)
    yield opened
    opened.close()


def test_the_last_revision_of_a_month_is_read_as_it_was_kept(store: Store) -> None:
    with store.seen() as connection:
        assert read_release(connection, "2026-10") == FIRST
        assert read_release(connection, "2026-11") is None
    with store.changed() as connection:
        put_release(connection, "2026-10", SECOND)
    with store.seen() as connection:
        assert read_release(connection, "2026-10") == SECOND


def test_a_revision_is_kept_once_whoever_comes_second(store: Store) -> None:
    with pytest.raises(StoreRefusedError), store.changed() as connection:
        put_release(connection, "2026-10", FIRST)
    with store.seen() as connection:
        assert read_release(connection, "2026-10") == FIRST


def test_a_file_that_is_not_the_one_published_is_refused(store: Store) -> None:
    with store.changed() as connection:
        connection.execute(
            "update release_file set sha256 = :other where name = :name", {"other": "0", "name": "b.csv"}
        )
    with pytest.raises(ReleaseError, match=r"b\.csv of 2026-10, revision 1, is damaged"), store.seen() as connection:
        read_release(connection, "2026-10")


def test_files_are_kept_compressed_and_those_that_were_not_are_read_as_well(store: Store) -> None:
    long = Frozen(1, b"basis", {"public": {"a.csv": b"1;2;3\r\n" * 1_000}})
    with store.changed() as connection:
        put_release(connection, "2026-11", long)
        size = connection.execute("select length(content) from release_file where month = '2026-11'").fetchone()[0]
        connection.execute(
            "update release_file set content = :content where month = :month and name = :name",
            {"content": b"\xff", "month": "2026-10", "name": "b.csv"},
        )
    assert size < 100
    with store.seen() as connection:
        assert read_release(connection, "2026-11") == long
        assert read_release(connection, "2026-10") == FIRST
