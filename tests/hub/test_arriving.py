"""History of one transaction is gathered before it is written: what it leaves does not depend on who came with whom."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from hub.custody import Message, Outcome, commit
from hub.store import Store
from hub.store.connection import Engine
from tests.support.jumble import HISTORY, MESSAGES, jumbled
from tests.support.postgres import Postgres
from tests.support.telecentres import NOON_MS, cantal


def _told(home: Path | Engine, messages: Sequence[Message], together: int) -> tuple[Outcome, dict[str, set[object]]]:
    """Commit messages so many at a time; return what was promised, and all that was written."""
    with closing(cantal(home, now_ms=NOON_MS)) as store:
        outcome = Outcome()
        with closing(store.writer()) as writer:
            for at in range(0, len(messages), together):
                outcome.add(commit(writer, messages[at : at + together], settle=False))
        return outcome, {table: _rows(store, table) for table in HISTORY}


def _home(where: Path | Postgres, folder: Path) -> Path | Engine:
    """Return an empty folder for a file, or an empty database."""
    if isinstance(where, Postgres):
        return where.database(folder)
    where.mkdir()
    return where


def _rows(store: Store, table: str) -> set[object]:
    with store.seen() as connection:
        # Both are written above.
        return set(connection.execute(f"select {HISTORY[table]} from {table}").fetchall())  # noqa: S608 - see above


@pytest.mark.parametrize("seed", range(3))
def test_messages_leave_the_same_whether_they_come_together_or_one_by_one(
    postgres: Postgres, tmp_path: Path, seed: int
) -> None:
    messages = list(jumbled(Random(seed)))
    alone, written = _told(tmp_path, messages, 1)
    assert len(written["event"]) > 100
    others: list[tuple[Path | Postgres, int]] = [(tmp_path / "other", MESSAGES), (postgres, 7), (postgres, MESSAGES)]
    for home, together in others:
        outcome, rows = _told(_home(home, tmp_path), messages, together)
        assert (outcome.stored, outcome.refused, outcome.positions) == (alone.stored, alone.refused, alone.positions)
        assert outcome.answers == alone.answers
        assert rows == written
