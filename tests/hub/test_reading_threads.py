"""Threads that ask the store come and go: a connection is there for as long as its thread, and no longer."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from threading import Barrier, Event, Thread

import pytest

from hub.store import Store, StoreDownError
from hub.store.connection import Engine
from hub.store.postgres import PostgresServer
from tests.support.telecentres import cantal
from tests.support.waiting import PATIENCE_S, eventually

MANY = 12
"""Threads at once: the server of the tests takes 60 connections."""

Count = Callable[[], int]


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    with closing(cantal(home)) as store:
        yield store


@pytest.fixture
def connections(store: Store) -> Count:
    """Return what counts the connections that are open to the database.

    Of a file: how often its log is open. SQLite keeps descriptors of the file itself for the next connection while
    another one is open, because to close one would free the locks of all.
    """
    engine = store.engine
    if isinstance(engine, PostgresServer):
        return lambda: sessions(engine)
    log = f"{store.file.resolve()}-wal"
    return lambda: descriptors().count(log)


def sessions(server: PostgresServer) -> int:
    """Return how many connections a database has beside the one that asks."""
    with closing(server.guest()) as asking:
        row = asking.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and backend_type = 'client backend' and pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def descriptors() -> list[str]:
    """Return what this process has open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            found.append(str(number.readlink()))
    return found


def ask_in_threads(store: Store, threads: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Let so many threads ask, all at once; when each has, do something; then they end."""
    asked, leave = Barrier(threads + 1), Event()
    wrong: list[BaseException] = []

    def ask() -> None:
        try:
            assert len(store.sites()) == 10
            asked.wait(PATIENCE_S)
            assert leave.wait(PATIENCE_S)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            wrong.append(error)
            asked.abort()

    asking = [Thread(target=ask) for _ in range(threads)]
    for thread in asking:
        thread.start()
    asked.wait(PATIENCE_S)
    meanwhile()
    leave.set()
    for thread in asking:
        thread.join(PATIENCE_S)
    assert wrong == []


def test_threads_that_ask_and_end_leave_no_connection_open(store: Store, connections: Count) -> None:
    eventually(lambda: connections() == 0, what="that of the import is closed")
    for _ in range(3):
        ask_in_threads(store, MANY, lambda: eventually(lambda: connections() == MANY, what="one a thread"))
        eventually(lambda: connections() == 0, what="each is closed with its thread")


def test_a_thread_that_lives_keeps_its_connection_while_others_end(store: Store, connections: Count) -> None:
    store.sites()
    ask_in_threads(store, MANY)
    eventually(lambda: connections() == 1, what="the one of this thread is left")
    assert len(store.sites()) == 10
    eventually(lambda: connections() == 1, what="and it is used again")


def test_files_stay_as_many_as_threads_asked_at_once(tmp_path: Path) -> None:
    with closing(cantal(tmp_path)) as store, closing(store.writer()):
        ask_in_threads(store, MANY)
        bound = len(descriptors())
        for _ in range(5):
            ask_in_threads(store, MANY)
        assert len(descriptors()) <= bound


def test_a_store_that_closes_closes_the_connections_of_threads_that_live(store: Store, connections: Count) -> None:
    left: list[int] = []

    def close() -> None:
        store.close()
        eventually(lambda: connections() == 0, what="all are closed")
        left.append(threading.active_count())

    ask_in_threads(store, MANY, close)
    assert left[0] > MANY, "the threads were still there"


def test_who_asks_a_closed_store_opens_it_until_the_thread_ends(store: Store, connections: Count) -> None:
    store.sites()
    store.close()
    store.close()
    eventually(lambda: connections() == 0, what="it is closed")
    ask_in_threads(store, 1)
    eventually(lambda: connections() == 0, what="and again with the thread")


def test_threads_that_end_while_the_store_closes_leave_nothing_open_and_break_nothing(
    store: Store, connections: Count
) -> None:
    random = Random(16)
    wrong: list[BaseException] = []

    def ask(times: int) -> None:
        try:
            for _ in range(times):
                store.sites()
        except StoreDownError:
            pass  # it was closed in the middle of a question
        except BaseException as error:  # noqa: BLE001 - told to the test below
            wrong.append(error)

    for _ in range(6):
        asking = [Thread(target=ask, args=(random.randrange(1, 5),)) for _ in range(MANY)]
        for thread in asking:
            thread.start()
        while any(thread.is_alive() for thread in asking):
            store.close()
        for thread in asking:
            thread.join(PATIENCE_S)
    store.close()
    assert wrong == []
    eventually(lambda: connections() == 0, what="none is left")


def test_threads_that_come_and_go_are_all_answered_where_nobody_writes(tmp_path: Path) -> None:
    """The last connection to a file takes its log away, while another thread opens one."""
    answers: list[int] = []

    def come_and_go(bench: Store) -> None:
        for _ in range(60):
            asking = Thread(target=lambda: answers.append(len(bench.sites())))
            asking.start()
            asking.join(PATIENCE_S)

    with closing(cantal(tmp_path)) as bench:
        crowd = [Thread(target=come_and_go, args=(bench,)) for _ in range(4)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join(PATIENCE_S)
    assert answers == [10] * 240
