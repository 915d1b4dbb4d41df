"""The look at every hub that a system test leaves (tests/system/conftest.py) sees a figure that somebody changed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.changed_figures import CHANGED_BY_HAND, STRAYS, hub_that_was_used
from tests.support.rebuilt import hubs_beneath, rebuilt

WRONG = CHANGED_BY_HAND | STRAYS


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's database, deep in a folder, with a figure of every kind."""
    base = tmp_path_factory.mktemp("used")
    folder = base / "state" / "hub"
    folder.mkdir(parents=True)
    hub_that_was_used(folder).close()
    return base


@pytest.mark.parametrize("what", WRONG)
def test_a_figure_that_was_changed_by_hand_is_found_and_put_right(hub: Path, what: str) -> None:
    (found,) = hubs_beneath(hub)
    with closing(sqlite3.connect(found)) as connection, connection:
        assert connection.execute(WRONG[what]).rowcount > 0
    assert rebuilt(found).differences
    assert rebuilt(found).differences == []


def test_a_file_that_is_no_hub_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all")
    sqlite3.connect(tmp_path / "other.db").close()
    assert list(hubs_beneath(tmp_path)) == []
