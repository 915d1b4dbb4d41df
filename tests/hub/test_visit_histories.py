"""Random lives of two telecentres: late, twice, shuffled, purged in between; the counts are those of a paper list.

A few dozen in `make test`, 2,000 on each engine in `make campaign`; `TELECENTRE_SEED` repeats a run. The histories of
desks and rooms: test_random_histories.py.
"""

import random
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from hub.store.connection import Engine
from tests.support.comings import CATCHES_UP, DAY, MINUTE, PARIS, Bench, clock_set, coming, ever, ms, network
from tests.support.long_form import CAMPAIGN_MINUTES, HISTORIES, SEED
from tests.support.postgres import Postgres
from tests.support.telecentres import store_in

SITES = ("allanche", "murat")
PLACES = {"allanche": {"allanche"}, "murat": {"murat"}, "zone:reseau:massif": set(SITES)}
MEMBERS = {"b0000001": "ada", "b0000002": "ada", "b0000003": "bea", "b0000004": "cleo"}
BADGES = [*MEMBERS, "b0000005"]
FIRST = ms("2026-09-28 00:00")
LENGTH_DAYS = 40


@dataclass(frozen=True)
class Came:
    """A badge was shown at a site."""

    site: str
    badge: str
    at_ms: int
    granted: bool

    @property
    def person(self) -> str:
        """The member, or the badge of nobody."""
        return MEMBERS.get(self.badge, self.badge)

    @property
    def local(self) -> datetime:
        """When, on the clock at the wall."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).astimezone(PARIS)


@dataclass
class Paper:
    """What a person with a list would know: every coming that was ever told, and the counts that have frozen."""

    list: set[Came] = field(default_factory=set)
    frozen: dict[tuple[str, str, date], tuple[int, int, int, int]] = field(default_factory=dict)
    purged_ms: int = 0

    def counts(self, place: str, step: str, first: date) -> tuple[int, int, int, int]:
        """Count one period, coming by coming."""
        end = first + timedelta(days={"day": 1, "week": 7}.get(step, 31))
        end = end.replace(day=1) if step == "month" else end
        there = sorted((one for one in self.list if one.granted and one.site in PLACES[place]), key=lambda o: o.at_ms)
        inside = [one for one in there if first <= one.local.date() < end]
        visits = 0
        for one in inside:
            sooner = [o for o in there if o.person == one.person and one.at_ms - 30 * MINUTE < o.at_ms < one.at_ms]
            same = [o for o in there if o.person == one.person and o.at_ms == one.at_ms]
            visits += not sooner and min(same, key=str) == one
        halves = {(one.person, one.local.date(), one.local.hour < 13) for one in inside}
        persons = {one.person for one in inside}
        old = {one.person for one in self.list if one.granted and one.local.date() < first}
        return visits, len(halves), len(persons), len(persons - old)

    def periods(self) -> set[tuple[str, date]]:
        """Return every period in which anybody ever came anywhere."""
        days = {one.local.date() for one in self.list}
        weeks = {("week", day - timedelta(days=day.weekday())) for day in days}
        return {("day", day) for day in days} | weeks | {("month", day.replace(day=1)) for day in days}

    def all(self) -> dict[tuple[str, str, date], tuple[int, int, int, int]]:
        """Return the counts of all periods: those that have frozen as they were then."""
        live = {
            (place, step, first): self.counts(place, step, first)
            for step, first in self.periods()
            if _start(first) >= self.purged_ms
            for place in PLACES
        }
        return {key: counts for key, counts in {**live, **self.frozen}.items() if any(counts)}

    def purge(self, before_ms: int) -> None:
        """Freeze what begins before."""
        until_ms = before_ms + 35 * MINUTE
        for step, first in self.periods():
            if self.purged_ms <= _start(first) < until_ms:
                for place in PLACES:
                    self.frozen[place, step, first] = self.counts(place, step, first)
        self.purged_ms = max(self.purged_ms, until_ms)


def _start(first: date) -> int:
    return ms(f"{first.isoformat()} 00:00")


COMING = st.builds(
    Came,
    st.sampled_from(SITES),
    st.sampled_from(BADGES),
    st.tuples(
        st.integers(0, LENGTH_DAYS - 1),
        st.sampled_from([0, 5, 1435, 539, 545, 560, 600, 779, 780, 800, 1020]),
    ).map(lambda at: FIRST + at[0] * DAY + at[1] * MINUTE),
    st.sampled_from([True, True, True, False]),
)
COMINGS = st.sampled_from([1, 1, 1, 1, 1, 24]).flatmap(
    lambda least: st.lists(
        COMING, min_size=least, max_size=least + 24, unique_by=lambda one: (one.site, one.badge, one.at_ms)
    )
)


def opened(home: Path | Engine) -> Bench:
    """Return a bench whose register holds the members and their badges.

    Hypothesis may break off a history that draws too much: whoever opens one closes it all the same.
    """
    now = [FIRST + (LENGTH_DAYS + 1) * DAY]
    store = store_in(home, lambda: now[0])
    store.import_network(network(*SITES), today=date(2026, 1, 1))
    bench = Bench(store, now)
    for member in sorted(set(MEMBERS.values())):
        bench.member(*(badge for badge in MEMBERS if MEMBERS[badge] == member))
    return bench


def found(bench: Bench) -> dict[tuple[str, str, date], tuple[int, int, int, int]]:
    """Return every count of the store that is not of nobody."""
    rows = [row for place in PLACES for step in ("day", "week", "month") for row in _rows(bench, place, step)]
    return {key: counts for key, counts in rows if any(counts)}


def _rows(bench: Bench, place: str, step: str) -> list[tuple[tuple[str, str, date], tuple[int, int, int, int]]]:
    return [
        (
            (place, step, date.fromisoformat(row.day)),
            (row.visits, row.half_days, row.unique_visitors, row.new_visitors),
        )
        for row in bench.store.visits(place, step, ever)  # type: ignore[arg-type]  # one of three words
    ]


def tell(bench: Bench, told: list[Came], rng: random.Random) -> set[Came]:
    """Send comings in pieces over several streams of each site; return those by a clock set right only later."""
    unsynced: set[Came] = set()
    waiting = list(told)
    while waiting:
        if rng.random() < CATCHES_UP:
            for site in SITES:
                rest = [(_line(one), one.badge) for one in waiting if one.site == site]
                bench.send(site, rest, stream=rng.choice("ab"))
            return unsynced
        one = waiting.pop(0)
        stream = rng.choice("ab")
        if rng.random() < 0.3:
            unsynced.add(one)
            stream, up = f"unsynced {one.at_ms} {one.badge}", 7_000
            lines = [
                (_line(one, clock="unsynced", up=up), one.badge),
                (clock_set(one.at_ms + MINUTE, up + MINUTE), None),
            ]
            bench.send(one.site, lines[:1], stream=stream)
            if rng.random() < 0.5:
                bench.settle()
            bench.send(one.site, lines[1:], stream=stream)
        else:
            bench.send(one.site, [(_line(one), one.badge)], stream=stream)
        if rng.random() < 0.2:
            bench.settle()
    return unsynced


def _line(one: Came, *, clock: str = "synced", up: int = 0) -> bytes:
    reason = "GRANTED" if one.granted else "DENIED_OUT_OF_TIME_RANGE"
    return coming(one.at_ms if clock == "synced" else 5, reason, clock=clock, up=up)


MANY = settings(
    max_examples=HISTORIES or 16, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
FEW = settings(MANY, max_examples=HISTORIES or 4)
"""Of a server, each of whose transactions waits for the disk."""

PURGES = st.lists(st.integers(0, LENGTH_DAYS * 24), max_size=4)
RANDOM = st.randoms(use_true_random=False)
LONG = pytest.mark.timeout(7_200 if CAMPAIGN_MINUTES else 120)


@LONG
@MANY
@seed(SEED)
@given(COMINGS, RANDOM)
def test_counts_equal_a_paper_list_whatever_the_order_of_arrival(comings: list[Came], rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        count_all(Path(folder), comings, rng)


@LONG
@FEW
@seed(SEED)
@given(COMINGS, RANDOM)
def test_counts_on_a_server_equal_a_paper_list_too(postgres: Postgres, comings: list[Came], rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder, postgres.passing(Path(folder)) as server:
        count_all(server, comings, rng)


@LONG
@MANY
@seed(SEED)
@given(COMINGS, PURGES, RANDOM)
def test_what_is_frozen_stays_and_what_lives_is_recomputed(
    comings: list[Came], purges: list[int], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        count_between_purges(Path(folder), comings, purges, rng)


@LONG
@FEW
@seed(SEED)
@given(COMINGS, PURGES, RANDOM)
def test_what_is_frozen_on_a_server_stays_and_what_lives_is_recomputed_too(
    postgres: Postgres, comings: list[Came], purges: list[int], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder, postgres.passing(Path(folder)) as server:
        count_between_purges(server, comings, purges, rng)


def count_all(home: Path | Engine, comings: list[Came], rng: random.Random) -> None:
    """Tell a store of all comings in any order; its counts are those of the list."""
    note(f"TELECENTRE_SEED={SEED}")
    with closing(opened(home)) as bench:
        shuffled = rng.sample(comings, len(comings))
        tell(bench, shuffled, rng)
        bench.settle()
        counted, rebuilt = found(bench), bench.store.rebuild()
    assert counted == Paper(set(comings)).all()
    assert rebuilt == []


def count_between_purges(home: Path | Engine, comings: list[Came], purges: list[int], rng: random.Random) -> None:
    """Tell a store of comings, some of them after the journal of their days was purged."""
    note(f"TELECENTRE_SEED={SEED}")
    told = [one for one in comings if one.badge in MEMBERS]
    rng.shuffle(told)
    paper = Paper()
    with closing(opened(home)) as bench:
        for hours in sorted(purges):
            count = rng.randint(0, len(told))
            now_ms = FIRST + hours * 60 * MINUTE + 90 * DAY
            _tell_living(bench, paper, told[:count], rng)
            told = told[count:]
            bench.purge(datetime.fromtimestamp(now_ms / 1000, PARIS).isoformat()[:16].replace("T", " "))
            paper.purge(bench.now[0] - 90 * DAY)
        _tell_living(bench, paper, told, rng)
        bench.settle()
        counted, rebuilt = found(bench), bench.store.rebuild()
    assert counted == paper.all()
    assert rebuilt == []


def _tell_living(bench: Bench, paper: Paper, comings: list[Came], rng: random.Random) -> None:
    """Send comings; of one that is older than the journal lives, the store hears no person.

    That one without an instant is so old is known too late: its person is no newcomer any more.
    """
    unsynced = tell(bench, comings, rng)
    paper.list |= unsynced | {one for one in comings if one.at_ms >= bench.now[0] - 90 * DAY}
