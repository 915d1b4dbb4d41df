"""The oracle itself: it sees each way in which a hub can differ from what its edges committed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.events import PERSON, access, desk
from tests.support.outbox_agent import Agent, agent, folder, statement
from tests.system.campaign.oracle import History, committed_at, verdict_on

__all__ = ["agent", "folder"]  # fixtures

SITE = "murat"
_TABLES = """
create table event (site, stream, seq, digest);
create table quarantine (site, stream, seq, sha256);
create table journal (site, stream, seq, person);
create table gap (first_seq, last_seq);
create table alarm (reason, times);
"""


@pytest.fixture
def edges(agent: Agent) -> History:
    agent.store(*[desk(number) for number in range(20)])
    agent.store(access(20), person=PERSON)
    return committed_at(SITE, agent.settings.folder / "outbox.db")[0]


@pytest.fixture
def database(edges: History, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A hub that has everything, one line of it set aside."""
    with closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None)) as connection:
        connection.executescript(_TABLES)
        events = [(*key, digest) for key, digest in edges.digests.items()]
        site, stream, seq, digest = events.pop(4)
        connection.executemany("insert into event values (?, ?, ?, ?)", events)
        connection.execute("insert into quarantine values (?, ?, ?, ?)", (site, stream, seq, digest.hex()))
        connection.executemany(
            "insert into journal values (?, ?, ?, ?)", [(*key, person) for key, person in edges.persons.items()]
        )
        yield connection


def test_a_hub_that_has_everything_once_is_right(edges: History, database: sqlite3.Connection, tmp_path: Path) -> None:
    database.execute("insert into alarm values ('quarantined', 1)")
    verdict = verdict_on(edges, tmp_path / "hub.db")
    assert verdict.is_right
    assert verdict.alarms == {"quarantined": 1}


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        ("delete from event where seq = 7", "missing 1"),
        ("delete from quarantine", "missing 1"),
        ("insert into event select site, stream, 99, digest from event where seq = 7", "unknown 1"),
        ("insert into event select site, stream, seq, sha256 from quarantine", "unknown 1"),
        ("update event set digest = x'00' where seq = 7", "changed 1"),
        ("delete from journal", "wrong persons 1"),
        ("update journal set person = 'somebody'", "wrong persons 2"),
        ("insert into gap values (7, 9)", "in gaps 3"),
    ],
)
def test_each_difference_is_seen(
    damage: str, seen: str, edges: History, database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute(damage)
    verdict = verdict_on(edges, tmp_path / "hub.db")
    assert not verdict.is_right
    assert seen in str(verdict)


def test_a_person_whom_the_edge_has_forgotten_since_is_not_compared(
    agent: Agent, database: sqlite3.Connection, tmp_path: Path
) -> None:
    assert database.execute("select count(*) from journal").fetchone() == (1,)
    statement(agent.settings.folder, "UPDATE outbox SET person = NULL")
    edges, _ = committed_at(SITE, agent.settings.folder / "outbox.db")
    assert len(edges.blanked) == 1
    assert verdict_on(edges, tmp_path / "hub.db").is_right


def test_a_hole_at_an_edge_is_seen(agent: Agent) -> None:
    agent.store(*[desk(number) for number in range(20)])
    statement(agent.settings.folder, "DELETE FROM outbox WHERE seq = 7")
    with pytest.raises(AssertionError, match="has a hole"):
        committed_at(SITE, agent.settings.folder / "outbox.db")
