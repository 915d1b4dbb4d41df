"""A month of all telecentres, read at once for a release, equals what is read one by one, and takes few questions."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hub.cells import Place
from hub.commands.export import read_month
from hub.disclosure import Figure
from hub.lateness import Basis, decode_basis
from hub.network import Network, NetworkTable, SiteTable, ZoneTable, read_network
from hub.observatory import SUBJECTS, Came, Month, month_span, used_in
from hub.opening import day_of
from hub.store import Kind, Store, VisitStep
from hub.store.connection import Connection, Cursor, Engine, Values
from hub.store.publishing import DayRow, pending_before, read_days
from hub.store.register import read_sites
from hub.store.visit_figures import read_all_visits, read_visits
from hub.store.visit_places import zones_with_members
from tests.support.entries import ADA, BEA, put_taps
from tests.support.telecentres import CANTAL, Change, put_history, store_in

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OCTOBER, NOVEMBER = date(2025, 10, 1), date(2025, 11, 1)
FIRST_MS = int(datetime(2025, 9, 30, 22, tzinfo=UTC).timestamp()) * 1000
"""Local midnight of the first of October."""
END_MS = int(datetime(2025, 10, 31, 23, tzinfo=UTC).timestamp()) * 1000
NOW_MS = END_MS + 20 * DAY_MS
MURAT: list[Change] = [
    (FIRST_MS - DAY_MS, "desk-01", "vacant"),
    (FIRST_MS + 9 * HOUR_MS, "desk-01", "occupied"),
    (FIRST_MS + 11 * HOUR_MS, "desk-01", "vacant"),
    # Begun in the evening of the last day, and over in November.
    (END_MS - 2 * HOUR_MS, "desk-01", "occupied"),
    (END_MS + HOUR_MS, "desk-01", "vacant"),
    (END_MS + 2 * HOUR_MS, "desk-01", "occupied"),
    (END_MS + 3 * HOUR_MS, "desk-01", "vacant"),
]


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    """A store that heard two of ten telecentres for parts of October, and who came to them."""
    opened = store_in(home, lambda: NOW_MS)
    opened.import_network(read_network(CANTAL), today=OCTOBER)
    put_history(opened, "murat", MURAT, until=END_MS + 4 * HOUR_MS)
    put_history(opened, "allanche", [(FIRST_MS + 8 * DAY_MS, "desk-01", "vacant")], until=FIRST_MS + 10 * DAY_MS)
    settle(opened)
    put_taps(
        opened,
        "mauriac",
        [(FIRST_MS + 9 * HOUR_MS, ADA, "GRANTED"), (FIRST_MS + 8 * DAY_MS + 9 * HOUR_MS, BEA, "GRANTED")],
        until=END_MS,
    )
    yield opened
    opened.close()


def settle(store: Store) -> None:
    with closing(store.writer()) as writer:
        pending = True
        while pending:
            with writer.transaction():
                pending = writer.settle_slice()


@pytest.mark.parametrize("kind", SUBJECTS)
def test_what_is_read_of_all_is_what_is_read_of_each(store: Store, kind: Kind) -> None:
    sites = store.sites()
    zones = {site.id: site.zone for site in sites}
    closed = {(site.id, room.id) for site in sites for room in site.rooms if room.confidential}
    begun = Counter(
        (one.site, one.resource, one.day) for site in sites for one in store.sessions(site.id, kind, FIRST_MS, END_MS)
    )
    expected = []
    for row in store.occupancy(None, kind, "day", FIRST_MS, END_MS):
        at = row.site, row.resource, day_of(row.start_ms, zones[row.site]).isoformat()
        if at[:2] not in closed:
            expected.append((*at, row.available_ms, row.observed_ms, row.occupied_ms, begun[at]))
    with store.seen() as connection:
        found = list(read_days(connection, kind, (FIRST_MS, END_MS), OCTOBER, NOVEMBER))
    assert [tuple(row) for row in found] == expected
    assert {row.site for row in found} > {"murat", "allanche", "ydes"}
    assert sum(row.sessions for row in found) == (2 if kind == "desk" else 0)


def test_the_visits_of_all_places_are_those_of_each_looked_up_in_either_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = FIRST_MS, END_MS
    with store.seen() as connection:
        places = sorted({site.id for site in read_sites(connection)} | zones_with_members(connection).keys())
        for step, visits in STEPS.items():
            each = [row for place in places for row in read_visits(connection, place, step, lambda _: span, NOW_MS)]
            for few in (0, 1_000):
                monkeypatch.setattr("hub.store.visit_figures.FEW_SITES", few)
                assert read_all_visits(connection, step, span, NOW_MS) == each
            assert {row.place for row in each} >= {"mauriac", "zone:reseau:cantal"}
            assert sum(row.visits for row in each if row.place == "mauriac") == visits


STEPS: dict[VisitStep, int] = {"day": 2, "week": 1, "month": 2}
"""How many visits Mauriac had by its days, weeks and months: the week of the first of October began in September."""

MARK = "insert into visit_mark (site, day) values ('zone:reseau:cantal', :day)"
DIRTY = "insert into dirty (site, day) values ('ydes', :day)"
UNREAD = "update stream set position = position + 1 where site = :site"


WAITS = [
    (MARK, {"day": "2025-11-02"}, 0),
    (MARK, {"day": "2025-10-31"}, 1),
    (DIRTY, {"day": "2025-11-20"}, 0),
    # What was in use at midnight may go on.
    (DIRTY, {"day": "2025-11-01"}, 1),
    # Murat was heard beyond the month: what it says now is of today. Allanche was away since the 11th.
    (UNREAD, {"site": "murat"}, 0),
    (UNREAD, {"site": "allanche"}, 1),
]
"""A change, and how many more figures must then be waited for."""


def test_only_what_bears_on_the_month_is_waited_for(store: Store) -> None:
    before = 0
    for number, (change, values, more) in enumerate(WAITS, start=1):
        with store.changed() as connection:
            connection.execute(change, values)
        with store.seen() as connection:
            assert pending_before(connection, NOVEMBER, END_MS) == before + more
        before += more
        assert store.totals().dirty == number


def test_of_a_day_on_which_a_place_is_closed_no_session_is_told() -> None:
    friday = DayRow("murat", "desk-01", "2025-10-03", 9, 9, 5, 2)
    sunday = DayRow("murat", "desk-01", "2025-10-05", 0, 0, 0, 1)
    used = used_in({"desk": [friday, sunday], "room": []})
    assert [(row.subject, row.day, row.sessions) for row in used] == [
        ("poste", friday.day, 2),
        ("poste", sunday.day, 0),
    ]


def test_what_a_release_was_computed_from_is_kept_in_parts_and_comes_back_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [DayRow("murat", "desk-01", f"2025-10-{day:02d}", 9, 8, day, 1) for day in range(1, 32)]
    came = {("murat", f"2025-10-{day:02d}"): Came(day, 2, 1) for day in range(1, 32)}
    month = Month("2025-10", (Place("murat", "site", frozenset({"murat"})),), used_in({"desk": rows, "room": []}), came)
    basis = Basis(month, {"public": frozenset({Figure("murat", "2025-10", "poste")})})
    whole = basis.encoded()
    monkeypatch.setattr("hub.lateness.ROWS_A_PART", 7)
    assert decode_basis(basis.encoded()) == decode_basis(whole) == basis


def counted(execute: Callable[..., Cursor], questions: list[str]) -> Callable[..., Cursor]:
    """Return the same, noting what is asked."""

    def noting(connection: Connection, statement: str, values: Values = ()) -> Cursor:
        questions.append(statement)
        return execute(connection, statement, values)

    return noting


def a_network(sites: int) -> Network:
    table = NetworkTable(id="large", name="Large", time_zone="Europe/Paris", opening_hours="Mo-Fr 08:00-19:00")
    names = [f"site-{number:03d}" for number in range(sites)]
    zones: Sequence[ZoneTable] = [
        ZoneTable(id=f"valley-{first:03d}", name="Valley", level="valley", sites=names[first : first + 10])
        for first in range(0, sites, 10)
    ]
    return Network(
        network=table,
        site=[SiteTable(id=name, name=name, desks=2, visio_rooms=1) for name in names],
        zone=list(zones),
    )


def test_twice_the_telecentres_cost_not_one_question_more(
    homes: Callable[[Path], Path | Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for number in (60, 120):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = store_in(homes(folder), lambda: NOW_MS)
        store.import_network(a_network(number), today=OCTOBER)
        with closing(store), store.seen() as connection:
            questions: list[str] = []
            with monkeypatch.context() as patched:
                patched.setattr(type(connection), "execute", counted(type(connection).execute, questions))
                sites = read_sites(connection)
                month = read_month(connection, OCTOBER, sites, NOW_MS)
            assert len(month.used) == number * 3 * 31
            assert len(month.places) == number + number // 10 + 1
            assert month_span(OCTOBER, sites) == (FIRST_MS, END_MS)
        asked.append(len(questions))
    assert asked[0] == asked[1] < 50
