from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.access import Decision, Door, decide_access, is_within
from edge.core.observations import CardRefusal, CredentialSeen
from edge.core.reader import NEW_READER, Reader, ReaderRules, remember
from edge.core.rights import NOBODY, Credential, Rights, Window
from edge.core.trusted_time import TrustedTime, judge
from tests.support.moments import on, wall_ms

PARIS = ZoneInfo("Europe/Paris")
HASH, BADGE, KEY = bytes(32), bytes(range(16)), bytes(16)
ALICE = Credential(id="alice", badge=BADGE, key=KEY)
BOB = Credential(id="bob", uid_hash=HASH)
OFFICE_HOURS = (Window(frozenset({1, 2, 3, 4, 5}), 8 * 60, 19 * 60), Window(frozenset({6}), 9 * 60, 12 * 60))
MONDAY_NOON = "2026-11-23T12:00:00+01:00"
RULES = ReaderRules()


def listed(*credentials: Credential, **life: int) -> Rights:
    return Rights(
        version=1,
        issued_at_ms=life.get("issued_at_ms"),
        expires_at_ms=life.get("expires_at_ms"),
        credentials={one.uid_hash: one for one in credentials if one.uid_hash is not None},
        badges={one.badge: one for one in credentials if one.badge is not None},
    )


def ask(
    rights: Rights,
    when: str = MONDAY_NOON,
    badge: bytes | None = BADGE,
    refusal: CardRefusal | None = None,
    trusted: TrustedTime | None = None,
    reader: Reader = NEW_READER,
    *,
    uid: bool = True,
) -> Decision:
    seen = CredentialSeen(on(when), "reader-01", None if badge else HASH, refusal, badge)
    time = judge(trusted, seen.at, rights.expires_at_ms)
    return decide_access(rights, seen, reader, RULES, time, Door("door-01", PARIS, uid_badges=uid))


def decide(credential: Credential, when: str = MONDAY_NOON, expires_at: str | None = None) -> str:
    life = {"expires_at_ms": wall_ms(expires_at)} if expires_at else {}
    return ask(listed(credential, **life), when, credential.badge).reason


def test_a_secured_badge_is_let_in_and_named() -> None:
    assert ask(listed(ALICE)) == Decision("GRANTED", "alice", "secured", "clock")


def test_a_badge_of_the_uid_class_is_let_in_with_its_lower_assurance() -> None:
    assert ask(listed(BOB), badge=None) == Decision("GRANTED", "bob", "uid", "clock")


def test_nobody_enters_before_a_list_was_read() -> None:
    assert ask(NOBODY) == Decision("DENIED_UNKNOWN_CREDENTIAL", None, "none", "clock")


CARDS: list[tuple[CardRefusal, str]] = [
    ("random_uid", "DENIED_VERIFICATION_FAILED"),
    ("classic", "DENIED_VERIFICATION_FAILED"),
    ("phone", "DENIED_VERIFICATION_FAILED"),
    ("unreadable", "DENIED_OTHER"),
    ("unknown_badge", "DENIED_UNKNOWN_CREDENTIAL"),
    ("wrong_application", "DENIED_CREDENTIAL_NOT_PROVISIONED"),
    ("wrong_key", "DENIED_VERIFICATION_FAILED"),
    ("late", "DENIED_VERIFICATION_FAILED"),
    ("pulled_away", "DENIED_OTHER"),
    ("two_cards", "DENIED_OTHER"),
]


@pytest.mark.parametrize(("refusal", "reason"), CARDS)
def test_a_card_that_proves_nothing_is_refused_with_a_reason_whatever_it_claims(
    refusal: CardRefusal, reason: str
) -> None:
    decision = ask(listed(ALICE, BOB), refusal=refusal)
    assert (decision.reason, decision.person, decision.assurance) == (reason, None, "none")
    assert ask(listed(ALICE, BOB), badge=None, refusal=refusal).reason == reason


@pytest.mark.parametrize("refusal", ["random_uid", "classic", "phone", "late", "pulled_away", "two_cards"])
def test_what_is_wrong_with_a_card_is_told_by_its_own_word(refusal: CardRefusal) -> None:
    assert ask(listed(ALICE), refusal=refusal).card == refusal


def test_every_way_in_which_a_card_fails_has_its_reason() -> None:
    assert {refusal for refusal, _ in CARDS} == set(get_args(CardRefusal))


def test_a_site_that_did_not_choose_the_uid_class_refuses_it() -> None:
    refused = ask(listed(BOB), badge=None, uid=False)
    assert (refused.reason, refused.card) == ("DENIED_VERIFICATION_FAILED", "number_only")
    assert ask(listed(ALICE), uid=False).granted


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("lost", "DENIED_AUTHENTICATION_FACTOR_LOST"),
        ("stolen", "DENIED_AUTHENTICATION_FACTOR_STOLEN"),
        ("disabled", "DENIED_CREDENTIAL_DISABLED"),
    ],
)
def test_a_badge_that_is_not_active_never_opens_not_even_for_an_emergency(state: str, reason: str) -> None:
    revoked = replace(ALICE, state=state, emergency=True)  # type: ignore[arg-type]  # table of words
    assert decide(revoked) == reason
    claimed = ask(listed(replace(revoked, key=None)), refusal="unknown_badge")
    assert (claimed.reason, claimed.person, claimed.assurance) == (reason, "alice", "none")


def test_a_badge_that_is_listed_without_a_key_is_one_whose_time_is_over() -> None:
    claimed = ask(listed(replace(ALICE, key=None)), refusal="unknown_badge")
    assert (claimed.reason, claimed.person, claimed.assurance) == ("DENIED_CREDENTIAL_EXPIRED", "alice", "none")


def test_validity_is_half_open() -> None:
    start, end = wall_ms("2026-11-23T00:00:00+01:00"), wall_ms("2026-11-24T00:00:00+01:00")
    one_day = replace(ALICE, valid_from_ms=start, valid_until_ms=end)
    assert decide(one_day, "2026-11-22T23:59:59.999+01:00") == "DENIED_CREDENTIAL_NOT_YET_ACTIVE"
    assert decide(one_day, "2026-11-23T00:00:00+01:00") == "GRANTED"
    assert decide(one_day, "2026-11-23T23:59:59.999+01:00") == "GRANTED"
    assert decide(one_day, "2026-11-24T00:00:00+01:00") == "DENIED_CREDENTIAL_EXPIRED"


def test_an_expired_list_opens_to_secured_emergency_badges_only_and_says_so() -> None:
    over = {"expires_at_ms": wall_ms(MONDAY_NOON)}
    assert ask(listed(ALICE, **over)).reason == "DENIED_SNAPSHOT_EXPIRED"
    assert ask(listed(replace(BOB, emergency=True), **over), badge=None).reason == "DENIED_SNAPSHOT_EXPIRED"
    opened = ask(listed(replace(ALICE, emergency=True), **over))
    assert (opened.granted, opened.emergency) == (True, True)
    assert decide(ALICE, expires_at="2026-11-23T12:00:00.001+01:00") == "GRANTED"


# --- The time of a decision ---------------------------------------------------------------------------------------

ISSUED, EXPIRES = wall_ms("2026-11-20T12:00:00+01:00"), wall_ms("2026-11-27T12:00:00+01:00")
OFFICE = replace(ALICE, windows=OFFICE_HOURS)


def at_the_door(wall: str, elapsed_h: float, credential: Credential = OFFICE) -> Decision:
    """The wall clock says `wall`; the list was accepted at its issue, on Friday noon, `elapsed_h` before."""
    rights = listed(credential, issued_at_ms=ISSUED, expires_at_ms=EXPIRES)
    mark = TrustedTime(ISSUED, on(wall).mono_s - elapsed_h * 3600)
    return ask(rights, wall, trusted=mark)


def test_a_right_clock_decides() -> None:
    assert at_the_door("2026-11-23T12:00:00+01:00", 72) == Decision("GRANTED", "alice", "secured", "clock")


@pytest.mark.parametrize("wall", ["2016-11-23T12:00:00+01:00", "2036-11-24T12:00:00+01:00"])
def test_with_a_clock_ten_years_off_either_way_the_mark_decides_and_the_event_says_so(wall: str) -> None:
    assert at_the_door(wall, 72) == Decision("GRANTED", "alice", "secured", "high_water")
    assert at_the_door(wall, 60).reason == "DENIED_OUT_OF_TIME_RANGE"  # it is Monday midnight


def test_a_clock_gone_back_does_not_revive_an_expired_list() -> None:
    assert at_the_door("2026-11-23T12:00:00+01:00", 7 * 24 + 0.01).reason == "DENIED_SNAPSHOT_EXPIRED"


def test_a_clock_gone_ahead_does_not_expire_a_list() -> None:
    assert at_the_door("2027-11-22T12:00:00+01:00", 72).reason == "GRANTED"


def test_a_clock_gone_back_does_not_revive_a_pass_that_has_ended() -> None:
    ended = replace(ALICE, valid_until_ms=ISSUED - 1)
    assert at_the_door("2026-11-19T12:00:00+01:00", 0, ended).reason == "DENIED_CREDENTIAL_EXPIRED"


def test_the_mark_moves_by_accepted_lists_and_elapsed_time_only() -> None:
    at = on("2026-11-23T12:00:00+01:00")
    mark = TrustedTime(ISSUED, at.mono_s - 100.0)
    assert mark.now_ms(at) == ISSUED + 100_000
    assert mark.advanced(ISSUED - 1, at).now_ms(at) == ISSUED + 100_000
    assert mark.advanced(ISSUED + 500_000, at).now_ms(at) == ISSUED + 500_000
    assert mark.now_ms(replace(at, mono_s=at.mono_s - 1_000.0)) == ISSUED


@given(
    wall=st.integers(0, 2**45), elapsed_s=st.floats(0, 1e7), clock=st.sampled_from(["synced", "holdover", "unsynced"])
)
def test_no_clock_takes_a_decision_to_a_time_before_the_mark_or_beyond_the_list(
    wall: int, elapsed_s: float, clock: str
) -> None:
    moment = replace(on(MONDAY_NOON), wall_ms=wall, clock=clock)  # type: ignore[arg-type]  # one of three words
    mark = TrustedTime(ISSUED, moment.mono_s - elapsed_s)
    judged = judge(mark, moment, EXPIRES)
    assert judged.trusted_ms == mark.now_ms(moment) <= judged.now_ms
    assert judged.now_ms <= max(EXPIRES, judged.trusted_ms)
    assert judged.by == "high_water" or clock != "unsynced"


# --- The reader's memory ------------------------------------------------------------------------------------------


def after(reader: Reader, reason: str, mono_s: float, person: str | None = None) -> Reader:
    return remember(reader, RULES, reason, person, mono_s)  # type: ignore[arg-type]  # a word of the table


def test_a_reader_takes_a_pause_after_many_failed_attempts_and_is_there_again() -> None:
    reader = NEW_READER
    for attempt in range(RULES.max_attempts):
        assert not reader.is_locked(100.0 + attempt)
        reader = after(reader, "DENIED_VERIFICATION_FAILED", 100.0 + attempt)
    last_s = 100.0 + RULES.max_attempts - 1
    assert reader.is_locked(last_s)
    assert reader.is_locked(last_s + RULES.lockout_s - 0.001)
    assert not reader.is_locked(last_s + RULES.lockout_s)


def test_attempts_that_are_far_apart_do_not_add_up() -> None:
    reader = NEW_READER
    for attempt in range(100):
        reader = after(reader, "DENIED_VERIFICATION_FAILED", attempt * 10.0)
        assert not reader.is_locked(attempt * 10.0)


def test_a_card_that_was_pulled_away_or_is_out_of_hours_is_no_attempt() -> None:
    reader = NEW_READER
    for reason in ("DENIED_OTHER", "DENIED_OUT_OF_TIME_RANGE", "DENIED_LOCKOUT", "DENIED_SNAPSHOT_EXPIRED") * 20:
        reader = after(reader, reason, 1.0)
    assert reader == NEW_READER


def test_a_reader_in_its_pause_refuses_all_but_a_proven_emergency_badge() -> None:
    locked, fire_brigade = Reader(locked_until_s=on(MONDAY_NOON).mono_s + 1), replace(ALICE, emergency=True)
    assert ask(listed(ALICE), reader=locked) == Decision("DENIED_LOCKOUT", None, "none", "clock")
    assert ask(listed(fire_brigade), reader=locked).granted
    assert ask(listed(fire_brigade), refusal="wrong_key", reader=locked).reason == "DENIED_LOCKOUT"


def test_passback_is_told_and_locks_nobody_in_or_out() -> None:
    now_s = on(MONDAY_NOON).mono_s
    reader = after(NEW_READER, "GRANTED", now_s - 10, "alice")
    again = ask(listed(ALICE), reader=reader)
    assert (again.granted, again.passback) == (True, True)
    assert not ask(listed(ALICE), reader=after(NEW_READER, "GRANTED", now_s - RULES.passback_s, "alice")).passback
    assert not ask(listed(ALICE), reader=after(NEW_READER, "GRANTED", now_s - 10, "bob")).passback


def test_what_a_reader_remembers_is_bounded() -> None:
    reader = NEW_READER
    for person in range(1_000):
        reader = after(reader, "GRANTED", 1.0, f"p{person}")
    assert len(reader.admitted) <= 200
    assert "p999" in reader.admitted


# --- Doors, windows, holidays -------------------------------------------------------------------------------------


def test_a_badge_opens_only_its_doors() -> None:
    assert decide(replace(ALICE, doors=frozenset({"door-02"}))) == "DENIED_POINT_NO_ACCESS_RIGHTS"
    assert decide(replace(ALICE, doors=frozenset({"door-01"}))) == "GRANTED"


def test_a_public_holiday_closes_to_those_who_do_not_come_on_holidays() -> None:
    rights = replace(listed(replace(ALICE, holidays=False)), holidays=frozenset({date(2026, 11, 11)}))
    assert ask(rights, "2026-11-10T23:59:59+01:00").granted
    assert ask(rights, "2026-11-11T00:00:00+01:00").reason == "DENIED_SITE_CLOSED"
    assert ask(rights, "2026-11-11T23:59:59+01:00").reason == "DENIED_SITE_CLOSED"
    assert ask(rights, "2026-11-12T00:00:00+01:00").granted
    always = replace(listed(ALICE), holidays=frozenset({date(2026, 11, 11)}))
    assert ask(always, "2026-11-11T12:00:00+01:00").granted


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
