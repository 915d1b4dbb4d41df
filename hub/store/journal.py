"""The access journal: who was let in or refused, where and why. Whoever reads it says why, and that is kept.

What must stay true here: nothing older than 90 days is answered, whether the purge has run or not; no answer leaves
before the reading itself is in the database (one transaction); a reading names its subject by an id alone, so that
whoever is forgotten is forgotten here too. Names and labels are joined when it is read, and stored nowhere else.
Source: protocol TC1, "Persons"; docs/privacy.md.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Literal
from zoneinfo import ZoneInfo

from contract.events import Access
from hub.passes import Badge, instant_ms, write_moment
from hub.store.connection import Connection
from hub.store.erasures import erased_at, is_reason
from hub.store.passes import read_badge, read_member
from hub.store.schema import statements
from hub.store.visits import freeze

JOURNAL_MS = 90 * 86_400_000
"""How long an access event may name a credential (docs/privacy.md)."""

MAX_ROWS = 1_000
"""Of one answer: a busy week of one telecentre. Who needs more asks again from the last one's moment, with a reason."""

MAX_READINGS = 1_000
"""Of one list of readings, the newest: some years of a network that does not pry."""

READINGS_MS = 365 * 86_400_000
"""How long a reading is kept: a year, to answer for it; longer than what was read."""

LEAPT = (
    "nothing is forgotten: this machine's clock is more than 48 hours past the last event heard and the last list; "
    "set it right, or, if it is right, say so with: telecentre-hub rights resume"
)
"""A clock ten years ahead would empty the journal; what is too old is not answered meanwhile."""

FOR_EVER_MS = 2**62

Subject = Literal["badge", "member", "site"]
Token = Callable[[int], bytes]

_SQL = statements("journal")


class JournalError(ValueError):
    """The journal is not read: one sentence, and nothing was kept."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose journal: a badge by its label or id, a member or a site by id; and when, half-open.

    Both bounds are local times of the site at whose door the decision fell; without an end, until now.
    """

    kind: Subject
    name: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Motive:
    """Who reads, and why."""

    reader: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One decision at a door, and whose badge it was; the last three are None where nobody is named (any more)."""

    site: str
    time_zone: str
    reader: str
    access: Access
    at_ms: int | None
    """None: the telecentre's clock was not set."""
    received_at_ms: int
    label: str | None
    member: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows of the period, in order of time; `is_cut`: there are more."""

    rows: tuple[AccessRow, ...]
    is_cut: bool
    reading: str
    """The id under which this reading is kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who read the journal, when, which question and why; `subject` is None once that person was erased."""

    at_ms: int
    reader: str
    kind: Subject
    subject: str | None
    """A badge's label, a member's or a site's id."""
    start: str
    """As it was asked: local, such as `2026-11-01`."""
    end: str | None
    """Not included; None: until then."""
    answered: int
    reason: str


def read_journal(connection: Connection, question: Question, motive: Motive, now_ms: int, token: Token) -> Answer:
    """Return the journal of a badge, a member or a site, and keep that it was read: `Store.changed()` gives both.

    Raises:
        JournalError: no reason, a reason that names the person, or no such site.
        PassError: no such badge or member.
    """
    if not is_reason(motive.reason):
        raise JournalError("a reason is needed to read the journal: one line of 1 to 200 characters")
    subject, named, zones = _subject(connection, question)
    if _names(motive.reason, named):
        raise JournalError("the reason is kept for a year, so it must not say who it is about")
    oldest_ms = now_ms - JOURNAL_MS
    found = sorted(
        chain.from_iterable(_rows(connection, question, subject, zone, oldest_ms) for zone in zones), key=_moment_ms
    )
    rows, reading = tuple(found[:MAX_ROWS]), token(8).hex()
    values = {
        "reading": reading,
        "at": now_ms,
        "reader": motive.reader[:80],
        "kind": question.kind,
        "subject": subject,
        "from_local": write_moment(question.start),
        "to_local": None if question.end is None else write_moment(question.end),
        "answered": len(rows),
        "reason": motive.reason.strip(),
    }
    connection.execute(_SQL["put_reading"], values)
    return Answer(rows, len(found) > MAX_ROWS, reading)


def read_readings(connection: Connection) -> list[Reading]:
    """Return the newest readings, the newest first."""
    return [
        Reading(at_ms, reader, kind, _shown(connection, kind, subject, label, at_ms), *rest)
        for at_ms, reader, kind, subject, label, *rest in connection.execute(_SQL["readings"], {"most": MAX_READINGS})
    ]


def purge_journal(connection: Connection, now_ms: int) -> int:
    """Forget who badged more than 90 days ago, and who read that a year ago; return how many access events it was.

    What is forgotten is overwritten: a deleted row would stay readable in the file's free pages, and in its backups.
    """
    freeze(connection, now_ms - JOURNAL_MS)
    with connection.overwriting():
        purged = connection.execute(_SQL["purge_journal"], {"before_ms": now_ms - JOURNAL_MS}).rowcount
        connection.execute(_SQL["purge_readings"], {"before_ms": now_ms - READINGS_MS})
    return purged


def _subject(connection: Connection, question: Question) -> tuple[str, list[str | None], list[ZoneInfo]]:
    """Return the id of whom it is about, by what else people know them, and the zones in which its days begin."""
    if question.kind == "site":
        row = connection.execute(_SQL["zone_of_site"], {"site": question.name}).fetchone()
        if row is None:
            raise JournalError(f"the site '{question.name[:40]}' is not in the register")
        return question.name, [], [ZoneInfo(row[0])]
    zones = [ZoneInfo(row[0]) for row in connection.execute(_SQL["zones"])]
    if question.kind == "badge":
        badge = read_badge(connection, question.name)[-1]
        return badge.credential, [badge.credential, badge.label, *_member_of(connection, badge)], zones
    member = read_member(connection, question.name)
    known = [member.person.name, member.person.email] if member.person else []
    return member.id, [member.id, *known], zones


def _member_of(connection: Connection, badge: Badge) -> Iterable[str | None]:
    row: tuple[str | None, ...] = connection.execute(_SQL["member_of_badge"], {"pass": badge.pass_id}).fetchone()
    return row


def _names(reason: str, named: Iterable[str | None]) -> bool:
    """Return whether a reason has one of these in it, as a word of its own."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reason, re.IGNORECASE) for name in named if name)


def _rows(connection: Connection, question: Question, subject: str, zone: ZoneInfo, oldest_ms: int) -> list[AccessRow]:
    """Return the rows of the sites in one zone, one more than an answer holds."""
    end_ms = FOR_EVER_MS if question.end is None else instant_ms(question.end, zone)
    values = {
        "subject": subject,
        "zone": zone.key,
        "oldest_ms": oldest_ms,
        "from_ms": max(oldest_ms, instant_ms(question.start, zone)),
        "to_ms": end_ms,
        "most": MAX_ROWS + 1,
    }
    found = connection.execute(_SQL[f"of_{question.kind}"], values)
    return [
        AccessRow(site, zone_name, reader, Access.model_validate_json(value), *rest)
        for site, zone_name, reader, value, *rest in found
    ]


def _moment_ms(row: AccessRow) -> int:
    return row.received_at_ms if row.at_ms is None else row.at_ms


def _shown(connection: Connection, kind: Subject, subject: str, label: str | None, at_ms: int) -> str | None:
    if kind == "site":
        return subject
    erased_ms = erased_at(connection, subject)
    return None if erased_ms is not None and at_ms <= erased_ms else label or subject
