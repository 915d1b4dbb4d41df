"""A file whose pages are whole and whose content is not: one bit on a card is enough."""

import sqlite3
import time
from pathlib import Path
from random import Random

import pytest

from contract.messages import BatchHeader, Held
from edge.outbox import prepare_folder
from edge.outbox.file import PAGE_BYTES, OutboxFile
from tests.support.events import PERSON, access, desk
from tests.support.outbox_agent import Agent, folder, statement, stored_count
from tests.support.waiting import eventually

__all__ = ["folder"]  # fixture


def fill(folder: Path, streams: int = 3) -> None:
    for _ in range(streams):
        agent = Agent(folder).start()
        agent.store(access(1), person=PERSON)
        agent.store(*[desk(number) for number in range(20)])
        agent.stop()


def is_moved_aside(folder: Path) -> bool:
    return any(folder.glob("outbox.db.corrupt-*"))


def live_on(folder: Path) -> Agent:
    """Let an agent store, say all that it says to a hub, and have it acknowledged: nothing of that may end it."""
    agent = Agent(folder).start()
    agent.put(desk(99))
    eventually(lambda: bool(agent.crashes) or agent.outbox.status().storage == "ok", what="stored")
    for held in agent.outbox.held():
        Held(stream=held.stream, first=held.first, last=held.last)
        found = agent.outbox.read(held.stream, held.first, min(held.last, held.first + 199))
        assert found is not None, "no stream stands before those behind it for ever"
        BatchHeader(site="murat", stream=held.stream, boot=found[0], first=held.first, n=len(found[1]), sent_at=0)
    agent.answer(**{f"s{number}": held.last for number, held in enumerate(agent.outbox.held())})
    agent.stop()
    return agent


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE stream SET stream = 'A' || substr(stream, 2) WHERE ordinal = 2",
        "UPDATE stream SET boot = '' WHERE ordinal = 2",
        "UPDATE stream SET last = 1 << 40 WHERE ordinal = 2",
        "UPDATE stream SET last = 3 WHERE ordinal = 2",
        "UPDATE stream SET first = 0 WHERE ordinal = 2",
        "UPDATE stream SET acknowledged = 400 WHERE ordinal = 2",
        "UPDATE stream SET sure_ms = -1 WHERE ordinal = 3",
        "UPDATE outbox SET ordinal = 4 WHERE ordinal = 2 AND seq = 1",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "UPDATE tally SET count = 9223372036854775807 WHERE name = 'opened'",
        "INSERT INTO refused VALUES ('desk', -1)",
        "UPDATE _sqlite_migrations SET name = 'girst_schema' WHERE name = 'first_schema'",
    ],
)
def test_a_file_that_says_what_cannot_be_is_moved_aside(folder: Path, damage: str) -> None:
    fill(folder)
    statement(folder, damage)
    live_on(folder)
    assert is_moved_aside(folder)


def test_a_name_that_is_another_than_its_index_says_is_found(folder: Path) -> None:
    fill(folder)
    ((name,),) = statement(folder, "SELECT stream FROM stream WHERE ordinal = 2")
    content = (folder / "outbox.db").read_bytes()
    digit = b"1" if str(name)[0] == "0" else b"0"
    (folder / "outbox.db").write_bytes(content.replace(str(name).encode(), digit + str(name).encode()[1:], 1))
    live_on(folder)
    assert is_moved_aside(folder)


def test_tables_whose_names_are_no_text_are_moved_aside(folder: Path) -> None:
    fill(folder)
    content = (folder / "outbox.db").read_bytes()
    (folder / "outbox.db").write_bytes(
        content.replace(b"CREATE TABLE refused (kind TEXT", b"CREATE TABLE refused (kind T\xa5XT")
    )
    live_on(folder)
    assert is_moved_aside(folder)


def test_a_damaged_person_costs_the_person_alone(folder: Path) -> None:
    fill(folder)
    content = (folder / "outbox.db").read_bytes()
    (folder / "outbox.db").write_bytes(content.replace(PERSON.encode(), b"k7q2\xff9x4"))
    agent = live_on(folder)
    assert not is_moved_aside(folder)
    assert stored_count(agent.outbox) == 3 * 21 + 1


def test_a_time_that_cannot_be_is_not_told(folder: Path) -> None:
    fill(folder)
    statement(folder, "UPDATE outbox SET stored_ms = -5 WHERE ordinal = 1 AND seq = 1")
    agent = Agent(folder).start()
    eventually(lambda: agent.outbox.status().depth == 63, what="opened")
    assert agent.outbox.status().oldest_at is None
    agent.stop()


@pytest.mark.parametrize("from_end", [3, 5, 8])
def test_an_index_of_persons_that_fails_in_use_is_made_anew(folder: Path, from_end: int) -> None:
    """A quick look at the start leaves it out; blanking goes by it."""
    fill(folder)
    statement(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    ((page,),) = statement(folder, "SELECT rootpage FROM sqlite_schema WHERE name = 'outbox_person'")
    assert isinstance(page, int)
    content = bytearray((folder / "outbox.db").read_bytes())
    content[page * PAGE_BYTES - from_end] ^= 2
    (folder / "outbox.db").write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        statement(folder, "UPDATE outbox SET person = NULL WHERE person IS NOT NULL")
    agent = live_on(folder)
    eventually(lambda: agent.outbox.status().storage == "ok", what="made anew")
    assert not is_moved_aside(folder)
    assert [row[0] for row in statement(folder, "SELECT person FROM outbox WHERE seq = 1 AND ordinal < 4")] == [
        PERSON
    ] * 3


@pytest.mark.parametrize("seed", range(4))
def test_whatever_byte_is_damaged_the_agent_lives_and_stores(folder: Path, tmp_path: Path, seed: int) -> None:
    fill(folder)
    sound = (folder / "outbox.db").read_bytes()
    random, until_s = Random(seed), time.monotonic() + 30.0
    for life in range(12):
        if time.monotonic() > until_s:
            break
        place = tmp_path / f"life-{life}"
        prepare_folder(place)
        content = bytearray(sound)
        at = random.randrange(len(content))
        content[at] ^= 1 << random.randrange(8)
        (place / "outbox.db").write_bytes(content)
        live_on(place)


def test_streams_that_can_no_longer_be_read_are_moved_aside_without_waiting_for_a_restart(folder: Path) -> None:
    agent = Agent(folder).start()
    agent.store(*[desk(number) for number in range(20)])
    (held,) = agent.outbox.held()
    statement(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    ((page,),) = statement(folder, "SELECT rootpage FROM sqlite_schema WHERE name = 'stream'")
    assert isinstance(page, int)
    content = bytearray((folder / "outbox.db").read_bytes())
    content[(page - 1) * PAGE_BYTES] ^= 0xFF
    (folder / "outbox.db").write_bytes(content)
    assert agent.outbox.read(held.stream, held.first, held.last) is None
    eventually(lambda: is_moved_aside(folder), what="moved aside")
    agent.put(desk(99))
    eventually(lambda: stored_count(agent.outbox) == 1, what="stored in the new file")
    (fresh,) = agent.outbox.held()
    assert agent.outbox.read(fresh.stream, 1, 1) is not None
    assert agent.crashes == []
    agent.stop()


class Unreadable(OutboxFile):
    """A storage of which the first question after a failed commit fails too."""

    failures = 0

    def append(self, *_: object) -> None:
        if Unreadable.failures == 0:
            Unreadable.failures = 1
            raise sqlite3.OperationalError("disk I/O error")
        super().append(*_)  # type: ignore[arg-type]  # as they came

    def refused(self) -> dict[str, int]:
        if Unreadable.failures == 1:
            Unreadable.failures = 2
            raise sqlite3.OperationalError("disk I/O error")
        return super().refused()


def test_events_of_a_failed_commit_wait_although_the_file_cannot_be_read_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox.outbox.OutboxFile", Unreadable)
    monkeypatch.setattr(Unreadable, "failures", 0)
    agent = Agent(folder).start()
    agent.put(desk(1), desk(2))
    eventually(lambda: Unreadable.failures == 2, what="both failures")
    eventually(lambda: stored_count(agent.outbox) == 2, what="stored in the end")
    agent.stop()
