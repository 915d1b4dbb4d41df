"""`telecentre-hub journal`: who was let in or refused, for whoever has a reason to ask; and who has asked."""

import os
import pwd
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from hub.commands.options import config_option, in_one_sentence, json_option, store_of, tell
from hub.commands.show import moment
from hub.passes import read_moment
from hub.store import wall_ms
from hub.store.journal import AccessRow, Answer, Motive, Question, Reading, Subject, read_journal, read_readings
from hub.store.rows import notes_of, sentence_of
from hub.texts import words

ENGLISH = words("en")

LOGIN = Path("/proc/self/loginuid")
"""Who logged in, whatever user the commands run as since: the kernel keeps it, and only root can change it."""

NO_LOGIN = 2**32 - 1
"""Nobody did: a service."""


@click.group()
def journal() -> None:
    """Read the access journal of the last 90 days. Who reads, when, what and why is kept for a year."""


def _reading_command(kind: Subject, name: str, what: str) -> None:
    """Make the command that reads the journal of a badge, a member or a site."""

    @journal.command(kind, help=what)
    @click.argument("name", metavar=name)
    @click.option("--from", "start", required=True, help="First day, or time: local at the telecentre.")
    @click.option("--to", "end", default=None, help="First day, or time, that is left out; until now without.")
    @click.option("--reason", required=True, help="Why, in one line, without a name: it is kept.")
    @config_option
    @json_option
    @in_one_sentence
    def read(name: str, start: str, end: str | None, reason: str, config: Path, *, as_json: bool) -> None:
        question = Question(kind, name, read_moment(start), None if end is None else read_moment(end))
        with store_of(config).changed() as connection:
            answer = read_journal(connection, question, Motive(who(), reason), wall_ms(), secrets.token_bytes)
        tell("\n".join(_lines(answer)), _told(answer), as_json=as_json)


_reading_command("badge", "BADGE", "Print where BADGE was let in or refused, and why.")
_reading_command("member", "MEMBER", "Print where the badges of MEMBER were let in or refused while they were theirs.")
_reading_command("site", "SITE", "Print who was let in or refused at SITE.")


@journal.command()
@config_option
@json_option
@in_one_sentence
def readings(config: Path, *, as_json: bool) -> None:
    """Print who read the journal, when, which question and why: the last 1,000, the newest first."""
    with store_of(config).seen() as connection:
        found = read_readings(connection)
    answer = {"readings": [{**asdict(one), "at_ms": moment(one.at_ms)} for one in found]}
    tell("\n".join(map(_reading_line, found)) or "Nobody has read the journal.", answer, as_json=as_json)


def _lines(answer: Answer) -> list[str]:
    lines = [*map(_access_line, answer.rows)] or ["Nothing in this period; nothing older than 90 days is kept."]
    if answer.is_cut:
        lines.append(f"There are more: ask again from {_at(answer.rows[-1])[:16]}.")
    return lines


def _told(answer: Answer) -> dict[str, Any]:
    return {"journal": list(map(_access_answer, answer.rows)), "is_cut": answer.is_cut, "reading": answer.reading}


def who(login: Path = LOGIN) -> str:
    """Return who runs this command: who logged in, and the user it runs as when that is another."""
    own = os.geteuid()
    try:
        logged_in = int(login.read_text(encoding="ascii"))
    except (OSError, ValueError):
        logged_in = NO_LOGIN
    return _user(own) if logged_in in (own, NO_LOGIN) else f"{_user(logged_in)} as {_user(own)}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _access_answer(row: AccessRow) -> dict[str, Any]:
    return {
        "at": None if row.at_ms is None else _at(row),
        "received_at": moment(row.received_at_ms),
        "site": row.site,
        "reader": row.reader,
        "door": row.access.door,
        "reason": row.access.reason,
        "sentence": ENGLISH(sentence_of(row.access)),
        "assurance": row.access.assurance,
        "notes": list(notes_of(row.access)),
        "badge": row.label,
        "member": row.member,
        "name": row.name,
    }


def _access_line(row: AccessRow) -> str:
    known = " ".join(filter(None, (row.label, row.name))) or "(nobody is named)"
    said = [ENGLISH(sentence_of(row.access)), *(ENGLISH(f"note.{note}") for note in notes_of(row.access))]
    return f"{_at(row)}  {row.site} {row.access.door}  {row.access.reason}  {known}  {' '.join(said)}"


def _at(row: AccessRow) -> str:
    if row.at_ms is None:
        return f"(received {moment(row.received_at_ms)})"
    return datetime.fromtimestamp(row.at_ms // 1_000, UTC).astimezone(ZoneInfo(row.time_zone)).isoformat()


def _reading_line(one: Reading) -> str:
    period = f"from {one.start}" + (f" until {one.end}" if one.end else "")
    subject = one.subject or "(erased)"
    return f"{moment(one.at_ms)}  {one.reader}  {one.kind} {subject}  {period}  {one.answered} rows  {one.reason}"
