"""What `telecentre-hub rebuild` says of every hub that a test has run: no figure is other than the events say."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hub.store import CountDifference, Difference, Store

_FIGURES = "select count(*) from sqlite_master where type = 'table' and name = 'day_figure'"
_EVENTS = "select count(*) from event"


@dataclass(frozen=True)
class Rebuilt:
    """A hub's database, and what a computation of every figure anew found different in it."""

    file: Path
    events: int
    differences: list[Difference | CountDifference]


def hubs_beneath(folder: Path) -> Iterator[Path]:
    """Yield the databases of hubs in a folder, however deep: whatever file has a table of figures."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".db", ".sqlite") and file.is_file() and not file.is_symlink() and _asked(file, _FIGURES):
            yield file


def rebuilt(file: Path) -> Rebuilt:
    """Compute every figure of a hub that has stopped anew, as `telecentre-hub rebuild` does."""
    events = _asked(file, _EVENTS)
    with closing(Store(file)) as store:
        return Rebuilt(file, events, store.rebuild())


def _asked(file: Path, question: str) -> int:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute(question).fetchone()[0])
    except sqlite3.DatabaseError:  # it is no database, or was damaged on purpose
        return 0
