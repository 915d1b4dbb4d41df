"""Random lives of the doors of two telecentres, declared before, later, and taken out: they do what a paper list says.

A few dozen in `make test`, 2,000 on each engine in `make campaign`; `TELECENTRE_SEED` repeats a run. The histories of
persons: test_visit_histories.py.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from hub.indicators import Step
from hub.store import DoorRow, Undeclared
from hub.store.connection import Engine
from tests.support.comings import CATCHES_UP, DAY, MINUTE, PARIS, Bench, alarm, clock_set, coming, ms, network
from tests.support.long_form import CAMPAIGN_MINUTES, HISTORIES, SEED
from tests.support.postgres import Postgres
from tests.support.telecentres import store_in

SITES = ("allanche", "murat")
FIRST = ms("2026-09-25 00:00")
LENGTH_DAYS = 40
HOUR = 60 * MINUTE
ALARMS = ("FORCED_OPEN", "DOOR_OPEN_TOO_LONG", "NORMAL")
REASONS = ("GRANTED", "DENIED_UPPER_OCCUPANCY_LIMIT", "DENIED_SITE_CLOSED", "DENIED_UNKNOWN_CREDENTIAL")

Counts = Counter[str]
Cell = tuple[str, Step, int]
"""A door with its site, or a site, or the zone; and when a period begins."""


@dataclass(frozen=True)
class Did:
    """A door decided, or said how it was."""

    site: str
    door: str
    at_ms: int
    what: str

    @property
    def day(self) -> date:
        """On which local day."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).astimezone(PARIS).date()

    def line(self, *, clock: str = "synced", up: int = 0) -> bytes:
        """Return the event."""
        if self.what in ALARMS:
            return alarm(self.at_ms, self.what, door=self.door)
        return coming(self.at_ms if clock == "synced" else 5, self.what, door=self.door, clock=clock, up=up)


@dataclass
class Paper:
    """What a person with a list would know: all that doors ever did, and on which days the register held each."""

    doings: list[Did]
    held: dict[str, list[tuple[date, date | None]]] = field(default_factory=dict)

    def declare(self, doors: int, today: date) -> None:
        """Both telecentres have so many doors from a day on; one that was never declared has been there always."""
        wanted = {f"door-{n:02}" for n in range(1, doors + 1)}
        for door, spans in self.held.items():
            if spans[-1][1] is None and door not in wanted:
                spans[-1] = (spans[-1][0], today)
        for door in wanted:
            if door not in self.held:
                self.held[door] = [(date.min, None)]
            elif self.held[door][-1][1] is not None:
                self.held[door].append((today, None))

    def is_told(self, one: Did) -> bool:
        """Return whether the register holds the door on that day."""
        return any(begin <= one.day and (end is None or one.day < end) for begin, end in self.held.get(one.door, ()))

    def done(self) -> Iterable[tuple[Did, str]]:
        """Yield what counts: decisions, and alarms that a door did not say just before."""
        before: dict[tuple[str, str], str] = {}
        for one in sorted(self.doings, key=lambda one: one.at_ms):
            if one.what not in ALARMS:
                yield one, one.what
                continue
            said = before.get((one.site, one.door))
            before[one.site, one.door] = one.what
            if one.what not in ("NORMAL", said):
                yield one, one.what

    def cells(self) -> dict[Cell, Counts]:
        """Return all counts of all periods."""
        found: dict[Cell, Counts] = {}
        for one, what in self.done():
            if self.is_told(one):
                for place in (f"{one.site} {one.door}", one.site, "zone"):
                    for step in get_args(Step):
                        found.setdefault((place, step, begin(one, step)), Counter())[what] += 1
        return found

    def undeclared(self, site: str) -> list[Undeclared]:
        """Return what the doors of a site said that the register does not hold."""
        found: list[Undeclared] = []
        for door in sorted({one.door for one in self.doings}):
            spans = self.held.get(door, [(date.min, date.min)])
            end = spans[-1][1]
            if end is None:
                continue
            said = [one.at_ms for one in self.doings if (one.site, one.door) == (site, door)]
            said = [at_ms for at_ms in said if end == date.min or at_ms >= midnight(end + timedelta(days=1))]
            if said:
                found.append(Undeclared(door, len(said), is_more=False, first_ms=min(said), last_ms=max(said)))
        return found


def midnight(day: date) -> int:
    return ms(f"{day.isoformat()} 00:00")


def begin(one: Did, step: Step) -> int:
    """Return when the period of something begins."""
    day = one.day
    if step == "hour":
        return one.at_ms - (one.at_ms - midnight(day)) % HOUR
    week, quarter = day - timedelta(days=day.weekday()), day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    days = {"day": day, "week": week, "month": day.replace(day=1), "quarter": quarter, "year": date(day.year, 1, 1)}
    return midnight(days[step])


DOING = st.builds(
    Did,
    st.sampled_from(SITES),
    st.sampled_from(["door-01", "door-02", "door-03", "door-04"]),
    st.tuples(st.integers(0, LENGTH_DAYS - 1), st.sampled_from([0, 5, 125, 150, 539, 600, 1435])).map(
        lambda at: FIRST + at[0] * DAY + at[1] * MINUTE
    ),
    st.sampled_from(REASONS + ALARMS),
)
DOINGS = st.sampled_from([1, 1, 1, 1, 1, 24]).flatmap(
    lambda least: st.lists(
        DOING, min_size=least, max_size=least + 24, unique_by=lambda one: (one.site, one.door, one.at_ms)
    )
)

IMPORTS = st.lists(st.tuples(st.integers(0, LENGTH_DAYS), st.integers(0, 4)), max_size=4).map(sorted)
"""On which day a file with how many doors is imported."""


def counts_of(row: DoorRow) -> Counts:
    """Return the counts of a row as the list has them, and hold what it says of them together."""
    refusals = dict(row.refusals)
    full = refusals.get("DENIED_UPPER_OCCUPANCY_LIMIT")
    assert (row.refused_demand, row.refused_out_of_hours) == (full, refusals.get("DENIED_SITE_CLOSED", 0))
    assert row.refused == sum(refusals.values())
    done = {"GRANTED": row.granted, "FORCED_OPEN": row.forced, "DOOR_OPEN_TOO_LONG": row.held_open}
    return +(Counter(done) + Counter({str(reason): times for reason, times in row.refusals}))


def found(bench: Bench) -> dict[Cell, Counts]:
    """Return every count of the store."""
    cells: dict[Cell, Counts] = {}
    for step in get_args(Step):
        for site in SITES:
            cells |= {
                (f"{site} {row.door}", step, row.start_ms): counts_of(row) for row in bench.doors(site, step=step)
            }
            cells |= {(site, step, row.start_ms): counts_of(row) for row in bench.doors(site, step=step, level="zone")}
        whole = bench.doors(*SITES, step=step, level="zone")
        cells |= {("zone", step, row.start_ms): counts_of(row) for row in whole}
    return cells


def tell(bench: Bench, doings: list[Did], rng: random.Random) -> None:
    """Send what doors did in pieces over several streams, some of it by a clock that is set right only later."""
    waiting = list(doings)
    while waiting:
        if rng.random() < CATCHES_UP:
            for site in SITES:
                bench.send(site, [(one.line(), None) for one in waiting if one.site == site], stream=rng.choice("ab"))
            return
        one = waiting.pop(0)
        if one.what in REASONS and rng.random() < 0.3:
            stream, up = f"unsynced {one}", 7_000
            bench.send(one.site, [(one.line(clock="unsynced", up=up), None)], stream=stream)
            if rng.random() < 0.5:
                bench.settle()
            bench.send(one.site, [(clock_set(one.at_ms + MINUTE, up + MINUTE), None)], stream=stream)
        else:
            bench.send(one.site, [(one.line(), None)], stream=rng.choice("ab"))
        if rng.random() < 0.2:
            bench.settle()


def live(home: Path | Engine, doings: list[Did], imports: list[tuple[int, int]], rng: random.Random) -> None:
    """Tell a store what doors did in any order, and declare doors in between: it says what the list says."""
    note(f"TELECENTRE_SEED={SEED}")
    # Hypothesis may break off a history that draws too much: the connections are closed all the same.
    with closing(Bench(store_in(home, lambda: FIRST + 90 * DAY), [FIRST + 90 * DAY])) as bench:
        bench.store.import_network(network(*SITES), today=date(2026, 1, 1))
        paper = Paper(doings)
        paper.declare(1, date.min)
        told = rng.sample(doings, len(doings))
        for day, doors in imports:
            count = rng.randint(0, len(told))
            tell(bench, told[:count], rng)
            told = told[count:]
            today = date(2026, 9, 25) + timedelta(days=day)
            bench.store.import_network(network(*SITES, doors=doors), today=today)
            paper.declare(doors, today)
        tell(bench, told, rng)
        bench.settle()
        cells = found(bench)
        undeclared = {site: bench.store.undeclared(site, "Europe/Paris") for site in SITES}
        rebuilt = bench.store.rebuild()
    assert cells == paper.cells()
    assert undeclared == {site: paper.undeclared(site) for site in SITES}
    assert rebuilt == []


MANY = settings(
    max_examples=HISTORIES or 10, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
FEW = settings(MANY, max_examples=HISTORIES or 3)
"""Of a server, each of whose transactions waits for the disk."""

RANDOM = st.randoms(use_true_random=False)
LONG = pytest.mark.timeout(7_200 if CAMPAIGN_MINUTES else 120)


@LONG
@MANY
@seed(SEED)
@given(DOINGS, IMPORTS, RANDOM)
def test_doors_did_what_a_paper_list_says(
    doings: list[Did], imports: list[tuple[int, int]], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder), doings, imports, rng)


@LONG
@FEW
@seed(SEED)
@given(DOINGS, IMPORTS, RANDOM)
def test_doors_on_a_server_did_what_a_paper_list_says_too(
    postgres: Postgres, doings: list[Did], imports: list[tuple[int, int]], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder, postgres.passing(Path(folder)) as server:
        live(server, doings, imports, rng)
