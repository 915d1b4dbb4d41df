"""Inserting many rows with one statement of SQLite: to begin one for each takes three times as long."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from hub.store.connection import Connection

ROWS_AT_ONCE = (200, 20)
"""Rows of one statement: as many as history comes in, and as the hours of a day. Each is a statement of its own, which
SQLite reads once; it takes 32,766 values at least."""

_ROW = re.compile(r"\(\?(?:, \?)*\)")


def put_together(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> int:
    """Insert rows, their values in the order of the one group of marks `(?, ?)`; return how many were written.

    No two may have the same key: PostgreSQL refuses that where the statement updates what is there.
    """
    written, done = 0, 0
    for together in ROWS_AT_ONCE:
        whole = len(rows) - (len(rows) - done) % together
        chunks = [tuple(chain.from_iterable(rows[at : at + together])) for at in range(done, whole, together)]
        if len(chunks) == 1:
            written += connection.execute(_of_many(statement, together), chunks[0]).rowcount
        elif chunks:
            written += connection.executemany(_of_many(statement, together), chunks).rowcount
        done = whole
    if done < len(rows):
        written += connection.executemany(statement, rows[done:]).rowcount
    return written


@lru_cache(32)
def _of_many(statement: str, rows: int) -> str:
    """Return a statement that inserts so many rows."""
    return _ROW.sub(lambda found: ", ".join([found[0]] * rows), statement, count=1)
