"""2,000 random histories on both engines equal the oracle: the figures of desks and rooms of one telecentre.

What can happen in a history: tests/support/histories.py. In which pieces, how often and when it is told, and when it is
settled: tests/support/telling.py. What its figures are: tests/support/minutes.py, which shares no formula with the hub.
Persons have theirs in test_visit_histories.py, the release in test_disclosure_attacks.py and test_revision_attacks.py.

A few dozen in `make test`, 2,000 on each engine in `make campaign`; `TELECENTRE_SEED` repeats a run.
"""

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from hub.indicators import Step, Value
from hub.opening import day_bounds, day_of
from hub.store import Asked, Store
from hub.store.connection import Engine
from hub.store.rows import Kind
from tests.support.histories import MINUTE, SITE, History, histories, quiet_streams, received_ms, streams
from tests.support.long_form import CAMPAIGN_MINUTES, HISTORIES, SEED
from tests.support.minutes import Oracle, Spent
from tests.support.postgres import Postgres
from tests.support.telecentres import store_in
from tests.support.telling import tell

MANY = settings(
    max_examples=HISTORIES or 40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
FEW = settings(MANY, max_examples=HISTORIES or 8)
"""Of a server, each of whose transactions waits for the disk."""

LIVES = st.one_of(streams(), streams(), quiet_streams())

TIMEOUT_S = 7_200 if CAMPAIGN_MINUTES else 120


@MANY
@seed(SEED)
@pytest.mark.timeout(TIMEOUT_S)
@given(histories(LIVES), st.randoms(use_true_random=False))
def test_every_figure_of_a_random_history_equals_an_independent_count_of_minutes(history: History, rng: Random) -> None:
    note(f"TELECENTRE_SEED={SEED}")
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), history, rng)


@FEW
@seed(SEED)
@pytest.mark.timeout(TIMEOUT_S)
@given(histories(LIVES), st.randoms(use_true_random=False))
def test_every_figure_of_a_random_history_on_a_server_equals_an_independent_count_too(
    postgres: Postgres, history: History, rng: Random
) -> None:
    note(f"TELECENTRE_SEED={SEED}")
    with tempfile.TemporaryDirectory() as folder, postgres.passing(Path(folder)) as server:
        compare(server, history, rng)


WAYS = {(way, table) for way in ("values (", "select", "from stdin") for table in ("event", "timeline")}
"""How a statement goes on that gives a server one row, an array of rows, or a copy of rows."""

FEW_LINES = 20
"""A history of no more is over before a server was given much, in as long as it takes to make a database for it."""


def test_histories_give_a_server_single_rows_and_arrays_and_copies_of_rows(postgres: Postgres) -> None:
    missing = set(WAYS)

    @settings(MANY, max_examples=100, phases=[Phase.generate])
    @seed(1)
    @given(histories(), st.randoms(use_true_random=True))  # seeded beforehand, so that an example may be skipped
    def look(history: History, rng: Random) -> None:
        if not missing or sum(len(stream.said) for stream in history.streams) <= FEW_LINES:
            return
        with tempfile.TemporaryDirectory() as folder, postgres.logging(Path(folder)) as (server, log):
            with closing(store_in(server, lambda: received_ms(history.start_ms))) as store:
                tell(store, history, rng)
            missing.difference_update(ways_of(log()))

    look()
    assert missing == set()


def ways_of(log: str) -> set[tuple[str, str]]:
    """Return in which ways rows were given to a server, and of which table."""
    given_to = re.findall(r"(?:insert into|copy) (\w+)\s*\([^)]*\)\s*(values \(|select|from stdin)", log)
    return {(way, table) for table, way in given_to}


def compare(home: Path | Engine, history: History, rng: Random) -> None:
    """Tell a store a history; each figure of the days around it is the oracle's, and a rebuild finds no other."""
    first = datetime.fromtimestamp(history.start_ms / 1000, UTC).date()
    days = [first + timedelta(days=n) for n in range(-3, 7)]
    kinds: tuple[Kind, ...] = ("desk", "room")
    with closing(store_in(home, lambda: received_ms(history.start_ms))) as store:
        told = tell(store, history, rng)
        oracle = Oracle(told)
        zone = told.register.zone
        for kind in kinds:
            seen, counted = hours(store, kind, days, zone), oracle.hours(kind, days)
            apart = {at: (seen.get(at), counted.get(at)) for at in {*seen, *counted} if seen.get(at) != counted.get(at)}
            assert apart == {}, (kind, "hour", apart)
            for step, name_of in STEPS.items():
                found = {name_of(day): values for day, values in indicators(store, kind, step, days, zone)}
                for name, period in groupby(days, name_of):
                    expected = oracle.values(kind, list(period))
                    wrong = differing(found.get(name, NOTHING), expected)
                    assert wrong == {}, (kind, step, name, wrong)
        assert store.rebuild() == []


COUNTED = [f"{name}_ms" for name in ("available", "observed", "occupied", "outside", "ghost", "saturated", "saturable")]
STEPS: dict[Step, Callable[[date], object]] = {
    "day": date.isoformat,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: day.replace(day=1),
}
"""By what the days of a period are known to be of it."""

NOTHING: Mapping[str, Value] = defaultdict(
    lambda: None, dict.fromkeys([*COUNTED, "sessions", "sessions_closed", "sessions_censored"], 0)
)
"""Of a period without any place, about which the store says nothing."""


def hours(store: Store, kind: Kind, days: Sequence[date], zone: ZoneInfo) -> dict[tuple[str, int], Spent]:
    """Return what the store says of each hour in which it was open and seen, in minutes."""
    rows = store.occupancy(SITE, kind, "hour", day_bounds(days[0], zone)[0], day_bounds(days[-1], zone)[1])
    lengths = {
        (row.resource, row.start_ms): Spent(
            row.available_ms, row.observed_ms, row.occupied_ms, row.outside_ms, row.ghost_ms
        )
        for row in rows
    }
    assert not any(length % MINUTE for spent in lengths.values() for length in spent)
    return {at: Spent(*(length // MINUTE for length in spent)) for at, spent in lengths.items() if spent.observed}


def indicators(
    store: Store, kind: Kind, step: Step, days: Sequence[date], zone: ZoneInfo
) -> list[tuple[date, Mapping[str, Value]]]:
    """Return what the store says of each period of these days."""

    def bounds(at: ZoneInfo) -> tuple[int, int]:
        return day_bounds(days[0], at)[0], day_bounds(days[-1], at)[1]

    rows = store.indicators([Asked(SITE, "site", (SITE,))], kind, step, bounds)
    return [(day_of(row.start_ms, zone), row.values) for row in rows]


def differing(found: Mapping[str, Value], expected: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """Return what was found and expected, where the two are not the same."""
    return {
        name: (found[name], value)
        for name, value in expected.items()
        if (found[name] is None) != (value is None) or (value is not None and found[name] != pytest.approx(value))
    }
