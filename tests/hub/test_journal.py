"""The access journal: who may be read about, for how long, and what is kept of whoever reads."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.events import Access, AccessDecided, AccessReason, encode
from contract.messages import BatchHeader
from hub.passes import NewBadge, PassError, Person, Terms
from hub.receiver import Batch
from hub.store import Store
from hub.store import journal as journal_module
from hub.store.backup import back_up, restore
from hub.store.connection import Engine
from hub.store.journal import (
    MAX_ROWS,
    READINGS_MS,
    Answer,
    JournalError,
    Motive,
    Question,
    Subject,
    read_journal,
    read_readings,
)
from hub.store.pass_changes import add_badge, add_member, add_pass, change_badge, remove_member
from hub.store.passes import credentials_of
from tests.support.telecentres import NOON_MS, cantal

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
BEGIN_MS = NOON_MS - 200 * DAY_MS
LONG_AGO = datetime(2026, 1, 1)  # noqa: DTZ001 -- local at each telecentre
ANIMATOR = Motive("lea as telecentre-hub", "door left open on Friday evening")
TERMS = Terms("self_employed", LONG_AGO)


class Bench:
    """A hub with one member and one badge, whose decisions are put in by their moment."""

    def __init__(self, home: Path | Engine) -> None:
        self.store = cantal(home)
        self._numbers = iter(range(1, 1_000))
        with self.store.changed() as connection:
            self.member = add_member(
                connection, None, Person("Ada Canary", email="ada@example.org"), BEGIN_MS, self.token
            )
            self.pass_id = add_pass(connection, self.member, TERMS, BEGIN_MS, self.token)
            self.badge = add_badge(connection, self.pass_id, NewBadge(), BEGIN_MS, self.token)

    def token(self, size: int) -> bytes:
        """Return bytes that come once."""
        return next(self._numbers).to_bytes(size, "big")

    def decide(
        self,
        *moments: int,
        site: str = "murat",
        person: str | None = None,
        reason: AccessReason = "GRANTED",
        received_ms: int | None = None,
    ) -> None:
        """Store decisions of a stream of their own; the badge's, unless `person` is another or empty."""
        named = self.badge.credential if person is None else person
        lines = [
            encode(
                AccessDecided(
                    subject="reader-01",
                    value=Access(door="door-01", reason=reason, assurance="secured"),
                    t=at_ms,
                    clock="synced",
                    up=5,
                )
            )
            for at_ms in moments
        ]
        persons = dict.fromkeys(range(1, len(lines) + 1), named) if named else {}
        header = BatchHeader(
            site=site, stream=self.token(16).hex(), boot="b" * 32, first=1, n=len(lines), sent_at=0, persons=persons
        )
        writer = self.store.writer()
        with writer.transaction():
            writer.receive(Batch(header, lines), received_ms or max(moments))
        writer.close()

    def read(
        self,
        kind: Subject = "badge",
        name: str | None = None,
        *,
        start: datetime = LONG_AGO,
        end: datetime | None = None,
        motive: Motive = ANIMATOR,
        now_ms: int = NOON_MS,
    ) -> Answer:
        """Return the journal of the badge, or of whom is named."""
        question = Question(kind, name or self.badge.label, start, end)
        with self.store.changed() as connection:
            return read_journal(connection, question, motive, now_ms, self.token)

    def counts(self) -> dict[str, int]:
        """Return how many rows name somebody, by question."""
        badge = self.read()
        member = self.read("member", self.member)
        site = [row for row in self.read("site", "murat").rows if row.label or row.member or row.name]
        return {"badge": len(badge.rows), "member": len(member.rows), "site": len(site)}


@pytest.fixture
def bench(home: Path | Engine) -> Iterator[Bench]:
    made = Bench(home)
    yield made
    made.store.close()


def test_a_journal_says_who_where_when_and_why(bench: Bench) -> None:
    bench.decide(NOON_MS - HOUR_MS, reason="DENIED_OUT_OF_TIME_RANGE")
    for kind, name in (("badge", bench.badge.label.lower()), ("member", bench.member), ("site", "murat")):
        (row,) = bench.read(kind, name).rows  # type: ignore[arg-type]  # the three kinds
        assert (row.site, row.access.door, row.access.reason) == ("murat", "door-01", "DENIED_OUT_OF_TIME_RANGE")
        assert (row.at_ms, row.label, row.member) == (NOON_MS - HOUR_MS, bench.badge.label, bench.member)
        assert row.name == "Ada Canary"


def test_a_badge_that_changed_hands_is_each_ones_in_its_time(bench: Bench) -> None:
    bench.decide(NOON_MS - 10 * DAY_MS)
    with bench.store.changed() as connection:
        other = add_member(connection, None, Person("Bert Next"), NOON_MS - 9 * DAY_MS, bench.token)
        pass_id = add_pass(connection, other, TERMS, NOON_MS - 9 * DAY_MS, bench.token)
        change_badge(connection, bench.badge.credential, NOON_MS - 8 * DAY_MS, pass_id=pass_id)
    bench.decide(NOON_MS - 2 * DAY_MS)
    assert [row.name for row in bench.read().rows] == ["Ada Canary", "Bert Next"]
    assert [row.at_ms for row in bench.read("member", bench.member).rows] == [NOON_MS - 10 * DAY_MS]
    assert [row.at_ms for row in bench.read("member", other).rows] == [NOON_MS - 2 * DAY_MS]


def test_a_site_shows_refusals_of_badges_that_nobody_knows(bench: Bench) -> None:
    bench.decide(NOON_MS - HOUR_MS, person="", reason="DENIED_UNKNOWN_CREDENTIAL")
    (row,) = bench.read("site", "murat").rows
    assert (row.access.reason, row.label, row.name) == ("DENIED_UNKNOWN_CREDENTIAL", None, None)


def test_days_are_half_open_and_begin_at_midnight_of_the_telecentre(bench: Bench) -> None:
    midnight_ms = NOON_MS - 12 * HOUR_MS  # of 21 November in Murat: 23:00 UTC
    bench.decide(midnight_ms - 1, midnight_ms, midnight_ms + DAY_MS - 1, midnight_ms + DAY_MS)
    day, later = datetime(2026, 11, 21), NOON_MS + 2 * DAY_MS  # noqa: DTZ001 -- local
    for kind, name in (("badge", bench.badge.label), ("member", bench.member), ("site", "murat")):
        found = bench.read(kind, name, start=day, end=day + timedelta(days=1), now_ms=later)  # type: ignore[arg-type]
        assert [row.at_ms for row in found.rows] == [midnight_ms, midnight_ms + DAY_MS - 1], kind


def test_an_answer_has_a_bound_and_says_that_there_is_more(bench: Bench) -> None:
    for start in range(0, MAX_ROWS + 1, 200):
        count = min(200, MAX_ROWS + 1 - start)
        bench.decide(*(NOON_MS - DAY_MS + (start + n) * 1_000 for n in range(count)))
    for kind, name in (("badge", bench.badge.label), ("member", bench.member), ("site", "murat")):
        found = bench.read(kind, name)  # type: ignore[arg-type]  # the three kinds
        assert (len(found.rows), found.is_cut) == (MAX_ROWS, True)
        assert found.rows[0].at_ms == NOON_MS - DAY_MS


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201, "a \x9b2J", "a \u202e"])
def test_without_a_reason_nothing_is_read_and_nothing_kept(bench: Bench, reason: str) -> None:
    with pytest.raises(JournalError, match="a reason is needed"):
        bench.read(motive=Motive("lea", reason))
    with bench.store.seen() as connection:
        assert read_readings(connection) == []


@pytest.mark.parametrize("who", ["Ada Canary", "ADA CANARY", "ada@example.org", "{label}", "{credential}", "{member}"])
def test_a_reason_does_not_say_who_it_is_about(bench: Bench, who: str) -> None:
    said = who.format(label=bench.badge.label, credential=bench.badge.credential, member=bench.member)
    with pytest.raises(JournalError, match="must not say who"):
        bench.read(motive=Motive("lea", f"a complaint of {said}."))


@pytest.mark.parametrize(("kind", "error"), [("badge", PassError), ("member", PassError), ("site", JournalError)])
def test_whoever_is_not_in_the_register_has_no_journal(bench: Bench, kind: Subject, error: type[Exception]) -> None:
    with pytest.raises(error):
        bench.read(kind, "nobody")


def test_each_reading_is_kept_with_who_when_what_and_why(bench: Bench) -> None:
    bench.decide(NOON_MS - HOUR_MS)
    bench.read()
    bench.read("site", "murat", start=datetime(2026, 11, 1), end=datetime(2026, 11, 21, 14))  # noqa: DTZ001 -- local
    with bench.store.seen() as connection:
        site, badge = sorted(read_readings(connection), key=lambda one: one.kind, reverse=True)
    assert (badge.reader, badge.at_ms, badge.reason) == (*(ANIMATOR.reader, NOON_MS), ANIMATOR.reason)
    assert (badge.kind, badge.subject, badge.start, badge.end, badge.answered) == (
        "badge",
        bench.badge.label,
        "2026-01-01",
        None,
        1,
    )
    assert (site.subject, site.start, site.end) == ("murat", "2026-11-01", "2026-11-21T14:00")


def test_no_statement_changes_a_reading_and_only_age_ends_one() -> None:
    folder = Path(journal_module.__file__).parent
    statements = re.findall(r"(?:update|delete from|insert into) reading\b[^;]*", _all_sql(folder))
    assert [text.split()[0] for text in statements] == ["insert", "delete"]
    assert statements[1] == "delete from reading where at < :before_ms"


def _all_sql(folder: Path) -> str:
    return "\n".join(file.read_text() for file in sorted(folder.rglob("*.sql")))


def test_a_reading_that_fails_is_neither_answered_nor_kept(bench: Bench) -> None:
    def no_token(_: int) -> bytes:
        raise OSError("no random numbers")

    question = Question("badge", bench.badge.label, LONG_AGO)
    with pytest.raises(OSError, match="no random"), bench.store.changed() as connection:
        read_journal(connection, question, ANIMATOR, NOON_MS, no_token)
    with bench.store.seen() as connection:
        assert read_readings(connection) == []


def test_a_purge_leaves_nobody_in_any_question_and_keeps_the_readings_for_a_year(bench: Bench) -> None:
    bench.decide(NOON_MS - HOUR_MS)
    assert bench.counts() == {"badge": 1, "member": 1, "site": 1}
    later = Store(bench.store.engine, now_ms=lambda: NOON_MS + 90 * DAY_MS)
    assert later.purge() == 1
    assert bench.counts() == {"badge": 0, "member": 0, "site": 0}
    with bench.store.seen() as connection:
        assert len(read_readings(connection)) == 6
    later.close()
    Store(bench.store.engine, now_ms=lambda: NOON_MS + READINGS_MS + 1).purge()
    with bench.store.seen() as connection:
        assert read_readings(connection) == []


def test_an_erasure_leaves_nobody_in_any_question_nor_among_the_readings(bench: Bench) -> None:
    bench.decide(NOON_MS - HOUR_MS)
    bench.read()
    assert bench.store.erase(bench.badge.credential, "asked") == 1
    assert bench.counts() == {"badge": 0, "member": 0, "site": 0}
    assert [row.access.reason for row in bench.read("site", "murat").rows] == ["GRANTED"], "the event stays"
    with bench.store.seen() as connection:
        assert {one.subject for one in read_readings(connection) if one.kind == "badge"} == {None}


def test_a_removed_member_is_in_no_question_also_by_a_badge_given_on(bench: Bench) -> None:
    bench.decide(NOON_MS - 10 * DAY_MS)
    bench.read("member", bench.member)
    with bench.store.changed() as connection:
        other = add_member(connection, None, Person("Bert Next"), NOON_MS - 9 * DAY_MS, bench.token)
        pass_id = add_pass(connection, other, TERMS, NOON_MS - 9 * DAY_MS, bench.token)
        change_badge(connection, bench.badge.credential, NOON_MS - 8 * DAY_MS, pass_id=pass_id)
        remove_member(connection, bench.member, NOON_MS)
        named_by = credentials_of(connection, bench.member)
    for one in (bench.member, *named_by):
        bench.store.erase(one, "asked")
    assert bench.counts() == {"badge": 0, "member": 0, "site": 0}
    with bench.store.seen() as connection:
        assert {one.subject for one in read_readings(connection) if one.kind == "member"} == {None}


def test_who_was_erased_stays_forgotten_in_a_restored_copy(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.decide(NOON_MS - HOUR_MS)
    bench.read()
    back_up(bench.store.file, tmp_path / "copy.db", NOON_MS)
    bench.store.erase(bench.badge.credential, "asked")
    bench.store.close()
    restore(bench.store.file, tmp_path / "copy.db", NOON_MS + HOUR_MS)
    bench.store = Store(bench.store.file, now_ms=lambda: NOON_MS + HOUR_MS)
    with bench.store.seen() as connection:
        assert [one.subject for one in read_readings(connection)] == [None]
    assert bench.counts() == {"badge": 0, "member": 0, "site": 0}


def test_an_event_that_proves_to_be_old_takes_its_person_with_it(bench: Bench) -> None:
    """A Pi without a clock for 80 days: first its events age from their reception, then from their own time."""
    stream, boot = "c" * 32, "d" * 32
    event = AccessDecided(
        subject="reader-01",
        value=Access(door="door-01", reason="GRANTED", assurance="secured"),
        t=0,
        clock="unsynced",
        up=HOUR_MS,
    )
    set_right = {"subject": "agent", "t": NOON_MS, "clock": "synced", "up": 80 * DAY_MS, "kind": "clock_set"}
    writer = bench.store.writer()
    with writer.transaction():
        persons = {1: bench.badge.credential}
        header = BatchHeader(site="murat", stream=stream, boot=boot, first=1, n=1, sent_at=0, persons=persons)
        writer.receive(Batch(header, [encode(event)]), NOON_MS)
    assert writer.purge_journal(NOON_MS + 11 * DAY_MS) == 0
    with writer.transaction():
        line = str({**set_right, "value": {"step_ms": 5}}).replace("'", '"').encode()
        header = BatchHeader(site="murat", stream=stream, boot=boot, first=2, n=1, sent_at=0)
        writer.receive(Batch(header, [line]), NOON_MS)
    assert writer.purge_journal(NOON_MS + 11 * DAY_MS) == 1
    writer.close()


AGES_MS = st.integers(0, 200 * DAY_MS)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.tuples(AGES_MS, AGES_MS), min_size=1, max_size=6),
    begin=st.integers(0, 200),
    purged=st.booleans(),
    kind=st.sampled_from(["badge", "member", "site"]),
)
def test_nothing_older_than_ninety_days_is_ever_answered(
    homes: Callable[[Path], Path | Engine],
    tmp_path_factory: pytest.TempPathFactory,
    ages: list[tuple[int, int]],
    begin: int,
    purged: bool,
    kind: Subject,
) -> None:
    bench = Bench(homes(tmp_path_factory.mktemp("journal")))
    stored = [(NOON_MS - age_ms, NOON_MS - min(age_ms, late_ms)) for age_ms, late_ms in ages]
    for at_ms, received_ms in stored:
        bench.decide(at_ms, received_ms=received_ms)
    if purged:
        bench.store.purge()
    start = datetime.fromtimestamp(NOON_MS / 1_000, UTC).replace(tzinfo=None) - timedelta(days=begin)
    name = {"badge": bench.badge.label, "member": bench.member, "site": "murat"}[kind]
    answered = [row.at_ms for row in bench.read(kind, name, start=start).rows]
    wanted = sorted(at_ms for at_ms, _ in stored if NOON_MS - at_ms <= 90 * DAY_MS and at_ms >= _utc_ms(start))
    assert answered == wanted
    bench.store.close()


def _utc_ms(local: datetime) -> int:
    """Return a local time in Murat of 2026: summer time from 29 March to 25 October."""
    is_summer = datetime(2026, 3, 29, 2) <= local < datetime(2026, 10, 25, 3)  # noqa: DTZ001 -- local
    since = local - datetime(1970, 1, 1) - timedelta(hours=2 if is_summer else 1)  # noqa: DTZ001 -- local
    return since // timedelta(milliseconds=1)


def test_the_journal_of_a_person_is_found_without_reading_every_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    text = _all_sql(Path(journal_module.__file__).parent)
    for name in ("of_badge", "of_member"):
        statement = re.search(rf"-- name: {name}\n(.*?);", text, re.DOTALL)
        assert statement is not None
        values = {"subject": "x", "zone": "UTC", "oldest_ms": 0, "from_ms": 0, "to_ms": 1, "most": 9}
        with bench.store.seen() as connection:
            plan = [row[3] for row in connection.execute(f"explain query plan {statement[1]}", values)]
        assert not any(line.startswith("SCAN event") for line in plan), plan
        assert any("journal_by_person" in line for line in plan), plan
    bench.store.close()
