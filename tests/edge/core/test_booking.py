from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.events import BookingOutcome
from edge.core import room
from edge.core.booking import Judgement
from edge.core.observations import Booking
from edge.core.occupancy import PresenceRules
from edge.core.room import RoomRules, unknown_room
from tests.support.moments import at

HOLD_S, GRACE_S = 60, 600
RULES = RoomRules(
    "room-01",
    PresenceRules(("radar",), settle_s=2.0, hold_s=float(HOLD_S)),
    ghost_after_s=float(GRACE_S),
    bookings_kept_s=3600.0,
    bookings="room-01-bookings",
)
STEP_S = 10
"""How often the radar repeats itself here: less often than its thread, and often enough not to be silent."""

Span = tuple[bool | None, int]
"""What the radar sees, and for how many steps; None: it is lost."""


def booking(start_s: float, end_s: float) -> Booking:
    return Booking(at(start_s).wall_ms, at(end_s).wall_ms)


class Day:
    """A room on a bench: drive it with what its radar sees and its calendar says, then read what came of bookings."""

    def __init__(self, rules: RoomRules = RULES, begun_s: int = 0) -> None:
        self.rules, self.now_s = rules, begun_s
        self.room = unknown_room(rules, at(begun_s))
        self.told: list[tuple[float, BookingOutcome]] = []
        self.said_s: list[tuple[float, float]] = []
        """For each, from when it is true, and when it was said."""
        self.changes: list[tuple[int, tuple[Booking, ...]]] = []

    def sees(self, present: bool | None, steps: int) -> "Day":
        for _ in range(steps):
            while self.changes and self.changes[0][0] <= self.now_s:
                _, bookings = self.changes.pop(0)
                self._take(room.elapse(self.room, self.rules, at(self.now_s)))
                self._take(room.learn(self.room, self.rules, bookings, at(self.now_s)))
            self._take(room.elapse(self.room, self.rules, at(self.now_s)))
            if present is None:
                self._take(room.lose(self.room, self.rules, "radar", at(self.now_s)))
            else:
                self._take(room.read(self.room, self.rules, "radar", at(self.now_s), present=present))
            self.now_s += STEP_S
        return self

    def until(self, end_s: int, *, present: bool | None) -> "Day":
        return self.sees(present, (end_s - self.now_s) // STEP_S)

    def knows(self, *bookings: Booking) -> "Day":
        self.changes.append((self.now_s, bookings))
        return self

    def _take(self, step: room.Step) -> None:
        self.room, said = step
        for one in said:
            if isinstance(one, Judgement):
                self.told.append(((one.start_ms - at(0).wall_ms) / 1000, one.outcome))
                self.said_s.append((one.since.mono_s, self.now_s))


def test_nobody_came_for_a_booking_of_a_room_that_was_seen_empty() -> None:
    day = Day().knows(booking(1000, 4600)).until(5000, present=False)
    assert day.told == [(1000, "no_show")]


def test_it_is_said_when_the_sensors_word_is_final_and_is_true_from_the_end_of_the_wait() -> None:
    day = Day().knows(booking(1000, 4600)).until(5000, present=False)
    assert day.said_s == [(1600, 1600 + HOLD_S)]


def test_waits_that_are_no_whole_milliseconds_lose_no_booking() -> None:
    presence = replace(RULES.presence, hold_s=42.857_142)
    day = Day(replace(RULES, presence=presence, ghost_after_s=85.714_28))
    starts = [1000 + 300.007 * n for n in range(30)]
    day.knows(*(booking(start, start + 200) for start in starts)).until(11_000, present=False)
    assert len(day.told) == len(starts)


def test_a_booking_that_is_over_sooner_is_judged_at_its_end() -> None:
    day = Day().knows(booking(1000, 1300)).until(1310, present=False).until(5000, present=True)
    assert day.told == [(1000, "no_show")]
    assert day.said_s == [(1300, 1300 + HOLD_S)]


def test_somebody_who_was_there_a_quarter_of_an_hour_before_came() -> None:
    day = Day().knows(booking(1000, 4600)).until(100, present=False).until(200, present=True).until(5000, present=False)
    assert day.told == [(1000, "came")]


def test_who_came_first_is_remembered_when_others_come_before_the_judgement() -> None:
    day = Day().knows(booking(1000, 4600)).until(100, present=False).until(120, present=True)
    assert day.until(1630, present=False).until(5000, present=True).told == [(1000, "came")]


def test_what_was_seen_is_forgotten_when_no_booking_can_need_it() -> None:
    day = Day()
    for hour in range(1, 8):
        day.until(hour * 3600 - 300, present=False).until(hour * 3600, present=True)
    assert len(day.room.watch.seen) == 2


def test_somebody_who_had_left_before_that_did_not() -> None:
    day = Day().knows(booking(2000, 5600)).until(1000, present=False).until(1090, present=True)
    assert day.until(5000, present=False).told == [(2000, "no_show")]


def test_somebody_who_comes_at_the_last_moment_came_though_it_takes_a_while_to_be_sure() -> None:
    day = Day().knows(booking(1000, 4600)).until(1590, present=False).until(2000, present=True)
    assert day.told == [(1000, "came")]


def test_somebody_who_comes_after_the_wait_did_not_come_in_time() -> None:
    day = Day().knows(booking(1000, 4600)).until(1600, present=False).until(2000, present=True)
    assert day.told == [(1000, "no_show")]


def test_a_booking_is_not_judged_by_sensors_that_saw_too_little_of_its_time() -> None:
    day = Day().knows(booking(1000, 4600)).until(1000, present=False).until(1310, present=None)
    assert day.until(5000, present=False).told == [(1000, "unknown")]
    day = Day().knows(booking(1000, 4600)).until(1000, present=True).until(1310, present=None)
    assert day.until(5000, present=True).told == [(1000, "unknown")], "nor is anybody who came"
    day = Day().knows(booking(1000, 4600)).until(1000, present=False).until(1300, present=None)
    assert day.until(5000, present=False).told == [(1000, "no_show")], "four fifths are enough"


def test_an_agent_that_starts_within_the_time_of_a_booking_does_not_judge_what_it_has_not_seen() -> None:
    assert Day(begun_s=1000).knows(booking(1000, 4600)).until(5000, present=False).told == [(1000, "unknown")]


def test_an_agent_that_starts_later_says_nothing_of_a_booking_that_another_has_judged() -> None:
    assert Day(begun_s=1700).knows(booking(1000, 4600)).until(5000, present=False).told == []


def test_a_booking_that_is_cancelled_before_it_is_judged_is_not_said() -> None:
    day = Day().knows(booking(1000, 4600)).until(1590, present=False).knows().until(5000, present=False)
    assert day.told == []


def test_a_booking_that_is_cancelled_later_and_comes_back_is_said_once() -> None:
    booked = booking(1000, 4600)
    day = Day().knows(booked).until(2000, present=False).knows().until(2500, present=False)
    assert day.knows(booked).until(5000, present=False).told == [(1000, "no_show")]


def test_a_booking_that_becomes_known_too_late_is_not_judged() -> None:
    assert Day().until(1700, present=False).knows(booking(1000, 4600)).until(5000, present=False).told == []


def test_bookings_that_start_together_are_one_and_the_longest_counts() -> None:
    day = Day().knows(booking(1000, 1200), booking(1000, 4600)).until(1300, present=False).until(1500, present=True)
    assert day.until(5000, present=False).told == [(1000, "came")]


def test_a_calendar_that_was_lost_too_long_judges_nothing() -> None:
    day = Day().knows(booking(5000, 8600)).until(1000, present=False)
    day.room, _ = room.lose(day.room, RULES, "room-01-bookings", at(1000))
    assert day.until(9000, present=False).told == []


def test_a_calendar_that_was_lost_a_while_ago_still_counts() -> None:
    day = Day().knows(booking(3000, 6600)).until(1000, present=False)
    day.room, _ = room.lose(day.room, RULES, "room-01-bookings", at(1000))
    assert day.until(9000, present=False).told == [(3000, "no_show")]


def test_a_confidential_room_and_one_without_a_calendar_say_nothing_of_bookings() -> None:
    for rules in (replace(RULES, confidential=True), replace(RULES, bookings=None)):
        assert Day(rules).knows(booking(1000, 4600)).until(5000, present=False).told == []


def test_a_clock_that_is_not_set_judges_nothing_before_it_is() -> None:
    state = unknown_room(RULES, at(0))
    told: list[tuple[int, BookingOutcome]] = []
    for step_s in range(0, 5000, STEP_S):
        now = at(step_s, "unsynced" if step_s < 4000 else "synced")
        state, said = room.elapse(state, RULES, now)
        told += [(step_s, one.outcome) for one in said if isinstance(one, Judgement)]
        if step_s == 0:
            state, _ = room.learn(state, RULES, (booking(1000, 4600),), now)
        state, _ = room.read(state, RULES, "radar", now, present=False)
    assert told == [(4000, "no_show")]


def test_a_clock_that_goes_back_an_hour_judges_no_booking_twice() -> None:
    day = Day().knows(booking(1000, 4600)).until(3000, present=False)
    wrong = replace(at(3000), wall_ms=at(0).wall_ms)
    for step_s in range(0, 3000, STEP_S):
        now = wrong.moved_to(3000.0 + step_s)
        day._take(room.elapse(day.room, RULES, now))  # the bench itself knows no other clock
        day._take(room.read(day.room, RULES, "radar", now, present=False))
    assert day.told == [(1000, "no_show")]


# --- an oracle: second by second, what was seen, and what the calendar said ---

spans = st.lists(st.tuples(st.sampled_from((True, False, False, None)), st.integers(1, 90)), min_size=1, max_size=12)
calendars = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.lists(st.tuples(st.integers(0, 600), st.integers(1, 200)), max_size=3, unique_by=lambda one: one[0]),
    ),
    max_size=4,
)


def seen_by_step(script: Sequence[Span]) -> list[bool | None]:
    """Return what is true of each step once everything is known: an absence shorter than the hold time is none."""
    raw = [present for present, steps in script for _ in range(steps)]
    true: list[bool | None] = []
    step = 0
    while step < len(raw):
        length = next((n for n in range(len(raw) - step) if raw[step + n] is not raw[step]), len(raw) - step)
        is_pause = raw[step] is False and length * STEP_S < HOLD_S
        before = true[-1] if true else None
        true += [before if is_pause else raw[step]] * length
        step += length
    return true


def judged(script: Sequence[Span], versions: Sequence[tuple[int, list[Booking]]]) -> dict[float, BookingOutcome]:
    seen = seen_by_step(script)
    found: dict[float, BookingOutcome] = {}
    for start_s, until_s in {
        (one.start_ms, min(one.start_ms + GRACE_S * 1000, one.end_ms)) for _, known in versions for one in known
    }:
        start_step = (start_s - at(0).wall_ms) // 1000 // STEP_S
        until_step = (until_s - at(0).wall_ms) // 1000 // STEP_S
        due_step = until_step + HOLD_S // STEP_S
        known = [bookings for step, bookings in versions if step < due_step]
        if (
            due_step >= len(seen)
            or not known
            or (start_s, until_s)
            not in {(one.start_ms, min(one.start_ms + GRACE_S * 1000, one.end_ms)) for one in known[-1]}
        ):
            continue
        window = [seen[step] if step >= 0 else None for step in range(start_step - 90, until_step)]
        watched = sum(one is not None for one in window)
        if watched * 10 < len(window) * 8:
            found[start_step * STEP_S] = "unknown"
        else:
            found[start_step * STEP_S] = "came" if True in window else "no_show"
    return found


@settings(max_examples=150, deadline=None)
@given(script=spans, calendar=calendars)
def test_every_booking_is_judged_as_its_room_was_seen(
    script: list[Span], calendar: list[tuple[int, list[tuple[int, int]]]]
) -> None:
    versions = [
        (step, sorted((booking(a * STEP_S, (a + n) * STEP_S) for a, n in spans), key=lambda one: one.start_ms))
        for step, spans in sorted(calendar, key=lambda one: one[0])
    ]
    day = Day()
    day.changes = [(step * STEP_S, tuple(known)) for step, known in versions]
    for present, steps in script:
        day.sees(present, steps)
    assert len(day.told) == len({start for start, _ in day.told})
    assert dict(day.told) == judged(script, versions)
