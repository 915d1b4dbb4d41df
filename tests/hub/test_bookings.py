"""What came of bookings is a function of the set of events, and equals a count of them one by one.

The oracle knows nothing of days that were settled: it looks at every event of the history, takes the last word on each
room and start, and asks the register whether the room counted on that day.
"""

import json
import random
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader
from hub.indicators import Step, Value
from hub.network import Network, NetworkTable, SiteTable
from hub.opening import day_bounds, day_of
from hub.receiver import Batch
from hub.store import Asked, Store
from hub.store.bookings import read_bookings
from hub.store.connection import Engine
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.postgres import Postgres
from tests.support.telecentres import store_in

SITE, PARIS, MINUTE = "murat", ZoneInfo("Europe/Paris"), 60_000
START = int(datetime(2026, 10, 23, 20, tzinfo=UTC).timestamp()) * 1000
RECEIVED = START + 30 * 86_400_000
ROOMS = ("room-01", "room-02", "room-09")
"""The last one is in no register."""

STARTS = (-40, 119, 120, 900, 1559, 1560, 2400, 3000, 3059, 4000)
"""Of bookings, in minutes; a local day ends after the second, the fifth and, 25 hours later, the ninth."""


def register(rooms: int) -> Network:
    table = NetworkTable(id="n", name="N", time_zone="Europe/Paris", opening_hours="Mo-Sa 08:00-19:00")
    return Network(network=table, site=[SiteTable(id=SITE, name="Murat", desks=1, visio_rooms=rooms)])


CHANGED_ON = date(2026, 10, 25)
DAYS = [date(2026, 10, 22) + timedelta(days=n) for n in range(9)]


@dataclass(frozen=True)
class Said:
    """One position of a stream, in minutes since START; a room, a start and an outcome if it is about a booking."""

    minute: int
    kind: str = "booking_judged"
    room: str = ""
    start: int = 0
    outcome: str = ""
    clock: str = "synced"

    def line(self) -> bytes:
        values = {
            "edge_started": {"version": "1"},
            "edge_alive": {},
            "clock_set": {"step_ms": 1},
            "room_state_changed": {"state": "occupied"},
        }
        booking = {"start": START + self.start * MINUTE, "outcome": self.outcome}
        shape = {"subject": self.room or "agent", "t": START + self.minute * MINUTE, "clock": self.clock, "up": 0}
        return json.dumps({**shape, "kind": self.kind, "value": values.get(self.kind, booking)}).encode()


Stream = tuple[str, list[Said]]
"""An agent's life: its id, and what it said."""


@st.composite
def histories(draw: st.DrawFn) -> list[Stream]:
    """Several agents' lives, some of which say of one booking what another has said."""
    streams: dict[str, list[Said]] = {}
    for _ in range(draw(st.integers(1, 3))):
        said = [Said(draw(st.integers(0, 3000)), "edge_started")]
        for _ in range(draw(st.integers(0, 14))):
            start, room = draw(st.sampled_from(STARTS)), draw(st.sampled_from(ROOMS))
            late = draw(st.sampled_from([0, 5, 10, 10, 11, 1440, 1441, -1, 10**6]))
            outcome = draw(st.sampled_from(["came", "no_show", "unknown"]))
            clock = draw(st.sampled_from(["synced", "synced", "holdover", "unsynced"]))
            said.append(Said(start + late, room=room, start=start, outcome=outcome, clock=clock))
            other = draw(st.sampled_from(["", "", "edge_alive", "clock_set", "room_state_changed"]))
            if other:
                minute = start + draw(st.integers(0, 2000))
                if (
                    other == "room_state_changed"
                ):  # no state is older than its agent: a telecentre counts from the first
                    said.append(Said(max(minute, said[0].minute), other, room))
                else:
                    said.append(Said(minute, other))
        streams[f"{draw(st.integers(0, 2**64)):032x}"] = said
    return list(streams.items())


def deliver(store: Store, streams: Sequence[Stream], rng: random.Random) -> None:
    """Send every stream in pieces, interleaved, some twice, settling now and then, and everything in the end."""
    queues = {stream: (said, 1) for stream, said in streams}
    with closing(store.writer()) as writer:
        while queues:
            stream = rng.choice(sorted(queues))
            said, first = queues.pop(stream)
            # Mostly a few lines; at times all that is left, of which a server is given a copy.
            count = min(rng.randint(1, rng.choice([5, 5, MAX_BATCH_EVENTS])), len(said) - first + 1)
            header = BatchHeader(site=SITE, stream=stream, boot=stream, first=first, n=count, sent_at=RECEIVED)
            batch = Batch(header, [one.line() for one in said[first - 1 : first - 1 + count]])
            with writer.transaction():
                for _ in range(rng.choice([1, 1, 2])):
                    writer.receive(batch, RECEIVED)
                if rng.random() < 0.5:
                    writer.settle_sites({SITE})
            if rng.random() < 0.2:
                with writer.transaction():
                    writer.settle_slice()
            if first + count <= len(said):
                queues[stream] = (said, first + count)
        while True:
            with writer.transaction():
                if not writer.settle_slice():
                    return


def last_words(streams: Sequence[Stream]) -> dict[tuple[str, int], str]:
    """What is said last of each room and start, of those that may be believed; in minutes."""
    said = [
        ((one.minute, stream, seq), (one.room, one.start), one.outcome)
        for stream, life in streams
        for seq, one in enumerate(life, start=1)
        if one.outcome and one.clock != "unsynced" and 0 <= one.minute - one.start <= 24 * 60
    ]
    return {booking: outcome for _, booking, outcome in sorted(said)}


class Oracle:
    """What came of bookings, by room and start in UTC milliseconds."""

    def __init__(self, streams: Sequence[Stream], *, changed: bool) -> None:
        # A telecentre counts from the first word of one of its agents' lives; all of them say when they start.
        first = min(said[0].minute for _, said in streams)
        began_on = day_of(START + first * MINUTE, PARIS)
        self.outcomes = {
            (room, START + start * MINUTE): outcome
            for (room, start), outcome in last_words(streams).items()
            if (day := day_of(START + start * MINUTE, PARIS)) >= began_on
            and room in (("room-01",) if changed and day >= CHANGED_ON else ("room-01", "room-02"))
        }

    def values(self, start_ms: int, end_ms: int, room: str | None = None) -> dict[str, Value]:
        told = [
            outcome
            for (of, start), outcome in self.outcomes.items()
            if start_ms <= start < end_ms and room in (None, of)
        ]
        missed, known = told.count("no_show"), sum(outcome != "unknown" for outcome in told)
        return {
            "bookings": len(told) or None,
            "no_shows": missed if known else None,
            "no_show_rate": missed / known if known else None,
        }


Row = tuple[int, int, str | None, Mapping[str, Value]]


def asked(store: Store, step: Step, days: Sequence[date], *, by_resource: bool = False) -> list[Row]:
    def bounds(zone: ZoneInfo) -> tuple[int, int]:
        return day_bounds(days[0], zone)[0], day_bounds(days[-1], zone)[1]

    places = [Asked(SITE, "site", (SITE,)), Asked("valley", "zone", (SITE,))]
    rows = store.indicators(places[:1] if by_resource else places, "room", step, bounds, by_resource=by_resource)
    return [(row.start_ms, row.end_ms, row.resource, _of_bookings(row.values)) for row in rows]


def _of_bookings(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: values[name] for name in ("bookings", "no_shows", "no_show_rate")}


def compare(home: Path | Engine, streams: list[Stream], rng: random.Random) -> None:
    changed = rng.random() < 0.5
    at = rng.randrange(len(streams) + 1)
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(register(2), today=date(2026, 10, 1))
        deliver(store, streams[:at], rng)
        if changed:
            store.import_network(register(1), today=CHANGED_ON)
        deliver(store, streams[at:], rng)
        oracle = Oracle(streams, changed=changed)
        with store.seen() as connection:
            rows = read_bookings(connection, SITE, (0, RECEIVED))
        found = {(row.resource, row.start_ms): row.outcome for row in rows}
        assert found == oracle.outcomes
        for step in ("hour", "day", "week", "month", "quarter", "year"):
            for start_ms, end_ms, _, values in asked(store, step, DAYS):
                assert values == oracle.values(start_ms, end_ms), step
            told = [values for _, _, _, values in asked(store, step, DAYS)]
            assert sum(int(values["bookings"] or 0) for values in told) == 2 * len(oracle.outcomes)
        for start_ms, end_ms, room, values in asked(store, "day", DAYS, by_resource=True):
            assert values == oracle.values(start_ms, end_ms, room)
        assert store.rebuild() == []


MANY = settings(
    max_examples=2_000 if CAMPAIGN_MINUTES else 30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
FEW = settings(MANY, max_examples=2_000 if CAMPAIGN_MINUTES else 5)


@MANY
@pytest.mark.timeout(120 if not CAMPAIGN_MINUTES else 3_600)
@given(histories(), st.randoms(use_true_random=False))
def test_bookings_equal_a_count_of_every_event_whatever_the_order_of_arrival(
    streams: list[Stream], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), streams, rng)


@FEW
@pytest.mark.timeout(120 if not CAMPAIGN_MINUTES else 3_600)
@given(histories(), st.randoms(use_true_random=False))
def test_bookings_on_a_server_equal_a_count_of_every_event_too(
    postgres: Postgres, streams: list[Stream], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(postgres.database(Path(folder)), streams, rng)


def test_bookings_of_a_room_come_and_go_with_its_place_in_the_register(home: Path | Engine) -> None:
    said = [Said(1560, "edge_started"), Said(2410, room="room-02", start=2400, outcome="no_show")]

    def counted(store: Store) -> Value:
        deliver(store, [], random.Random(1))
        assert store.rebuild() == []
        return asked(store, "year", DAYS)[0][3]["bookings"]

    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(register(1), today=date(2026, 10, 1))
        deliver(store, [("a" * 32, said)], random.Random(1))
        assert counted(store) is None
        store.import_network(register(2), today=CHANGED_ON)
        assert counted(store) == 1
        store.import_network(register(1), today=CHANGED_ON)
        assert counted(store) is None


class Eager(random.Random):
    """Settles with every message, so that nothing is left to be settled as a whole."""

    def random(self) -> float:
        return 0.0


def test_a_month_that_is_over_has_the_bookings_that_come_late(home: Path | Engine) -> None:
    first = [Said(0, "edge_started"), Said(910, room="room-01", start=900, outcome="came")]
    late = [Said(12 * 1440, "edge_alive"), Said(2410, room="room-01", start=2400, outcome="no_show")]
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(register(1), today=date(2026, 10, 1))
        months = []
        for stream in (("a" * 32, first), ("b" * 32, late[:1]), ("b" * 32, late)):
            deliver(store, [stream], Eager(1))
            months.append([one[3] for one in asked(store, "month", [date(2026, 10, 1), date(2026, 10, 31)])])
        assert store.rebuild() == []
    assert [told[0]["bookings"] for told in months] == [1, 1, 2]
    assert [told[0] for told in months] == [told[1] for told in months]


class Patient(random.Random):
    """Sends all that there is in one message, and settles when everything is there."""

    def random(self) -> float:
        return 0.99


def test_a_booking_of_yesterday_counts_although_its_room_changed_in_the_same_message(home: Path | Engine) -> None:
    settled = [Said(-100, "edge_started"), Said(125, "edge_alive")]
    together = [Said(130, "room_state_changed", "room-01"), Said(130, room="room-01", start=100, outcome="no_show")]
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(register(1), today=date(2026, 10, 1))
        for life in (settled, settled + together):
            deliver(store, [("a" * 32, life)], Patient(1))
        told = [one[3]["bookings"] for one in asked(store, "day", DAYS[:4]) if one[3]["bookings"]]
        assert store.rebuild() == []
    assert told == [1, 1], "one of the telecentre, one of its zone"


CHANGED_BY_HAND = {
    "outcome": "update booking set outcome = 'came'",
    "day": "update booking set day = '2026-10-01'",
    "none": "delete from booking",
    "before the first word": "update booking set start_ms = start_ms - 864000000, day = '2026-10-14'",
    "after the last word": "update booking set start_ms = start_ms + 2592000000, day = '2026-11-23'",
    "month": "update month_figure set no_shows = 9 where kind = 'room'",
}


@pytest.mark.parametrize("change", CHANGED_BY_HAND)
def test_rebuild_finds_what_came_of_a_booking_that_no_event_tells(tmp_path: Path, change: str) -> None:
    told = [Said(0, "edge_started"), Said(910, room="room-01", start=900, outcome="no_show")]
    with closing(store_in(tmp_path, lambda: RECEIVED)) as store:
        store.import_network(register(1), today=date(2026, 10, 1))
        deliver(store, [("a" * 32, [*told, Said(12 * 1440, "edge_alive")])], random.Random(1))
        with store.seen() as connection:
            before = read_bookings(connection, SITE, (0, 2 * RECEIVED))
        with closing(sqlite3.connect(store.file)) as by_hand, by_hand:
            assert by_hand.execute(CHANGED_BY_HAND[change]).rowcount == 1
        assert store.rebuild() != []
        assert store.rebuild() == []
        with store.seen() as connection:
            assert read_bookings(connection, SITE, (0, 2 * RECEIVED)) == before
