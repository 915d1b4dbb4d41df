"""What a door should decide, written apart from the edge: a wall clock that ticks through the minutes of 2026.

No calendar library, no function of the edge: Paris is a table with one row for each minute of UTC, made by ticking.
docs/passes.md is what it follows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.core.observations import CredentialSeen
from edge.core.rights import Credential, Rights

MINUTE_MS = 60_000
BEGIN_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, a Thursday."""
MINUTES = 365 * 1_440
SPRING, AUTUMN = (31 + 28 + 28) * 1_440 + 60, (365 - 31 - 30 - 7) * 1_440 + 60
"""29 March and 25 October, 01:00 UTC, in minutes of the year."""
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31)
THURSDAY = 4
RIGHT_CLOCKS_DIFFER_MS = 5 * MINUTE_MS

FAILURES = ("DENIED_VERIFICATION_FAILED", "DENIED_UNKNOWN_CREDENTIAL")
BY_CARD = {
    "random_uid": "DENIED_VERIFICATION_FAILED",
    "classic": "DENIED_VERIFICATION_FAILED",
    "phone": "DENIED_VERIFICATION_FAILED",
    "wrong_key": "DENIED_VERIFICATION_FAILED",
    "late": "DENIED_VERIFICATION_FAILED",
    "unreadable": "DENIED_OTHER",
    "pulled_away": "DENIED_OTHER",
    "two_cards": "DENIED_OTHER",
    "unknown_badge": "DENIED_UNKNOWN_CREDENTIAL",
    "wrong_application": "DENIED_CREDENTIAL_NOT_PROVISIONED",
}
BY_STATE = {
    "lost": "DENIED_AUTHENTICATION_FACTOR_LOST",
    "stolen": "DENIED_AUTHENTICATION_FACTOR_STOLEN",
    "disabled": "DENIED_CREDENTIAL_DISABLED",
}


def _ticking() -> list[int]:
    """Return the local minute, counted from the beginning of the local year, of each minute of UTC."""
    local, table = 60, list[int]()
    for minute in range(MINUTES):
        local += {SPRING: 60, AUTUMN: -60}.get(minute, 0)
        table.append(local)
        local += 1
    return table


LOCAL = _ticking()


def _dates() -> list[str]:
    months = [(month % 12 + 1, day + 1) for month, days in enumerate(MONTHS) for day in range(days)]
    return [f"{2026 + (place >= 365)}-{month:02}-{day:02}" for place, (month, day) in enumerate(months)]


DATES = _dates()


@dataclass(frozen=True)
class Clocks:
    """What the site's clocks say: the wall, whether it was ever set, and the mark that only moves forward."""

    wall_ms: int
    was_set: bool
    mark_ms: int


@dataclass(frozen=True)
class Past:
    """What happened at a reader: seconds, reason, and who it was."""

    decisions: Sequence[tuple[int, str, str | None]]
    most: int
    within_s: int
    pause_s: int
    passback_s: int


def time_of(clocks: Clocks, over_ms: int | None) -> tuple[int, str]:
    """Return by which time one decides, and what it is called."""
    doubts = [
        not clocks.was_set,
        clocks.mark_ms - clocks.wall_ms > RIGHT_CLOCKS_DIFFER_MS,
        over_ms is not None and clocks.wall_ms > over_ms,
    ]
    if any(doubts):
        return clocks.mark_ms, "high_water"
    return sorted((clocks.mark_ms, clocks.wall_ms))[1], "clock"


def is_pausing(past: Past, now_s: int) -> bool:
    """Return whether the reader takes its pause: replay everything that was decided there."""
    failed: list[int] = []
    until_s = -1
    for at_s, reason, _ in past.decisions:
        if reason == "GRANTED":
            failed.clear()
        if reason in FAILURES:
            failed.append(at_s)
            if sum(at_s - one < past.within_s for one in failed) >= past.most:
                until_s, failed = at_s + past.pause_s, []
    return now_s < until_s


def was_let_in(past: Past, person: str, now_s: int) -> bool:
    """Return whether somebody was let in here a moment ago."""
    return any(
        reason == "GRANTED" and who == person and now_s - at_s < past.passback_s for at_s, reason, who in past.decisions
    )


def _hours(credential: Credential, now_ms: int) -> bool:
    """Return whether the wall clock shows an hour at which the badge may enter: look it up in the hours of its week."""
    local = LOCAL[(now_ms - BEGIN_MS) // MINUTE_MS]
    days, minute = local // 1_440, local % 1_440
    open_minutes = {
        (day, minute)
        for window in credential.windows
        for day in window.weekdays
        for minute in range(window.start_min, window.end_min)
    }
    return not credential.windows or ((THURSDAY - 1 + days) % 7 + 1, minute) in open_minutes


def _day(now_ms: int) -> str:
    return DATES[LOCAL[(now_ms - BEGIN_MS) // MINUTE_MS] // 1_440]


Verdict = tuple[str, str | None, str, str, bool, bool]
"""Reason, person, assurance, time, passback, emergency."""


def verdict(
    rights: Rights, seen: CredentialSeen, clocks: Clocks, past: Past, door: str, *, uid_badges: bool, now_s: int
) -> Verdict:
    """Return what is to be decided: the first line of the table that applies."""
    now_ms, by = time_of(clocks, rights.expires_at_ms)
    named = [one for name, one in rights.badges.items() if name == seen.badge]
    if seen.badge is None:
        named = [one for uid_hash, one in rights.credentials.items() if uid_hash == seen.uid_hash]
    who = named[0] if named else None
    proven, secured = seen.refusal is None, seen.badge is not None
    over = rights.expires_at_ms is not None and rights.expires_at_ms <= clocks.mark_ms
    is_emergency = proven and secured and who is not None and who.emergency
    if is_pausing(past, now_s) and not is_emergency:
        return "DENIED_LOCKOUT", None, "none", by, False, False
    if not proven:
        return _unproven(str(seen.refusal), who, by)
    if not secured and not uid_badges:
        return "DENIED_VERIFICATION_FAILED", None, "none", by, False, False
    if who is None:
        return "DENIED_UNKNOWN_CREDENTIAL", None, "none", by, False, False
    table: list[tuple[Callable[[], bool], str]] = [
        (lambda: who.state != "active", BY_STATE.get(who.state, "")),
        (lambda: over and not (secured and who.emergency), "DENIED_SNAPSHOT_EXPIRED"),
        (lambda: who.valid_from_ms is not None and who.valid_from_ms > now_ms, "DENIED_CREDENTIAL_NOT_YET_ACTIVE"),
        (lambda: who.valid_until_ms is not None and who.valid_until_ms <= now_ms, "DENIED_CREDENTIAL_EXPIRED"),
        (lambda: bool(who.doors) and door not in who.doors, "DENIED_POINT_NO_ACCESS_RIGHTS"),
        (
            lambda: not who.holidays and _day(now_ms) in {str(day) for day in rights.holidays},
            "DENIED_SITE_CLOSED",
        ),
        (lambda: not _hours(who, now_ms), "DENIED_OUT_OF_TIME_RANGE"),
    ]
    reason = next((reason for applies, reason in table if applies()), "GRANTED")
    granted = reason == "GRANTED"
    again = granted and was_let_in(past, who.id, now_s)
    return reason, who.id, "secured" if secured else "uid", by, again, granted and over


def _unproven(refusal: str, who: Credential | None, by: str) -> Verdict:
    if who is not None and who.state in BY_STATE:
        return BY_STATE[who.state], who.id, "none", by, False, False
    if who is not None and who.badge is not None and who.key is None:
        return "DENIED_CREDENTIAL_EXPIRED", who.id, "none", by, False, False
    return BY_CARD[refusal], None, "none", by, False, False


def is_open_to_all(rights: Rights, door: str, clocks: Clocks) -> bool:
    """Return whether the door is free: no list that is over frees anything, nor a time that no clock confirms."""
    now_ms, by = time_of(clocks, rights.expires_at_ms)
    if by == "high_water":
        return False
    if rights.expires_at_ms is not None and rights.expires_at_ms <= clocks.mark_ms:
        return False
    bounds = [(one.start_ms, one.end_ms) for one in rights.free_access if one.door == door]
    return any(first <= now_ms and not last <= now_ms for first, last in bounds)
