"""The script of a day, and the people who follow it, in a time of their own."""

import asyncio
import heapq
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.badges import badges_of, members_of
from simulators.network import equipment_of, packaged_network
from simulators.people import Clock, People
from simulators.scenario import DAY_BEGINS_S, DAY_ENDS_S, Step, day_of, steps_of

SITES = {site.id: site for site in packaged_network().sites}
DEMO_SPEED = 240.0


def _script(site: str, seed: int = 1, day: int = 0) -> tuple[Step, ...]:
    members = tuple(badge.name for badge in members_of(badges_of(site, SITES[site].desks, seed)))
    return day_of(site, equipment_of(SITES[site]), members, seed=seed, day=day)


seeds = st.integers(0, 2**32)
sites = st.sampled_from(sorted(SITES))


@given(sites, seeds, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_same_seed_and_day_give_the_same_script(site: str, seed: int, day: int) -> None:
    assert _script(site, seed, day) == _script(site, seed, day)


@given(sites, seeds)
@settings(max_examples=60, deadline=None)
def test_nobody_is_in_before_the_day_begins_or_after_it_ends(site: str, seed: int) -> None:
    assert all(DAY_BEGINS_S <= step.at_s < DAY_ENDS_S for step in _script(site, seed))


@given(sites, seeds)
@settings(max_examples=60, deadline=None)
def test_no_desk_is_shared(site: str, seed: int) -> None:
    sitting: dict[str, str] = {}
    for step in _script(site, seed):
        if step.action == "sit":
            assert sitting.setdefault(step.place, step.person) == step.person
        elif step.action == "rise":
            del sitting[step.place]
    assert sitting == {}


@given(sites, seeds)
@settings(max_examples=60, deadline=None)
def test_everybody_comes_in_before_sitting_down_and_leaves_in_the_end(site: str, seed: int) -> None:
    inside: Counter[str] = Counter()
    for step in _script(site, seed):
        if step.action == "enter":
            inside.update([step.person, *step.behind])
        elif step.action == "leave":
            inside[step.person] -= 1
        elif step.action in ("sit", "rise", "join", "quit", "fidget"):
            assert inside[step.person] == 1
        assert set(inside.values()) <= {0, 1}
    assert inside.total() == 0


@given(sites, seeds)
@settings(max_examples=60, deadline=None)
def test_one_persons_steps_are_in_order_and_never_at_once(site: str, seed: int) -> None:
    for person, steps in steps_of(_script(site, seed)).items():
        if person in ("unknown", "expired", "lost", "disabled", "phone", "classic"):
            continue
        assert all(before.at_s < after.at_s for before, after in pairwise(steps))


@given(seeds, st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_at_the_demos_pace_somebody_comes_to_every_site_within_five_seconds(seed: int, day: int) -> None:
    for site in SITES:
        first = next(step for step in _script(site, seed, day) if step.action == "enter")
        assert (first.at_s - DAY_BEGINS_S) / DEMO_SPEED <= 5


def test_a_day_of_the_network_has_all_that_can_happen() -> None:
    steps = [step for site in SITES for day in range(3) for step in _script(site, day=day)]
    actions = {step.action for step in steps}
    assert actions == {"enter", "refused", "sit", "fidget", "rise", "join", "quit", "leave", "book"}
    assert any(step.behind for step in steps)
    assert {step.person for step in steps if step.action == "refused"} >= {"unknown", "expired"}


def test_at_the_demos_seed_some_rooms_are_met_in_and_some_are_booked_by_ghosts() -> None:
    scripts = {site: _script(site) for site in SITES}
    booked = {(site, step.place) for site, script in scripts.items() for step in script if step.action == "book"}
    met_in = {(site, step.place) for site, script in scripts.items() for step in script if step.action == "join"}
    open_ones = booked - {("chaudes-aigues", "room-01")}
    assert len(open_ones & met_in) >= 2
    assert len(open_ones - met_in) >= 2


class Bench:
    """A time that passes only while everybody sleeps, and a telecentre that writes down what is done in it."""

    def __init__(self, *, door_opens: bool = True) -> None:
        self.now_s = 0.0
        self.done: list[tuple[float, str, str]] = []
        self.calendars: dict[str, list[tuple[int, int]]] = {}
        self._door_opens = door_opens
        self._asleep: list[tuple[float, int, asyncio.Event]] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, lambda: 1_000_000 + self.now_s, self._sleep)

    async def _sleep(self, for_s: float) -> None:
        alarm = asyncio.Event()
        heapq.heappush(self._asleep, (self.now_s + for_s, len(self.done) + id(alarm), alarm))
        await alarm.wait()

    async def run(self, people: People, days: int) -> None:
        play = asyncio.create_task(people.play(days))
        while not play.done():
            for _ in range(20):  # let everybody who is awake fall asleep again
                await asyncio.sleep(0)
            if self._asleep:
                self.now_s, _, alarm = heapq.heappop(self._asleep)
                alarm.set()
        await play

    def _note(self, what: str, which: str) -> None:
        self.done.append((self.now_s, what, which))

    async def enter(self, badge: str, companions: int) -> bool:
        self._note(f"enter+{companions}", badge)
        return self._door_opens

    async def show(self, badge: str) -> bool:
        self._note("show", badge)
        return False

    async def leave(self) -> None:
        self._note("leave", "")

    def sit(self, place: str) -> None:
        self._note("sit", place)

    def be_still(self, place: str) -> None:
        self._note("be_still", place)

    def rise(self, place: str) -> None:
        self._note("rise", place)

    def book(self, room: str, bookings: list[tuple[int, int]]) -> None:
        self.calendars[room] = bookings


def _played(bench: Bench, site: str = "murat", days: int = 1, speed: float = DEMO_SPEED) -> People:
    people = People(bench, lambda day: _script(site, day=day), speed, bench.clock())
    asyncio.run(bench.run(people, days))
    return people


def test_a_day_lasts_some_minutes_at_the_demos_pace() -> None:
    bench = Bench()
    _played(bench)
    assert bench.now_s == pytest.approx((DAY_ENDS_S - DAY_BEGINS_S) / DEMO_SPEED)


def test_everything_in_the_script_is_done_at_its_time() -> None:
    bench = Bench()
    _played(bench)
    enters = [step for step in _script("murat") if step.action == "enter"]
    done = [(at_s, which) for at_s, what, which in bench.done if what.startswith("enter")]
    assert [which for _, which in done] == [step.person for step in enters]
    for (at_s, _), step in zip(done, enters, strict=True):
        assert at_s == pytest.approx((step.at_s - DAY_BEGINS_S) / DEMO_SPEED)


def test_everybody_is_out_and_every_desk_empty_in_the_evening() -> None:
    bench = Bench()
    people = _played(bench, days=2)
    assert people.inside == set()
    last = {which: what for _, what, which in bench.done if what in ("sit", "be_still", "rise")}
    assert set(last.values()) == {"rise"}


def test_whoever_finds_the_door_shut_sits_nowhere() -> None:
    bench = Bench(door_opens=False)
    _played(bench)
    assert not [what for _, what, _ in bench.done if what in ("sit", "rise", "leave")]


@pytest.mark.parametrize("site", ["murat", "aurillac", "ydes", "mauriac", "allanche"])
def test_every_booking_lies_in_the_calendar_before_it_begins(site: str) -> None:
    bench = Bench()
    _played(bench, site)
    booked = [step for step in _script(site) if step.action == "book"]
    written = [(room, booking) for room, bookings in bench.calendars.items() for booking in bookings]
    expected = [(room, step) for room in bench.calendars for step in booked if step.place == room]
    assert len(written) == len(booked)
    for (_, (start_s, end_s)), (_, step) in zip(written, expected, strict=True):
        assert start_s == pytest.approx(1_000_000 + (step.from_s - DAY_BEGINS_S) / DEMO_SPEED, abs=1)
        assert end_s > start_s
        assert step.at_s < step.from_s
