"""The register of passes as the database holds it, now or at a moment of the last 90 days.

Each function reads on the caller's connection: `Store.seen()`, or the transaction of a change.
"""

from typing import Any

from contract.rights import FreeAccess
from hub.passes import (
    Badge,
    Member,
    Pass,
    PassError,
    Person,
    Register,
    Terms,
    read_category,
    read_moment,
    read_windows,
)
from hub.store.connection import Connection
from hub.store.schema import statements

FOR_EVER_MS = 2**62
"""No instant is later: what is in force now."""

_SQL = statements("passes")


def counter(connection: Connection) -> int:
    """Return how often the register has changed."""
    count: int = connection.execute(_SQL["counter"]).fetchone()[0]
    return count


def read_register(connection: Connection, at_ms: int = FOR_EVER_MS) -> Register:
    """Return every pass, badge and event day as they were at `at_ms`; nobody is named."""
    free: dict[str, list[FreeAccess]] = {}
    after_ms = 0 if at_ms == FOR_EVER_MS else at_ms
    for site, door, start_ms, end_ms in connection.execute(_SQL["free_access"], {"at": after_ms}):
        free.setdefault(site, []).append(FreeAccess(door=door, start=start_ms, end=end_ms))
    at = {"at": at_ms}
    return Register(
        counter=counter(connection),
        passes={one.id: one for one in map(_pass, connection.execute(_SQL["passes"], at))},
        badges=tuple(map(_badge, connection.execute(_SQL["badges"], at))),
        free_access={site: tuple(windows) for site, windows in free.items()},
    )


def read_members(connection: Connection) -> list[Member]:
    """Return every member, in order of name."""
    return [_member(row) for row in connection.execute(_SQL["members"], {"member": None})]


def read_member(connection: Connection, member: str) -> Member:
    """Return one member.

    Raises:
        PassError: there is none of that id.
    """
    row = connection.execute(_SQL["members"], {"member": member}).fetchone()
    if row is None:
        raise PassError(f"no member has the id '{member[:40]}'")
    return _member(row)


def read_pass(connection: Connection, pass_id: str) -> list[Pass]:
    """Return a pass as it was from each of its changes on, the present one last.

    Raises:
        PassError: there is none of that id.
    """
    found = [_pass(row) for row in connection.execute(_SQL["pass_history"], {"pass": pass_id})]
    if not found:
        raise PassError(f"no pass has the id '{pass_id[:40]}'")
    return found


def read_badge(connection: Connection, name: str) -> list[Badge]:
    """Return the badge with this label or credential id, as it was from each of its changes on, the present one last.

    Raises:
        PassError: there is none.
    """
    found = [_badge(row) for row in connection.execute(_SQL["badge_history"], {"name": name})]
    if not found:
        raise PassError(f"no badge has the label '{name[:40]}'")
    return found


def credentials_of(connection: Connection, member: str) -> list[str]:
    """Return every badge that belongs to a pass of a member, or did so in the last 90 days: also one given on since."""
    return [row[0] for row in connection.execute(_SQL["credentials_of_member"], {"member": member})]


def networks(connection: Connection) -> list[str]:
    """Return the networks whose sites are in the register."""
    return [row[0] for row in connection.execute(_SQL["networks"])]


def sites_of(connection: Connection, network: str) -> list[str]:
    """Return the sites of a network."""
    return [row[0] for row in connection.execute(_SQL["sites_of_network"], {"network": network})]


def named_members(connection: Connection) -> list[str]:
    """Return the ids of the members whose name is known."""
    return [row[0] for row in connection.execute(_SQL["named_members"])]


def _member(row: tuple[Any, ...]) -> Member:
    member, network, name, organisation, email, added_ms, removed_ms = row
    return Member(member, network, None if name is None else Person(name, organisation, email), added_ms, removed_ms)


def _pass(row: tuple[Any, ...]) -> Pass:
    pass_id, since_ms, member, network, category, valid_from, valid_until, sites, windows, holidays, ended = row
    terms = Terms(
        read_category(category),
        read_moment(valid_from),
        None if valid_until is None else read_moment(valid_until),
        tuple(sites.split()),
        read_windows(windows),
        bool(holidays),
    )
    return Pass(pass_id, member, network, terms, bool(ended), since_ms)


def _badge(row: tuple[Any, ...]) -> Badge:
    credential, label, pass_id, badge, site, state, emergency, removed, since_ms = row
    return Badge(credential, label, pass_id, badge, site, state, bool(emergency), bool(removed), since_ms)
