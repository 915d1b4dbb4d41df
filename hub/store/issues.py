"""The lists of rights that were issued, the keys to which they are sealed, and what the sites said of them.

Each function runs on the caller's connection: `Store.changed()` to write, `Store.seen()` to read.
"""

import json
from dataclasses import dataclass

from hub.passes import PassError
from hub.store.connection import Connection
from hub.store.pass_changes import concern_site, count_change
from hub.store.rows import Issued, Keyed
from hub.store.schema import statements

KEEP_MS = 90 * 86_400_000
"""Which list was in force explains a decision as long as the journal names the badge."""

MAX_LEAP_MS = 48 * 3_600_000
"""How far the clock may be past the last moment that is proven. A list takes the trusted time of its site with it: one
of next year would have every right list refused until then. Less does no harm to lists that hold for a week, and a hub
that was off for longer hears a telecentre first."""

_SQL = statements("issues")


@dataclass(frozen=True, slots=True)
class NewIssue:
    """A list that was sealed; `counter` is the state of the register that it holds."""

    site: str
    version: int
    counter: int
    issued_at_ms: int
    expires_at_ms: int
    badges: int
    sealed: bytes


def put_site_key(connection: Connection, site: str, public_key: str, now_ms: int) -> bool:
    """Seal the lists of a site to this key from now on; return whether it is another one than before.

    Raises:
        PassError: the site is not in the register.
    """
    if connection.execute(_SQL["is_site"], {"site": site}).fetchone() is None:
        raise PassError(f"the site '{site[:40]}' is not in the register")
    known = connection.execute(_SQL["key_of_site"], {"site": site}).fetchone()
    if known is not None and known[0] == public_key:
        return False
    since_ms = now_ms if known is None else max(now_ms, known[1] + 1)
    connection.execute(_SQL["put_key"], {"site": site, "since": since_ms, "public_key": public_key})
    concern_site(connection, site, now_ms)
    return True


def read_keyed(connection: Connection) -> list[Keyed]:
    """Return every site for which lists can be issued, with its last one."""
    return [Keyed(*row) for row in connection.execute(_SQL["keyed"])]


def held_since(connection: Connection) -> int | None:
    """Return when the hub went back to a copy, while nobody has looked at the register since; else None."""
    restored_ms = last_restore(connection)
    resumed_ms: int = connection.execute(_SQL["resumed_at"]).fetchone()[0]
    return restored_ms if restored_ms > resumed_ms else None


def last_restore(connection: Connection) -> int:
    """Return when the hub last went back to a copy, UTC ms; 0 for never."""
    restored_ms: int = connection.execute(_SQL["restored_at"]).fetchone()[0]
    return restored_ms


def has_leapt(connection: Connection, now_ms: int) -> bool:
    """Return whether the clock is too far past the newest moment that is proven for a list to be signed by it.

    What proves a moment is what the telecentres were heard to say of theirs, the last list, and a person who resumed. A
    hub of which nothing is known yet has nothing to compare with.
    """
    proven_ms: int = connection.execute(_SQL["proven_at"], {"now": now_ms}).fetchone()[0]
    return proven_ms > 0 and now_ms - proven_ms > MAX_LEAP_MS


def resume(connection: Connection, now_ms: int) -> None:
    """Issue lists again after a restore or a leap of the clock: somebody has looked at the register, at the clock."""
    connection.execute(_SQL["put_resumed"], {"resumed_at": max(now_ms, last_restore(connection))})
    count_change(connection)
    for keyed in read_keyed(connection):
        concern_site(connection, keyed.site, now_ms)


def put_issue(connection: Connection, new: NewIssue) -> None:
    """Keep a list to be published; of the ones before, that they were there."""
    values = {
        "site": new.site,
        "version": new.version,
        "counter": new.counter,
        "issued_at": new.issued_at_ms,
        "expires_at": new.expires_at_ms,
        "badges": new.badges,
        "size_bytes": len(new.sealed),
        "sealed": new.sealed,
    }
    connection.execute(_SQL["put_issue"], values)
    key = {"site": new.site, "version": new.version}
    connection.execute(_SQL["drop_sealed"], key)
    connection.execute(_SQL["forget_issues"], {**key, "before": new.issued_at_ms - KEEP_MS})


def read_sealed(connection: Connection, site: str) -> bytes | None:
    """Return the last list of a site as it is published."""
    row = connection.execute(_SQL["sealed"], {"site": site}).fetchone()
    return None if row is None else row[0]


def read_issued(connection: Connection) -> list[Issued]:
    """Return what is known of the lists of every site that has a key."""
    is_held = held_since(connection) is not None
    return [_issued(connection, keyed, is_held=is_held) for keyed in read_keyed(connection)]


def _issued(connection: Connection, keyed: Keyed, *, is_held: bool) -> Issued:
    applied = _applied(connection, keyed.site)
    times = connection.execute(_SQL["times"], {"site": keyed.site, "version": applied}).fetchone() or (None, None)
    return Issued(
        site=keyed.site,
        version=keyed.version,
        issued_at_ms=keyed.issued_at_ms,
        expires_at_ms=keyed.expires_at_ms,
        badges=keyed.badges,
        size_bytes=keyed.size_bytes,
        revoked_at_ms=keyed.revoked_at_ms if keyed.revoked else None,
        needed_version=_first_with(connection, keyed.site, keyed.revoked),
        revoked_emergency=keyed.emergency_revoked > 0,
        needed_emergency_version=_first_with(connection, keyed.site, keyed.emergency_revoked),
        applied_version=applied,
        applied_at_ms=times[0],
        applied_expires_at_ms=times[1],
        is_held=is_held,
    )


def _first_with(connection: Connection, site: str, counter: int) -> int | None:
    """Return the first list that holds this state of the register."""
    version: int | None = connection.execute(_SQL["first_with"], {"site": site, "counter": counter}).fetchone()[0]
    return version


def _applied(connection: Connection, site: str) -> int | None:
    """Return the newest list that the site said to have put in force; history may come out of order, hence several."""
    said = [json.loads(row[0])["version"] for row in connection.execute(_SQL["applied"], {"site": site})]
    return max(said, default=None)
