"""`rebuild` looks at every table of figures, and at every row of it, on both engines; what it finds, it puts right."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store import CountDifference, Store
from hub.store.connection import Engine
from tests.support.changed_figures import CHANGED_BY_HAND, STRAYS, TABLES, hub_that_was_used


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
