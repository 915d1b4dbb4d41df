"""Sessions, levels and indicators are a function of the set of events, and equal an independent count of minutes.

The oracle writes each minute of each place as one letter and reads sessions off that text with a regular expression,
levels by counting letters, windows of five minutes by looking at each. Histories are those of test_statistics: late,
repeated, shuffled, with clocks set and set back, new streams, a night of 25 hours, lost lines; here the register
changes between them, too.
"""

import random
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean, median
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.indicators import Step, Value
from hub.network import Network, NetworkTable, SiteTable
from hub.opening import day_bounds, day_of, opened
from hub.store import Asked, Store
from hub.store.connection import Engine
from hub.store.rows import Kind
from tests.hub.test_statistics import (
    LENGTH,
    MINUTE,
    NETWORK,
    OPEN,
    PARIS,
    PLACES,
    RECEIVED,
    SITE,
    START,
    Said,
    Stream,
    deliver,
    histories,
    in_order,
    instants,
    tied_boots,
)
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.postgres import Postgres
from tests.support.telecentres import Change, put_history, store_in

SHORTER = "Mo-Sa 08:00-12:30; Su 01:00-05:00; PH off"
CHANGED_ON = date(2026, 10, 25)
"""From this day on the telecentre opens less and has one desk fewer."""

CHANGED = Network(
    network=NetworkTable(id="n", name="N", time_zone="Europe/Paris", opening_hours=SHORTER),
    site=[SiteTable(id=SITE, name="Murat", desks=1, visio_rooms=1)],
)
ORIGIN = START - 2 * LENGTH * MINUTE
"""A clock that is tied late may reach before START."""

LETTERS = {"occupied": "U", "in_call": "U", "vacant": "E", "free": "E", "booked": "E", "ghost": "G"}
LETTERS |= {"unknown": "?", "never": "?", "out_of_service": "O"}
MERGED = {"desk": 15, "room": 5}
LEVELS: tuple[tuple[str, Literal["site", "zone"]], ...] = ((SITE, "site"), ("zone", "zone"))


class Oracle:
    """What each minute of each place was, and what follows of it."""

    def __init__(self, streams: list[Stream], received: dict[str, int], *, changed: bool) -> None:
        self.changed = changed
        self.text, self.heard = _written(streams, received)
        tied = tied_boots(streams)
        firsts = [next((at for at in instants(stream, tied) if at is not None), None) for stream in streams]
        known = [first for first in firsts if first is not None]
        self.first_ms = START + min(known) * MINUTE if known else None

    def places(self, kind: str, day: date) -> list[str]:
        gone = {"desk-02"} if self.changed and day >= CHANGED_ON else set()
        return [place for place in PLACES if place.startswith(kind) and place not in gone]

    def open(self, day: date) -> set[int]:
        """The minutes, from ORIGIN, in which the telecentre is open on a day."""
        hours = SHORTER if self.changed and day >= CHANGED_ON else OPEN
        return {
            minute
            for start, end in opened(hours, PARIS, day)
            for minute in range((start - ORIGIN) // MINUTE, (end - ORIGIN) // MINUTE)
        }

    def letter(self, place: str, minute: int) -> str:
        text = self.text[place]
        return text[minute] if minute < min(len(text), self.heard) else "?"

    def sessions(self, place: str) -> list[tuple[int, int, bool]]:
        """(start, end) in minutes from ORIGIN, and whether both ends were seen."""
        text = self.text[place].replace("G", "E")
        seen, after = text[: self.heard], text[self.heard]
        merged = MERGED[place.partition("-")[0]]
        found = []
        for match in re.finditer(rf"U+(?:E{{1,{merged}}}U+)*", seen):
            start, end = match.span()
            before = seen[start - 1] if start else "?"
            following = seen[end] if end < len(seen) else after
            if end - start >= 2:
                found.append((start, end, before == following == "E"))
        return found

    def values(self, kind: str, days: Sequence[date]) -> dict[str, Value]:
        counts = dict.fromkeys(("available", "observed", "occupied", "outside", "ghost", "place_days"), 0)
        daily: list[list[tuple[int, int, int]]] = []
        for day in days:
            hours = self.open(day)
            for place in self.places(kind, day):
                _add(counts, self._times(place, day, hours))
            daily.append(self._levels(kind, day, hours))
        found = _named(counts, kind)
        missing = counts["observed"] * 2 < counts["available"] or not counts["observed"]
        found |= _crowd(daily, [day_bounds(day, PARIS)[0] for day in days], missing=missing)
        begun = [one for day in days for place in self.places(kind, day) for one in self._begun(place, day)]
        lengths = sorted((end - start) * MINUTE for start, end, is_closed in begun if is_closed)
        found |= {
            "sessions": len(begun),
            "sessions_closed": len(lengths),
            "sessions_censored": len(begun) - len(lengths),
            "dwell_mean_ms": fmean(lengths) if lengths else None,
            "dwell_median_ms": median(lengths) if lengths else None,
            "dwell_p90_ms": next((x for n, x in enumerate(lengths, 1) if n * 10 >= len(lengths) * 9), None),
            "turnover": None if missing or not counts["place_days"] else len(begun) / counts["place_days"],
        }
        return found

    def _begun(self, place: str, day: date) -> list[tuple[int, int, bool]]:
        return [one for one in self.sessions(place) if day_of(ORIGIN + one[0] * MINUTE, PARIS) == day]

    def _times(self, place: str, day: date, hours: set[int]) -> dict[str, int]:
        start, end = ((at - ORIGIN) // MINUTE for at in day_bounds(day, PARIS))
        letters = [(minute in hours, self.letter(place, minute), minute) for minute in range(start, end)]
        clipped = self.first_ms is not None and day_of(self.first_ms, PARIS) == day
        first = (self.first_ms - ORIGIN) // MINUTE if clipped and self.first_ms is not None else 0
        watched = [letter for is_open, letter, _ in letters if is_open and letter in "UEG"]
        available = {}
        for hour in range(start, end, 60):
            inside = [one for one in letters if hour <= one[2] < hour + 60 and one[0]]
            counted = sum(letter != "O" for _, letter, minute in inside if minute >= first)
            available[hour] = max(counted, sum(letter in "UEG" for _, letter, _ in inside))
        total = sum(available.values())
        return {
            "available": total,
            "observed": len(watched),
            "occupied": watched.count("U"),
            "outside": sum(letter == "U" and not is_open for is_open, letter, _ in letters),
            "ghost": watched.count("G"),
            "place_days": int(total > 0),
        }

    def _levels(self, kind: str, day: date, hours: set[int]) -> list[tuple[int, int, int]]:
        """(in use, free, unknown) of each minute of a day."""
        start, end = ((at - ORIGIN) // MINUTE for at in day_bounds(day, PARIS))
        places = self.places(kind, day)
        levels = []
        for minute in range(start, end):
            letters = "".join(self.letter(place, minute) for place in places) if minute in hours else ""
            levels.append((letters.count("U"), letters.count("E") + letters.count("G"), letters.count("?")))
        return levels


def _written(streams: list[Stream], received: dict[str, int]) -> tuple[dict[str, str], int]:
    """The letters of each place from ORIGIN on, and the minute up to which the site was heard."""
    shift = 2 * LENGTH
    text = {place: ["never"] * (4 * LENGTH) for place in PLACES}
    last: dict[str, tuple[int, str]] = {}
    heard: int | None = None

    def write(place: str, at: int, state: str) -> None:
        if place not in last or last[place][1] != state:
            at = max(at, last[place][0]) if place in last else at
            text[place][shift + at :] = [state] * (len(text[place]) - shift - at)
            last[place] = (at, state)

    for said, at in in_order(streams, received):
        if said.kind in ("edge_started", "lost", "garbage") and heard is not None:
            for place in list(last):
                write(place, heard, "unknown")
        if said.subject in PLACES and at is not None:
            write(said.subject, at, said.state)
        elif said.subject in last and at is None and heard is not None:
            write(said.subject, heard, "unknown")
        heard = at if heard is None or (at is not None and at > heard) else heard
    letters = {place: "".join(LETTERS[state] for state in states) for place, states in text.items()}
    return letters, 0 if heard is None else shift + heard


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        counts[name] += number


def _named(counts: Mapping[str, int], kind: str) -> dict[str, Value]:
    names = ("available", "observed", "occupied", "outside", *(("ghost",) if kind == "room" else ()))
    missing = counts["observed"] * 2 < counts["available"] or not counts["observed"]
    found: dict[str, Value] = {f"{name}_ms": counts[name] * MINUTE for name in names}
    return found | {"occupancy_rate": None if missing else counts["occupied"] / counts["observed"]}


def _crowd(
    daily: Sequence[Sequence[tuple[int, int, int]]], starts: Sequence[int], *, missing: bool
) -> dict[str, Value]:
    known = [(start, levels) for start, levels in zip(starts, daily, strict=True) if any(u + f for u, f, _ in levels)]
    every = [one for _, levels in known for one in levels if one[0] + one[1]]
    whole = [one for one in every if not one[2]]
    peaks = [max(used for used, _, _ in levels) for _, levels in known]
    peak = max(peaks, default=None)
    at = [
        start + n * MINUTE for start, levels in known for n, (used, _, _) in enumerate(levels) if used == peak and peak
    ]
    held = [min(used for used, _, _ in levels[n : n + 5]) for _, levels in known for n in range(len(levels) - 4)]
    full = sum(not free for _, free, _ in whole)
    return {
        "peak": peak,
        "peak_at_ms": at[0] if at else None,
        "peak_5min": max(held, default=None),
        "average_peak": fmean(peaks) if peaks and not missing else None,
        "average_occupancy": fmean(used for used, _, _ in whole) if whole and not missing else None,
        "min_free": min((free for _, free, _ in whole), default=None),
        "saturated_ms": full * MINUTE,
        "saturable_ms": len(whole) * MINUTE,
        "saturation": full / len(whole) if whole and not missing else None,
    }


def told(store: Store, kind: Kind, step: Step, days: Sequence[date]) -> list[tuple[date, Mapping[str, Value]]]:
    """What the store says of the periods of these days."""

    def bounds(zone: ZoneInfo) -> tuple[int, int]:
        return day_bounds(days[0], zone)[0], day_bounds(days[-1], zone)[1]

    rows = store.indicators([Asked(SITE, "site", (SITE,))], kind, step, bounds)
    return [(day_of(row.start_ms, PARIS), row.values) for row in rows]


def differing(found: Mapping[str, Value], expected: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """What was found and expected, where the two are not the same."""
    return {
        name: (found[name], value)
        for name, value in expected.items()
        if (found[name] is None) != (value is None) or (value is not None and found[name] != pytest.approx(value))
    }


def compare(home: Path | Engine, streams: list[Stream], rng: random.Random) -> None:
    changed = rng.random() < 0.5
    at = rng.randrange(len(streams) + 1)
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=date(2026, 10, 1))
        received = deliver(store, streams[:at], rng)
        if changed:
            store.import_network(CHANGED, today=CHANGED_ON)
        # A stream that comes later is received later, whichever comes first.
        later = deliver(store, streams[at:], rng)
        received |= {stream: when + 10**6 for stream, when in later.items()}
        oracle = Oracle(streams, received, changed=changed)
        days = [date(2026, 10, 22) + timedelta(days=n) for n in range(8)]
        for kind in ("desk", "room"):
            for day, values in told(store, kind, "day", days):
                assert (wrong := differing(values, oracle.values(kind, [day]))) == {}, (kind, day, wrong)
            ((_, values),) = told(store, kind, "month", days)
            assert (wrong := differing(values, oracle.values(kind, days))) == {}, (kind, wrong)
        assert store.rebuild() == []


MANY = settings(
    max_examples=2_000 if CAMPAIGN_MINUTES else 25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
FEW = settings(MANY, max_examples=2_000 if CAMPAIGN_MINUTES else 4)


@MANY
@pytest.mark.timeout(120 if not CAMPAIGN_MINUTES else 3_600)
@given(histories(), st.randoms(use_true_random=False))
def test_every_indicator_equals_an_independent_count_of_minutes(streams: list[Stream], rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), streams, rng)


@FEW
@pytest.mark.timeout(120 if not CAMPAIGN_MINUTES else 3_600)
@given(histories(), st.randoms(use_true_random=False))
def test_every_indicator_on_a_server_equals_an_independent_count_too(
    postgres: Postgres, streams: list[Stream], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(postgres.database(Path(folder)), streams, rng)


def test_a_month_that_is_over_reads_as_its_days_pooled(tmp_path: Path) -> None:
    said = [Said("edge_started", 0)]
    for n in range(120):
        state = "occupied" if n % 2 else "vacant"
        said.append(Said("desk_state_changed", 60 + n * 127, f"desk-0{n // 7 % 2 + 1}", state))
    said.append(Said("edge_alive", 20 * 24 * 60))
    with closing(store_in(tmp_path, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=date(2026, 10, 1))
        deliver(store, [Stream("a" * 32, "b" * 32, tuple(said))], random.Random(1))

        def october(zone: ZoneInfo) -> tuple[int, int]:
            return day_bounds(date(2026, 10, 1), zone)[0], day_bounds(date(2026, 10, 31), zone)[1]

        kept, pooled = (
            store.indicators([Asked(place, level, (SITE,))], "desk", "month", october)[0] for place, level in LEVELS
        )
        silent = store.occupancy(SITE, "desk", "month", *october(PARIS))
    assert kept.values == pooled.values
    assert kept.values["sessions"]
    assert kept.values["available_ms"] == sum(row.available_ms for row in silent)


def test_a_day_before_the_first_sign_of_life_counts_for_nothing_although_it_was_marked(home: Path | Engine) -> None:
    shorter = NETWORK.network.model_copy(update={"opening_hours": SHORTER})
    east = NETWORK.site[0].model_copy(update={"time_zone": "Indian/Reunion"})
    today = date(2026, 10, 24)
    with closing(store_in(home, lambda: RECEIVED)) as store:
        store.import_network(NETWORK, today=today)
        said = (Said("edge_started", 60), Said("edge_alive", 90))
        deliver(store, [Stream("a" * 32, "b" * 32, said)], random.Random(1))
        # Friday evening in Paris is still marked when it becomes Saturday morning on La Réunion.
        store.import_network(Network(network=shorter, site=NETWORK.site), today=date(2026, 10, 23))
        store.import_network(Network(network=shorter, site=[east]), today=today)
        deliver(store, [], random.Random(1))
        rows = store.occupancy(SITE, "desk", "day", START - 4 * LENGTH * MINUTE, START + 60 * MINUTE)
        assert {row.start_ms for row in rows} == {START}
        assert store.rebuild() == []


def test_the_peak_of_a_zone_is_the_first_in_time_whichever_telecentre_has_the_day(tmp_path: Path) -> None:
    sites = [SiteTable(id=name, name=name, desks=1) for name in ("first", "second")]
    with closing(store_in(tmp_path, lambda: RECEIVED)) as store:
        store.import_network(Network(network=NETWORK.network, site=sites), today=date(2026, 10, 24))
        noon = START + 16 * 60 * MINUTE
        taken: list[Change] = [(noon - MINUTE, "desk-01", "vacant"), (noon, "desk-01", "occupied")]
        monday: list[Change] = [(at + 50 * 60 * MINUTE, desk, state) for at, desk, state in taken]
        put_history(store, "first", monday, until=noon + 51 * 60 * MINUTE)
        put_history(store, "second", [*taken, (noon + MINUTE, "desk-01", "vacant")], until=noon + 51 * 60 * MINUTE)

        def october(zone: ZoneInfo) -> tuple[int, int]:
            return day_bounds(date(2026, 10, 1), zone)[0], day_bounds(date(2026, 11, 1), zone)[0]

        (month,) = store.indicators([Asked("zone", "zone", ("first", "second"))], "desk", "month", october)
    assert (month.values["peak"], month.values["peak_at_ms"]) == (1, noon)


def test_what_was_seen_before_the_first_sign_of_life_by_a_clock_that_was_set_back_has_its_levels(
    home: Path | Engine,
) -> None:
    said = (Said("edge_started", 693), Said("room_state_changed", 495, "room-01", "free"), Said("edge_alive", 747))
    compare(home, [Stream("a" * 32, "b" * 32, said)], random.Random(1))
