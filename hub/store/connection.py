"""One face for two engines: what the store asks of a connection, whether SQLite or PostgreSQL is behind it.

Two kinds of trouble are told apart: the database does not answer (wait, reopen, lose nothing) and the database refuses
a value (set that value aside, go on).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

Values = Mapping[str, Any] | Sequence[Any]
"""Of one statement: by name (`:name` in the statement) or in order (`?`)."""


class StoreDownError(Exception):
    """The database does not answer; nothing of the transaction was kept, or it is not known whether it was."""


class StoreRefusedError(Exception):
    """The database refuses a value; nothing of the transaction was kept."""


class Cursor(Protocol):
    """The answer to a statement; rows are tuples."""

    @property
    def rowcount(self) -> int:
        """How many rows a statement wrote."""

    def fetchone(self) -> Any:  # noqa: ANN401 - the statement says which types its columns have
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """A connection to the database, used by one thread. Outside `begin`, each statement is a transaction of its own."""

    def execute(self, statement: str, values: Values = (), /) -> Cursor:
        """Run one statement."""

    def executemany(self, statement: str, rows: Iterable[Values], /) -> Cursor:
        """Run one statement for each row of values."""

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction: one that writes, or one that reads one consistent state."""

    def commit(self) -> None:
        """End the transaction durably."""

    def rollback(self) -> None:
        """End the transaction as if it had not been."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is under way."""

    def translated(self) -> AbstractContextManager[None]:
        """Turn the library's errors, within the block, into StoreDownError and StoreRefusedError."""

    def close(self) -> None:
        """Close the connection; what is under way is rolled back."""


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Run the block as one write transaction: committed durably at its end, rolled back on any exception.

    Raises:
        StoreDownError: the database did not answer.
        StoreRefusedError: the database refused a value.
    """
    with connection.translated():
        connection.begin(writes=True)
        try:
            yield
            connection.commit()
        finally:
            if connection.in_transaction:
                connection.rollback()


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Run the block on one consistent state of the database, however many statements it reads with."""
    with connection.translated():
        connection.begin(writes=False)
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.rollback()
