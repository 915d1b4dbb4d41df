"""What the hub knows for ever: register, history, timeline, figures; on SQLite or on PostgreSQL.

One writer connection, held by the ingest thread (`Store.writer()`); each thread that reads has a connection of its own
while it lives, and readers never wait for the writer. Every key begins with the site, so that sites can be spread over
servers.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.indicators import Step as PeriodStep
from hub.network import Network
from hub.opening import day_of
from hub.store.connection import Connection, Engine, StoreDownError, StoreRefusedError, snapshot, transaction
from hub.store.decisions import read_decisions, read_last_decisions
from hub.store.door_figures import DoorRow, read_doors
from hub.store.erasures import erase
from hub.store.figures import read_occupancy
from hub.store.hours import HourRow, read_hours, read_hours_apart
from hub.store.indicators import read_indicators, read_levels, read_sessions
from hub.store.issues import has_leapt, put_site_key
from hub.store.journal import LEAPT, JournalError, purge_journal
from hub.store.keeping import Difference
from hub.store.months import Bounds
from hub.store.pass_changes import concern_site
from hub.store.readers import Readers
from hub.store.register import ALWAYS, Imported, import_site, read_site, read_sites
from hub.store.rows import (
    Alarm,
    Asked,
    CountDifference,
    DecisionRow,
    GapRow,
    IndicatorRow,
    Kind,
    LevelRow,
    OccupancyRow,
    Recorded,
    Resource,
    RestoreRow,
    SessionRow,
    Site,
    Step,
    StreamTotal,
    Totals,
    VisitRow,
    VisitStep,
)
from hub.store.schema import migrate, statements
from hub.store.settling import forget_figures
from hub.store.sqlite import SqliteFile
from hub.store.strays import places_with_counts, sites_with_figures
from hub.store.timeline import mark_all, rebuild_site
from hub.store.undeclared import Undeclared, read_undeclared
from hub.store.visit_figures import read_visits
from hub.store.visit_places import zones_with_members
from hub.store.visits import mark_site, mark_zones, rebuild_visits
from hub.store.writer import Writer
from hub.store.zones import Zone, import_zones, read_zones

__all__ = [
    "Alarm",
    "Asked",
    "CountDifference",
    "DecisionRow",
    "Difference",
    "DoorRow",
    "GapRow",
    "IndicatorRow",
    "Kind",
    "LevelRow",
    "OccupancyRow",
    "Recorded",
    "Resource",
    "RestoreRow",
    "SessionRow",
    "Site",
    "Step",
    "Store",
    "StoreDownError",
    "StoreRefusedError",
    "StreamTotal",
    "Totals",
    "Undeclared",
    "VisitRow",
    "VisitStep",
    "Writer",
    "Zone",
]

_TOTALS = statements("totals")


def wall_ms() -> int:
    """Return UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Store:
    """The hub's database, brought to the newest schema: a file, made if it is not there, or one on a server.

    Raises:
        StoreDownError: the database cannot be used.
    """

    def __init__(self, where: Path | Engine, *, now_ms: Callable[[], int] = wall_ms) -> None:
        self.engine: Engine = SqliteFile(where) if isinstance(where, Path) else where
        self._now_ms = now_ms
        self._readers = Readers(self.engine.reader)
        self._checked = False
        with closing(self._guest()) as connection:
            self.schema_version = migrate(connection)

    @property
    def file(self) -> Path:
        """The file of a database that is one.

        Raises:
            StoreDownError: it is on a server.
        """
        if not isinstance(self.engine, SqliteFile):
            raise StoreDownError("this database is on a server, not in a file")
        return self.engine.file

    def sites(self, site: str = "") -> list[Site]:
        """Return every site of the register, in order of name; or the named one alone, none when there is no such."""
        with self._state() as reader:
            return read_site(reader, site) if site else read_sites(reader)

    def zones(self, on: date | None = None) -> list[Zone]:
        """Return the valleys, territories, networks and massifs as they were on a local day (default: now)."""
        with self._state() as reader:
            return read_zones(reader) if on is None else read_zones(reader, on.isoformat())

    def occupancy(self, site: str | None, kind: Kind, step: Step, from_ms: int, to_ms: int) -> list[OccupancyRow]:
        """Return figures of hours or local days that begin in [from, to), or of local months, by site, resource, start.

        Closed hours are left out. A day without news is available and not observed; nothing is available after now.
        """
        if site is not None and step == "hour":
            with self._readers.own() as reader:
                return read_hours_apart(reader, site, kind, (from_ms, to_ms), self._now_ms())
        with self._state() as reader:
            return read_occupancy(reader, site, kind, step, (from_ms, to_ms), self._now_ms())

    def hours(self, site: str, kind: Kind, from_ms: int, to_ms: int) -> list[HourRow]:
        """Return the hours of one site that begin in [from, to), its desks or rooms pooled, as `occupancy` has each."""
        with self._readers.own() as reader:
            return read_hours(reader, site, kind, (from_ms, to_ms), self._now_ms())

    def indicators(
        self, asked: Sequence[Asked], kind: Kind, step: PeriodStep, bounds: Bounds, *, by_resource: bool = False
    ) -> list[IndicatorRow]:
        """Return the indicators of each place asked for, in this order, by period in order of time.

        A period has the local days (or hours) that begin within the bounds: half-open, UTC milliseconds, given for each
        time zone. One that is cut by them, or by now, has the days in it that are left. A zone's peaks are those of its
        telecentres together. Hours in which a telecentre is closed and nothing was used are left out.
        """
        with self._state() as reader:
            return read_indicators(reader, asked, kind, step, bounds, now_ms=self._now_ms(), by_resource=by_resource)

    def levels(self, site: str, kind: Kind, from_ms: int, to_ms: int) -> list[LevelRow]:
        """Return how many desks or rooms of a site were in use at once, by local day that [from, to) touches."""
        with self._state() as reader:
            return read_levels(reader, site, kind, (from_ms, to_ms))

    def sessions(self, site: str, kind: Kind, from_ms: int, to_ms: int) -> list[SessionRow]:
        """Return the sessions of a site that began in [from, to), in order of time. For inside alone."""
        with self._state() as reader:
            return read_sessions(reader, site, kind, (from_ms, to_ms))

    def last_heard_ms(self) -> int | None:
        """Return the instant of the last event heard from any site, or None when none was."""
        with self._state() as reader:
            heard: int | None = reader.execute(_TOTALS["last_heard"]).fetchone()[0]
        return heard

    def decisions(self, site: str, from_ms: int, to_ms: int, most: int) -> list[DecisionRow]:
        """Return the first `most` decisions at a site's doors in [from, to), in order of time; nobody is named."""
        with self._state() as reader:
            return read_decisions(reader, site, (from_ms, to_ms), most)

    def last_decisions(self, site: str, most: int) -> list[DecisionRow]:
        """Return the last `most` decisions at a site's doors, in order of time; nobody is named."""
        with self._state() as reader:
            return read_last_decisions(reader, site, most)

    def undeclared(self, site: str, time_zone: str) -> list[Undeclared]:
        """Return the desks, rooms and doors of which a registered site speaks and that the register does not hold."""
        with self._state() as reader:
            return read_undeclared(reader, site, ZoneInfo(time_zone))

    def visits(self, place: str | None, step: VisitStep, bounds: Bounds) -> list[VisitRow]:
        """Return how many came in the local days, ISO weeks or months that begin within the bounds and before now.

        `place` is a site, `zone:ID`, or `zone:reseau:ID` of a network; None: every site. A zero says that nobody came;
        what was never counted is left out. Ordered by place and start.
        """
        with self._state() as reader:
            return read_visits(reader, place, step, bounds, self._now_ms())

    def doors(
        self, asked: Sequence[Asked], step: PeriodStep, bounds: Bounds, *, by_door: bool = False
    ) -> list[DoorRow]:
        """Return what the doors of each place did, pooled or `by_door`, in the periods that begin within the bounds.

        A period in which nothing happened has no row. Ordered by place as asked, door, start.
        """
        with self._state() as reader:
            return read_doors(reader, asked, step, bounds, by_door=by_door)

    def totals(self) -> Totals:
        """Return what the database holds, on one consistent state of it."""
        with self._state() as reader:
            recorded = _recorded(reader)
            return Totals(
                streams=tuple(StreamTotal(*row) for row in reader.execute(_TOTALS["streams"])),
                gaps=recorded.gaps,
                alarms=recorded.alarms,
                restores=recorded.restores,
                dirty=reader.execute(_TOTALS["dirty"]).fetchone()[0],
                journal=reader.execute(_TOTALS["journal"]).fetchone()[0],
            )

    def recorded(self) -> Recorded:
        """Return what went wrong, over all sites: short tables, so that the board may ask often."""
        with self._state() as reader:
            return _recorded(reader)

    def import_network(self, network: Network, *, today: date | None = None) -> list[str]:
        """Make the register say what the file says; return what changed, one sentence each, none when nothing did.

        Of a site that is new, it holds for all days; of a known one, from `today` (default: the network's local day). A
        desk or room of which it spoke before it was declared counts from the day on which it was first heard of.
        """
        local_day = today or day_of(self._now_ms(), ZoneInfo(network.network.time_zone))
        connection = self._guest()
        try:
            with transaction(connection):
                changes: list[str] = []
                zones = zones_with_members(connection)
                for table in network.site:
                    imported = import_site(connection, network.network, table, local_day.isoformat())
                    changes += _import(connection, imported)
                    if imported.other_rights:
                        concern_site(connection, table.id, self._now_ms(), revoked=True)
                    key = table.rights_key
                    if key is not None and put_site_key(connection, table.id, key, self._now_ms()):
                        changes.append(
                            f"site {table.id}: its lists of rights are sealed to the key of the file from now on"
                        )
                changes += import_zones(connection, network.network, network.zone, local_day.isoformat())
                mark_zones(connection, zones)
                return changes
        finally:
            connection.close()

    def checked_writer(self, beat: Callable[[], bool]) -> Writer:
        """Return the one writer of a database that was once seen to hold together as a whole.

        What a damaged file takes may be lost, and a site forgets what we acknowledge. `beat` is called while the check
        lasts, some seconds for each gigabyte, and leaves it alone by returning True.

        Raises:
            StoreDownError: it is damaged or cannot be used, or `beat` did not want to wait.
        """
        if not self._checked:
            self.engine.check(beat)
            self._checked = True
        return self.writer()

    def writer(self) -> Writer:
        """Return a new writer; a hub has one, in its ingest thread.

        Raises:
            StoreDownError: the database does not answer.
        """
        return Writer(self.engine)

    def rebuild(self) -> list[Difference | CountDifference]:
        """Compute everything anew from the events alone; return all that was different (nothing is)."""
        return [one for found in self.rebuild_each() for one in found]

    def rebuild_each(self) -> Iterator[list[Difference | CountDifference]]:
        """Yield of each site, then of each place with counts, what was different, once it is put right for good."""
        connection = self._guest()
        try:
            with snapshot(connection):
                sites, places = sites_with_figures(connection), places_with_counts(connection)
            for site in sites:
                with transaction(connection):
                    connection.lock_sites({site})
                    found = rebuild_site(connection, site)
                yield found
            for place in places:
                with transaction(connection):
                    counts = rebuild_visits(connection, place)
                yield [*counts]
        finally:
            connection.close()

    def purge(self) -> int:
        """Forget who badged more than 90 days ago; return how many access events that was. Readings go after a year.

        Raises:
            JournalError: the clock is too far past the last moment that is proven: it would empty the journal.
        """
        connection = self._guest()
        try:
            with transaction(connection):
                now_ms = self._now_ms()
                if has_leapt(connection, now_ms):
                    raise JournalError(LEAPT)
                return purge_journal(connection, now_ms)
        finally:
            connection.close()

    def erase(self, credential: str, reason: str) -> int:
        """Make the journal name this credential no more, now and later; return how many access events did.

        Raises:
            ErasureError: the ledger of erasures is damaged, full or cannot be written.
        """
        connection = self._guest()
        try:
            return erase(connection, self.engine.ledger, credential, reason, self._now_ms())
        finally:
            connection.close()

    @contextmanager
    def changed(self) -> Iterator[Connection]:
        """Give a connection inside one transaction, beside a running hub: for the register of passes.

        Raises:
            StoreDownError: the database does not answer.
            StoreRefusedError: the database refuses a value.
        """
        connection = self._guest()
        try:
            with transaction(connection):
                yield connection
        finally:
            connection.close()

    @contextmanager
    def seen(self) -> Iterator[Connection]:
        """Give this thread's reading connection on one consistent state: for the register of passes."""
        with self._state() as reader:
            yield reader

    def close(self) -> None:
        """Close the connections of all reading threads, each once its question is answered."""
        self._readers.close()

    def _guest(self) -> Connection:
        return self.engine.guest()

    @contextmanager
    def _state(self) -> Iterator[Connection]:
        with self._readers.own() as reader, snapshot(reader):
            yield reader


def _recorded(connection: Connection) -> Recorded:
    return Recorded(
        gaps=tuple(GapRow(*row) for row in connection.execute(_TOTALS["gaps"])),
        alarms=tuple(Alarm(*row) for row in connection.execute(_TOTALS["alarms"])),
        restores=tuple(RestoreRow(*row) for row in connection.execute(_TOTALS["restores"])),
    )


def _import(connection: Connection, imported: Imported) -> tuple[str, ...]:
    if imported.other_days:
        forget_figures(connection, imported.site)
    if imported.figures_from == ALWAYS:
        mark_site(connection, imported.site, other_days=imported.other_days)
    if imported.figures_from is not None:
        mark_all(connection, imported.site, imported.figures_from)
    return imported.changes
