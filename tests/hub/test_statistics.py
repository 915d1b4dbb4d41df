"""Figures are a function of the set of events: whatever the order, the repetitions and the moments of settling."""

import json
import random
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.messages import BatchHeader
from hub.network import Network, NetworkTable, SiteTable
from hub.opening import day_bounds, days_between, hours_of, opened
from hub.receiver import Batch
from hub.statistics import Change, Heard, figures, walk
from hub.store import Store
from hub.store.connection import Engine
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.postgres import Postgres
from tests.support.telecentres import store_in

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
HOURS = [(n * 60 * MINUTE, (n + 1) * 60 * MINUTE) for n in range(3)]
ALL_DAY = [(0, 180 * MINUTE)]


def minutes(pairs: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(at * MINUTE, state) for at, state in pairs]


def told(changes: Iterable[tuple[int, str]], carried: str | None, horizon: int) -> list[tuple[int, int]]:
    """(observed, occupied) in minutes of each of three hours."""
    found = figures(minutes(changes), carried, horizon * MINUTE, ALL_DAY, HOURS)
    return [(f.observed_ms // MINUTE, f.occupied_ms // MINUTE) for f in found]


def test_a_state_counts_until_the_next_one() -> None:
    assert told([(30, "occupied"), (90, "vacant")], "vacant", 180) == [(60, 30), (60, 30), (60, 0)]


def test_an_open_state_counts_up_to_the_last_event_heard_and_no_further() -> None:
    assert told([(30, "occupied")], "vacant", 100) == [(60, 30), (40, 40), (0, 0)]


def test_unknown_and_out_of_service_are_not_observed() -> None:
    assert told([(10, "unknown"), (70, "out_of_service"), (130, "free")], "occupied", 180) == [
        (10, 10),
        (0, 0),
        (50, 0),
    ]


def test_a_room_is_occupied_when_occupied_or_in_a_call_and_not_when_booked_or_ghost() -> None:
    assert told([(60, "in_call"), (120, "ghost")], "booked", 180) == [(60, 0), (60, 60), (60, 0)]


def test_time_outside_the_opening_hours_is_neither_available_nor_occupied() -> None:
    found = figures([], "occupied", 180 * MINUTE, [(30 * MINUTE, 90 * MINUTE)], HOURS)
    assert [(f.available_ms, f.observed_ms, f.occupied_ms) for f in found] == [
        (30 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        (30 * MINUTE, 30 * MINUTE, 30 * MINUTE),
        (0, 0, 0),
    ]


def test_nothing_is_observed_of_a_site_never_heard() -> None:
    assert all(f.observed_ms == 0 for f in figures([], None, None, ALL_DAY, HOURS))


def test_a_start_of_the_agent_ends_every_state_at_the_event_heard_just_before_it() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(200), Heard(900, breaks=True), Heard(950, "desk-01", "vacant")]
    changes, heard = walk(events, {}, None)
    assert changes == [
        Change("desk-01", 100, "occupied"),
        Change("desk-01", 200, "unknown"),
        Change("desk-01", 950, "vacant"),
    ]
    assert heard == 950


def test_a_state_without_an_instant_is_unknown_from_the_event_before_it() -> None:
    changes, _ = walk([Heard(100, "desk-01", "vacant"), Heard(300), Heard(None, "desk-01", "occupied")], {}, None)
    assert changes[-1] == Change("desk-01", 300, "unknown")


def test_a_backdated_vacancy_ends_the_occupation_in_the_past() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(900), Heard(400, "desk-01", "vacant")]
    assert walk(events, {}, None)[0][-1] == Change("desk-01", 400, "vacant")


def test_a_clock_set_back_shortens_the_earlier_state_and_erases_nothing_before_it() -> None:
    events = [Heard(100, "desk-01", "occupied"), Heard(500, "desk-01", "vacant"), Heard(50, "desk-01", "occupied")]
    assert walk(events, {}, None)[0][-1] == Change("desk-01", 500, "occupied")


def test_a_state_said_again_changes_nothing() -> None:
    assert len(walk([Heard(100, "desk-01", "vacant"), Heard(200, "desk-01", "vacant")], {}, None)[0]) == 1


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_local_day_has_as_many_hours_as_really_passed(day: date, hours: int) -> None:
    bounds = day_bounds(day, PARIS)
    assert len(hours_of(*bounds)) == hours
    assert sum(b - a for a, b in opened("24/7", PARIS, day)) == hours * 3_600_000


def test_public_holidays_of_france_are_closed_when_the_hours_say_so() -> None:
    assert opened("Mo-Fr 08:00-19:00; PH off", PARIS, date(2026, 12, 25)) == ()
    assert len(opened("Mo-Fr 08:00-19:00; PH off", PARIS, date(2026, 12, 24))) == 1


# The oracle: paint every minute of each place, event by event in the order that the protocol defines; then count.

SITE = "murat"
OPEN = "Mo-Sa 08:00-12:30,14:00-19:00; Su 01:00-05:00"
START = int(datetime(2026, 10, 23, 20, tzinfo=UTC).timestamp()) * 1000
RECEIVED = START + 30 * 86_400_000
PLACES = ("desk-01", "desk-02", "room-01")
STATES = {"desk": ["occupied", "vacant", "unknown", "out_of_service"], "room": ["free", "in_call", "ghost", "unknown"]}
LENGTH = 4 * 24 * 60
NETWORK = Network(
    network=NetworkTable(id="n", name="N", time_zone="Europe/Paris", opening_hours=OPEN),
    site=[SiteTable(id=SITE, name="Murat", desks=2, visio_rooms=1)],
)


@dataclass(frozen=True)
class Said:
    """One position of a stream: what its line says, in minutes since START."""

    kind: str
    minute: int = 0
    subject: str = "agent"
    state: str = ""
    clock: str = "synced"
    up: int = 0

    def line(self) -> bytes:
        if self.kind == "garbage":
            return b"{garbage"
        values: dict[str, dict[str, object]] = {
            "edge_started": {"version": "1"},
            "edge_alive": {},
            "lost": {"size_bytes": 9},
            "clock_set": {"step_ms": 1},
        }
        value = values.get(self.kind, {"state": self.state})
        t = START + self.minute * MINUTE if self.minute < 10**6 else RECEIVED + 86_400_000
        shape = {"subject": self.subject, "t": t, "clock": self.clock, "up": self.up * MINUTE, "kind": self.kind}
        return json.dumps({**shape, "value": value}).encode()


@dataclass(frozen=True)
class Stream:
    """One agent's life; `boot` may be shared by two."""

    id: str
    boot: str
    said: tuple[Said, ...]


@st.composite
def histories(draw: st.DrawFn) -> list[Stream]:
    streams: list[Stream] = []
    minute = 0
    for number in range(draw(st.integers(1, 4))):
        boot = f"{draw(st.integers(0, 1)) + number // 2:032x}"
        minute += draw(st.integers(0, 700))
        booted = draw(st.integers(0, 5))
        synced = draw(st.booleans())
        said = [Said("edge_started", minute, clock="synced" if synced else "unsynced", up=booted)]
        for _ in range(draw(st.integers(0, 14))):
            step = draw(st.integers(0, 240))
            minute = min(minute + step, LENGTH - 1)
            booted += step
            kind = draw(st.sampled_from(["state"] * 6 + ["edge_alive", "edge_alive", "lost", "clock_set", "garbage"]))
            clock = "synced" if synced else "unsynced"
            said.append(_said(draw, kind, minute, clock, booted))
            synced = synced or kind == "clock_set"
        streams.append(Stream(f"{draw(st.integers(0, 2**64)):032x}", boot, tuple(said)))
    return list({stream.id: stream for stream in streams}.values())


def _said(draw: st.DrawFn, kind: str, minute: int, clock: str, up: int) -> Said:
    if kind == "clock_set":
        return Said("clock_set", minute, clock="synced", up=up)
    if kind != "state":
        return Said(kind, minute, clock=clock, up=up)
    place = draw(st.sampled_from(PLACES))
    what = place.partition("-")[0]
    back = draw(st.sampled_from([0, 0, 0, 5, 400]))
    at = 10**6 if draw(st.integers(0, 20)) == 0 else max(0, minute - back)
    state = draw(st.sampled_from(STATES[what]))
    return Said(f"{what}_state_changed", at, place, state, clock, max(0, up - back))


def tied_boots(streams: list[Stream]) -> dict[str, int]:
    """What the first clock_set of each boot adds to its monotonic minutes."""
    found: dict[str, tuple[int, str, int, int]] = {}
    for stream in streams:
        for seq, said in enumerate(stream.said, start=1):
            if said.kind == "clock_set":
                this = (said.up, stream.id, seq, said.minute - said.up)
                found[stream.boot] = min(this, found.get(stream.boot, this))
    return {boot: reference[3] for boot, reference in found.items()}


def instants(stream: Stream, tied: dict[str, int]) -> list[int | None]:
    """The minute of each position of a stream, where there is one to believe."""
    return [
        None
        if said.kind == "garbage" or (said.clock == "synced" and said.minute >= 10**6)
        else said.minute
        if said.clock == "synced"
        else said.up + tied[stream.boot]
        if stream.boot in tied
        else None
        for said in stream.said
    ]


def in_order(streams: list[Stream], received: dict[str, int]) -> list[tuple[Said, int | None]]:
    """Every event with its minute, in the order that the protocol defines."""
    tied = tied_boots(streams)
    known = [(stream, instants(stream, tied)) for stream in streams]
    timed = [(stream, at) for stream, at in known if any(minute is not None for minute in at)]
    timed.sort(key=lambda pair: (next(m for m in pair[1] if m is not None), received[pair[0].id], pair[0].id))
    return [both for stream, at in timed for both in zip(stream.said, at, strict=True)]


def painted(streams: list[Stream], received: dict[str, int]) -> tuple[dict[str, list[str]], int]:
    """The state of every place in every minute, and the minute up to which the site was heard."""
    origin = 2 * LENGTH  # a tied clock may reach before START
    board = {place: ["never"] * (4 * LENGTH) for place in PLACES}
    last: dict[str, tuple[int, str]] = {}
    heard: int | None = None

    def paint(place: str, at: int, state: str) -> None:
        if place not in last or last[place][1] != state:
            at = max(at, last[place][0]) if place in last else at
            board[place][origin + at :] = [state] * (len(board[place]) - origin - at)
            last[place] = (at, state)

    for said, at in in_order(streams, received):
        if said.kind in ("edge_started", "lost", "garbage") and heard is not None:
            for place in list(last):
                paint(place, heard, "unknown")
        if said.subject in PLACES and at is not None:
            paint(said.subject, at, said.state)
        elif said.subject in last and at is None and heard is not None:
            paint(said.subject, heard, "unknown")
        heard = at if heard is None or (at is not None and at > heard) else heard
    return {place: states[origin:] for place, states in board.items()}, heard if heard is not None else 0


def expected(streams: list[Stream], received: dict[str, int]) -> dict[tuple[str, int], tuple[int, int]]:
    """(observed, occupied) minutes by place and hour of opening."""
    board, heard = painted(streams, received)
    result: dict[tuple[str, int], tuple[int, int]] = {}
    for day in days_between(START, START + (2 * LENGTH - 1) * MINUTE, PARIS):
        intervals = opened(OPEN, PARIS, day)
        for place, states in board.items():
            for start, end in hours_of(*day_bounds(day, PARIS)):
                within = [
                    states[(at - START) // MINUTE]
                    for at in range(max(start, START), min(end, START + heard * MINUTE), MINUTE)
                    if any(a <= at < b for a, b in intervals)
                ]
                used = sum(state in ("occupied", "in_call") for state in within)
                seen = used + sum(state in ("vacant", "free", "booked", "ghost") for state in within)
                if seen:
                    result[place, start] = (seen, used)
    return result


def deliver(store: Store, streams: list[Stream], rng: random.Random) -> dict[str, int]:
    """Send every stream in pieces, interleaved, some twice, settling now and then; return who came when."""
    writer = store.writer()
    queues = {stream.id: (stream, 1) for stream in streams}
    received: dict[str, int] = {}
    now = RECEIVED
    while queues:
        stream, first = queues[rng.choice(sorted(queues))]
        count = min(rng.randint(1, 5), len(stream.said) - first + 1)
        now += 1
        received.setdefault(stream.id, now)
        header = BatchHeader(site=SITE, stream=stream.id, boot=stream.boot, first=first, n=count, sent_at=now)
        batch = Batch(header, [said.line() for said in stream.said[first - 1 : first - 1 + count]])
        with writer.transaction():
            for _ in range(rng.choice([1, 1, 2])):
                writer.receive(batch, now)
            if rng.random() < 0.5:
                writer.settle_sites({SITE})
        if rng.random() < 0.2:
            with writer.transaction():
                writer.settle_slice()
        if first + count > len(stream.said):
            del queues[stream.id]
        else:
            queues[stream.id] = (stream, first + count)
    pending = True
    while pending:
        with writer.transaction():
            pending = writer.settle_slice()
    writer.close()
    return received


MANY = settings(
    max_examples=2_000 if CAMPAIGN_MINUTES else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
FEW = settings(MANY, max_examples=2_000 if CAMPAIGN_MINUTES else 10)
"""Of a server, each of whose transactions waits for the disk."""


@MANY
@given(histories(), st.randoms(use_true_random=False))
def test_figures_equal_an_independent_count_whatever_the_order_of_arrival(
    streams: list[Stream], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), streams, rng)


@FEW
@given(histories(), st.randoms(use_true_random=False))
def test_figures_on_a_server_equal_an_independent_count_too(
    postgres: Postgres, streams: list[Stream], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _compare(postgres.database(Path(folder)), streams, rng)


def _compare(home: Path | Engine, streams: list[Stream], rng: random.Random) -> None:
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=date(2026, 10, 1))
        received = deliver(store, streams, rng)
        # A clock that was tied late may put an event after the last one that was said.
        span = START - 86_400_000, START + 2 * LENGTH * MINUTE
        rows = store.occupancy(SITE, "desk", "hour", *span) + store.occupancy(SITE, "room", "hour", *span)
        found = {
            (row.resource, row.start_ms): (row.observed_ms // MINUTE, row.occupied_ms // MINUTE)
            for row in rows
            if row.observed_ms and row.start_ms >= START - 3_600_000
        }
        days = store.occupancy(SITE, "desk", "day", *span)
        rebuilt = store.rebuild()
    assert found == expected(streams, received)
    assert rebuilt == []
    by_hour = sum(row.occupied_ms for row in rows if row.resource.startswith("desk"))
    assert by_hour == sum(row.occupied_ms for row in days)


@pytest.mark.parametrize("zone", ["Atlantic/Azores", "America/Santiago"])
@pytest.mark.parametrize("changes_on", [date(2026, 3, 28), date(2026, 9, 5)])
def test_a_telecentre_that_never_closes_is_open_all_day_where_clocks_change_at_midnight(
    zone: str, changes_on: date
) -> None:
    for day in (changes_on, changes_on + timedelta(days=1)):
        assert opened("24/7", ZoneInfo(zone), day) == (day_bounds(day, ZoneInfo(zone)),)
