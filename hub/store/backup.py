"""A copy of the database while the hub runs, and the way back to it.

What must stay true here: a copy is one consistent moment, checked before it has its name; going back deletes nothing
and is told to everybody who reads the database; who badged more than 90 days ago does not come back with it, nor who
was erased since.
After a restore the hub is a new incarnation, as at every start: the sites ask what it has, and send again what it lacks
and they still hold (30 days and more). Source: protocol TC1, "On Hello" and "Persons".
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.store.connection import Connection, Engine, transaction
from hub.store.erasures import ErasureError, ledger_of, replay
from hub.store.journal import purge_journal
from hub.store.lock import claimed
from hub.store.schema import migrate, migrations, statements
from hub.store.sqlite import connect, open_file

EXCLUSIVE_WAIT_MS = 2_000
"""How long a restore waits for a command that has the database open, before it says so."""

_SQL = statements("backup")


class BackupError(Exception):
    """A copy cannot be made or used: one sentence, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was made."""

    file: Path
    taken_at_ms: int
    events: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What going back to a copy did."""

    file: Path
    backup_at_ms: int
    restored_at_ms: int
    events: int
    forgotten: int
    """Access events that no longer name a credential: they had grown too old since the copy."""
    erasures: int
    """Credentials that the ledger names."""
    erased: int
    """Access events of the copy that no longer name one of these."""
    aside: Path | None
    """Where the database is that was there before, if there was one."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What was done to a server's database that went back to a copy; the counts are those of `Restored`."""

    backup_at_ms: int
    restored_at_ms: int
    events: int
    forgotten: int
    erasures: int
    erased: int


def back_up(file: Path, target: Path, now_ms: int) -> Copy:
    """Copy the database to `target`, readable by us alone, whether a hub runs or not.

    Raises:
        BackupError: the target is there already or cannot be written, or the copy is not sound.
        StoreDownError: the database does not answer.
    """
    if not file.is_file():
        raise BackupError(f"{file}: there is no database to copy")
    if target.exists():
        raise BackupError(f"{target} is there already: give the copy another name")
    with _part_of(target) as part:
        with closing(connect(file, writes=False)) as source, closing(open_file(part)) as copy:
            # In one step: a copy in several begins anew whenever the hub writes between them.
            source.backup(copy)
            copy.execute("pragma journal_mode = delete")
            copy.execute("pragma synchronous = full")
            _check(copy, target)
            migrate(copy)
            events: int = copy.execute(_SQL["events"]).fetchone()[0]
            with transaction(copy):
                copy.execute(_SQL["put_backup"], {"taken_at": now_ms, "events": events})
        size_bytes = part.stat().st_size
        _name(part, target)
    return Copy(target, now_ms, events, size_bytes)


def restore(file: Path, source: Path, now_ms: int) -> Restored:
    """Put a copy in the place of the database, which is moved aside, never deleted.

    Raises:
        BackupError: the copy or the ledger of erasures cannot be used, or a command has the database open.
        StoreDownError: a hub runs on the database.
    """
    if not source.is_file():
        raise BackupError(f"{source}: there is no such file")
    if not file.parent.is_dir():
        raise BackupError(f"{file}: its folder does not exist")
    with claimed(file), _part_of(file) as part:
        # The copy itself is only read: it can be restored again.
        shutil.copyfile(source, part)
        with closing(open_file(part)) as connection:
            backup_at_ms, events = _taken(connection, source)
            connection.execute("pragma journal_mode = delete")
            connection.execute("pragma synchronous = full")
            migrate(connection)
            with transaction(connection):
                forgotten = purge_journal(connection, now_ms)
                erasures, erased = _erase_again(connection, file)
                # Later than all that is known, whatever the clock says: an earlier `rights resume` must not cover it.
                values = {"restored_at": now_ms, "backup_at": backup_at_ms, "events": events}
                connection.execute(_SQL["put_restored"], values)
        with _alone(file):
            aside = _keep_aside(file, now_ms)
            _name(part, file)
    return Restored(file, backup_at_ms, now_ms, events, forgotten, erasures, erased, aside)


def note_restored(engine: Engine, backup_at_ms: int, now_ms: int) -> Noted:
    """Note that a server's database went back to a copy of `backup_at_ms`, with what `restore` does to a file.

    Raises:
        BackupError: the copy is of later than now, or the ledger of erasures cannot be used.
        StoreDownError: a hub runs on the database, or it does not answer.
    """
    if backup_at_ms > now_ms:
        raise BackupError("a copy cannot be of later than now")
    with engine.claimed(), closing(engine.guest()) as connection:
        migrate(connection)
        with transaction(connection):
            events: int = connection.execute(_SQL["events"]).fetchone()[0]
            forgotten = purge_journal(connection, now_ms)
            try:
                erasures, erased = replay(connection, engine.ledger)
            except ErasureError as error:
                raise BackupError(str(error)) from error
            values = {"restored_at": now_ms, "backup_at": backup_at_ms, "events": events}
            connection.execute(_SQL["put_restored"], values)
    return Noted(backup_at_ms, now_ms, events, forgotten, erasures, erased)


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """Give an empty file beside the target, ours alone (0600), and take it away if it was not given its name."""
    try:
        handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise BackupError(f"{target}: cannot be written ({error.strerror})") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
    except sqlite3.Error as error:
        raise BackupError(f"{target}: the copy failed ({error})") from error
    except OSError as error:
        raise BackupError(f"{target}: the copy failed ({error.strerror})") from error
    finally:
        for ending in ("", "-journal"):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def _check(connection: Connection, told: Path) -> None:
    """Refuse what is damaged, no hub's database, or a newer hub's."""
    try:
        found = connection.execute("pragma quick_check(1)").fetchone()[0]
        if found != "ok":
            raise BackupError(f"{told}: damaged ({found})")
        if connection.execute(_SQL["is_hub"]).fetchone() is None:
            raise BackupError(f"{told}: not the database of a hub")
        version: int = connection.execute(_SQL["version"]).fetchone()[0] or 0
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{told}: damaged, or no database ({error})") from error
    if version > migrations()[-1][0]:
        raise BackupError(f"{told}: written by a newer hub (schema {version}): install that version first")


def _taken(connection: Connection, source: Path) -> tuple[int, int]:
    """Return when a copy was made and how many events it holds; refuse what our command did not make."""
    _check(connection, source)
    if connection.execute(_SQL["is_backup"]).fetchone() is not None:
        row: tuple[int, int] | None = connection.execute(_SQL["last_backup"]).fetchone()
        if row is not None:
            return row
    raise BackupError(f"{source}: not made by `telecentre-hub backup`, so nobody knows when it was")


def _erase_again(connection: Connection, file: Path) -> tuple[int, int]:
    """Forget again whom the ledger beside the database names."""
    try:
        return replay(connection, ledger_of(file))
    except ErasureError as error:
        raise BackupError(str(error)) from error


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Run the block while nobody has the present database open; what its journal holds is in the file by then.

    A command that writes to a file which is no longer there would leave its journal to the restored one.
    """
    if not file.is_file():
        yield
        return
    with closing(open_file(file)) as present:
        try:
            present.execute(f"pragma busy_timeout = {EXCLUSIVE_WAIT_MS}")
            present.execute("pragma locking_mode = exclusive")
            present.execute("pragma journal_mode = delete")
            present.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BackupError(f"{file}: a command has it open: wait until it is done") from error
            raise
        except sqlite3.DatabaseError:
            # A damaged database is often why one restores: it is kept as it is, with its journal.
            yield
            return
        yield


def _keep_aside(file: Path, now_ms: int) -> Path | None:
    """Give the present database a second name, if it is there, and move with it what is left of its journal.

    A journal without its database must go too: SQLite would write it into the copy.
    """
    aside = file.with_name(f"{file.name}.before-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%S%fZ}")
    for ending in ("-wal", "-shm"):
        journal = file.with_name(file.name + ending)
        if journal.exists():
            journal.rename(aside.with_name(aside.name + ending))
    if not file.exists():
        return None
    # A second name and not a move: whenever the power goes, a database stands under the name that the hub opens.
    os.link(file, aside)
    return aside


def _name(part: Path, target: Path) -> None:
    """Make a finished file durable and give it its name."""
    _sync(part, os.O_RDWR)
    part.replace(target)
    _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    path_fd = os.open(path, flags)
    try:
        os.fsync(path_fd)
    finally:
        os.close(path_fd)
