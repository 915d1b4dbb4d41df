"""`rebuild` believes no instant: each is computed anew from what its event says, told if it was another, and put right.

The oracle is what the tables held before somebody changed them: the ingest had computed it as the messages came.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from random import Random

import pytest

from contract.messages import BatchHeader
from hub.custody import commit
from hub.receiver import Batch
from hub.store import CountDifference, Difference, Store, timing
from hub.store.connection import Engine
from tests.support.changed_figures import TABLES as FIGURES
from tests.support.comings import coming, settle
from tests.support.jumble import jumbled
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal

DAY_MS = 24 * 60 * MINUTE_MS
KEYS = {
    "event": ("site", "stream", "seq"),
    "stream": ("site", "stream"),
    "boot": ("site", "boot"),
    "journal": ("site", "stream", "seq"),
}
DERIVED = {
    "event": ("at_ms",),
    "stream": ("first_at", "events", "quarantined"),
    "boot": ("up", "seq", "offset_ms"),
    "journal": ("at_ms", "entry_ms"),
}
"""Of each table of history, what tells its rows apart, and what the hub has computed of it."""

WALKED = ("stream",)
"""Tables that also say how far was walked, and when a message came: not the same in two hubs."""

NEEDED = {"events", "quarantined", "up", "seq", "offset_ms"} | {"journal at_ms"}
"""Columns that are never empty."""


def hub_that_heard_a_jumble(home: Path | Engine) -> Store:
    """Return a store that three edges told of three days and, wrongly, of days to come; all of it is computed."""
    store = cantal(home, now_ms=NOON_MS)
    with closing(store.writer()) as writer:
        commit(writer, list(jumbled(Random(1), NOON_MS - 3 * DAY_MS, 60 * MINUTE_MS)))
        settle(writer)
    return store


@pytest.fixture(scope="module")
def store(homes: Callable[[Path], Path | Engine], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all: whatever a test changes in it is put right again, or the next test fails, too."""
    made = hub_that_heard_a_jumble(homes(tmp_path_factory.mktemp("hub")))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MAX_PAGE_EVENTS", 50)


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of history, of the timeline and of the figures."""
    tables = (*KEYS, *FIGURES, "timeline", "standing")
    with store.seen() as connection:
        return {
            table: sorted((tuple(row) for row in connection.execute(f"select * from {table}")), key=repr)  # noqa: S608 - names of our own
            for table in tables
        }


def change(store: Store, statement: str, values: dict[str, object] | None = None) -> int:
    """Change the tables by hand; return how many rows that touched."""
    with store.changed() as connection:
        return int(connection.execute(statement, values or {}).rowcount)


def places(store: Store, table: str, column: str) -> list[tuple[tuple[object, ...], object]]:
    """Return the key of every row of a table, and what it holds in a column."""
    keys = ", ".join(KEYS[table])
    with store.seen() as connection:
        rows = connection.execute(f"select {keys}, {column} from {table} order by {keys}").fetchall()  # noqa: S608 - names of our own
    return [(tuple(row[:-1]), row[-1]) for row in rows]


def put(store: Store, table: str, column: str, key: tuple[object, ...], value: object) -> None:
    """Write a value into one row."""
    names = KEYS[table]
    where = " and ".join(f"{name} = :{name}" for name in names)
    values = {**dict(zip(names, key, strict=True)), "value": value}
    assert change(store, f"update {table} set {column} = :value where {where}", values) == 1  # noqa: S608 - names of our own


def told(found: list[Difference | CountDifference]) -> dict[str, int]:
    """Return of how many things of each sort a rebuild told, by the first word of what it calls them."""
    names = sorted(one.what.split()[0] for one in found if isinstance(one, CountDifference))
    return {name: len(list(some)) for name, some in groupby(names)}


def test_what_the_ingest_computed_is_what_the_events_say(store: Store) -> None:
    """Also of streams that say to be of another boot than before, and of lines that nobody could read."""
    rows = rows_of(store)
    assert [table for table in (*KEYS, "day_figure", "visit_figure", "timeline") if not rows[table]] == []
    retimed = "select count(*) from event where clock = 'unsynced' and at_ms is not null"
    with store.seen() as connection:
        assert connection.execute(retimed).fetchone()[0] > 50
        assert connection.execute("select count(*) from event where at_ms is null").fetchone()[0] > 50
    assert store.rebuild() == []
    assert rows_of(store) == rows


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_damaged_of_the_instants_is_found_told_and_put_right(store: Store, seed: int) -> None:
    rng = Random(seed)
    before = rows_of(store)
    damaged: set[tuple[str, object]] = set()
    for _ in range(rng.choice([1, 1, 5, 40])):
        table = rng.choice(list(DERIVED))
        column = rng.choice(DERIVED[table])
        key, stands = rng.choice(places(store, table, column))
        is_needed = column in NEEDED or f"{table} {column}" in NEEDED
        near = (stands if isinstance(stands, int) else NOON_MS) + rng.choice([-DAY_MS, -1, 1, DAY_MS])
        value = rng.choice([near, near, 0, 2**40] + ([] if is_needed else [None, 2**60]))
        what = (table, (*key, column) if table == "stream" else key)
        if value == stands or what in damaged:
            continue
        put(store, table, column, key, value)
        damaged.add(what)
    found = told(store.rebuild())
    assert found == {table: n for table in sorted(DERIVED) if (n := sum(one == table for one, _ in damaged))}
    assert rows_of(store) == before
    assert store.rebuild() == []


@pytest.mark.parametrize(
    ("damage", "most"),
    [
        ("delete from boot", 6),
        ("update boot set boot = 'rubbish' where site = 'murat'", 2),
        ("update boot set site = 'nowhere' where site = 'murat'", 4),
        ("insert into boot (site, boot, up, stream, seq, offset_ms) values ('nowhere', 'b', 1, 'a', 1, 1)", 1),
    ],
)
def test_a_clock_that_no_event_ties_is_dropped_and_one_that_is_missing_comes_back(
    store: Store, damage: str, most: int
) -> None:
    before = rows_of(store)
    assert change(store, damage) > 0
    found = told(store.rebuild())
    assert found.keys() == {"boot"}
    assert 0 < found["boot"] <= most
    assert rows_of(store) == before


@pytest.mark.parametrize(
    "damage",
    [
        "update stream set first_at = first_at + 172800000 where site = 'murat'",
        "update event set at_ms = at_ms + 43200000 where at_ms is not null and seq % 5 = 0",
        "update event set at_ms = null where at_ms is not null and site = 'murat' and seq < 100",
        "update boot set offset_ms = offset_ms - 7200000",
    ],
)
def test_figures_that_were_computed_by_damaged_instants_are_told_and_put_right(store: Store, damage: str) -> None:
    """As a hub does that runs on, or as a rebuild did that believed them."""
    before = rows_of(store)
    touched = change(store, damage)
    assert touched > 0
    if "boot" in damage:
        sites = "select boot.offset_ms from boot where boot.site = event.site limit 1"
        change(store, f"update event set at_ms = up + ({sites}) where clock = 'unsynced' and at_ms is not null")  # noqa: S608 - of our own
    change(store, "update stream set folded = 0")
    with closing(store.writer()) as writer:
        settle(writer)
    wrong = rows_of(store)
    assert wrong["day_figure"] != before["day_figure"]
    found = store.rebuild()
    assert sum(told(found).get(name, 0) for name in ("event", "stream", "boot")) >= touched
    assert any(isinstance(one, Difference) and one.step == "day" for one in found)
    assert rows_of(store) == before
    assert store.rebuild() == []


def test_counts_of_persons_and_doors_by_damaged_instants_are_told_and_put_right(store: Store) -> None:
    before = rows_of(store)
    assert change(store, "update event set at_ms = at_ms + 86400000 where kind = 'access_decided' and seq % 2 = 0") > 0
    assert change(store, "update journal set entry_ms = entry_ms + 86400000 where seq % 2 = 0") > 0
    change(store, "insert into visit_mark (site, day) select distinct site, day from visit_figure where step = 'day'")
    with closing(store.writer()) as writer:
        settle(writer)
    assert rows_of(store)["visit_figure"] != before["visit_figure"]
    found = told(store.rebuild())
    assert {"event", "journal", "visits"} <= found.keys()
    assert rows_of(store) == before


@pytest.mark.parametrize("value", ["'rubbish'", "x'00ff'", "9e99"])
@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in DERIVED.items() for column in columns]
)
def test_what_a_file_may_hold_in_a_column_of_instants_is_found_and_put_right(
    file: Path, table: str, column: str, value: str
) -> None:
    with closing(Store(file, now_ms=lambda: NOON_MS)) as store:
        before = rows_of(store)
        one = f"(select max(rowid) from {table})"  # noqa: S608 - names of our own
        assert change(store, f"update {table} set {column} = {value} where rowid = {one}") == 1  # noqa: S608 - see above
        assert told(store.rebuild()) == {table: 1}
        assert rows_of(store) == before


@pytest.mark.parametrize("column", ["t", "up", "received_at"])
def test_an_event_whose_own_words_are_damaged_keeps_its_instant(file: Path, column: str) -> None:
    with closing(Store(file, now_ms=lambda: NOON_MS)) as store:
        one = "(select max(rowid) from event where clock = 'synced' and kind = 'desk_state_changed')"
        change(store, f"create table kept as select * from event where rowid = {one}")  # noqa: S608 - of our own
        change(store, f"update event set {column} = 'rubbish' where rowid = {one}")  # noqa: S608 - of our own
        assert store.rebuild() == []
        change(store, f"update event set {column} = (select {column} from kept) where {column} = 'rubbish'")  # noqa: S608 - of our own
        change(store, "drop table kept")
        assert store.rebuild() == []


def test_an_event_that_the_database_refused_is_no_stream_s_first_and_names_nobody(tmp_path: Path) -> None:
    lines = [coming(NOON_MS - 5_000, up=666), coming(NOON_MS - 4_000), coming(NOON_MS - 3_000, up=666)]
    header = BatchHeader(
        site="murat",
        stream="a" * 32,
        boot="b" * 32,
        first=1,
        n=3,
        sent_at=NOON_MS,
        persons=dict.fromkeys((1, 2, 3), "k7q2m9x4"),
    )
    with closing(cantal(tmp_path, now_ms=NOON_MS)) as store, closing(store.writer()) as writer:
        poison = (
            "create trigger poison before insert on event when new.up = 666 begin select raise(abort, 'poison'); end"
        )
        change(store, poison)
        with writer.transaction():
            assert writer.receive(Batch(header, lines), NOON_MS, singly=True) == (3, 1)
        settle(writer)
        assert [seq for (*_, seq), _ in places(store, "journal", "at_ms")] == [2]
        assert [at_ms for _, at_ms in places(store, "stream", "first_at")] == [NOON_MS - 4_000]
        assert store.rebuild() == []


def test_a_rebuild_beside_a_hub_that_takes_events_leaves_what_they_say(
    homes: Callable[[Path], Path | Engine], tmp_path: Path
) -> None:
    """However often instants are damaged meanwhile."""
    messages = list(jumbled(Random(2), NOON_MS - 3 * DAY_MS, 60 * MINUTE_MS))
    (tmp_path / "quiet").mkdir()
    with closing(cantal(tmp_path / "quiet", now_ms=NOON_MS)) as quiet, closing(quiet.writer()) as writer:
        commit(writer, messages)
        settle(writer)
        expected = rows_of(quiet)
    (tmp_path / "busy").mkdir()
    with closing(cantal(homes(tmp_path / "busy"), now_ms=NOON_MS)) as busy:

        def take() -> None:
            with closing(busy.writer()) as writer:
                for message in messages:
                    commit(writer, [message])
                settle(writer)

        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(take)
            rebuilds = 0
            while not taking.done() or rebuilds < 2:
                for damage in (
                    "event set at_ms = at_ms",
                    "stream set first_at = first_at",
                    "boot set offset_ms = offset_ms",
                ):
                    change(busy, f"update {damage} - 1000")
                busy.rebuild()
                rebuilds += 1
            taking.result()
        assert busy.rebuild() == []
        found = rows_of(busy)
    assert {table: rows for table, rows in found.items() if table not in WALKED} == {
        table: rows for table, rows in expected.items() if table not in WALKED
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a hub in one file, for all: whatever a test changes in it is put right again."""
    folder = tmp_path_factory.mktemp("hub")
    hub_that_heard_a_jumble(folder).close()
    return folder / "hub.db"
