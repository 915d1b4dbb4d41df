"""Desks, rooms and doors that the register does not hold: kept, told, and counted once they are declared.

What doors did: test_door_store.py.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from contract.events import Door, DoorStateChanged, encode
from contract.messages import BatchHeader
from hub.network import Network, read_network
from hub.receiver import Batch
from hub.store import OccupancyRow, Store, Undeclared
from hub.store.connection import Engine
from hub.store.schema import statements
from tests.support.telecentres import CANTAL, MIDNIGHT_MS, Change, cantal, put_history

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
"""Saturday, when Murat opens until noon."""
FRIDAY_MS = NINE_MS - DAY_MS
SATURDAY = date(2026, 11, 21)
ZONE = "Europe/Paris"


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    """Saturday evening; nine desks were wired up at Murat on Friday, and the register says six."""
    opened = cantal(home, now_ms=NINE_MS + 11 * HOUR_MS)
    desks: list[Change] = [(FRIDAY_MS, f"desk-{n:02}", "vacant") for n in (*range(1, 7), 9)]
    busy: list[Change] = [
        *((FRIDAY_MS + HOUR_MS, "desk-09", "occupied"), (FRIDAY_MS + 3 * HOUR_MS, "desk-09", "vacant")),
        *((NINE_MS, "desk-09", "occupied"), (NINE_MS + HOUR_MS, "desk-09", "vacant")),
    ]
    put_history(opened, "murat", [*desks, *busy], until=NINE_MS + 4 * HOUR_MS)
    yield opened
    opened.close()


def with_desks(count: int) -> Network:
    network = read_network(CANTAL)
    sites = [site.model_copy(update={"desks": count}) if site.id == "murat" else site for site in network.site]
    return network.model_copy(update={"site": sites})


def days_of(store: Store, resource: str) -> dict[str, OccupancyRow]:
    rows = store.occupancy("murat", "desk", "day", MIDNIGHT_MS - 3 * DAY_MS, MIDNIGHT_MS + DAY_MS)
    names = {MIDNIGHT_MS: "Saturday", MIDNIGHT_MS - DAY_MS: "Friday"}
    return {names[row.start_ms]: row for row in rows if row.resource == resource}


def settle(store: Store) -> None:
    writer = store.writer()
    pending = True
    while pending:
        with writer.transaction():
            pending = writer.settle_slice()
    writer.close()


def test_what_the_register_does_not_hold_is_told_with_its_first_and_last_change(store: Store) -> None:
    assert store.undeclared("murat", ZONE) == [
        Undeclared("desk-09", events=5, is_more=False, first_ms=FRIDAY_MS, last_ms=NINE_MS + HOUR_MS)
    ]
    assert store.undeclared("ydes", ZONE) == []


def test_until_it_is_declared_it_is_in_no_figure(store: Store) -> None:
    assert days_of(store, "desk-09") == {}


def test_once_it_is_declared_it_counts_from_the_day_on_which_it_was_first_heard_of(store: Store) -> None:
    changes = store.import_network(with_desks(9), today=SATURDAY)
    assert changes == [
        "site murat: desk-07 from 2026-11-21",
        "site murat: desk-08 from 2026-11-21",
        "site murat: desk-09 from 2026-11-20, when it was first heard of",
    ]
    settle(store)
    figures = days_of(store, "desk-09")
    assert {day: row.occupied_ms for day, row in figures.items()} == {"Friday": 2 * HOUR_MS, "Saturday": HOUR_MS}
    assert list(days_of(store, "desk-08")) == ["Saturday"], "of which nothing was heard: from the import on"
    assert store.undeclared("murat", ZONE) == []
    assert store.rebuild() == []


def test_a_desk_that_was_taken_out_is_not_told_for_what_it_said_until_that_day(store: Store) -> None:
    store.import_network(with_desks(5), today=SATURDAY)
    assert [place.resource for place in store.undeclared("murat", ZONE)] == ["desk-09"]


def test_a_desk_that_was_taken_out_and_speaks_on_is_told(store: Store) -> None:
    store.import_network(with_desks(0), today=date(2026, 11, 19))
    told = {place.resource: place.events for place in store.undeclared("murat", ZONE)}
    assert told == {**{f"desk-0{n}": 1 for n in range(1, 7)}, "desk-09": 5}


def test_a_desk_that_was_taken_out_and_comes_back_counts_from_then_on(store: Store) -> None:
    store.import_network(with_desks(0), today=date(2026, 11, 19))
    changes = store.import_network(with_desks(1), today=SATURDAY)
    assert changes == ["site murat: desk-01 from 2026-11-21"]
    settle(store)
    assert list(days_of(store, "desk-01")) == ["Saturday"]
    assert store.rebuild() == []


def test_a_door_that_only_said_how_it_was_is_told_too(store: Store) -> None:
    doors = [("door-01", NINE_MS), ("door-02", NINE_MS), ("door-02", NINE_MS + HOUR_MS)]
    lines = [
        encode(
            DoorStateChanged(
                subject=door, value=Door(state="locked", alarm="NORMAL"), t=at, clock="synced", up=at - NINE_MS
            )
        )
        for door, at in doors
    ]
    header = BatchHeader(site="murat", stream="6" * 32, boot="c" * 32, first=1, n=len(lines), sent_at=NINE_MS)
    writer = store.writer()
    with writer.transaction():
        writer.receive(Batch(header, lines), NINE_MS + HOUR_MS)
        writer.settle_sites({"murat"})
    writer.close()
    assert store.undeclared("murat", ZONE)[1] == Undeclared(
        "door-02", 2, is_more=False, first_ms=NINE_MS, last_ms=NINE_MS + HOUR_MS
    )


def test_no_question_reads_more_than_its_bound(tmp_path: Path) -> None:
    """Whatever the years of history: each statement goes to its site by an index.

    Asked of SQLite alone: PostgreSQL plans by the statistics of what is there, on a bench next to nothing.
    """
    store = Store(tmp_path / "hub.db")
    values = {"site": "murat", "resource": "desk-09", "door": "door-02", "from_ms": 0, "but": "", "most": 9}
    tables = ("SCAN event", "SCAN timeline", "SCAN standing", "SCAN door_figure", "SCAN resource")
    for name, statement in statements("undeclared").items():
        with store.seen() as connection:
            plan = [row[3] for row in connection.execute(f"explain query plan {statement}", values)]
        assert [step for step in plan if step.startswith(tables)] == [], name
    store.close()
