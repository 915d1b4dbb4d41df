"""The rules of the register of passes: what a person writes is read as meant, or refused in one sentence."""

from datetime import UTC, datetime
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.rights import WeeklyWindow
from hub.passes import (
    CATEGORIES,
    PassError,
    Person,
    Terms,
    check_person,
    check_terms,
    check_windows,
    instant_ms,
    new_id,
    new_label,
    read_badge_id,
    read_category,
    read_moment,
    read_windows,
    write_moment,
    write_windows,
)

PARIS = ZoneInfo("Europe/Paris")
JANUARY = datetime(2026, 1, 1)  # noqa: DTZ001 -- the local time of any site


def test_windows_are_read_as_people_write_them() -> None:
    assert read_windows("Mo-Fr 08:00-12:00,14:00-18:30 | Sa 9:00-12:00") == (
        WeeklyWindow(days=[1, 2, 3, 4, 5], start=480, end=720),
        WeeklyWindow(days=[1, 2, 3, 4, 5], start=840, end=1110),
        WeeklyWindow(days=[6], start=540, end=720),
    )


def test_french_days_mean_the_same() -> None:
    assert read_windows("Lu-Ve 08:00-19:00 | Sa,Di 09:00-12:00") == read_windows("mo-fr 08:00-19:00|SA,SU 09:00-12:00")


def test_no_window_means_at_any_time() -> None:
    assert read_windows(" ") == ()


def test_a_window_may_end_at_midnight() -> None:
    (window,) = read_windows("Su 00:00-24:00")
    assert (window.start, window.end) == (0, 1440)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mo 19:00-08:00", "ends before it starts: one past midnight is written as two"),
        ("Mo 08:00-08:00", "ends before it starts"),
        ("Mo 08:00-25:00", "is not between 00:00 and 24:00"),
        ("Mo 24:00-24:00", "is not between 00:00 and 24:00"),
        ("Mo 08:60-09:00", "is not between 00:00 and 24:00"),
        ("Mo 8-19", "are not times of day"),
        ("Mo", "are not times of day"),
        ("Xx 08:00-09:00", "are not days"),
        ("Mo-Xx 08:00-09:00", "are not days"),
        ("08:00-19:00", "are not days"),
        ("Fr-Mo 08:00-09:00", "run backwards"),
    ],
)
def test_an_impossible_window_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PassError, match=reason):
        read_windows(text)


def test_windows_that_overlap_are_refused_with_the_day_and_both() -> None:
    with pytest.raises(PassError, match="two windows overlap on We: 08:00-12:00 and 11:00-14:00"):
        check_windows(read_windows("Mo-We 08:00-12:00 | We-Fr 11:00-14:00"))


def test_windows_that_touch_do_not_overlap() -> None:
    check_windows(read_windows("Mo 08:00-12:00,12:00-14:00"))


def test_more_windows_than_a_list_carries_are_refused() -> None:
    many = " | ".join(f"Mo {n // 60:02}:{n % 60:02}-{n // 60:02}:{n % 60 + 1:02}" for n in range(0, 102, 2))
    with pytest.raises(PassError, match="at most 50 windows"):
        check_windows(read_windows(many))


windows_of_a_pass = st.lists(
    st.builds(
        lambda days, bounds: WeeklyWindow(days=sorted(days), start=min(bounds), end=max(bounds)),
        st.sets(st.integers(1, 7), min_size=1),
        st.sets(st.integers(0, 1439), min_size=2, max_size=2),
    ),
    max_size=6,
).map(tuple)


@given(windows_of_a_pass)
def test_windows_are_written_as_they_are_read(windows: tuple[WeeklyWindow, ...]) -> None:
    assert read_windows(write_windows(windows)) == windows


@given(windows_of_a_pass)
def test_windows_overlap_exactly_when_they_share_a_minute(windows: tuple[WeeklyWindow, ...]) -> None:
    minutes = [{(day, minute) for day in one.days for minute in range(one.start, one.end)} for one in windows]
    share = any(one & other for one, other in combinations(minutes, 2))
    try:
        check_windows(windows)
        refused = False
    except PassError:
        refused = True
    assert refused == share


def test_a_date_is_its_midnight_and_a_time_is_itself() -> None:
    assert read_moment("2026-01-01") == JANUARY
    assert write_moment(read_moment("2026-01-01 14:05")) == "2026-01-01T14:05"
    assert write_moment(JANUARY) == "2026-01-01"


@pytest.mark.parametrize("text", ["", "01/01/2026", "2026-02-30", "2026-1-1", "1926-01-01", "2026-01-01T10:00+01:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(PassError, match="is not a date such as 2026-01-01"):
        read_moment(text)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-29", "2026-03-28T23:00"),
        ("2026-03-29T02:30", "2026-03-29T01:30"),  # skipped: as if the clocks had not changed yet
        ("2026-03-30", "2026-03-29T22:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30"),  # comes twice: the first
        ("2026-10-26", "2026-10-25T23:00"),
    ],
)
def test_local_times_are_exact_over_both_changes_of_the_clocks(local: str, utc: str) -> None:
    assert instant_ms(read_moment(local), PARIS) == datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000


def test_a_pass_that_would_never_be_valid_is_refused() -> None:
    terms = Terms("visitor", JANUARY, JANUARY)
    with pytest.raises(PassError, match="ends at 2026-01-01, which is not after its start at 2026-01-01"):
        check_terms(terms, ["murat"])


def test_a_pass_for_an_unknown_site_is_refused() -> None:
    with pytest.raises(PassError, match="the site 'paris' is not in the register"):
        check_terms(Terms("visitor", JANUARY, sites=("murat", "paris")), ["murat"])


def test_an_unknown_category_is_refused_with_those_there_are() -> None:
    with pytest.raises(PassError, match="'king' is not a category: regular_teleworker, "):
        read_category("king")
    assert [read_category(f" {name} ") for name in CATEGORIES] == list(CATEGORIES)


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person(" "), "a member needs a name"),
        (Person("x" * 101), "the name is longer than 100 characters"),
        (Person("Ada\nLovelace"), "signs that cannot be printed"),
        (Person("Ada", email="ada at example"), "not an e-mail address"),
    ],
)
def test_a_person_that_cannot_be_is_refused_without_being_named(person: Person, reason: str) -> None:
    with pytest.raises(PassError, match=reason) as refused:
        check_person(person)
    assert "Ada" not in str(refused.value)


def test_the_number_of_a_card_is_no_badge_id_and_is_not_repeated() -> None:
    with pytest.raises(PassError, match="the number of a card is not one") as refused:
        read_badge_id("04A2B3C4D5E6F7")
    assert "04A2" not in str(refused.value)
    assert read_badge_id("AB" * 16) == "ab" * 16


@settings(max_examples=200)
@given(st.binary(min_size=8, max_size=8))
def test_a_label_can_be_read_aloud_and_an_id_is_an_id(random: bytes) -> None:
    label, identity = new_label(random), new_id(random)
    assert [sign.isdigit() for sign in label] == [False, True, False, False, True, False]
    assert not set(label) & set("0O1IL")
    assert label[2] == "-"
    assert len(identity) == 12
    assert identity.isalnum()
    assert identity == identity.lower()


def test_a_refusal_cannot_command_the_terminal_that_shows_it() -> None:
    with pytest.raises(PassError) as refused:
        read_category("\x1b]0;owned\x07\x9b2J\u202e")
    assert str(refused.value).startswith("'\ufffd]0;owned\ufffd\ufffd2J\ufffd' is not a category")
