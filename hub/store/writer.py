"""The one writer: history as it comes, and the figures that follow from it, in the transactions the ingest asks for."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from math import inf

from contract.limits import MAX_FUTURE_MS
from contract.messages import BatchHeader, Hello, StreamAck
from hub.receiver import EARLIEST_MS, BadLine, Batch, ClockReference, NewEvent, Receipt, answer, receive
from hub.store.arriving import Arriving, Reference
from hub.store.connection import Engine, StoreDownError, StoreRefusedError, transaction
from hub.store.erasures import ErasureError, forgotten_until, replay
from hub.store.issues import has_leapt
from hub.store.journal import JOURNAL_MS, purge_journal
from hub.store.rows import REFUSED
from hub.store.schema import statements
from hub.store.settling import settle_days
from hub.store.timeline import changed_days, is_pending, mark, settle_marks, sites_marked, sites_to_walk, walk_site
from hub.store.visits import (
    COUNTED_KINDS,
    FROM_THE_NEWEST,
    enter_again,
    entry_of,
    mark_events,
    zone_is_pending,
)
from hub.store.visits import is_pending as visits_pending
from hub.store.visits import settle_sites as settle_visits
from hub.store.zone_counting import ZoneCounting

log = logging.getLogger(__name__)

MAX_SAMPLE_BYTES = 256
"""Of a message or line set aside: enough to see what it was, too little to be a copy of the history."""

MAX_SAMPLES_PER_SITE = 100
"""Lines set aside beyond this are counted and named by their hash, without a sample."""

MAX_DAYS_AT_ONCE = 16
"""Local days settled in the ingest's own transaction: some 20 ms; beyond, they are marked and settled after it."""

MAX_DAYS_A_SLICE = 20
MAX_SITES_A_SLICE = 16
MAX_EVENTS_A_SLICE = 20_000
"""Bounds of one transaction of settling, so that new history waits at most some 0.3 s behind it: a day takes 5 ms when
its hours are written for the first time, as those of every site after midnight."""

LATE_MS = 300_000
"""A Hello may come so long after a batch that was sent after it: brokers keep no order between topics. One from a disk
that went back says so again at each connection and every quarter of an hour."""

MAX_EMPTY_STREAMS = 1_000
"""Of a site, known by a gap alone: each costs its sender a few bytes. An edge fills its oldest first, and then there is
room for the next; a hub that lost everything meets some hundred."""

_SQL = statements("history")


class Writer:
    """The connection that writes and checkpoints; owned by one thread. Its methods run inside `transaction()`.

    Raises:
        StoreDownError: the database does not answer: close the writer and open another.
        StoreRefusedError: the database refuses a value: nothing of the transaction was kept.
    """

    def __init__(self, engine: Engine) -> None:
        _replay_erasures(engine)
        self._connection = engine.writer()
        self._walked_to = ""
        self._counted_to = FROM_THE_NEWEST
        self._zones = ZoneCounting(self._connection)
        self._arriving = Arriving(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block that is committed durably at its end, or not at all."""
        with transaction(self._connection):
            self._arriving.begin()
            yield
            self._arriving.write()

    def prove(self) -> None:
        """See that the database takes what comes, by a commit that changes nothing; outside `transaction()`."""
        with self.transaction():
            self._connection.touch()

    def check_place(self) -> None:
        """See that the database is still where others would find it."""
        self._connection.check_place()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def receive(self, batch: Batch, received_at: int, *, singly: bool = False) -> tuple[int, int]:
        """Store what is new in a batch; return the committed position of its stream and how many events were stored.

        `singly` stores event by event and sets aside each one that the database refuses.
        """
        header = batch.header
        stream = self._arriving.stream(header)
        if stream.boot != header.boot:
            self.raise_alarm(header.site, "boot_changed", received_at, header.boot.encode())
        offset_ms = stream.reference[3] if stream.reference is not None else None
        committed = stream.position
        receipt = receive(batch, committed, received_at, offset_ms)
        self._compare(header, receipt, batch, received_at)
        if receipt.position == committed:
            return committed, 0
        key = {"site": header.site, "stream": header.stream}
        stored, refused = self._put_events(key, receipt.events, received_at, singly=singly)
        receipt = receipt.without(refused) if refused else receipt
        self._set_aside(key, (*receipt.bad, *_refused(batch, refused)), received_at)
        self._put_persons(key, receipt, received_at)
        counts = stored, len(receipt.bad) + len(refused)
        self._arriving.add_to_stream(header, stream, receipt, received_at, counts)
        if any(event.kind in COUNTED_KINDS for event in receipt.events):
            self._arriving.write()
            seqs = receipt.events[0].seq, receipt.events[-1].seq
            mark_events(self._connection, header.site, header.stream, *seqs)
        if receipt.reference is not None and receipt.reference.seq not in refused:
            self._tie_clock(key, stream.boot, receipt.reference, stream.reference)
        self._raise_alarms(header.site, receipt, len(refused), received_at)
        return receipt.position, stored

    def greet(self, hello: Hello, received_at: int) -> list[StreamAck]:
        """Return the answer to a Hello, with every loss that it reveals recorded as a gap."""
        self._arriving.write_for_others()
        committed = self._committed(hello)
        acks: list[StreamAck] = []
        room: int | None = None
        for held in hello.streams:
            key = {"site": hello.site, "stream": held.stream}
            found = answer(held, committed.get(held.stream, 0))
            if found.went_back and not self._is_overtaken(key, held.last, received_at):
                self.raise_alarm(hello.site, "disk_went_back", received_at, held.model_dump_json().encode())
            if found.gap is not None:
                if held.stream not in committed:
                    room = self._room_for_empty(hello.site) if room is None else room - 1
                    if room <= 0:
                        self.refuse(hello.site, "gap", received_at, held.model_dump_json().encode())
                        acks.append(StreamAck(stream=held.stream, seq=0))
                        continue
                self._put_gap(key, found.gap, received_at)
            committed[held.stream] = found.position
            acks.append(StreamAck(stream=held.stream, seq=found.position))
        return acks

    def refuse(self, site: str, reason: str, received_at: int, sample: bytes) -> None:
        """Count a message that was refused as a whole; the first of its site and reason is kept in part."""
        self.raise_alarm(site, REFUSED + reason, received_at, sample)

    def raise_alarm(self, site: str, reason: str, at: int, sample: bytes = b"", times: int = 1) -> None:
        """Count what went wrong at a site, and log the first; senders that we do not know share one row a reason."""
        self._arriving.write()
        known = self._connection.execute(_SQL["is_known_site"], {"site": site}).fetchone()
        values = {"site": site if known else "", "reason": reason, "times": times, "at": at}
        row = self._connection.execute(_SQL["put_alarm"], {**values, "sample": sample[:MAX_SAMPLE_BYTES]}).fetchone()
        if row[0] == times:
            log.warning("alarm=%s site=%s times=%d", reason, site, times)

    def lock_sites(self, sites: set[str]) -> None:
        """Keep other writers from these sites until the transaction ends; once, before anything of them is read."""
        self._connection.lock_sites(sites)

    def settle_sites(self, sites: set[str]) -> None:
        """Bring the figures of these sites up to their events; many changed days are only marked."""
        self._arriving.write()
        for site in sorted(sites):
            span = walk_site(self._connection, site)
            if span is None:
                continue
            days = changed_days(self._connection, site, span)
            if len(days) <= MAX_DAYS_AT_ONCE:
                settle_days(self._connection, site, days, within=span)
            else:
                mark(self._connection, site, days)

    def settle_slice(self) -> bool:
        """Bring some of the pending figures up to their events; return whether more are pending."""
        behind = sites_to_walk(self._connection, MAX_SITES_A_SLICE, self._walked_to)
        # Each in its turn: where more comes than can be brought on, the first would have it for ever.
        self._walked_to = behind[-1] if len(behind) == MAX_SITES_A_SLICE else ""
        marked = sites_marked(self._connection, MAX_DAYS_A_SLICE)
        # What another settler has at hand is left to it.
        ours = self._connection.lock_sites({*behind, *marked}, waits=False)
        sites = [site for site in behind if site in ours]
        for site in sites:
            span = walk_site(self._connection, site, MAX_EVENTS_A_SLICE // len(sites))
            if span is not None:
                mark(self._connection, site, changed_days(self._connection, site, span))
        settle_marks(self._connection, MAX_DAYS_A_SLICE, ours)
        return self.is_pending()

    def settle_visits(self) -> bool:
        """Count some of the persons and doors that are to be counted at sites; return whether more are."""
        self._counted_to = settle_visits(self._connection, self._counted_to)
        return visits_pending(self._connection)

    def settle_zone(self, for_s: float = inf) -> bool:
        """Count the persons of one zone, or go on with it for so long; return whether zones are to be counted."""
        self._zones.go_on(for_s)
        return zone_is_pending(self._connection)

    def visits_pending(self) -> tuple[bool, bool]:
        """Return whether persons or doors are to be counted at sites, and in zones; outside a transaction, too."""
        with self._connection.translated():
            return visits_pending(self._connection), zone_is_pending(self._connection)

    def is_pending(self) -> bool:
        """Return whether any figure is still to be computed; may be asked outside a transaction."""
        with self._connection.translated():
            return is_pending(self._connection)

    def purge_journal(self, now_ms: int) -> int:
        """Forget who badged more than 90 days ago; return how many access events that was: none by a leapt clock."""
        if has_leapt(self._connection, now_ms):
            log.warning("journal=kept reason=clock now_ms=%d", now_ms)
            return 0
        return purge_journal(self._connection, now_ms)

    def _committed(self, hello: Hello) -> dict[str, int]:
        """Return the committed position of each known stream of a Hello: one question, however many they are."""
        streams = [held.stream for held in hello.streams]
        asked = _SQL["positions"].replace("(?)", f"({', '.join('?' * len(streams))})")
        return dict(self._connection.execute(asked, (hello.site, *streams)).fetchall()) if streams else {}

    def _is_overtaken(self, key: dict[str, str], last: int, received_at: int) -> bool:
        """Return whether a Hello that ends at `last` may have been sent before what is committed beyond."""
        row = self._connection.execute(_SQL["heard_beyond"], {**key, "last": last}).fetchone()
        return row is not None and abs(received_at - row[0]) < LATE_MS

    def _room_for_empty(self, site: str) -> int:
        """Return how many more streams of a site may be known by a gap alone."""
        values = {"site": site, "most": MAX_EMPTY_STREAMS}
        found: int = self._connection.execute(_SQL["empty_streams"], values).fetchone()[0]
        return MAX_EMPTY_STREAMS - found

    def _compare(self, header: BatchHeader, receipt: Receipt, batch: Batch, received_at: int) -> None:
        """Set aside lines that came again with other bytes: one of the two is not what happened."""
        if not receipt.repeated:
            return
        self._arriving.write()
        key = {"site": header.site, "stream": header.stream}
        bounds = {"first_seq": receipt.repeated[0][0], "last_seq": receipt.repeated[-1][0]}
        stored = dict(self._connection.execute(_SQL["stored_digests"], {**key, **bounds}).fetchall())
        conflicts = [
            BadLine(seq, digest.hex(), "conflict", batch.lines[seq - header.first])
            for seq, digest in receipt.repeated
            if seq in stored and stored[seq] != digest
        ]
        if conflicts:
            count = self._set_aside(key, conflicts, received_at)
            self._connection.execute(_SQL["count_bad_lines"], {**key, "quarantined": count})
            self.raise_alarm(header.site, "conflicting_event", received_at, conflicts[0].line, len(conflicts))

    def _put_events(
        self, key: dict[str, str], events: tuple[NewEvent, ...], received_at: int, *, singly: bool
    ) -> tuple[int, set[int]]:
        """Insert events; return how many were new and the positions that the database refused."""
        where = (key["site"], key["stream"], received_at)
        rows = [where + event for event in events]
        if singly:
            return self._put_singly(rows, events)
        self._arriving.add_events(key["site"], rows)
        return len(rows), set()

    def _put_singly(self, rows: Sequence[tuple[object, ...]], events: tuple[NewEvent, ...]) -> tuple[int, set[int]]:
        """Insert event by event, each of which the database may refuse."""
        stored, refused = 0, set()
        for row, event in zip(rows, events, strict=True):
            self._connection.execute("savepoint one_event")
            try:
                with self._connection.translated():
                    stored += self._connection.execute(_SQL["put_event"], row).rowcount
            except StoreRefusedError:
                self._connection.execute("rollback to savepoint one_event")
                refused.add(event.seq)
            self._connection.execute("release savepoint one_event")
        return stored, refused

    def _set_aside(self, key: dict[str, str], lines: tuple[BadLine, ...] | list[BadLine], received_at: int) -> int:
        """Quarantine lines under their position and hash; return how many were not there yet."""
        count = 0
        for bad in lines:
            kept = self._connection.execute(
                _SQL["bad_lines_of_site"], {"site": key["site"], "most": MAX_SAMPLES_PER_SITE}
            ).fetchone()[0]
            values = {
                "seq": bad.seq,
                "sha256": bad.sha256,
                "reason": bad.reason,
                "size_bytes": len(bad.line),
                "sample": bad.line[:MAX_SAMPLE_BYTES] if kept < MAX_SAMPLES_PER_SITE else None,
                "received_at": received_at,
            }
            count += self._connection.execute(_SQL["put_bad_line"], {**key, **values}).rowcount
        return count

    def _put_persons(self, key: dict[str, str], receipt: Receipt, received_at: int) -> None:
        if not receipt.persons:
            return
        events = {event.seq: event for event in receipt.events}
        rows = []
        for seq, person in receipt.persons:
            at_ms = events[seq].at_ms
            # What has no instant to believe ages from its reception.
            aged_from = received_at if at_ms is None else min(at_ms, received_at)
            erased_until = forgotten_until(self._connection, person)
            # What has no instant may be from before an erasure: the doubt is the person's.
            is_erased = erased_until is not None and (at_ms is None or aged_from <= erased_until)
            if aged_from >= received_at - JOURNAL_MS and not is_erased:
                entry_ms = entry_of(events[seq].kind, events[seq].value, at_ms)
                rows.append({**key, "seq": seq, "person": person, "at_ms": aged_from, "entry_ms": entry_ms})
        self._connection.executemany(_SQL["put_person"], rows)

    def _put_gap(self, key: dict[str, str], gap: tuple[int, int], received_at: int) -> None:
        values = {**key, "first_seq": gap[0], "last_seq": gap[1], "noted_at": received_at}
        # A gap that goes on is one row: a site adds none without an event between two.
        if not self._connection.execute(_SQL["lengthen_gap"], values).rowcount:
            self._connection.execute(_SQL["put_gap"], values)
        row = (key["site"], key["stream"], None, gap[1], 0, 0, received_at, None, 0)
        self._connection.insert(_SQL["put_stream"], [row])
        self.raise_alarm(key["site"], "gap", received_at, f"{key['stream']} {gap[0]} {gap[1]}".encode())

    def _tie_clock(
        self,
        key: dict[str, str],
        boot: str,
        found: ClockReference,
        known: Reference | None,
    ) -> None:
        """Re-time every unsynced event of a boot by its first clock_set, whichever came first."""
        if known is not None and known[:3] <= (found.up, key["stream"], found.seq):
            return
        self._arriving.write_for_others()
        self._connection.execute(
            _SQL["put_boot"], {**key, "boot": boot, "up": found.up, "seq": found.seq, "offset_ms": found.offset_ms}
        )
        bounds = {"offset_ms": found.offset_ms, "earliest_ms": EARLIEST_MS, "future_ms": MAX_FUTURE_MS}
        streams = self._connection.execute(_SQL["streams_of_boot"], {"site": key["site"], "boot": boot}).fetchall()
        for (stream,) in streams:
            which = {"site": key["site"], "stream": stream}
            mark_events(self._connection, key["site"], stream)
            if self._connection.execute(_SQL["retime"], {**which, **bounds}).rowcount:
                self._connection.execute(_SQL["walk_again"], which)
                # An event that proves to be old takes its person with it sooner.
                self._connection.execute(_SQL["age_again"], which)
                enter_again(self._connection, key["site"], stream)
                mark_events(self._connection, key["site"], stream)

    def _raise_alarms(self, site: str, receipt: Receipt, refused: int, received_at: int) -> None:
        counts = {
            "quarantined": len(receipt.bad) + refused,
            "suspect_time": receipt.suspect,
            "misplaced_person": receipt.misplaced_persons,
            "rights_refused": sum(event.kind == "rights_refused" for event in receipt.events),
            "emergency_opened": sum(map(_is_emergency, receipt.events)),
        }
        for reason, times in counts.items():
            if times:
                sample = receipt.bad[0].line if reason == "quarantined" and receipt.bad else b""
                self.raise_alarm(site, reason, received_at, sample, times)


def _replay_erasures(engine: Engine) -> None:
    """Forget again whom the ledger names: the database may have been put back by hand, or a command cut short."""
    if not engine.ledger.exists():
        return
    with closing(engine.guest()) as connection:
        try:
            with transaction(connection):
                erasures, forgotten = replay(connection, engine.ledger)
        except ErasureError as error:
            raise StoreDownError(str(error)) from error
    if forgotten:
        log.warning("erasures=replayed credentials=%d events=%d", erasures, forgotten)


def _is_emergency(event: NewEvent) -> bool:
    """Return whether an emergency badge opened after the list of rights had ended."""
    return event.kind == "access_decided" and '"emergency":true' in event.value


def _refused(batch: Batch, positions: set[int]) -> list[BadLine]:
    lines = [(seq, batch.lines[seq - batch.header.first]) for seq in sorted(positions)]
    return [BadLine(seq, sha256(line).hexdigest(), "database", line) for seq, line in lines]
