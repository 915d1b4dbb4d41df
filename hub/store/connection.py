"""One face for two engines: what the store asks of a connection, whether SQLite or PostgreSQL is behind it.

Two kinds of trouble are told apart: the database does not answer (wait, reopen, lose nothing) and the database refuses
a value (set that value aside, go on).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

Values = Mapping[str, Any] | Sequence[Any]
"""Of one statement: by name (`:name` in the statement) or in order (`?`)."""


class StoreDownError(Exception):
    """The database does not answer; nothing of the transaction was kept, or it is not known whether it was."""


class StoreMovedError(StoreDownError):
    """Another file, or none, stands where the database was opened: what it takes might be lost with it."""


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

    def ask(self, *questions: tuple[str, Values]) -> list[list[Any]]:
        """Return the rows of each statement, all of one consistent state; a server is waited for once.

        Outside `begin` only.

        Raises:
            StoreDownError: the database did not answer.
        """

    def insert(self, statement: str, rows: Sequence[Sequence[object]], /, *, new: bool = False) -> int:
        """Insert rows, their values in the order of the one group of marks `(?, ?)`; return how many were written.

        No two may have the same key. `new` says that the table has none of these keys either: the database refuses all
        if it has.
        """

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction: one that writes, or one that reads one consistent state."""

    def commit(self) -> None:
        """End the transaction durably, where the next start will find it."""

    def rollback(self) -> None:
        """End the transaction as if it had not been."""

    def check_place(self) -> None:
        """See that the database that is open is still the one that others would find.

        Raises:
            StoreMovedError: it is not; nothing may be promised of what it takes.
        """

    def touch(self) -> None:
        """Write what changes nothing, so that the commit proves that the database takes what comes."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is under way."""

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as it has been noticed."""

    def lock_sites(self, sites: Iterable[str], *, waits: bool = True) -> set[str]:
        """Keep other writers from sites until the transaction ends; return those that are ours.

        Called once in a transaction, before anything of these sites is read. Without `waits`, sites that another writer
        has are left out.
        """

    def overwriting(self) -> AbstractContextManager[None]:
        """See that what is deleted within the block is not left readable in the database's file."""

    def translated(self) -> AbstractContextManager[None]:
        """Turn the library's errors, within the block, into StoreDownError and StoreRefusedError."""

    def close(self) -> None:
        """Close the connection; what is under way is rolled back."""


class Engine(Protocol):
    """Where a database is: it opens connections, each for one purpose, and raises StoreDownError when it cannot."""

    @property
    def ledger(self) -> Path:
        """Where the erasures are kept, beside the database and never in it."""

    def writer(self) -> Connection:
        """Return the connection of an ingest."""

    def guest(self) -> Connection:
        """Return a connection that writes beside a running hub."""

    def reader(self) -> Connection:
        """Return a connection that only reads, and never waits for a writer."""

    def check(self, beat: Callable[[], bool]) -> None:
        """See that the whole database holds together; `beat` is called while it lasts, and ends it by returning True.

        Raises:
            StoreDownError: it is damaged or cannot be read, or `beat` has ended the check.
        """

    def claimed(self) -> AbstractContextManager[None]:
        """Keep the database for one hub within the block.

        Raises:
            StoreDownError: another hub has it.
        """


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
