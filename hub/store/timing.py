"""When each event happened, computed anew from what the event itself says: what the figures stand on is checked, too.

Of an event, `t`, `clock`, `up` and the moment of its reception are what was said; its instant, its stream's first one
and counts, what ties its boot's clock to UTC, and the age of what the journal keeps of it follow from them. Only a
rebuild looks at all of them, within its transaction, a page of events at a time. Source: protocol TC1, "Time".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contract.events import Clock
from hub.instants import LATEST_MS
from hub.opening import day_of
from hub.receiver import EARLIEST_MS, believed_at, offset_told
from hub.store.arriving import Reference
from hub.store.connection import Connection
from hub.store.register import read_calendar
from hub.store.rows import CountDifference
from hub.store.schema import statements
from hub.store.visits import entry_of

MAX_PAGE_EVENTS = 5_000
"""Read at once: 2 MiB of tuples, however long a telecentre has been telling."""

_SQL = statements("timing")
_PUT_BOOT = statements("history")["put_boot"]


class _Stream(NamedTuple):
    stream: str
    boot: str | None
    received_at: int
    first_at: int | None
    events: int
    quarantined: int


class _Event(NamedTuple):
    seq: int
    t: int
    clock: Clock
    up: int
    received_at: int
    at_ms: int | None


def put_times_right(connection: Connection, site: str) -> list[CountDifference]:
    """Make every instant of a site what its events say; return each that was different.

    What was walked and counted by other instants is wrong after that: the caller walks the site anew, and counts it.
    """
    return list(_Timing(connection, site).put_right())


class _Timing:
    """One site, while its instants are computed."""

    def __init__(self, connection: Connection, site: str) -> None:
        calendar = read_calendar(connection, site)
        self._connection = connection
        self._site = site
        self._zone = ZoneInfo("UTC") if calendar is None else calendar.zone

    def put_right(self) -> Iterator[CountDifference]:
        """Put right, and yield, each value that is not what the events say."""
        streams = [_Stream(*row) for row in self._connection.execute(_SQL["streams"], {"site": self._site})]
        boots = self._boots(streams)
        yield from self._put_boots(boots)
        for stream in streams:
            reference = boots.get(stream.boot) if stream.boot is not None else None
            yield from self._put_stream(stream, None if reference is None else reference[3])

    def _boots(self, streams: Iterable[_Stream]) -> dict[str, Reference]:
        """Return what ties each boot to UTC: the first by its own clock of all that its streams hold."""
        found: dict[str, Reference] = {}
        for stream in streams:
            for row in self._rows("clocks_set", stream):
                told = _offset(*row[1:])
                if told is None or stream.boot is None:
                    continue
                reference = (row[3], stream.stream, row[0], told)
                found[stream.boot] = min(found.get(stream.boot, reference), reference)
        return found

    def _put_boots(self, computed: dict[str, Reference]) -> Iterator[CountDifference]:
        rows = self._connection.execute(_SQL["boots"], {"site": self._site}).fetchall()
        stored = {row[0]: tuple(row[1:]) for row in rows}
        for boot in sorted(stored.keys() | computed.keys(), key=repr):
            before, after = stored.get(boot, ()), computed.get(boot)
            key = {"site": self._site, "boot": boot}
            if after is None:
                self._connection.execute(_SQL["drop_boot"], key)
                yield self._difference(f"boot {boot}", "clock", (), before, ())
            elif after != before:
                up, stream, seq, offset_ms = after
                values = {"up": up, "stream": stream, "seq": seq, "offset_ms": offset_ms}
                self._connection.execute(_PUT_BOOT, {**key, **values})
                yield self._difference(f"boot {boot}", "clock", (up + offset_ms,), before, after)

    def _put_stream(self, stream: _Stream, offset_ms: int | None) -> Iterator[CountDifference]:
        first_at, count = None, 0
        for page in self._pages("events", stream):
            events = [_Event(*row) for row in page]
            instants = {event.seq: _instant(event, offset_ms) for event in events}
            count += len(events)
            if first_at is None:
                first_at = next((at_ms for at_ms in instants.values() if at_ms is not None), None)
            wrong = [event for event in events if event.at_ms != instants[event.seq]]
            self._write("put_instant", stream, ({"seq": one.seq, "at_ms": instants[one.seq]} for one in wrong))
            for one in wrong:
                at_ms = instants[one.seq]
                days = (at_ms, one.received_at)
                yield self._difference(f"event {one.seq} of {stream.stream}", "instant", days, (one.at_ms,), (at_ms,))
            yield from self._put_entries(stream, events, instants)
        key = {"site": self._site, "stream": stream.stream}
        (quarantined,) = self._connection.execute(_SQL["quarantined"], key).fetchone()
        stored = {name: getattr(stream, name) for name in ("first_at", "events", "quarantined")}
        computed = {"first_at": first_at, "events": count, "quarantined": quarantined}
        if stored != computed:
            self._connection.execute(_SQL["put_stream"], {**key, **computed})
        for name, before in stored.items():
            if before != (after := computed[name]):
                days = (first_at, stream.received_at)
                yield self._difference(f"stream {stream.stream}", name, days, (before,), (after,))

    def _put_entries(
        self, stream: _Stream, events: Sequence[_Event], instants: dict[int, int | None]
    ) -> Iterator[CountDifference]:
        """Make the journal say of these events when each person came in, and from when on it may be forgotten."""
        key = {"site": self._site, "stream": stream.stream, "first_seq": events[0].seq, "last_seq": events[-1].seq}
        received = {event.seq: event.received_at for event in events}
        wrong: dict[int, tuple[int, int | None]] = {}
        for seq, aged_ms, entry_ms, kind, value in self._connection.execute(_SQL["entries"], key).fetchall():
            at_ms = instants[seq]
            right = received[seq] if at_ms is None else min(at_ms, received[seq]), entry_of(kind, value, at_ms)
            if right != (aged_ms, entry_ms):
                wrong[seq] = right
                what = f"journal {seq} of {stream.stream}"
                yield self._difference(what, "instants", (at_ms, received[seq]), (aged_ms, entry_ms), right)
        if wrong:
            rows = [{"seq": seq, "at_ms": aged, "entry_ms": entry} for seq, (aged, entry) in wrong.items()]
            with self._connection.overwriting():
                self._write("put_entry", stream, rows)

    def _write(self, statement: str, stream: _Stream, rows: Iterable[Mapping[str, object]]) -> None:
        key = {"site": self._site, "stream": stream.stream}
        self._connection.executemany(_SQL[statement], [{**key, **row} for row in rows])

    def _rows(self, statement: str, stream: _Stream) -> Iterator[Sequence[Any]]:
        for page in self._pages(statement, stream):
            yield from page

    def _pages(self, statement: str, stream: _Stream) -> Iterator[list[Sequence[Any]]]:
        values: dict[str, object] = {"site": self._site, "stream": stream.stream, "most": MAX_PAGE_EVENTS, "after": 0}
        while rows := self._connection.execute(_SQL[statement], values).fetchall():
            yield rows
            values["after"] = rows[-1][0]

    def _difference(
        self, what: str, step: str, days: Iterable[object], stored: Iterable[object], computed: Iterable[object]
    ) -> CountDifference:
        return CountDifference(str(self._site), what, step, self._day(days), _plain(stored), _plain(computed))

    def _day(self, instants: Iterable[object]) -> str:
        """Return the local day of the first of some instants that is one."""
        for at_ms in instants:
            if isinstance(at_ms, int) and EARLIEST_MS <= at_ms <= LATEST_MS:
                return day_of(at_ms, self._zone).isoformat()
        return "no day"


def _instant(event: _Event, offset_ms: int | None) -> int | None:
    """Return the instant of an event; the stored one if its words are damaged: SQLite keeps any text as a number."""
    try:
        return believed_at(event.t, event.clock, event.up, event.received_at, offset_ms)
    except TypeError:
        return event.at_ms if isinstance(event.at_ms, int) else None


def _offset(t: int, clock: Clock, up: int, received_at: int) -> int | None:
    try:
        return offset_told(t, clock, up, received_at)
    except TypeError:
        return None


def _plain(values: Iterable[object]) -> tuple[int | str | None, ...]:
    return tuple(one if isinstance(one, int | str | None) else repr(one) for one in values)
