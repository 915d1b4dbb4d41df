"""Which engine the settings name."""

from pathlib import Path

from host.settings import SettingsError, secret
from hub.config import DatabaseSettings, server_of
from hub.store.backup import BackupError
from hub.store.connection import Engine, StoreDownError
from hub.store.sqlite import SqliteFile

PASSWORD_CREDENTIAL = "database_password"  # noqa: S105 - a name
"""systemd's credential; it comes before `password_file`. Without either, PostgreSQL's own ways are left: a peer's name
on a socket, a service's password file."""


def engine_of(settings: DatabaseSettings, *, makes: bool = False) -> Engine:
    """Return the database that the settings name; nothing is opened yet. `makes`: its file, where there is none.

    Raises:
        SettingsError: the password file cannot be read.
        StoreDownError: psycopg is not installed.
    """
    if settings.file is not None:
        return SqliteFile(settings.file, makes=makes)
    if settings.url is None or settings.erasures_file is None:
        raise SettingsError("[database] names neither a file nor a server")
    try:
        # psycopg is an extra of its own: a hub with a file does without.
        from hub.store.postgres import Address, PostgresServer  # noqa: PLC0415
    except ImportError as error:
        raise StoreDownError("PostgreSQL needs psycopg: install telecentre[hub,postgres]") from error
    server = server_of(settings.url)
    password = _password(settings.password_file)
    address = Address(server.host, server.port, server.name, server.user, password, settings.ca_file)
    return PostgresServer(address, settings.erasures_file)


def file_of(settings: DatabaseSettings) -> Path:
    """Return the file of a database that is one.

    Raises:
        BackupError: it is on a server, whose copies are made by its own tools.
    """
    if settings.file is None:
        raise BackupError(
            "this database is on a PostgreSQL server: copy it with pg_dump or base backups, bring it back with"
            " PostgreSQL's own tools, then say so with `telecentre-hub restored` (docs/operating.md)"
        )
    return settings.file


def beside(settings: DatabaseSettings) -> Path:
    """Return a path next to what this machine keeps of the database, to be given another ending."""
    return settings.file or settings.erasures_file or Path("hub")


def _password(file: Path | None) -> str | None:
    try:
        return secret(PASSWORD_CREDENTIAL, file).decode()
    except SettingsError:
        if file is not None:
            raise
        return None
