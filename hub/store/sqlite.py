"""How the store speaks to SQLite: connections that cannot lose a commit, named statements, numbered migrations.

Two kinds of trouble are told apart: the database does not answer (wait, reopen, lose nothing) and the database refuses
a value (set that value aside, go on).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

BUSY_TIMEOUT_MS = 10_000
"""How long one writer waits for another (an import beside a running hub) before the database counts as down."""


class StoreDownError(Exception):
    """The database does not answer; nothing of the transaction was kept, or it is not known whether it was."""


class StoreRefusedError(Exception):
    """The database refuses a value; nothing of the transaction was kept."""


def connect(file: Path, *, writes: bool) -> sqlite3.Connection:
    """Return a connection in WAL mode that syncs every commit to the disk (`synchronous=FULL`, asserted).

    Raises:
        StoreDownError: the file cannot be opened, or SQLite would not promise durability.
    """
    try:
        # Threads share no connection, except that the thread that closes the store closes them all.
        if not file.parent.is_dir():
            raise StoreDownError(f"{file}: its folder does not exist")
        _make(file)
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, cached_statements=256)
    except sqlite3.Error as error:
        raise StoreDownError(f"{file}: cannot be opened ({error})") from error
    try:
        connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
        journal = connection.execute("pragma journal_mode = wal").fetchone()[0]
        connection.execute("pragma synchronous = full")
        durable = connection.execute("pragma synchronous").fetchone()[0]
        if not writes:
            connection.execute("pragma query_only = on")
    except sqlite3.Error as error:
        connection.close()
        raise StoreDownError(f"{file}: not usable as a database ({error})") from error
    if (journal, durable) != ("wal", 2):
        connection.close()
        raise StoreDownError(f"{file}: this file system gives no durable commits (journal {journal}, sync {durable})")
    return connection


def _make(file: Path) -> None:
    """Make an empty file, ours alone: members are named in it. Its journals get the same mode from SQLite."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreDownError(f"{file}: cannot be made ({error.strerror})") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one write transaction: committed durably at its end, rolled back on any exception.

    Raises:
        StoreDownError: the database did not answer.
        StoreRefusedError: the database refused a value.
    """
    with translated():
        connection.execute("begin immediate")
        try:
            yield
            connection.execute("commit")
        finally:
            if connection.in_transaction:
                connection.execute("rollback")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block on one consistent state of the database, however many statements it reads with."""
    with translated():
        connection.execute("begin")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("rollback")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into the two that the ingest knows."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        raise StoreRefusedError(str(error)) from error
    except sqlite3.Error as error:
        raise StoreDownError(str(error)) from error


def statements(subject: str) -> dict[str, str]:
    """Return the statements of one subject by name: each begins with a line `-- name: its_name`."""
    text = resources.files("hub.store").joinpath("sql", f"{subject}.sql").read_text(encoding="utf-8")
    named: dict[str, str] = {}
    for part in text.split("-- name:")[1:]:
        name, _, statement = part.partition("\n")
        named[name.strip()] = statement.strip().removesuffix(";")
    return named


def migrate(connection: sqlite3.Connection) -> int:
    """Bring the schema to its newest version, each numbered file in its own transaction; return that version."""
    with translated():
        connection.execute(
            "create table if not exists migration (version integer primary key, name text not null)",
        )
    for version, name, script in migrations():
        with transaction(connection):
            known = connection.execute("select 1 from migration where version = :version", {"version": version})
            if known.fetchone() is None:
                for statement in script.split(";\n"):
                    connection.execute(statement)
                connection.execute("insert into migration values (:version, :name)", {"version": version, "name": name})
    return version


def migrations() -> list[tuple[int, str, str]]:
    """Return the numbered migrations in order: version, file name, script."""
    files = sorted(resources.files("hub.store").joinpath("migrations").iterdir(), key=lambda file: file.name)
    return [
        (int(file.name[:4]), file.name, file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    ]
