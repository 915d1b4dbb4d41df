"""A database that answers and takes nothing, and one whose file is gone: told until a commit goes well, nothing lost.

Real ones: a file that another program holds, a disk that takes no more, a server that stands still, files that are
moved, removed and replaced under the hub.
"""

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

import hub.health
import hub.ingest
from hub.__main__ import main
from hub.app import create_app, refresh_board
from hub.config import BrokerSettings, DatabaseSettings, HubSettings
from hub.ingest import Ingest
from hub.live import LiveBoard
from hub.store import Store, StoreDownError, patience, postgres, sqlite
from hub.store.backup import back_up, restore
from hub.store.connection import Engine, StoreMovedError
from hub.store.sqlite import SqliteFile
from tests.hub.test_ingest import Edge
from tests.hub.test_receiver import NOW, batch, desk
from tests.hub.test_server_away import server
from tests.support.brokers import KINDS, RunningBroker
from tests.support.telecentres import cantal
from tests.support.waiting import PATIENCE_S, eventually
from tests.support.web import ask

__all__ = ["server"]  # a fixture

SOON_S = 0.5
SOON_MS = 200


class Hub:
    """An ingest, a live board and the pages over one database, and a telecentre that sends."""

    def __init__(self, home: Path | Engine, folder: Path, port: int) -> None:
        self.store = cantal(home, now_ms=NOW)
        self.crashes: list[BaseException] = []
        self.board = LiveBoard(self.store.sites())
        self.ingest = Ingest(
            BrokerSettings(port=port),
            self.store,
            self.board,
            now_ms=lambda: NOW,
            new_id=lambda: uuid4().hex,
            on_crash=self.crashes.append,
        )
        settings = HubSettings(database=DatabaseSettings(file=folder / "hub.db"))
        self.app = create_app(settings, self.store, self.board, self.ingest.health, now_ms=lambda: NOW)
        self.edge = Edge(port)
        self.sent = 0
        assert self.edge.hearing.wait(PATIENCE_S)
        self.ingest.start()
        eventually(lambda: self.told() == (200, []), what="the hub is ready")

    def send(self) -> None:
        self.sent += 1
        self.edge.send(batch(desk("occupied" if self.sent % 2 else "vacant", t=NOW + self.sent), first=self.sent))

    def told(self) -> tuple[int, list[str]]:
        """Return what /readyz answers, and what the board, its page and the alarms say of the database."""
        if self.app.state.context.stream.beat():  # as the stream does beside its beat
            asyncio.run(refresh_board(self.board, self.store))
        alarms = [
            one for one in ask(self.app, "/api/v1/alarms?lang=fr").json()["alarms"] if "database" in one["reason"]
        ]
        page = ask(self.app, "/", headers={"accept-language": "fr"}).text.replace("&#39;", "'")
        assert all(one["sentence"] in page and one["grade"] == "alarm" for one in alarms)
        return ask(self.app, "/readyz").status_code, [one["reason"] for one in alarms]

    def is_away(self, reason: str = "database_away") -> bool:
        return self.told() == (503, [reason])

    def stays_away(self, reason: str, failures: int) -> None:
        """See that it is told at each look, through so many attempts, and nothing is acknowledged."""
        before, position = self.ingest.health().database_failures, self.edge.position()
        while self.ingest.health().database_failures < before + failures:
            assert self.is_away(reason)
        assert self.edge.position() == position

    def recovers(self) -> None:
        eventually(lambda: self.edge.position() == self.sent, what="all is acknowledged, without another send")
        eventually(lambda: self.told() == (200, []), what="it is told that all is well")
        assert self.store.totals().events == self.sent

    def stop(self) -> None:
        self.edge.stop()
        self.ingest.stop(20)
        self.store.close()
        assert self.crashes == []


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """One broker: it is the database that is in trouble here."""
    running = RunningBroker(KINDS[0], tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def opened(broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hub]]:
    """Return what starts a hub on a database; it looks again after a tenth of a second."""
    monkeypatch.setattr(hub.ingest, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(hub.ingest, "LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", SOON_MS)
    with ExitStack() as stack:

        def start(home: Path | Engine = tmp_path) -> Hub:
            made = Hub(home, tmp_path, broker.port)
            stack.callback(made.stop)
            return made

        yield start


@contextmanager
def no_room(file: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the log of the database, as a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name(f"{file.name}-wal").stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold the file as another program does that writes for long."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield
        other.rollback()


@pytest.mark.parametrize("trouble", [held, no_room])
def test_a_file_that_answers_and_takes_nothing_is_told_until_a_commit_goes_well(
    opened: Callable[..., Hub], trouble: Callable[[Path], object]
) -> None:
    at_work = opened()
    at_work.send()
    eventually(lambda: at_work.edge.position() == 1, what="the acknowledgement")
    with trouble(at_work.store.file):  # type: ignore[attr-defined]  # both are context managers
        at_work.send()
        eventually(at_work.is_away, what="it is told")
        at_work.stays_away("database_away", failures=4)
        assert ask(at_work.app, "/api/v1/sites").status_code == 200, "questions are answered"
        assert at_work.ingest.health().queue_depth == 1
    at_work.recovers()


@pytest.mark.needs_mount
def test_a_full_disk_is_told_until_there_is_room(opened: Callable[..., Hub], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "telecentre", disk], check=True, timeout=60)
    try:
        at_work = opened(disk)
        with (disk / "ballast").open("wb", buffering=0) as ballast:
            while shutil.disk_usage(disk).free:
                ballast.write(bytes(4_096))
        at_work.send()
        eventually(at_work.is_away, what="it is told")
        at_work.stays_away("database_away", failures=4)
        (disk / "ballast").unlink()
        at_work.recovers()
        at_work.store.close()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True, timeout=60)


def test_when_nothing_waits_a_commit_of_nothing_shows_that_it_takes_again(opened: Callable[..., Hub]) -> None:
    at_work = opened()
    file = at_work.store.file
    log = file.with_name("hub.db-wal")
    file.rename(file.with_name("away.db"))
    eventually(lambda: at_work.is_away("database_moved"), what="the idle hub sees it")
    size_bytes = log.stat().st_size
    file.with_name("away.db").rename(file)
    at_work.recovers()
    assert log.stat().st_size > size_bytes


def test_a_server_that_stands_still_is_told_while_something_waits(
    opened: Callable[..., Hub], server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.health, "AWAY_AFTER_S", SOON_S)
    monkeypatch.setattr(patience, "ANSWER_TIMEOUT_S", 2.0)
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT_S", 2)
    at_work = opened(server.database(tmp_path))  # type: ignore[attr-defined]
    pid = server.pid  # type: ignore[attr-defined]
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    for one in pids:
        os.kill(one, signal.SIGSTOP)
    try:
        at_work.send()
        eventually(at_work.is_away, what="it is told")
        assert at_work.ingest.health().database_failures == 0, "nobody said no"
        assert all(at_work.is_away() for _ in range(20))
        assert at_work.edge.position() == 0
        assert ask(at_work.app, "/api/v1/sites").status_code == 503, "no question keeps a page for ever"
    finally:
        for one in pids:
            os.kill(one, signal.SIGCONT)
    at_work.recovers()
    assert ask(at_work.app, "/api/v1/sites").status_code == 200


def test_a_removed_file_is_acknowledged_nothing_into_and_nobody_makes_another(
    opened: Callable[..., Hub], tmp_path: Path
) -> None:
    at_work = opened()
    at_work.send()
    eventually(lambda: at_work.edge.position() == 1, what="the acknowledgement")
    for ending in ("", "-wal", "-shm"):
        at_work.store.file.with_name(f"hub.db{ending}").unlink()
    at_work.send()
    eventually(lambda: at_work.is_away("database_moved"), what="it is told")
    at_work.stays_away("database_moved", failures=4)
    assert ask(at_work.app, "/api/v1/sites").status_code == 503
    with pytest.raises(StoreDownError, match="put the same file back, or stop the hub and go back to a copy"):
        at_work.store.totals()
    (tmp_path / "hub.toml").write_text('[database]\nfile = "hub.db"\n')
    for command in (["status"], ["rebuild"], ["purge"], ["member", "list"]):
        asked = CliRunner().invoke(main, [*command, "--config", str(tmp_path / "hub.toml")])
        assert (asked.exit_code, len(asked.output.splitlines())) == (1, 1), asked.output
        assert "there is no database" in asked.output
    assert not at_work.store.file.exists()


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_link_that_leads_elsewhere_now_is_a_database_that_was_moved(tmp_path: Path, what: str) -> None:
    for disk in ("one", "two"):
        (tmp_path / disk).mkdir()
        Store(SqliteFile(tmp_path / disk / "hub.db")).close()
    (tmp_path / "disk").symlink_to("one")
    (tmp_path / "hub.db").symlink_to(tmp_path / "one" / "hub.db")
    link, file = {
        "the file": (tmp_path / "hub.db", tmp_path / "hub.db"),
        "its folder": (tmp_path / "disk", tmp_path / "disk" / "hub.db"),
    }[what]
    with closing(Store(SqliteFile(file))) as store, closing(store.writer()) as writer:
        with writer.transaction():
            pass
        target = link.readlink()
        link.unlink()
        link.symlink_to(str(target).replace("one", "two"))
        with pytest.raises(StoreMovedError, match="put the same file back"), writer.transaction():
            pass
        link.unlink()
        link.symlink_to(target)
        with writer.transaction():
            pass


def test_what_was_acknowledged_while_the_file_was_moved_away_is_in_it_and_it_goes_on_when_it_is_back(
    opened: Callable[..., Hub],
) -> None:
    at_work = opened()
    file = at_work.store.file
    for _ in range(200):
        at_work.send()
    eventually(lambda: at_work.edge.position() > 0, what="some are acknowledged")
    for ending in ("", "-wal", "-shm"):
        file.with_name(f"hub.db{ending}").rename(file.with_name(f"away.db{ending}"))
    for _ in range(200):
        at_work.send()
    eventually(lambda: at_work.is_away("database_moved"), what="it is told")
    failures = at_work.ingest.health().database_failures
    on_its_way = "what was acknowledged before has arrived"
    eventually(lambda: at_work.ingest.health().database_failures >= failures + 2, what=on_its_way)
    acknowledged = at_work.edge.position()
    with closing(sqlite3.connect(file.with_name("away.db"))) as beside:
        assert beside.execute("select count(*) from event").fetchone()[0] >= acknowledged
        at_work.stays_away("database_moved", 2)
        assert at_work.edge.position() == acknowledged
        for ending in ("", "-wal", "-shm"):
            file.with_name(f"away.db{ending}").rename(file.with_name(f"hub.db{ending}"))
    at_work.recovers()


def test_another_file_in_its_place_is_left_as_it_is(opened: Callable[..., Hub], tmp_path: Path) -> None:
    file, copy = tmp_path / "hub.db", tmp_path / "copy.db"
    engine = SqliteFile(file)
    with engine.claimed():
        at_work = opened(engine)
        back_up(file, copy, NOW)
        content = copy.read_bytes()
        at_work.send()
        eventually(lambda: at_work.edge.position() == 1, what="the acknowledgement")
        copy.rename(file)
        at_work.send()
        eventually(lambda: at_work.is_away("database_moved"), what="it is told")
        at_work.stays_away("database_moved", failures=4)
        at_work.ingest.stop(20)
        at_work.store.close()
    assert at_work.edge.position() == 1
    assert file.read_bytes() == content
    assert not file.with_name("hub.db-wal").exists(), "SQLite would write it into the other file"
    assert len(list(tmp_path.glob("hub.db-wal.of-another-file-*"))) == 1
    with closing(Store(file)) as other:
        assert other.totals().events == 0


def test_a_hub_whose_log_was_removed_writes_what_it_holds_when_it_is_stopped(opened: Callable[..., Hub]) -> None:
    at_work = opened()
    at_work.send()
    eventually(lambda: at_work.edge.position() == 1, what="the acknowledgement")
    at_work.store.file.with_name("hub.db-wal").unlink()
    at_work.send()
    eventually(lambda: at_work.is_away("database_moved"), what="it is told")
    at_work.stays_away("database_moved", failures=2)
    at_work.ingest.stop(20)
    at_work.store.close()
    with closing(Store(at_work.store.file)) as again:
        assert again.totals().events >= at_work.edge.position() == 1


def test_a_file_is_not_made_beside_the_log_of_a_lost_one(tmp_path: Path) -> None:
    cantal(tmp_path).close()
    file = tmp_path / "hub.db"
    copy = tmp_path / "copy.db"
    back_up(file, copy, NOW)
    shutil.copy(file, tmp_path / "hub.db-wal")
    file.unlink()
    with pytest.raises(StoreDownError, match=r"missing, while hub\.db-wal holds a part of it"):
        Store(file)
    assert not file.exists()
    restore(file, copy, NOW)
    assert not (tmp_path / "hub.db-wal").exists()
    with closing(Store(file)) as store:
        assert len(store.sites()) == 10
