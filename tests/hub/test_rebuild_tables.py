"""`rebuild` looks at every table of figures, and at every row of it, on both engines; what it finds, it puts right."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.__main__ import main
from hub.store import CountDifference, Store
from hub.store.connection import Engine
from tests.support.changed_figures import CHANGED_BY_HAND, KEYS, STRAYS, TABLES, damaged, hub_that_was_used


@pytest.fixture(scope="module")
def store(homes: Callable[[Path], Path | Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all: whatever a test changes in it is put right again, or the next test fails, too."""
    made = hub_that_was_used(homes(tmp_path_factory.mktemp("hub")))
    yield made
    made.close()


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table of figures."""
    with store.seen() as connection:
        return {
            table: sorted((tuple(row) for row in connection.execute(f"select * from {table}")), key=str)  # noqa: S608 - names of our own
            for table in TABLES
        }


def change(store: Store, statement: str) -> int:
    """Change the tables by hand; return how many rows that touched."""
    with store.changed() as connection:
        return int(connection.execute(statement).rowcount)


def test_every_table_of_figures_has_rows(store: Store) -> None:
    assert [table for table, rows in rows_of(store).items() if not rows] == []
    assert store.rebuild() == []


@pytest.mark.parametrize("what", CHANGED_BY_HAND)
def test_a_figure_that_was_changed_by_hand_is_found_and_put_right(store: Store, what: str) -> None:
    before = rows_of(store)
    touched = change(store, CHANGED_BY_HAND[what])
    assert touched > 0
    assert len(store.rebuild()) == touched
    assert rows_of(store) == before


@pytest.mark.parametrize("what", STRAYS)
def test_a_row_that_no_event_bears_out_is_found_and_dropped(store: Store, what: str) -> None:
    before = rows_of(store)
    assert change(store, STRAYS[what]) == 1
    (found,) = store.rebuild()
    assert found.stored
    assert not any(found.computed) if isinstance(found, CountDifference) else found.computed is None
    assert rows_of(store) == before


NO_DAYS = ("rubbish", "2026-02-30", "0001-01-01", "9999-12-31")
"""No date, or one beside which there is none."""
DAMAGED = [
    (table, column, f"'{value}'")
    for table, columns in KEYS.items()
    for column in columns
    if column != "start_ms"
    for value in (NO_DAYS if column in ("day", "month") else ["rubbish"])
]
DAMAGED_IN_A_FILE = [
    (table, column, value)
    for table, columns in KEYS.items()
    for column in columns
    for value in (["'rubbish'", "x'00ff'", "9e99"] if column == "start_ms" else ["x'00ff'"])
]
"""What a column of numbers, or of words, may hold in SQLite alone."""


@pytest.mark.parametrize(("table", "column", "value"), DAMAGED)
def test_a_row_whose_key_was_damaged_is_found_and_put_right(store: Store, table: str, column: str, value: str) -> None:
    before = rows_of(store)
    assert change(store, damaged(table, column, value)) == 1
    assert store.rebuild() != []
    assert rows_of(store) == before


MARKS = {
    "dirty": "insert into dirty (site, day) values ('{}', '{}')",
    "visit_mark": "insert into visit_mark (site, day) values ('{}', '{}')",
    "visit_mark_taken": "insert into visit_mark_taken (site, day, counter) values ('{}', '{}', 'another')",
}
"""Of each table of marks, a statement that adds one for a place and a day."""


@pytest.mark.parametrize("table", MARKS)
def test_a_mark_whose_day_was_damaged_is_found_and_dropped(store: Store, table: str) -> None:
    before = rows_of(store)
    marks = sorted(product(("murat", "nowhere", "zone:est-cantal", "zone:gone"), NO_DAYS))
    for mark in marks:
        assert change(store, MARKS[table].format(*mark)) == 1
    assert sorted((one.site, one.day) for one in store.rebuild()) == marks
    assert store.rebuild() == []
    assert rows_of(store) == before
    assert store.totals().dirty == 0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a hub in one file, for all: whatever a test changes in it is put right again."""
    folder = tmp_path_factory.mktemp("hub")
    hub_that_was_used(folder).close()
    return folder / "hub.db"


@pytest.mark.parametrize(("table", "column", "value"), DAMAGED_IN_A_FILE)
def test_a_key_of_another_type_as_a_file_may_hold_it_is_found_and_put_right(
    file: Path, table: str, column: str, value: str
) -> None:
    with closing(Store(file)) as store:
        before = rows_of(store)
        assert change(store, damaged(table, column, value)) == 1
        assert store.rebuild() != []
        assert rows_of(store) == before


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damaged("visit_figure", "day", "'rubbish'"), "unreadable row of rubbish: stored ('rubbish',"),
        (damaged("door_figure", "start_ms", "'rubbish'"), "doors unreadable row of 2026-10-30: stored ("),
        (damaged("day_level", "profile", "'rubbish'"), "murat"),
        (damaged("day_hours", "hours", "'rubbish'"), "murat hours unreadable row of 2026-10-30: stored ("),
        (damaged("day_hours", "hours", "x'00ff'"), "murat hours unreadable row of 2026-10-30: stored ("),
        (damaged("day_hours", "hours", "zeroblob(36)"), "hour of 2026-10-30 at 0: stored {'end_ms': 0"),
        (damaged("day_hours", "start_ms", "7"), "hours of 2026-10-30 at 17"),
        (damaged("session", "resource", "x'00ff'"), r"b'\\x00\\xff'"),
        (
            "insert into dirty (site, day) values ('murat', 'rubbish')",
            "murat marks unreadable row of rubbish: stored (",
        ),
        ("insert into visit_mark (site, day) values (x'00ff', 'rubbish')", "visit marks unreadable row of rubbish"),
    ],
)
def test_a_damaged_row_is_a_sentence_of_the_command(file: Path, damage: str, told: str) -> None:
    config = file.with_name("hub.toml")
    config.write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n')
    for shown in ([], ["--json"]):
        with closing(Store(file)) as store:
            change(store, damage)
        done = CliRunner().invoke(main, ["rebuild", "--config", str(config), *shown])
        assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output
        assert (told in done.output) if not shown else json.loads(done.output)["differences"], done.output
