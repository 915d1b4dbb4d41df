"""From who came in when to how many: the rules, the calendar, and a count that is written differently."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.visits import ABSENT_MS, NOBODY, Counts, bounds_of, count, cuts, first_day, half_of, next_day
from tests.support.comings import MINUTE, PARIS, ms

DAY = date(2026, 10, 5)


def counted(*comings: tuple[str, str], old: str = "", day: str = "2026-10-05") -> Counts:
    """Count a day's comings: (person, local time), a time of the day before written `-23:50`."""
    instants = cuts("day", date.fromisoformat(day), PARIS)
    entries = []
    for person, time in comings:
        at_ms = ms(f"{day} {time.removeprefix('-')}") - (24 * 60 * MINUTE if time.startswith("-") else 0)
        entries.append((person, at_ms, half_of(at_ms, instants)))
    return count(entries, lambda person: person not in old)


def test_nobody_is_four_zeros() -> None:
    assert counted() == NOBODY


def test_a_visit_begins_after_half_an_hour_without_coming_in() -> None:
    assert counted(("a", "09:00"), ("a", "09:29")).visits == 1
    assert counted(("a", "09:00"), ("a", "09:30")).visits == 2


def test_whoever_comes_in_again_and_again_makes_one_visit() -> None:
    assert counted(*(("a", f"09:{minute:02}") for minute in range(0, 60, 20)), ("a", "10:00")).visits == 1


def test_a_visit_that_began_before_midnight_counts_on_its_day_and_the_half_day_on_both() -> None:
    assert counted(("a", "-23:50"), ("a", "00:10"))[:3] == (0, 1, 1)


def test_a_half_day_is_cut_at_one_o_clock() -> None:
    assert counted(("a", "12:59"), ("a", "13:00"))[:2] == (1, 2)
    assert counted(("a", "08:00"), ("a", "12:30"), ("b", "12:30"))[:3] == (3, 2, 2)


def test_a_new_visitor_is_one_whose_pass_was_never_used_before() -> None:
    assert counted(("a", "09:00"), ("b", "09:00"), ("b", "14:00"), old="a").new_visitors == 1


def test_the_most_of_one_person_is_kept_for_the_gate() -> None:
    found = counted(("a", "09:00"), ("a", "11:00"), ("a", "15:00"), ("b", "09:00"))
    assert (found.most_visits, found.most_half_days) == (3, 2)


def test_weeks_are_those_of_iso_and_months_those_of_the_calendar() -> None:
    assert first_day("week", date(2027, 1, 3)) == date(2026, 12, 28)
    assert next_day("week", date(2026, 12, 28)) == date(2027, 1, 4)
    assert (first_day("month", date(2026, 12, 31)), next_day("month", date(2026, 12, 1))) == (
        date(2026, 12, 1),
        date(2027, 1, 1),
    )


@pytest.mark.parametrize(("day", "hours", "noon"), [("2026-03-29", 23, 12), ("2026-10-25", 25, 14)])
def test_a_day_of_23_or_25_hours_is_cut_at_its_own_one_o_clock(day: str, hours: int, noon: int) -> None:
    local = date.fromisoformat(day)
    start, end = bounds_of("day", local, PARIS)
    assert end - start == hours * 60 * MINUTE
    assert cuts("day", local, PARIS) == [start, start + noon * 60 * MINUTE]


def test_a_visit_over_the_hour_that_comes_twice_is_judged_in_real_time() -> None:
    start = ms("2026-10-25 02:45")  # summer time; an hour and ten minutes later it is 02:55 in winter time
    instants = cuts("day", date(2026, 10, 25), PARIS)
    entries = [("a", at, half_of(at, instants)) for at in (start, start + 70 * MINUTE)]
    assert count(entries, lambda _: False).visits == 2


def oracle(comings: list[tuple[str, int]], first: date, days: int, old: set[str]) -> tuple[int, int, int, int]:
    """Count minute by minute over the wall clock, as one would from a paper list; comings in minutes of UTC."""
    last: dict[str, int] = {}
    visits, halves, seen = 0, set(), set()
    by_minute = defaultdict(set)
    for person, minute in comings:
        by_minute[minute].add(person)
    for minute in sorted(by_minute):
        local = datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS)
        for person in by_minute[minute]:
            if first <= local.date() < first + timedelta(days=days):
                seen.add(person)
                halves.add((person, local.date(), local.hour < 13))
                visits += person not in last or minute - last[person] >= 30
            last[person] = minute
    return visits, len(halves), len(seen), len(seen - old)


START = ms("2026-10-23 00:00") // MINUTE
COMINGS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(START, START + 6 * 1440)), max_size=30)


@settings(max_examples=200, deadline=None)
@given(COMINGS, st.sampled_from(["day", "week"]), st.sets(st.sampled_from("abcd")), st.randoms())
def test_counts_equal_those_of_a_list_on_paper(comings, period, old, rng) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    first = first_day(period, date(2026, 10, 25))
    days = (next_day(period, first) - first).days
    instants = cuts(period, first, PARIS)
    start, end = bounds_of(period, first, PARIS)
    entries = [
        (person, minute * MINUTE, half_of(minute * MINUTE, instants))
        for person, minute in comings
        if start - ABSENT_MS <= minute * MINUTE < end
    ]
    rng.shuffle(entries)
    assert count(entries, lambda person: person not in old)[:4] == oracle(comings, first, days, old)
