"""The look at every hub that a system test leaves (tests/system/conftest.py) sees a figure that somebody changed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hub.store import CountDifference, Difference
from tests.support.rebuilt import hubs_beneath, rebuilt
from tests.support.telecentres import MINUTE_MS, NOON_MS, Change, cantal, put_history

CHANGED_BY_HAND = {
    "hour": "update hour_figure set occupied_ms = occupied_ms + 1 where resource = 'desk-01' and occupied_ms > 0",
    "day": "update day_figure set observed_ms = 5 where resource = 'desk-01'",
    "level": "update day_level set peak = 7",
    "session": "delete from session",
}


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub's database, deep in a folder, with one desk that was taken for an hour on Saturday morning."""
    folder = tmp_path / "state" / "hub"
    folder.mkdir(parents=True)
    with closing(cantal(folder)) as store:
        begun = NOON_MS - 180 * MINUTE_MS
        told: list[Change] = [
            (begun, "desk-01", "vacant"),
            (begun + 60 * MINUTE_MS, "desk-01", "occupied"),
            (begun + 120 * MINUTE_MS, "desk-01", "vacant"),
        ]
        put_history(store, "murat", told, until=NOON_MS)
    return folder / "hub.db"


@pytest.mark.parametrize("change", CHANGED_BY_HAND)
def test_a_figure_that_was_changed_by_hand_is_found_and_put_right(hub: Path, tmp_path: Path, change: str) -> None:
    assert rebuilt(hub).differences == []
    with closing(sqlite3.connect(hub)) as connection, connection:
        assert connection.execute(CHANGED_BY_HAND[change]).rowcount > 0
    (found,) = hubs_beneath(tmp_path)
    differences: list[Difference | CountDifference] = rebuilt(found).differences
    assert differences
    assert {difference.site for difference in differences if isinstance(difference, Difference)} == {"murat"}
    assert rebuilt(found).differences == []


def test_a_file_that_is_no_hub_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all")
    sqlite3.connect(tmp_path / "other.db").close()
    assert list(hubs_beneath(tmp_path)) == []
