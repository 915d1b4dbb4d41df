"""What needs a person: each alarm's threshold, and how two agents of one name are found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alarms import (
    ALTERNATING_MS,
    CONTESTED_MS,
    FULL_SHARE,
    MANY_EVENTS,
    OLD_MS,
    RECENT_MS,
    RECORDED,
    RESTORED_MS,
    Claims,
    OutboxNow,
    Raised,
    SiteNow,
    after_claim,
    live_alarms,
    recorded_alarms,
)
from hub.store import Alarm, GapRow, RestoreRow

NOW = 1_795_258_800_000
MINUTE_MS = 60_000
OUTBOX = OutboxNow(depth=3, oldest_ms=NOW - 1_000, size_bytes=1, quota_bytes=100, refused_count=0, storage_ok=True)
MURAT = SiteNow("murat", online=True, as_of_ms=NOW, contested_ms=None, outbox=OUTBOX)


def live(**changes: object) -> list[str]:
    site = replace(MURAT, outbox=replace(OUTBOX, **changes))  # type: ignore[arg-type]  # one of its fields each
    return [raised.reason for raised in live_alarms(site, NOW)]


def recorded(*rows: Alarm | GapRow | RestoreRow) -> list[Raised]:
    return list(
        recorded_alarms(
            [row for row in rows if isinstance(row, Alarm)],
            [row for row in rows if isinstance(row, GapRow)],
            [row for row in rows if isinstance(row, RestoreRow)],
            NOW,
        )
    )


def test_a_site_that_works_raises_nothing() -> None:
    assert live() == []


@pytest.mark.parametrize(
    ("reason", "below", "above"),
    [
        ("backlog", {"oldest_ms": NOW - OLD_MS}, {"oldest_ms": NOW - OLD_MS - 1}),
        ("backlog", {"depth": MANY_EVENTS}, {"depth": MANY_EVENTS + 1}),
        ("backlog", {"depth": 0, "oldest_ms": None}, {"depth": MANY_EVENTS + 1, "oldest_ms": None}),
        ("quota", {"size_bytes": round(FULL_SHARE * 100)}, {"size_bytes": round(FULL_SHARE * 100) + 1}),
        ("storage", {"storage_ok": True}, {"storage_ok": False}),
    ],
)
def test_each_alarm_has_its_threshold(reason: str, below: dict[str, object], above: dict[str, object]) -> None:
    assert live(**below) == []
    assert live(**above) == [reason]


def test_refusals_are_told_as_long_as_their_cause_lasts() -> None:
    assert live(refused_count=4) == [], "it has room again: the loss is in the history"
    assert live(refused_count=4, size_bytes=71) == ["refusing", "quota"]
    assert live(refused_count=4, storage_ok=False) == ["storage", "refusing"]


def test_a_silent_site_says_that_alone_for_what_it_said_last_is_old() -> None:
    silent = replace(MURAT, online=False, outbox=replace(OUTBOX, storage_ok=False))
    assert [(raised.reason, raised.grade) for raised in live_alarms(silent, NOW)] == [("stale", "stale")]
    assert [raised.reason for raised in live_alarms(replace(silent, as_of_ms=None), NOW)] == ["never"]


def test_a_contested_site_is_told_for_a_while_heard_or_not() -> None:
    contested = replace(MURAT, online=False, contested_ms=NOW - CONTESTED_MS)
    assert [raised.reason for raised in live_alarms(contested, NOW)] == ["contested", "stale"]
    assert [raised.reason for raised in live_alarms(contested, NOW + 1)] == ["stale"]


def told(*claims: tuple[str, str | None], every_ms: int = MINUTE_MS) -> Claims:
    known = Claims()
    for number, (boot, stream) in enumerate(claims):
        known = after_claim(known, boot, stream, NOW + number * every_ms)
    return known


@pytest.mark.parametrize(
    "claims",
    [
        [("a", "1"), ("a", "1"), ("a", "1")],
        [("a", "1"), ("a", "2"), ("a", "3")],
        [("a", "1"), ("b", "2"), ("c", "3")],
        [("a", None), ("a", "1"), ("a", None), ("a", "2"), ("a", None)],
        [("a", "1"), ("b", None), ("b", "2")],
    ],
    ids=["one agent", "restarts of the agent", "restarts of the machine", "storage errors", "a slow start"],
)
def test_one_agent_however_often_it_restarts_is_not_two(claims: list[tuple[str, str | None]]) -> None:
    assert told(*claims).contested_ms is None


@pytest.mark.parametrize(
    "claims",
    [
        [("a", "1"), ("b", "2"), ("a", "1")],
        [("a", "1"), ("a", "2"), ("a", "1")],
        [("a", None), ("b", None), ("a", None)],
        [("a", "1"), ("b", "2"), ("b", "3"), ("a", "1")],
    ],
    ids=["two machines", "two agents on one machine", "two without storage", "one of them restarts"],
)
def test_an_agent_that_comes_back_after_another_shows_that_there_are_two(claims: list[tuple[str, str | None]]) -> None:
    assert told(*claims).contested_ms == NOW + (len(claims) - 1) * MINUTE_MS


def test_what_was_heard_long_ago_proves_nothing() -> None:
    assert told(("a", "1"), ("b", "2"), ("a", "1"), every_ms=ALTERNATING_MS).contested_ms is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", "3", None])), max_size=40))
def test_it_is_contested_exactly_when_a_name_returns_after_another(claims: list[tuple[str, str | None]]) -> None:
    def returns(names: list[str]) -> bool:
        changes = [name for before, name in zip([None, *names], names, strict=False) if name != before]
        return len(changes) > len(set(changes))

    said = told(*claims, every_ms=1_000)
    streams = [stream for _, stream in claims if stream is not None]
    assert (said.contested_ms is not None) == (returns([boot for boot, _ in claims]) or returns(streams))


@pytest.mark.parametrize("reason", [reason for reason in RECORDED if reason != "gap"])
def test_a_recorded_alarm_is_told_for_a_week_after_the_last_time(reason: str) -> None:
    row = Alarm("murat", reason, 5, NOW - 10 * RECENT_MS, NOW - RECENT_MS)
    (raised,) = recorded(row)
    assert (raised.reason, raised.site, raised.count) == (reason, "murat", 5)
    assert recorded(replace(row, last_at_ms=NOW - RECENT_MS - 1)) == []


def test_a_gap_says_how_many_events_are_lost() -> None:
    gaps = [GapRow("murat", "a" * 32, 3, 5, NOW), GapRow("murat", "b" * 32, 1, 1, NOW - RECENT_MS - 1)]
    (raised,) = recorded(Alarm("murat", "gap", 2, NOW - 2 * RECENT_MS, NOW), *gaps)
    assert (raised.reason, raised.grade, raised.count) == ("gap", "alarm", 3)


def test_refused_messages_are_one_alarm_a_site_and_one_for_all_unknown_senders() -> None:
    rows = [Alarm(site, f"refused_{why}", 2, NOW - 9, NOW) for site in ("", "murat") for why in ("size", "topic")]
    assert [(raised.reason, raised.site, raised.count) for raised in recorded(*rows)] == [
        ("unknown_messages", None, 4),
        ("refused_messages", "murat", 4),
    ]


def test_messages_of_another_version_are_an_alarm_of_their_own_where_the_sender_is_known() -> None:
    rows = [Alarm(site, "refused_version", 2, NOW - 9, NOW) for site in ("", "murat")]
    assert [(raised.reason, raised.site, raised.count) for raised in recorded(*rows)] == [
        ("unknown_messages", None, 2),
        ("other_version", "murat", 2),
    ]


def test_a_restore_is_told_as_long_as_sites_may_still_send_what_it_lost() -> None:
    (raised,) = recorded(RestoreRow(NOW - RESTORED_MS - 5, NOW - RESTORED_MS, 600))
    assert (raised.reason, raised.site, raised.since_ms) == ("restored", None, NOW - RESTORED_MS - 5)
    assert recorded(RestoreRow(NOW - RESTORED_MS - 5, NOW - RESTORED_MS - 1, 600)) == []
