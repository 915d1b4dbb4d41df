"""Many rows inserted with one statement are the same rows, on both engines."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest

from hub.store.arrays import columns
from hub.store.connection import Connection, Engine, StoreRefusedError, transaction
from hub.store.sqlite import SqliteFile
from tests.support.postgres import Postgres

PUT = """
insert into kept (number, word, bytes, share) values (?, ?, ?, ?)
on conflict (number) do update set word = excluded.word
"""
PUT_NEW = """
insert into kept (number, word, bytes, share) values (?, ?, ?, ?)
on conflict (number) do nothing
"""
COUNTS = [0, 1, 15, 57, 431]


@contextmanager
def _kept(home: Path | Engine) -> Iterator[Connection]:
    """Give a connection with an empty table, in a transaction that writes."""
    engine = SqliteFile(home / "hub.db") if isinstance(home, Path) else home
    with closing(engine.writer()) as connection, transaction(connection):
        connection.execute("create table kept (number bigint primary key, word text, bytes bytea, share float8)")
        yield connection


def _rows(count: int) -> list[tuple[object, ...]]:
    """Return rows with what text, bytes and numbers may hold: nothing, signs of every kind, halves and wholes."""
    words = ["", "é\t\\N\n\r'", None, '{"state":"vacant"}', "\\.", "😀"]
    shares = [0.5, None, 2.0]
    return [
        (number - 7, words[number % 6], bytes([number % 256, 0, 92]), shares[number % 3]) for number in range(count)
    ]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("new", [False, True])
def test_every_row_is_inserted_and_counted_once_however_many_there_are(
    home: Path | Engine, count: int, *, new: bool
) -> None:
    rows = _rows(count)
    with _kept(home) as connection:
        assert connection.insert(PUT, rows, new=new) == count
        assert connection.execute("select * from kept order by number").fetchall() == rows


@pytest.mark.parametrize("count", COUNTS)
def test_a_row_that_is_there_is_left_or_updated_as_the_statement_says(home: Path | Engine, count: int) -> None:
    rows = _rows(count)
    with _kept(home) as connection:
        connection.insert(PUT, rows[::2])
        assert connection.insert(PUT_NEW, rows) == len(rows[1::2])
        assert connection.insert(PUT, [(number, "again", b"", None) for number, *_ in rows]) == count
        changed = [(number, "again", kept, share) for number, _, kept, share in rows]
        assert connection.execute("select * from kept order by number").fetchall() == changed


@pytest.mark.parametrize("count", [2, 40])
def test_a_column_that_is_empty_throughout_is_kept_empty(home: Path | Engine, count: int) -> None:
    rows = [(number, None, None, None) for number in range(count)]
    with _kept(home) as connection:
        connection.insert(PUT, rows)
        assert connection.execute("select * from kept order by number").fetchall() == rows


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("new", [False, True])
def test_whole_numbers_are_kept_in_columns_of_numbers_of_every_kind(
    home: Path | Engine, count: int, *, new: bool
) -> None:
    rows = [(number, number + 1, number % 2 == 0) for number in range(count)]
    with _kept(home) as connection:
        connection.execute("create table numbers (small integer primary key, share float8, flag integer)")
        connection.insert("insert into numbers (small, share, flag) values (?, ?, ?)", rows, new=new)
        assert connection.execute("select * from numbers order by small").fetchall() == rows


@pytest.mark.parametrize(
    ("column", "types"),
    [
        ((None, None), ""),
        ((None, 3), "int8"),
        ((True, 3), "int8"),
        ((3, 0.5, None), "float8"),
        ((None, "a"), "text"),
        ((b"", None), "bytea"),
    ],
)
def test_the_type_of_a_column_is_that_of_its_values_and_none_where_there_are_none(
    column: tuple[object, ...], types: str
) -> None:
    assert columns([(value,) for value in column])[0] == (types,)


@pytest.mark.parametrize("column", [("a", 3), ("a", b"a"), (b"a", 0.5), (date(2026, 1, 1), None)])
def test_a_column_of_what_no_table_holds_together_is_a_mistake_of_ours(column: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match="no column of a table holds"):
        columns([(value,) for value in column])


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("new", [False, True])
def test_a_number_that_no_engine_keeps_is_refused(home: Path | Engine, count: int, *, new: bool) -> None:
    rows = [(number, None, b"", None) for number in range(count - 1)]
    with pytest.raises((StoreRefusedError, OverflowError)), _kept(home) as connection:
        connection.insert(PUT, [*rows, (2**63, None, b"", None)], new=new)


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("new", [False, True])
def test_a_server_refuses_a_text_with_a_zero_in_it(
    postgres: Postgres, tmp_path: Path, count: int, *, new: bool
) -> None:
    rows = [(number, "", b"", None) for number in range(count - 1)]
    with pytest.raises(StoreRefusedError), _kept(postgres.database(tmp_path)) as connection:
        connection.insert(PUT, [*rows, (count, "a\0b", b"", None)], new=new)


def test_a_server_refuses_rows_that_are_said_to_be_new_and_are_not(postgres: Postgres, tmp_path: Path) -> None:
    with _kept(postgres.database(tmp_path)) as connection:
        connection.insert(PUT, _rows(20))
        with pytest.raises(StoreRefusedError), connection.translated():
            connection.insert(PUT, _rows(40), new=True)
        connection.rollback()
        connection.begin(writes=True)
