"""Many rows inserted with one statement are the same rows, on both engines."""

from contextlib import closing
from pathlib import Path

import pytest

from hub.store.connection import Engine, transaction
from hub.store.sqlite import SqliteFile
from hub.store.together import put_together

PUT = "insert into kept (number, word, bytes) values (?, ?, ?) on conflict (number) do update set word = excluded.word"
PUT_NEW = "insert into kept (number, word, bytes) values (?, ?, ?) on conflict (number) do nothing"


@pytest.mark.parametrize("count", [0, 1, 19, 20, 57, 200, 431])
def test_every_row_is_inserted_and_counted_once_however_many_there_are(home: Path | Engine, count: int) -> None:
    engine = SqliteFile(home / "hub.db") if isinstance(home, Path) else home
    rows = [(number, None if number % 7 else f"é{number}", bytes([number % 256])) for number in range(count)]
    with closing(engine.writer()) as connection, transaction(connection):
        connection.execute("create table kept (number bigint primary key, word text, bytes bytea)")
        assert put_together(connection, PUT, rows) == count
        assert connection.execute("select * from kept order by number").fetchall() == rows
        assert put_together(connection, PUT_NEW, rows) == 0
        assert put_together(connection, PUT, [(number, "again", b"") for number, *_ in rows]) == count
        changed = [(number, "again", kept) for number, _, kept in rows]
        assert connection.execute("select * from kept order by number").fetchall() == changed
