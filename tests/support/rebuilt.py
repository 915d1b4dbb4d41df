"""What `telecentre-hub rebuild` says of every hub that a test has run: no figure is other than the events say."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hub.store import CountDifference, Difference, Store

_FIGURES = "select count(*) from sqlite_master where type = 'table' and name = 'day_figure'"
_EVENTS = "select count(*) from event"
_DATABASE = b"SQLite format 3\0"


WITHOUT_EVENTS = frozenset(
    {
        *("test_access_list", "test_bad_lines", "test_bad_lists", "test_board_in_a_browser"),
        *("test_certificates_by_hand", "test_failing_syncs", "test_faults", "test_lossy_line", "test_many_taps"),
        *("test_oracle", "test_radar_frames", "test_small_disk", "test_wheel"),
    }
)
"""The modules whose tests tell no hub of anything; of every other one, a hub with events must be found."""


@dataclass(frozen=True)
class Rebuilt:
    """A hub's database, and what a computation of every figure anew found different in it."""

    file: Path
    events: int
    differences: list[Difference | CountDifference]


class Looks:
    """What was seen so far of the hubs in the folders that are made in a folder from now on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._others = set(folder.iterdir())
        self._seen: dict[Path, tuple[int, ...]] = {}

    def look(self) -> list[Rebuilt]:
        """Compute every figure of each hub that is new or has changed, in a copy: it may still be running."""
        new = set(self._folder.iterdir()) - self._others
        ours = [folder for folder in sorted(new) if not folder.is_symlink()]  # pytest links the current one
        states = {file: _state_of(file) for folder in ours for file in hubs_beneath(folder)}
        changed = [file for file, state in states.items() if self._seen.get(file) != state]
        self._seen |= states
        return [rebuilt(file) for file in changed]


class HubsOfModule:
    """What was found of the hubs that the tests of one module have run."""

    def __init__(self, looks: Looks, module: ModuleType) -> None:
        self._looks = looks
        self._name = module.__name__.rpartition(".")[2]
        self._not_run = {name for name in vars(module) if name.startswith("test_")}
        self._events = 0

    def look(self, when: str) -> None:
        """Hold that every hub that is new or has changed has the figures that its events say."""
        for found in self._looks.look():
            print(f"rebuild {when}: {_told(found)}")  # noqa: T201 -- shown when it fails
            self._events += found.events
            assert found.differences == [], _told(found)

    def ran(self, test: str) -> None:
        """Note that a test was run and passed."""
        self._not_run.discard(test)

    def check(self) -> None:
        """Hold that the look has found a hub where one was run: all too easily it looks in the wrong place."""
        if not self._not_run:
            tells_one = self._name not in WITHOUT_EVENTS
            assert (self._events > 0) == tells_one, f"{self._name}: {self._events} events found in its hubs"


def _told(found: Rebuilt) -> str:
    return f"{found.events} events, {len(found.differences)} differences in {found.file}: {found.differences[:5]}"


def hubs_beneath(folder: Path) -> Iterator[Path]:
    """Yield the databases of hubs in a folder, however deep and whatever their name: files with a table of figures."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink() and _is_database(file) and _asked(file, _FIGURES):
            yield file


def rebuilt(file: Path) -> Rebuilt:
    """Compute every figure of a copy of a hub's database anew, as `telecentre-hub rebuild` does."""
    with tempfile.TemporaryDirectory(prefix="rebuilt-") as folder:
        copy = Path(folder) / "hub.db"
        with closing(_read(file)) as original, closing(sqlite3.connect(copy)) as connection:
            original.backup(connection)
        events = _asked(copy, _EVENTS)
        with closing(Store(copy)) as store:
            return Rebuilt(file, events, store.rebuild())


def _state_of(file: Path) -> tuple[int, ...]:
    """Return what is different when a database or its log was written."""
    files = [one for one in (file, file.with_name(f"{file.name}-wal")) if one.exists()]
    return tuple(number for one in files for number in (one.stat().st_size, one.stat().st_mtime_ns))


def _is_database(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_DATABASE)) == _DATABASE
    except FileNotFoundError:  # of a program that runs on
        return False


def _read(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)


def _asked(file: Path, question: str) -> int:
    """Return a number; 0 of a file that was damaged on purpose. One that cannot be opened fails the test."""
    with closing(_read(file)) as connection:
        try:
            return int(connection.execute(question).fetchone()[0])
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                return 0
            raise
