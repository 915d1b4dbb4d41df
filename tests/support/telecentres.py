"""The ten telecentres of the Cantal on a bench: a real store in a folder, and the messages their edges send."""

from collections.abc import Callable, Sequence
from pathlib import Path

from contract.events import (
    BookingJudged,
    BookingOfRoom,
    BookingOutcome,
    Clock,
    Desk,
    DeskState,
    DeskStateChanged,
    DoorAlarm,
    DoorState,
    EdgeAlive,
    EdgeStarted,
    Event,
    Fault,
    Milliseconds,
    Nothing,
    RoomState,
    Start,
    encode,
)
from contract.messages import (
    BatchHeader,
    DeskNow,
    DeviceStatus,
    DoorNow,
    Now,
    OutboxStatus,
    Report,
    RightsStatus,
    RoomNow,
    Status,
)
from hub.health import Health
from hub.network import read_network
from hub.receiver import Batch
from hub.store import Store
from hub.store.connection import Engine

CANTAL = Path(__file__).parents[2] / "simulators" / "cantal.toml"
NOON_MS: Milliseconds = 1_795_258_800_000
"""Saturday 21 November 2026, 12:00 in Aurillac."""
MINUTE_MS = 60_000

HEALTHY = Health(
    broker_connected=True,
    database_open=True,
    incarnation="0" * 32,
    queue_depth=0,
    messages=12,
    events_stored=34,
    messages_refused=1,
    messages_dropped={},
    database_failures=0,
    broker_reconnections=2,
    committed_at_ms=NOON_MS,
    progress=99,
)


def store_in(home: Path | Engine, now_ms: Callable[[], int] = lambda: NOON_MS) -> Store:
    """Return the store of a folder, or of a database on a server."""
    return Store(home / "hub.db" if isinstance(home, Path) else home, now_ms=now_ms)


def cantal(home: Path | Engine, *, now_ms: int = NOON_MS) -> Store:
    """Return a store whose register holds the ten telecentres and their 47 desks."""
    store = store_in(home, lambda: now_ms)
    store.import_network(read_network(CANTAL))
    return store


def now_of(
    site: str,
    desks: str,
    *,
    rooms: tuple[RoomState, ...] = (),
    door: tuple[DoorState, DoorAlarm] = ("locked", "NORMAL"),
    as_of: int = NOON_MS,
    since: int | None = NOON_MS - 38 * MINUTE_MS,
    clock: Clock = "synced",
) -> Now:
    """Return a site's snapshot; `desks` has one letter a desk: v vacant, o occupied, u unknown, x out of service."""
    states: dict[str, DeskState] = {"v": "vacant", "o": "occupied", "u": "unknown", "x": "out_of_service"}
    return Now(
        site=site,
        as_of=as_of,
        clock=clock,
        desks=[DeskNow(id=f"desk-{n:02}", state=states[s], since=since) for n, s in enumerate(desks, start=1)],
        rooms=[RoomNow(id=f"room-{n:02}", state=state, since=since) for n, state in enumerate(rooms, start=1)],
        doors=[DoorNow(id="door-01", state=door[0], alarm=door[1], since=since)],
    )


def status_of(
    site: str,
    *,
    at: int = NOON_MS,
    clock: Clock = "synced",
    depth: int = 0,
    oldest_at: int | None = None,
    faults: dict[str, Fault] | None = None,
) -> Status:
    """Return a site's status; `faults` names its devices that are down."""
    devices = [
        DeviceStatus(id=name, kind=name.split("-")[0], health="down", since=at - 3 * MINUTE_MS, fault=fault)
        for name, fault in (faults or {}).items()
    ]
    outbox = OutboxStatus(
        stream="0" * 32,
        depth=depth,
        oldest_at=oldest_at,
        acknowledged_at=at,
        size_bytes=4_096,
        quota_bytes=1 << 30,
        refused_count=0,
        storage="ok",
        disk_free_bytes=3_000_000_000,
    )
    report = Report(
        version="0.1.0",
        boot="1" * 32,
        started_at=max(0, at - 3_600_000),
        at=at,
        clock=clock,
        outbox=outbox,
        rights=RightsStatus(version=1, issued_at=None, expires_at=None, credentials=3),
        devices=[DeviceStatus(id="reader-02", kind="device", health="ok", since=at), *devices],
    )
    return Status(site=site, online=True, report=report)


MIDNIGHT_MS = NOON_MS - 12 * 60 * MINUTE_MS
"""The local midnight before that noon."""


Change = tuple[int, str, DeskState]
"""When, which desk, and what it became."""


def put_history(store: Store, site: str, changes: list[Change], *, until: int) -> None:
    """Store a site's history: changes in order of time, and a last sign of life at `until`."""
    events: list[Event] = [
        EdgeStarted(subject="agent", value=Start(version="0.1.0"), t=changes[0][0], clock="synced", up=0)
    ]
    events += [
        DeskStateChanged(subject=desk, value=Desk(state=state), t=at, clock="synced", up=at - changes[0][0])
        for at, desk, state in changes
    ]
    events.append(EdgeAlive(subject="agent", value=Nothing(), t=until, clock="synced", up=until - changes[0][0]))
    header = BatchHeader(site=site, stream="5" * 32, boot="b" * 32, first=1, n=len(events), sent_at=until)
    writer = store.writer()
    try:
        with writer.transaction():
            writer.receive(Batch(header, [encode(event) for event in events]), until)
            writer.settle_sites({site})
    finally:
        writer.close()


def put_bookings(store: Store, site: str, bookings: Sequence[tuple[int, str, BookingOutcome]]) -> None:
    """Store what came of the bookings of a site's rooms: when each started, in which room, and what."""
    told = [
        BookingJudged(
            subject=room,
            value=BookingOfRoom(start=start, outcome=outcome),
            t=start + 10 * MINUTE_MS,
            clock="synced",
            up=n,
        )
        for n, (start, room, outcome) in enumerate(bookings)
    ]
    heard = max(event.t for event in told)
    header = BatchHeader(site=site, stream="6" * 32, boot="c" * 32, first=1, n=len(told), sent_at=heard)
    writer = store.writer()
    try:
        with writer.transaction():
            writer.receive(Batch(header, [encode(event) for event in told]), heard)
            writer.settle_sites({site})
    finally:
        writer.close()
