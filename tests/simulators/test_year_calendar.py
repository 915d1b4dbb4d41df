"""The calendar of the year, against dates that anybody can look up."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.year_calendar import (
    HOUR_MS,
    Hours,
    bounds_of,
    day_of,
    easter,
    last_sunday,
    local_ms,
    offset_ms,
    periods,
    public_holidays,
)

PARIS = ZoneInfo("Europe/Paris")
USUAL = Hours(week=(480, 1140), saturday=(540, 720))


@given(st.integers(min_value=1_735_689_600_000, max_value=1_861_920_000_000))
def test_the_clocks_of_france_show_what_the_time_zone_database_says(at_ms: int) -> None:
    offset = datetime.fromtimestamp(at_ms / 1000, PARIS).utcoffset()
    assert offset is not None
    assert offset_ms(at_ms) == offset.total_seconds() * 1000


@given(st.dates(date(2025, 1, 1), date(2028, 12, 31)), st.integers(0, 1439))
def test_a_local_time_is_the_instant_that_the_time_zone_database_says(day: date, minutes: int) -> None:
    shown = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=PARIS)
    if shown.astimezone(UTC).astimezone(PARIS).replace(tzinfo=None) == shown.replace(tzinfo=None):
        wanted = {shown.replace(fold=fold).timestamp() * 1000 for fold in (0, 1)}
        assert local_ms(day, minutes) in wanted
    assert day_of(local_ms(day, 720)) == day


def test_the_days_on_which_the_hour_changes_are_an_hour_shorter_and_longer() -> None:
    assert (last_sunday(2026, 3), last_sunday(2026, 10)) == (date(2026, 3, 29), date(2026, 10, 25))
    lengths = [(bounds_of(day)[1] - bounds_of(day)[0]) / HOUR_MS for day in (date(2026, 3, 29), date(2026, 10, 25))]
    assert lengths == [23, 25]


@pytest.mark.parametrize(
    ("year", "sunday"),
    [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5)), (2038, date(2038, 4, 25))],
)
def test_easter_falls_on_its_sunday(year: int, sunday: date) -> None:
    assert easter(year) == sunday


def test_france_has_eleven_public_holidays() -> None:
    assert sorted(public_holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 8),
        date(2026, 5, 14),
        date(2026, 5, 25),
        date(2026, 7, 14),
        date(2026, 8, 15),
        date(2026, 11, 1),
        date(2026, 11, 11),
        date(2026, 12, 25),
    ]


def test_opening_hours_are_written_for_a_hub_and_known_here() -> None:
    assert USUAL.osm == "Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off"
    assert USUAL.opened(date(2026, 3, 10)) == (local_ms(date(2026, 3, 10), 480), local_ms(date(2026, 3, 10), 1140))
    assert [USUAL.opened(day) for day in (date(2026, 3, 15), date(2026, 5, 1))] == [None, None]


def test_who_never_closes_is_open_for_a_whole_day_of_23_hours() -> None:
    always = Hours(week=(0, 1440), saturday=(0, 1440), sunday=(0, 1440), holidays=True)
    assert always.opened(date(2026, 3, 29)) == bounds_of(date(2026, 3, 29))


def test_a_year_has_its_periods() -> None:
    year = (local_ms(date(2026, 1, 1)), local_ms(date(2027, 1, 1)))
    counts = [len(periods(step, year)) for step in ("year", "quarter", "month", "week", "day", "hour")]
    assert counts == [1, 4, 12, 52, 365, 8760]
