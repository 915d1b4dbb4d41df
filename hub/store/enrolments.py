"""The enrolments that were asked for, and what the telecentres said of them.

Each function runs on the caller's connection: `Store.changed()` to write, `Store.seen()` to read. Whoever asks (the
command line, later a page) writes a row; the running hub sends it and writes its end (hub/enrolling.py).
"""

import json
from dataclasses import dataclass
from typing import Any

from hub.enrolment import Enrolling, Outcome
from hub.passes import NewBadge, PassError, new_id
from hub.store.connection import Connection
from hub.store.pass_changes import Token, add_badge
from hub.store.passes import read_pass, sites_of
from hub.store.schema import statements

KEEP_MS = 90 * 86_400_000
"""A card in doubt that nobody showed again for so long is lost; the row leads to a person, by its pass."""

MAX_ENDS = 200
"""Of a site, looked through for the end of a command: more than come in a day."""

_SQL = statements("enrolments")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an animator asks for: a new badge for a pass, at a reader; `resume`: finish the card that is in doubt."""

    pass_id: str
    site: str
    reader: str
    uid: bool = False
    resume: bool = False
    window_s: int = 60


def ask(connection: Connection, wish: Wish, now_ms: int, token: Token) -> Enrolling:
    """Ask for an enrolment; the running hub sends it within a second.

    Raises:
        PassError: there is no such pass or site, it has no key, or its reader is busy with another enrolment.
    """
    one = read_pass(connection, wish.pass_id)[-1]
    if one.ended:
        raise PassError("this pass was ended: a badge of it would open nothing")
    if wish.site not in sites_of(connection, one.network):
        raise PassError(f"the site '{wish.site[:40]}' is not in the register")
    if wish.uid and one.terms.sites and wish.site not in one.terms.sites:
        raise PassError("this pass does not open at that site, and a badge of the UID class opens nowhere else")
    if key_of_site(connection, wish.site) is None:
        raise PassError(f"the hub has no key of '{wish.site}': telecentre-hub site key {wish.site} KEY")
    if any(
        (other.site, other.reader) == (wish.site, wish.reader) and not other.is_over(now_ms)
        for other in read_open(connection)
    ):
        raise PassError("this reader waits for another badge: wait until that has ended")
    credential, badge = _identity(connection, wish, token)
    command = token(16).hex()
    values = {
        "site": wish.site,
        "command": command,
        "reader": wish.reader,
        "pass": wish.pass_id,
        "credential": credential,
        "badge": badge,
        "resume": int(wish.resume),
        "window_s": wish.window_s,
        "asked_at": now_ms,
    }
    connection.execute(_SQL["put"], values)
    return Enrolling(
        wish.site, command, wish.reader, wish.pass_id, credential, badge, wish.resume, wish.window_s, now_ms
    )


def _identity(connection: Connection, wish: Wish, token: Token) -> tuple[str, str | None]:
    """Return the credential and the badge id to be: new ones, or those of the card that is in doubt."""
    if wish.uid or not wish.resume:
        return new_id(token(8)), None if wish.uid else token(16).hex()
    row = connection.execute(_SQL["in_doubt"], {"pass": wish.pass_id}).fetchone()
    if row is None:
        raise PassError("no card of this pass is in doubt: enrol without --resume")
    earlier = _enrolling(row)
    return earlier.credential, earlier.badge


def read(connection: Connection, site: str, command: str) -> Enrolling | None:
    """Return one enrolment."""
    row = connection.execute(_SQL["one"], {"site": site, "command": command}).fetchone()
    return None if row is None else _enrolling(row)


def read_open(connection: Connection) -> list[Enrolling]:
    """Return every enrolment of which no end is known, oldest first."""
    return [_enrolling(row) for row in connection.execute(_SQL["open"])]


def cancel(connection: Connection, one: Enrolling, now_ms: int) -> None:
    """Ask to wait no more; how it ended, the telecentre says."""
    connection.execute(_SQL["put_cancel_asked"], {"site": one.site, "command": one.command, "at": now_ms})


def put_sent(connection: Connection, one: Enrolling, now_ms: int) -> bool:
    """Note that a command is on its way; return False when it has ended meanwhile, and must not be."""
    values = {"site": one.site, "command": one.command, "at": now_ms}
    return connection.execute(_SQL["put_sent"], values).rowcount == 1


def put_cancel_sent(connection: Connection, one: Enrolling, now_ms: int) -> None:
    """Note that the telecentre was asked to wait no more."""
    connection.execute(_SQL["put_cancel_sent"], {"site": one.site, "command": one.command, "at": now_ms})


def end(connection: Connection, one: Enrolling, outcome: Outcome, now_ms: int, token: Token) -> None:
    """Write how an enrolment ended; with `done` its badge comes into the register, once."""
    label = _registered(connection, one, now_ms, token) if outcome == "done" else None
    values = {"site": one.site, "command": one.command, "outcome": outcome, "at": now_ms, "label": label}
    connection.execute(_SQL["put_end"], values)


def _registered(connection: Connection, one: Enrolling, now_ms: int, token: Token) -> str | None:
    """Return the label of the badge, None when its pass was ended meanwhile."""
    known = connection.execute(_SQL["label_of"], {"badge": one.badge, "credential": one.credential}).fetchone()
    if known is not None:
        return str(known[0])
    site = one.site if one.badge is None else None
    try:
        made = add_badge(connection, one.pass_id, NewBadge(one.badge, site, credential=one.credential), now_ms, token)
    except PassError:
        return None
    return made.label


def said_end(connection: Connection, one: Enrolling) -> Outcome | None:
    """Return how a telecentre said that a command ended, or None."""
    for reader, value in connection.execute(_SQL["ends"], {"site": one.site, "most": MAX_ENDS}):
        said = json.loads(value)
        if said["command"] == one.command and reader == one.reader:
            outcome: Outcome = said["outcome"]
            return outcome
    return None


def network_of_site(connection: Connection, site: str) -> str | None:
    """Return the network of a site, from whose name the keys of its badges are derived."""
    row = connection.execute(_SQL["network_of_site"], {"site": site}).fetchone()
    return None if row is None else row[0]


def key_of_site(connection: Connection, site: str) -> str | None:
    """Return the public key to which a site's messages are sealed."""
    row = connection.execute(_SQL["public_key"], {"site": site}).fetchone()
    return None if row is None else row[0]


def forget(connection: Connection, now_ms: int) -> None:
    """Forget enrolments of more than 90 days ago."""
    connection.execute(_SQL["forget"], {"before": now_ms - KEEP_MS})


def _enrolling(row: tuple[Any, ...]) -> Enrolling:
    site, command, reader, pass_id, credential, badge, resume, *rest = row
    return Enrolling(site, command, reader, pass_id, credential, badge, bool(resume), *rest)
