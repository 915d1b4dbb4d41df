"""B5: questions about a month of 4,072 telecentres in the tables of either engine.

The month is built quickly and not by halves: forty telecentres live it by the fleet's model, and the hub stores and
settles every event of it; then their rows of register and figures are copied in SQL under the names of the others. The
events themselves are not copied: no question here reads them. Of the two years before, every telecentre has its months,
as a hub does that has lived: the one that is asked for is found among them.
"""

import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import closing, contextmanager
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import psycopg

from contract.events import encode
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader
from hub.collector import look_seldom
from hub.day_hours import HOUR_BYTES
from hub.network import read_network
from hub.opening import HOUR_MS, Interval, day_bounds
from hub.receiver import Batch
from hub.store import Asked, Store, Writer
from simulators.fleet_days import Furniture
from simulators.fleet_network import COMMUNES, network_toml, synthetic_network
from simulators.fleet_place import Place
from simulators.network import Network
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.replaying_edge import BOOT
from tests.benchmarks.settled_ingest import running_postgres
from tests.support.postgres import Postgres

PLAYED_SITES = 40
SEED = 1
ZONE = ZoneInfo("Europe/Paris")
OPENING = "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off"
FIRST, END = date(2026, 9, 1), date(2026, 10, 1)
NOW_MS = day_bounds(date(2026, 10, 15), ZONE)[0]
MONTH: Interval = (day_bounds(FIRST, ZONE)[0], day_bounds(END, ZONE)[0])
MONTHS = 24
"""In the tables, the one that is asked for the last of them."""
SERVER = {"shared_buffers": "2GB"}
"""As docs/operating.md asks for: PostgreSQL's own default is for a server with other things to do."""
QUESTIONS = 200
"""One telecentre after the other, drawn at random: of sixty, three slow ones would be the figure."""
MONTH_REACH_S, HOURS_REACH_S = 0.050, 0.005
RAW = frozenset({"event", "journal", "timeline", "standing", "dirty", "quarantine", "alarm", "migration"})
"""Tables that are not copied: history, and what has no site of the network."""
GONE = frozenset({"hour_figure"})
"""Tables of earlier builds."""

BUILT = (
    f"{PLAYED_SITES} telecentres lived the month, their register and figures were copied for the other"
    f" {COMMUNES - PLAYED_SITES:,}, their events were not, and the months of two years under other dates;"
    f" PostgreSQL has {SERVER['shared_buffers']} of shared_buffers and has vacuumed the tables"
)
"""What is in the tables, for whoever reads the page."""

_TABLE = re.compile(r"create table (\w+) \(\n    site text not null|create table (site) \(")


class Raw(Protocol):
    """What both drivers have: a connection that runs a statement."""

    def execute(self, statement: str, /) -> Any:  # noqa: ANN401 - two drivers, one bench
        """Run one statement."""


def measure() -> list[Figure]:
    """Return the figures of B5, for both engines."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, running_postgres(**SERVER) as server:
        for engine in ("SQLite", "PostgreSQL"):
            file = Path(name) / "hub.db"
            begun_s = time.perf_counter()
            home = file if engine == "SQLite" else server.database(Path(name))
            with closing(Store(home, now_ms=lambda: NOW_MS)) as store:
                play(store)
                hours, months = copy(file if engine == "SQLite" else server)
                count_rows(file if engine == "SQLite" else server)
                built_s = time.perf_counter() - begun_s
                rows = f"{hours:,} figures of hours and {months:,} of months"
                figures += _asked(store, engine, f"{rows}, built in {built_s:.0f} s: {BUILT}")
    return figures


def _asked(store: Store, engine: str, size: str) -> list[Figure]:
    """Ask the questions in turns; return a figure for each."""
    look_seldom()  # as `telecentre-hub serve` does when it has started
    random = Random(SEED)
    sites = sorted(site.id for site in store.sites())
    places = [Asked(site, "site", (site,)) for site in sites]
    questions: dict[str, tuple[Callable[[str], Sized], float]] = {
        f"{len(sites):,} telecentres by month": (
            lambda _: store.indicators(places, "desk", "month", lambda _: MONTH),
            MONTH_REACH_S,
        ),
        "one telecentre's hours of a month": (lambda site: store.hours(site, "desk", *MONTH), HOURS_REACH_S),
        "the same, desk by desk": (lambda site: store.occupancy(site, "desk", "hour", *MONTH), HOURS_REACH_S),
    }
    took_s: dict[str, list[float]] = {what: [] for what in questions}
    for _ in range(QUESTIONS):
        site = random.choice(sites)
        for what, (ask, _) in questions.items():
            begun_s = time.perf_counter()
            found = len(ask(site))  # with what it takes to let an answer go: the next question must not pay for it
            took_s[what].append(time.perf_counter() - begun_s)
            assert found
    return [_figure(engine, what, took_s[what], reach_s, size) for what, (_, reach_s) in questions.items()]


def _figure(engine: str, what: str, took_s: list[float], reach_s: float, size: str) -> Figure:
    p95_s = percentile(took_s, 0.95)
    return Figure(
        name="B5",
        what=f"{engine}: {what}, asked of the store",
        measured=f"p50 {1000 * percentile(took_s, 0.5):.1f} ms, p95 {1000 * p95_s:.1f} ms",
        peer="none",
        size=f"{size}; {QUESTIONS} questions in turns",
        reach=f"p95 <= {1000 * reach_s:.0f} ms",
        reached=p95_s <= reach_s,
    )


def play(store: Store, sites: int = PLAYED_SITES, until_ms: int = MONTH[1]) -> None:
    """Let telecentres live the month, or a part of it, and an hour more, and the hub store and settle it."""
    whole = synthetic_network(sites, SEED)
    network = Network(whole.id, whole.name, whole.time_zone, OPENING, whole.sites)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "network.toml"
        file.write_text(network_toml(network), encoding="utf-8")
        store.import_network(read_network(file), today=FIRST)
    with closing(store.writer()) as writer:
        for site in network.sites:
            place = Place(site.id, Furniture(site.desks, site.visio_rooms), ZONE, SEED)
            with writer.transaction():
                for batch in _batches(site.id, place, until_ms):
                    writer.receive(batch, NOW_MS)
        settle(writer)


def settle(writer: Writer) -> None:
    """Bring every figure up to the events."""
    pending = True
    while pending:
        with writer.transaction():
            pending = writer.settle_slice()


def _batches(site: str, place: Place, until_ms: int) -> Iterator[Batch]:
    stream, lines = 0, [encode(event) for event, _ in place.start(MONTH[0]).events]
    first = 1
    while place.next_ms < until_ms + HOUR_MS:
        seen = place.observe()
        if seen.restarted or len(lines) + len(seen.events) > MAX_BATCH_EVENTS:
            yield _batch(site, stream, first, lines)
            first += len(lines)
            if seen.restarted:
                stream, first = stream + 1, 1
            lines = []
        lines += [encode(event) for event, _ in seen.events]
    yield _batch(site, stream, first, lines)


def _batch(site: str, stream: int, first: int, lines: list[bytes]) -> Batch:
    name = f"{stream:032x}"
    header = BatchHeader(site=site, stream=name, boot=BOOT, first=first, n=len(lines), sent_at=NOW_MS)
    return Batch(header, lines)


def copy(where: Path | Postgres) -> tuple[int, int]:
    """Copy register and figures of the played telecentres under the names of all; return how many hours and months."""
    played = [site.id for site in synthetic_network(PLAYED_SITES, SEED).sites]
    others = [site.id for site in synthetic_network(COMMUNES, SEED).sites[PLAYED_SITES:]]
    pairs = ", ".join(f"('{name}', '{played[number % PLAYED_SITES]}')" for number, name in enumerate(others))
    with _raw(where) as connection:
        connection.execute("create temporary table copied (site text primary key, played text)")
        connection.execute(f"insert into copied values {pairs}")  # noqa: S608 - names of our own making
        for table in _tables():
            cursor = connection.execute(f"select * from {table} limit 0")  # noqa: S608 - a table of the migrations
            columns = [column[0] for column in cursor.description if column[0] != "site"]
            # As they come: each evening, all telecentres have that day, and each of them hour after hour.
            order = [f"{table}.{name}" for name in ("day", "start_ms") if name in columns]
            order.insert("day" in columns, "copied.site")
            connection.execute(
                f"insert into {table} (site, {', '.join(columns)})"  # noqa: S608 - same
                f" select copied.site, {', '.join(f'{table}.{column}' for column in columns)}"
                f" from {table} join copied on copied.played = {table}.site order by {', '.join(order)}"
            )
        _put_earlier_months(connection)
        length = connection.execute("select sum(length(hours)) from day_hours").fetchone()[0]
        months = connection.execute("select count(*) from month_figure").fetchone()[0]
        return int(length) // HOUR_BYTES, int(months)


def count_rows(where: Path | Postgres) -> None:
    """Let the engine count its rows; a server vacuums as well, as it does by itself soon after so many came."""
    if isinstance(where, Path):
        with _raw(where) as connection:
            connection.execute("analyze")
        return
    with psycopg.connect(**_address(where), autocommit=True) as server:
        server.execute("vacuum analyze")


def _put_earlier_months(connection: Raw) -> None:
    """Give every telecentre the months before as well: the same figures under other dates."""
    cursor = connection.execute("select * from month_figure limit 0")
    dates = ("month", "start_ms", "end_ms", "first_day", "last_day", "days")
    same = ", ".join(column[0] for column in cursor.description if column[0] not in dates)
    first = FIRST
    for _ in range(MONTHS - 1):
        end, last = first, first - timedelta(days=1)
        first = last.replace(day=1)
        start_ms, end_ms = day_bounds(first, ZONE)[0], day_bounds(end, ZONE)[0]
        connection.execute(
            f"insert into month_figure ({', '.join(dates)}, {same})"  # noqa: S608 - dates and columns of the migrations
            f" select '{first}', {start_ms}, {end_ms}, '{first}', '{last}', {last.day}, {same}"
            f" from month_figure where month = '{FIRST}' order by site"
        )


def _tables() -> list[str]:
    """Return the tables of the migrations whose rows belong to one site."""
    files = sorted((resources.files("hub.store") / "migrations").iterdir(), key=lambda file: file.name)
    found = [a or b for file in files for a, b in _TABLE.findall(file.read_text(encoding="utf-8"))]
    return [table for table in found if table not in RAW | GONE]


@contextmanager
def _raw(where: Path | Postgres) -> Iterator[Raw]:
    """Open a connection of the driver's own and commit at the end."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where)) as file:
            yield file
            file.commit()
        return
    with psycopg.connect(**_address(where)) as connection:
        yield connection


def _address(server: Postgres) -> dict[str, Any]:
    return {"host": str(server.folder), "port": server.port, "dbname": "test1", "user": "telecentre"}
