"""The look at every hub that a system test leaves (tests/system/conftest.py) sees a figure that somebody changed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from hub.store import Store
from tests.support.changed_figures import CHANGED_BY_HAND, STRAYS, hub_that_was_used
from tests.support.rebuilt import HubsOfModule, Looks, hubs_beneath, rebuilt

WRONG = CHANGED_BY_HAND | {
    what: STRAYS[what] for what in ("hours of a day without figures", "a month without days", "visits of nowhere")
}
"""Of the rows that lie nowhere, a few: tests/hub/test_rebuild_tables.py has them all."""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's database with a figure of every kind."""
    folder = tmp_path_factory.mktemp("used")
    hub_that_was_used(folder).close()
    return folder / "hub.db"


@pytest.fixture
def hub(used: Path, tmp_path: Path) -> Path:
    """A copy of it for each test, deep in a folder."""
    folder = tmp_path / "state" / "hub"
    folder.mkdir(parents=True)
    return Path(shutil.copy(used, folder / "telecentres.sqlite3"))


@pytest.mark.parametrize("what", WRONG)
def test_a_figure_that_was_changed_by_hand_is_found(hub: Path, tmp_path: Path, what: str) -> None:
    with closing(sqlite3.connect(hub)) as connection, connection:
        assert connection.execute(WRONG[what]).rowcount > 0
    (found,) = hubs_beneath(tmp_path)
    assert rebuilt(found).differences
    put_right(found)


def test_only_what_is_new_or_has_changed_is_computed_again(hub: Path, tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    other = tmp_path / "new" / "hub.db"
    other.parent.mkdir()
    shutil.copy(hub, other)
    assert [found.file for found in looks.look()] == [other]
    assert looks.look() == []
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("delete from session")
    (found,) = looks.look()
    assert found.differences
    assert found.events > 0
    put_right(other)


def test_a_hub_that_still_runs_is_looked_at_and_left_alone(hub: Path) -> None:
    with closing(Store(hub)) as store, closing(store.writer()) as writer, writer.transaction():
        content = hub.read_bytes()
        assert rebuilt(hub).differences == []
    assert hub.read_bytes() == content


def test_a_file_that_is_no_hub_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all")
    (tmp_path / "damaged.db").write_bytes(b"SQLite format 3\0" + bytes(4_096))
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("create table event (seq integer)")
    assert list(hubs_beneath(tmp_path)) == []


@pytest.mark.parametrize(("name", "is_right"), [("test_rebuild", True), ("test_small_disk", False)])
def test_a_module_leaves_a_hub_with_events_if_it_is_known_to_run_one(
    used: Path, tmp_path: Path, name: str, *, is_right: bool
) -> None:
    module = ModuleType(f"tests.system.{name}")
    vars(module)["test_something"] = None
    with_one, without = (HubsOfModule(Looks(tmp_path), module) for _ in range(2))
    without.look("before")
    (tmp_path / "state").mkdir()
    shutil.copy(used, tmp_path / "state")
    with_one.look("after")
    for found in (with_one, without):
        found.check()  # not all has been run: nothing can be said
        found.ran("test_something")
    right, wrong = (with_one, without) if is_right else (without, with_one)
    right.check()
    with pytest.raises(AssertionError, match=name):
        wrong.check()


def put_right(file: Path) -> None:
    """Leave a hub in which no figure is different: whoever looks after this test would find it."""
    with closing(Store(file)) as store:
        store.rebuild()
    assert rebuilt(file).differences == []
