"""How the store speaks to PostgreSQL, 15 or later: the same statements, commits that cannot be lost, and its locks.

SQLite has one writer at a time; here several may write. What must stay true: who brings history holds a shared lock and
the rows of its sites, in order of their ids, before it reads their events; who changes the register, the schema or whom
to forget holds that lock alone. So history of one site is written by one at a time, a register never changes under it,
and nobody waits in a circle. Source: docs/decisions/0025-one-store-on-two-engines.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader
from psycopg.types.string import StrDumper

from hub.store.arrays import Column, ColumnDumper, as_copy, columns, from_arrays
from hub.store.connection import StoreDownError, StoreRefusedError, Values
from hub.store.marks import numbered, translate, unveiled
from hub.store.patience import PatientConnection

Answer = TypeVar("Answer")

OLDEST_SERVER = 150_000
"""PostgreSQL 15: what the tests run on."""

CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 10_000
"""How long one writer waits for another before the database counts as down: as long as with SQLite."""
READ_TIMEOUT_MS = 30_000
"""Of one statement that reads: a page that takes longer helps nobody."""
WRITE_TIMEOUT_MS = 600_000
"""Of one statement that writes: an index over years of events, made by a migration."""
IDLE_TIMEOUT_MS = 60_000
"""Of a transaction that writes, in which nothing is asked: a hub that was stopped gives its locks back."""
READ_IDLE_TIMEOUT_MS = 600_000
"""Of one that reads: an export puts a month of thousands together between two questions, 10 s on a quiet machine."""

_SILENCE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that is gone without a word is noticed within 25 s."""

_LOCK_CLASS = 0x7443
"""Our advisory locks, of two numbers: this one, and which."""
_REGISTER, _STRANGERS, _HUB = 1, 2, 3

_BYTE_ORDER = {"C", "POSIX", "C.UTF-8", "C.utf8"}

COPIED_ROWS = 16
"""From so many on, rows that are new are copied into their table: to begin a copy takes two more answers."""

_SNAPSHOT = b"begin transaction isolation level repeatable read, read only"

_PROMISES = b"""
select current_setting('server_version_num')::int, current_setting('synchronous_commit'), current_setting('fsync'),
    pg_is_in_recovery(), datlocprovider, datcollate, pg_encoding_to_char(encoding)
from pg_database where datname = current_database()
"""


class _BoolDumper(Dumper):
    """Yes and no are 1 and 0 in the tables, as in SQLite."""

    oid = psycopg.adapters.types["int4"].oid

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


class _NumericLoader(Loader):
    """A sum of whole numbers is a whole number, as in SQLite."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return float(text) if "." in text else int(text)


class _NumericBinaryLoader(NumericBinaryLoader):
    """The same, as the server sends it when numbers are not to be spelt out."""

    def load(self, data: Buffer) -> int | float:  # type: ignore[override]
        found = super().load(data)
        return int(found) if found == found.to_integral_value() else float(found)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, and how to be let in. A `host` that begins with / is the folder of a socket."""

    host: str
    port: int
    name: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """The authority that the server's certificate must come from; without it the connection is plain."""


class PostgresConnection:
    """A connection of psycopg as the store asks for it."""

    def __init__(
        self, raw: psycopg.Connection[Any], lock: str, again: Callable[[], psycopg.Connection[Any]] | None = None
    ) -> None:
        """`lock` names what takes the lock of the register; `again` opens a connection anew, for a reader."""
        self._raw = raw
        self._lock = lock
        self._again = again

    def execute(self, statement: str, values: Values = (), /) -> psycopg.Cursor[Any]:
        """Run one statement."""
        if values:
            if isinstance(values, Mapping):
                return self._raw.execute(translate(statement), values, binary=True)
            # psycopg would read six hundred marks of its own anew each time; a statement with the server's it sends on.
            return psycopg.RawCursor(self._raw).execute(numbered(statement), values, binary=True)
        return self._raw.execute(unveiled(statement))

    def executemany(self, statement: str, rows: Iterable[Values], /) -> psycopg.Cursor[Any]:
        """Run one statement for each row of values, without waiting for each answer."""
        listed = list(rows)
        if not listed or isinstance(listed[0], Mapping):
            cursor = self._raw.cursor()
            cursor.executemany(translate(statement), listed)
            return cursor
        cursor = psycopg.RawCursor(self._raw)
        cursor.executemany(numbered(statement), listed)
        return cursor

    def insert(self, statement: str, rows: Sequence[Sequence[object]], /, *, new: bool = False) -> int:
        """Insert rows, their values in the order of the one group of marks; return how many were written.

        What is new is copied, which takes the server half as long: it need not look for a row with the same key first.
        """
        if new and len(rows) >= COPIED_ROWS:
            with self._raw.cursor() as cursor:
                with cursor.copy(as_copy(statement)) as copy:
                    for row in rows:
                        copy.write_row(row)
                return cursor.rowcount
        if len(rows) > 1:
            types, arrays = columns(rows)
            return psycopg.RawCursor(self._raw).execute(from_arrays(statement, types), arrays, binary=True).rowcount
        return sum(self.execute(statement, row).rowcount for row in rows)

    def ask(self, *questions: tuple[str, Values]) -> list[list[Any]]:
        """Return the rows of each statement, all of one consistent state; they are sent together."""
        with self.translated():
            return self._anew(lambda: self._asked(questions))

    def _asked(self, questions: Iterable[tuple[str, Values]]) -> list[list[Any]]:
        try:
            with self._raw.pipeline():
                self._raw.execute(_SNAPSHOT)
                answers = [self.execute(statement, values) for statement, values in questions]
                self._raw.execute(b"rollback")
            return [answer.fetchall() for answer in answers]
        except psycopg.Error:
            if self._raw.closed:
                raise
            self._raw.close()  # psycopg may believe that the server prepared what stood behind the one that failed
            with self.translated():
                raise

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction; one that writes takes its turn with those who change the register."""
        if not writes:
            self._anew(lambda: self._raw.execute(_SNAPSHOT))
            return
        begin = "begin transaction isolation level read committed"
        self._raw.execute(f"{begin}; select {self._lock}({_LOCK_CLASS}, {_REGISTER})".encode())

    def _anew(self, ask: Callable[[], Answer]) -> Answer:
        """Ask; a connection that broke since the last question is opened anew, for nothing was under way on it."""
        try:
            return ask()
        except psycopg.OperationalError:
            if self._again is None or not self._raw.closed:
                raise
            self._raw = self._again()
            return ask()

    def commit(self) -> None:
        """End the transaction durably."""
        done = self._raw.execute(b"commit").statusmessage
        if done != "COMMIT":
            # After a statement that failed, PostgreSQL answers a commit by rolling back.
            raise StoreDownError("the transaction was rolled back: a statement in it had failed")

    def rollback(self) -> None:
        """End the transaction as if it had not been."""
        self._raw.execute(b"rollback")

    def check_place(self) -> None:
        """Trust the server to keep its files where they are."""

    def touch(self) -> None:
        """Write a row anew as it is."""
        self._raw.execute(b"update migration set name = name where version = 1")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is under way; none is on a connection that broke."""
        return self._raw.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as it has been noticed."""
        return not self._raw.closed

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the library's errors, within the block, into the two that the ingest knows."""
        try:
            yield
        except (psycopg.IntegrityError, psycopg.DataError, errors.ProgramLimitExceeded) as error:
            raise StoreRefusedError(_sentence(error)) from error
        except psycopg.Error as error:
            raise StoreDownError(_sentence(error)) from error

    def lock_sites(self, sites: Iterable[str], *, waits: bool = True) -> set[str]:
        """Lock the rows of sites until the transaction ends, in order of their ids; return those that are ours.

        Senders that no register knows share one lock. Without `waits`, what another has is left out.
        """
        wanted = set(sites)
        skips = "" if waits else " skip locked"
        known = {row[0] for row in self.execute("select site from site where site = any(?)", (sorted(wanted),))}
        rows = self.execute(
            f"select site from site where site = any(?) order by site for update{skips}",  # noqa: S608 - one of two words
            (sorted(known),),
        )
        ours = {row[0] for row in rows}
        strangers = wanted - known
        if strangers:
            take = "pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
            taken = self.execute(f"select {take}({_LOCK_CLASS}, {_STRANGERS})").fetchone()
            if waits or (taken is not None and taken[0]):
                ours |= strangers
        return ours

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """Run the block; what it deletes stays in the server's files until its next vacuum and write-ahead log."""
        yield

    def close(self) -> None:
        """Close the connection; what is under way is rolled back."""
        self._raw.close()


class PostgresServer:
    """One database on a server. Its ledger of erasures is a file of this machine, which no copy brings back."""

    def __init__(self, address: Address, ledger: Path) -> None:
        self.address = address
        self.ledger = ledger
        self._is_claimed = False

    def writer(self) -> PostgresConnection:
        """Return a connection that brings history; of a claimed database, no other process has one.

        Raises:
            StoreDownError: the server does not answer or would not promise durability, or another hub is at work.
        """
        connection = PostgresConnection(self._connect("write"), "pg_advisory_xact_lock_shared")
        if self._is_claimed:
            try:
                _claim(connection, self._where)
            except StoreDownError:
                connection.close()
                raise
        return connection

    def guest(self) -> PostgresConnection:
        """Return a connection that writes beside a running hub: the register, the schema, whom to forget."""
        return PostgresConnection(self._connect("write"), "pg_advisory_xact_lock")

    def reader(self) -> PostgresConnection:
        """Return a connection that only reads, and waits for no writer."""
        return PostgresConnection(self._connect("read"), "", lambda: self._connect("read"))

    def check(self, beat: Callable[[], bool]) -> None:
        """Trust the server, which checks its own pages: a whole database is no hub's to read at each start."""

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep the ingest for ourselves: each writer holds a lock that the server frees when its connection ends.

        Raises:
            StoreDownError: another hub has it, or the server does not answer.
        """
        first = self.guest()
        try:
            _claim(first, self._where)
        finally:
            first.close()
        self._is_claimed = True
        try:
            yield
        finally:
            self._is_claimed = False

    @property
    def _where(self) -> str:
        return f"{self.address.name} at {self.address.host}"

    def _connect(self, purpose: Literal["read", "write"]) -> psycopg.Connection[Any]:
        address = self.address
        opened = PatientConnection if purpose == "read" else psycopg.Connection[Any]
        try:
            raw = opened.connect(
                host=address.host,
                port=address.port,
                dbname=address.name,
                user=address.user,
                password=address.password,
                sslmode="disable" if address.ca_file is None else "verify-full",
                sslrootcert=None if address.ca_file is None else str(address.ca_file),
                connect_timeout=CONNECT_TIMEOUT_S,
                client_encoding="utf8",
                application_name="telecentre-hub",
                options=_options(purpose),
                autocommit=True,
                **_SILENCE,
            )
        except psycopg.Error as error:
            raise StoreDownError(f"{self._where}: {_sentence(error)}") from error
        raw.adapters.register_dumper(bool, _BoolDumper)
        raw.adapters.register_dumper(int, Int8Dumper)
        raw.adapters.register_dumper(str, StrDumper)
        raw.adapters.register_dumper(Column, ColumnDumper)
        raw.adapters.register_loader("numeric", _NumericLoader)
        raw.adapters.register_loader("numeric", _NumericBinaryLoader)
        try:
            found = raw.execute(_PROMISES).fetchone()
            _refuse_unfit(self._where, found or ())
        except psycopg.Error as error:
            raw.close()
            raise StoreDownError(f"{self._where}: {_sentence(error)}") from error
        except StoreDownError:
            raw.close()
            raise
        return raw


def _options(purpose: Literal["read", "write"]) -> str:
    """Return the settings of one session. On the server's side, a client that is gone is noticed as soon as by us."""
    shared = {"jit": "off", "tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
    own: dict[str, object] = {"default_transaction_read_only": "on", "statement_timeout": READ_TIMEOUT_MS}
    idle_ms = READ_IDLE_TIMEOUT_MS
    if purpose == "write":
        own = {"synchronous_commit": "on", "statement_timeout": WRITE_TIMEOUT_MS, "lock_timeout": LOCK_TIMEOUT_MS}
        idle_ms = IDLE_TIMEOUT_MS
    own |= {"idle_in_transaction_session_timeout": idle_ms, **shared}
    return " ".join(f"-c {name}={value}" for name, value in own.items())


def _refuse_unfit(where: str, found: Sequence[Any]) -> None:
    """Refuse a server that is too old, keeps no promise, or sorts texts in another order than we do."""
    version, commits, syncs, is_standby, provider, collation, encoding = found
    if version < OLDEST_SERVER:
        raise StoreDownError(f"{where}: PostgreSQL {version // 10_000} is too old: 15 or later is needed")
    if is_standby:
        raise StoreDownError(f"{where}: a standby server, which takes no history: name the primary")
    if commits not in ("on", "remote_apply") or syncs != "on":
        raise StoreDownError(f"{where}: gives no durable commits (synchronous_commit {commits}, fsync {syncs})")
    if encoding != "UTF8" or (provider != "b" and (provider != "c" or collation not in _BYTE_ORDER)):
        raise StoreDownError(
            f"{where}: sorts by {collation} in {encoding}: make the database with"
            " createdb --template template0 --encoding UTF8 --locale C"
        )


def _claim(connection: PostgresConnection, where: str) -> None:
    """Take the lock of the one hub, for as long as the connection lasts."""
    with connection.translated():
        row = connection.execute(f"select pg_try_advisory_lock({_LOCK_CLASS}, {_HUB})").fetchone()
    if row is None or not row[0]:
        raise StoreDownError(f"{where} is in use by a hub: stop it first (systemctl stop telecentre-hub)")


def _sentence(error: psycopg.Error) -> str:
    """Return the first line of an error: the lines after it may quote what was stored."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
