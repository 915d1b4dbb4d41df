from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.access import decide_access, is_within
from edge.core.observations import CardRefusal, CredentialSeen
from edge.core.rights import NOBODY, Credential, Rights, Window
from tests.support.moments import on, wall_ms

PARIS = ZoneInfo("Europe/Paris")
HASH = bytes(32)
ALICE = Credential(id="alice", uid_hash=HASH)
OFFICE_HOURS = (Window(frozenset({1, 2, 3, 4, 5}), 8 * 60, 19 * 60), Window(frozenset({6}), 9 * 60, 12 * 60))
MONDAY_NOON = "2026-11-23T12:00:00+01:00"


def seen(when: str = MONDAY_NOON, refusal: CardRefusal | None = None) -> CredentialSeen:
    return CredentialSeen(on(when), "reader-01", None if refusal else HASH, refusal)


def decide(credential: Credential, when: str = MONDAY_NOON, expires_at: str | None = None, *, uid: bool = True) -> str:
    expires_at_ms = wall_ms(expires_at) if expires_at else None
    rights = Rights(version=1, issued_at_ms=None, expires_at_ms=expires_at_ms, credentials={HASH: credential})
    return decide_access(rights, seen(when), "door-01", PARIS, uid_badges=uid).reason


def test_a_known_badge_is_let_in_and_named() -> None:
    rights = Rights(version=1, issued_at_ms=None, expires_at_ms=None, credentials={HASH: ALICE})
    decision = decide_access(rights, seen(), "door-01", PARIS, uid_badges=True)
    assert (decision.granted, decision.person, decision.assurance) == (True, "alice", "uid")


def test_nobody_enters_before_a_list_was_read() -> None:
    decision = decide_access(NOBODY, seen(), "door-01", PARIS, uid_badges=True)
    assert (decision.reason, decision.person) == ("DENIED_UNKNOWN_CREDENTIAL", None)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ("random_uid", "DENIED_VERIFICATION_FAILED"),
        ("classic", "DENIED_VERIFICATION_FAILED"),
        ("phone", "DENIED_VERIFICATION_FAILED"),
        ("unreadable", "DENIED_OTHER"),
    ],
)
def test_a_card_that_proves_nothing_is_refused_with_a_reason(refusal: CardRefusal, reason: str) -> None:
    rights = Rights(version=1, issued_at_ms=None, expires_at_ms=None, credentials={HASH: ALICE})
    decision = decide_access(rights, seen(refusal=refusal), "door-01", PARIS, uid_badges=True)
    assert (decision.reason, decision.person) == (reason, None)


def test_a_site_that_did_not_choose_the_uid_class_refuses_it() -> None:
    assert decide(ALICE, uid=False) == "DENIED_VERIFICATION_FAILED"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("lost", "DENIED_AUTHENTICATION_FACTOR_LOST"),
        ("stolen", "DENIED_AUTHENTICATION_FACTOR_STOLEN"),
        ("disabled", "DENIED_CREDENTIAL_DISABLED"),
    ],
)
def test_a_badge_that_is_not_active_never_opens_not_even_for_an_emergency(state: str, reason: str) -> None:
    assert decide(replace(ALICE, state=state, emergency=True)) == reason  # type: ignore[arg-type]  # table of words


def test_validity_is_half_open() -> None:
    start, end = wall_ms("2026-11-23T00:00:00+01:00"), wall_ms("2026-11-24T00:00:00+01:00")
    one_day = replace(ALICE, valid_from_ms=start, valid_until_ms=end)
    assert decide(one_day, "2026-11-22T23:59:59.999+01:00") == "DENIED_CREDENTIAL_NOT_YET_ACTIVE"
    assert decide(one_day, "2026-11-23T00:00:00+01:00") == "GRANTED"
    assert decide(one_day, "2026-11-23T23:59:59.999+01:00") == "GRANTED"
    assert decide(one_day, "2026-11-24T00:00:00+01:00") == "DENIED_CREDENTIAL_EXPIRED"


def test_an_expired_list_opens_to_emergency_badges_only() -> None:
    assert decide(ALICE, expires_at=MONDAY_NOON) == "DENIED_SNAPSHOT_EXPIRED"
    assert decide(replace(ALICE, emergency=True), expires_at=MONDAY_NOON) == "GRANTED"
    assert decide(ALICE, expires_at="2026-11-23T12:00:00.001+01:00") == "GRANTED"


def test_a_clock_behind_the_issue_of_the_list_does_not_revive_what_has_ended_since() -> None:
    ended = replace(ALICE, valid_until_ms=wall_ms("2026-06-01T00:00:00+02:00"))
    issued_at_ms = wall_ms("2026-11-01T00:00:00+01:00")
    rights = Rights(version=1, issued_at_ms=issued_at_ms, expires_at_ms=None, credentials={HASH: ended})
    decision = decide_access(rights, seen("2026-04-27T00:00:00+02:00"), "door-01", PARIS, uid_badges=True)
    assert decision.reason == "DENIED_CREDENTIAL_EXPIRED"


def test_a_badge_opens_only_its_doors() -> None:
    assert decide(replace(ALICE, doors=frozenset({"door-02"}))) == "DENIED_POINT_NO_ACCESS_RIGHTS"
    assert decide(replace(ALICE, doors=frozenset({"door-01"}))) == "GRANTED"


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("2026-11-23T07:59:59+01:00", "DENIED_OUT_OF_TIME_RANGE"),
        ("2026-11-23T08:00:00+01:00", "GRANTED"),
        ("2026-11-23T18:59:59+01:00", "GRANTED"),
        ("2026-11-23T19:00:00+01:00", "DENIED_OUT_OF_TIME_RANGE"),
        ("2026-11-28T08:30:00+01:00", "DENIED_OUT_OF_TIME_RANGE"),
        ("2026-11-28T09:30:00+01:00", "GRANTED"),
        ("2026-11-29T10:00:00+01:00", "DENIED_OUT_OF_TIME_RANGE"),
        ("2026-07-20T07:30:00+01:00", "GRANTED"),  # 08:30 in Paris in summer
    ],
)
def test_a_badge_opens_within_its_windows_in_the_time_of_the_site(when: str, reason: str) -> None:
    assert decide(replace(ALICE, windows=OFFICE_HOURS), when) == reason


NIGHT = (Window(frozenset({7}), 2 * 60, 3 * 60),)


@pytest.mark.parametrize(
    ("when", "within"),
    [
        ("2026-03-29T01:59:59+01:00", False),
        ("2026-03-29T03:00:00+02:00", False),  # the same instant as 02:00+01:00: the hour was skipped
        ("2026-10-25T01:59:59+02:00", False),
        ("2026-10-25T02:00:00+02:00", True),
        ("2026-10-25T02:59:59+02:00", True),
        ("2026-10-25T02:00:00+01:00", True),  # the hour comes again
        ("2026-10-25T02:59:59+01:00", True),
        ("2026-10-25T03:00:00+01:00", False),
    ],
)
def test_a_window_over_the_change_of_the_hour_counts_as_the_clock_on_the_wall(when: str, within: bool) -> None:
    assert is_within(NIGHT, wall_ms(when), PARIS) is within


def utc_offset_h(instant: datetime) -> int:
    """The oracle's own calendar: two hours from the last Sunday of March to that of October, both at 01:00 UTC."""
    year = instant.year
    changes = []
    for month in (3, 10):
        last = datetime(year, month, 31, 1, tzinfo=UTC)
        changes.append(last - timedelta(days=(last.weekday() + 1) % 7))
    return 2 if changes[0] <= instant < changes[1] else 1


around_both_nights = st.one_of(
    st.integers(wall_ms("2026-03-28T00:00:00Z"), wall_ms("2026-03-31T00:00:00Z")),
    st.integers(wall_ms("2026-10-24T00:00:00Z"), wall_ms("2026-10-27T00:00:00Z")),
    st.integers(wall_ms("2026-01-01T00:00:00Z"), wall_ms("2027-12-31T00:00:00Z")),
)


@st.composite
def any_window(draw: st.DrawFn) -> Window:
    start_min = draw(st.integers(0, 1439))
    return Window(draw(st.frozensets(st.integers(1, 7), min_size=1)), start_min, draw(st.integers(start_min + 1, 1440)))


@given(now_ms=around_both_nights, windows=st.lists(any_window(), min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_windows_agree_with_a_calendar_computed_by_hand(now_ms: int, windows: list[Window]) -> None:
    instant = datetime.fromtimestamp(now_ms / 1000, UTC)
    local_min = (now_ms // 60_000) + utc_offset_h(instant) * 60
    days_since_thursday, minute = divmod(local_min, 1440)
    weekday = (days_since_thursday + 3) % 7 + 1
    expected = any(weekday in one.weekdays and one.start_min <= minute < one.end_min for one in windows)
    assert is_within(tuple(windows), now_ms, PARIS) is expected


@given(now_ms=st.integers(0, 2**53))
@settings(max_examples=100, deadline=None)
def test_a_clock_gone_wild_does_not_break_the_decision(now_ms: int) -> None:
    assert is_within(OFFICE_HOURS, now_ms, PARIS) in (True, False)
