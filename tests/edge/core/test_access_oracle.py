"""Random rights, badges, times and clocks: the decision is what an oracle says that shares no code with it."""

from dataclasses import astuple, replace
from datetime import date, datetime
from random import Random
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from contract.events import Clock
from edge.core.access import Door, decide_access
from edge.core.free_access import changes_in_ms, is_free
from edge.core.moment import Moment
from edge.core.observations import CardRefusal, CredentialSeen
from edge.core.reader import NEW_READER, Reader, ReaderRules, remember
from edge.core.rights import Credential, CredentialState, FreeAccess, Rights, Window
from edge.core.trusted_time import TrustedTime, judge
from tests.edge.core.access_oracle import (
    AUTUMN,
    BEGIN_MS,
    MINUTE_MS,
    MINUTES,
    SPRING,
    Clocks,
    Past,
    is_open_to_all,
    verdict,
)

PARIS = ZoneInfo("Europe/Paris")
CASES = 4_000
SHARES = 5
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TEN_YEARS_MS = 3_652 * DAY_MS
NAMES = [bytes([number]) * 16 for number in range(6)]
HASHES = [bytes([number]) * 32 for number in range(100, 104)]
DOORS = ["door-01", "door-02"]
REASONS = ["GRANTED", "DENIED_VERIFICATION_FAILED", "DENIED_UNKNOWN_CREDENTIAL", "DENIED_OTHER", "DENIED_LOCKOUT"]
REFUSALS: tuple[CardRefusal, ...] = get_args(CardRefusal)
STATES: tuple[CredentialState, ...] = get_args(CredentialState)
CLOCKS: tuple[Clock, ...] = get_args(Clock)


def near(random: Random, *instants: int) -> int:
    """Return an instant at, just before or just after one of these, or a while from it."""
    return random.choice(instants) + random.choice(
        [0, 0, -1, 1, -MINUTE_MS, MINUTE_MS, random.randint(-DAY_MS, DAY_MS)]
    )


def an_instant(random: Random) -> int:
    """Return an instant of 2026, not seldom around a change of clocks; months from the year's ends."""
    turn = BEGIN_MS + random.choice((SPRING, AUTUMN)) * MINUTE_MS
    return random.choice(
        [
            BEGIN_MS + random.randrange(60 * 1_440, MINUTES - 60 * 1_440) * MINUTE_MS + random.randrange(MINUTE_MS),
            turn + random.randint(-3 * HOUR_MS, 3 * HOUR_MS),
            turn + random.choice([-1, 0, 1, HOUR_MS - 1, HOUR_MS, -HOUR_MS, -MINUTE_MS]),
        ]
    )


def a_window(random: Random) -> Window:
    start = random.choice([0, 60, 119, 120, 150, 179, 180, 480, random.randrange(1_440)])
    end = random.choice([start + 1, 120, 180, 181, 1_140, 1_440])
    days = frozenset(random.sample(range(1, 8), random.randint(1, 7)))
    return Window(days, start, end if end > start else 1_440)


def a_credential(random: Random, now_ms: int, **name: bytes) -> Credential:
    state: CredentialState = random.choice((*STATES, "active", "active", "active", "active"))
    badge = name.get("badge")
    has_key = badge is not None and state == "active" and random.random() < 0.9
    return Credential(
        id=f"person-{random.randrange(5)}",
        badge=badge,
        uid_hash=name.get("uid_hash"),
        key=bytes(16) if has_key else None,
        state=state,
        valid_from_ms=near(random, now_ms) if random.random() < 0.3 else None,
        valid_until_ms=near(random, now_ms) if random.random() < 0.3 else None,
        doors=frozenset(random.sample(DOORS, random.randint(0, 2))),
        windows=tuple(a_window(random) for _ in range(random.choice([0, 0, 1, 3]))),
        holidays=random.random() < 0.7,
        emergency=random.random() < 0.2,
    )


def a_list(random: Random, now_ms: int) -> Rights:
    today = datetime.fromtimestamp(now_ms // 1000, PARIS).date()
    badges = [a_credential(random, now_ms, badge=name) for name in random.sample(NAMES, 4)]
    by_number = [a_credential(random, now_ms, uid_hash=one) for one in random.sample(HASHES, 2)]
    bounds = sorted(near(random, now_ms) for _ in range(2))
    return Rights(
        version=1,
        issued_at_ms=now_ms - DAY_MS,
        expires_at_ms=random.choice(
            [None, near(random, now_ms), near(random, now_ms + 3 * DAY_MS), now_ms + 7 * DAY_MS]
        ),
        credentials={one.uid_hash: one for one in by_number if one.uid_hash is not None},
        badges={one.badge: one for one in badges if one.badge is not None},
        holidays=frozenset({today, date(2026, 11, 11)} if random.random() < 0.4 else set[date]()),
        free_access=(FreeAccess(random.choice(DOORS), *bounds),) if random.random() < 0.5 else (),
    )


def a_card(random: Random, at: Moment) -> CredentialSeen:
    if random.random() < 0.75:
        refusal = random.choice(REFUSALS) if random.random() < 0.25 else None
        return CredentialSeen(at, "reader-01", None, badge=random.choice(NAMES), refusal=refusal)
    if random.random() < 0.6:
        return CredentialSeen(at, "reader-01", uid_hash=random.choice(HASHES))
    return CredentialSeen(at, "reader-01", None, refusal=random.choice(REFUSALS))


def clocks_at(random: Random, now_ms: int, now_s: float) -> tuple[Moment, TrustedTime]:
    """Return the moment as the site's clocks show it, and the mark: most often right, now and then anything."""
    behind_ms = random.choice([0, 1, 4 * MINUTE_MS, HOUR_MS, 2 * DAY_MS, -4 * MINUTE_MS])
    off_ms = random.choice(
        [0, 0, 0, 5 * MINUTE_MS, -5 * MINUTE_MS, -5 * MINUTE_MS - 1, -2 * DAY_MS, DAY_MS, TEN_YEARS_MS, -TEN_YEARS_MS]
    )
    elapsed_s = random.choice([0, 1, 60, 86_400])
    mark = TrustedTime(now_ms - behind_ms - elapsed_s * 1000, now_s - elapsed_s)
    wall_ms = 0 if random.random() < 0.03 else now_ms + off_ms
    return Moment(now_s, wall_ms, random.choice((*CLOCKS, "synced"))), mark


def a_past(random: Random, now_s: int) -> tuple[Past, Reader, ReaderRules]:
    most, within_s, pause_s, passback_s = random.randint(3, 5), random.choice([5, 60]), random.choice([1, 30]), 60
    rules = ReaderRules(most, within_s, pause_s, passback_s)
    likely = random.choice([REASONS, ["DENIED_VERIFICATION_FAILED"], ["GRANTED", "DENIED_OTHER"]])
    decisions, reader = list[tuple[int, str, str | None]](), NEW_READER
    for at_s in sorted(now_s - random.randrange(90) for _ in range(random.choice([0, 0, 2, 8, 20]))):
        reason = random.choice(likely)
        person = f"person-{random.randrange(5)}" if reason == "GRANTED" else None
        decisions.append((at_s, reason, person))
        reader = remember(reader, rules, reason, person, at_s)  # type: ignore[arg-type]  # drawn from its words
    return Past(decisions, most, within_s, pause_s, passback_s), reader, rules


@pytest.mark.parametrize("share", range(SHARES))
def test_every_decision_is_the_one_of_an_oracle_written_apart(share: int) -> None:
    reasons: set[str] = set()
    for seed in range(share * CASES, (share + 1) * CASES):
        random = Random(seed)
        now_ms, now_s = an_instant(random), 1_000_000
        at, mark = clocks_at(random, now_ms, now_s)
        rights, seen = a_list(random, now_ms), a_card(random, at)
        if at.wall_ms > now_ms + TEN_YEARS_MS // 2 and rights.expires_at_ms is None:
            # Without an end of the list such a clock is believed, and the oracle knows one year only.
            rights = replace(rights, expires_at_ms=now_ms + 7 * DAY_MS)
        past, reader, rules = a_past(random, now_s)
        door = Door(random.choice(DOORS), PARIS, uid_badges=random.random() < 0.6)
        decision = decide_access(rights, seen, reader, rules, judge(mark, at, rights.expires_at_ms), door)
        clocks = Clocks(at.wall_ms, at.clock != "unsynced", mark.mark_ms + round(now_s - mark.mono_s) * 1000)
        expected = verdict(rights, seen, clocks, past, door.id, uid_badges=door.uid_badges, now_s=now_s)
        assert astuple(decision)[:6] == expected, f"seed {seed}: {rights} {seen} {clocks} {past}"
        reasons.add(decision.reason)
    assert len(reasons) == len(ALL_REASONS), ALL_REASONS ^ reasons


ALL_REASONS = {
    "GRANTED",
    "DENIED_LOCKOUT",
    "DENIED_VERIFICATION_FAILED",
    "DENIED_UNKNOWN_CREDENTIAL",
    "DENIED_OTHER",
    "DENIED_CREDENTIAL_NOT_PROVISIONED",
    "DENIED_AUTHENTICATION_FACTOR_LOST",
    "DENIED_AUTHENTICATION_FACTOR_STOLEN",
    "DENIED_CREDENTIAL_DISABLED",
    "DENIED_SNAPSHOT_EXPIRED",
    "DENIED_CREDENTIAL_NOT_YET_ACTIVE",
    "DENIED_CREDENTIAL_EXPIRED",
    "DENIED_POINT_NO_ACCESS_RIGHTS",
    "DENIED_SITE_CLOSED",
    "DENIED_OUT_OF_TIME_RANGE",
}


def test_a_door_is_free_exactly_when_the_oracle_says_so_and_changes_when_it_was_announced() -> None:
    changes = 0
    for seed in range(CASES):
        random = Random(seed)
        now_ms, now_s = an_instant(random), 1_000_000
        at, mark = clocks_at(random, now_ms, now_s)
        rights, door = a_list(random, now_ms), random.choice(DOORS)
        first = judge(mark, at, rights.expires_at_ms)
        announced_ms = changes_in_ms(rights, door, first)
        for later_ms in (0, 1, MINUTE_MS, HOUR_MS, DAY_MS):
            then = Moment(now_s + later_ms / 1000, at.wall_ms + later_ms, at.clock)
            judged = judge(mark, then, rights.expires_at_ms)
            mark_ms = mark.mark_ms + round((then.mono_s - mark.mono_s) * 1000)
            clocks = Clocks(then.wall_ms, then.clock != "unsynced", mark_ms)
            assert is_free(rights, door, judged) == is_open_to_all(rights, door, clocks), f"seed {seed}"
            changed = is_free(rights, door, judged) != is_free(rights, door, first)
            # A clock that is no longer believed is noticed at the next look, within a second.
            if changed and judged.by == first.by:
                changes += 1
                assert announced_ms is not None, f"seed {seed}"
                assert announced_ms <= later_ms, f"seed {seed}"
    assert changes > CASES // 20


WILD = [0, 1, 2**31, 2**53, 253_402_300_799_999, 253_402_300_800_000, BEGIN_MS]


@pytest.mark.parametrize("share", range(2))
def test_no_input_whatever_makes_a_decision_fail(share: int) -> None:
    for seed in range(share * CASES, (share + 1) * CASES):
        random = Random(seed)
        at = Moment(random.choice([0.0, 1e-9, 1e12]), random.choice(WILD), random.choice(CLOCKS))
        mark = TrustedTime(random.choice(WILD), random.choice([0.0, 1e12, -5.0])) if random.random() < 0.8 else None
        rights = a_list(random, random.choice(WILD[:2] + WILD[-1:]))
        zone = ZoneInfo(random.choice(["Europe/Paris", "Pacific/Kiritimati", "America/Adak", "UTC"]))
        door = Door(random.choice(DOORS), zone, uid_badges=True)
        time = judge(mark, at, random.choice([None, *WILD]))
        seen = a_card(random, at)
        decision = decide_access(rights, seen, NEW_READER, ReaderRules(), time, door)
        assert decision.reason in ALL_REASONS
        is_free(rights, door.id, time)
        changes_in_ms(rights, door.id, time)
