"""Members, passes and badges from a CSV file into the register: all of them, or none."""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.member_file import BadLine, Known, Line, read_members_file
from hub.passes import NewBadge, Person, Terms
from hub.store.connection import Connection
from hub.store.pass_changes import Token, add_badge, add_member, add_pass, network_of
from hub.store.passes import read_members, read_register, sites_of


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do; with a bad line it did nothing."""

    bad: tuple[BadLine, ...] = ()
    members: int = 0
    passes: int = 0
    badges: int = 0


def import_members(
    connection: Connection, content: bytes, network: str | None, now_ms: int, token: Token, *, check: bool
) -> Imported:
    """Import the content of a file inside the caller's transaction; with `check` only say what that would do.

    Raises:
        PassError: the whole file cannot be read, or the network is not in the register.
    """
    network = network_of(connection, network)
    members = {
        one.person: one.id for one in read_members(connection) if one.person is not None and one.network == network
    }
    good, bad = read_members_file(content, _known(connection, network, members))
    if bad:
        return Imported(tuple(bad))
    connection.execute("savepoint import_members")
    imported = _put(connection, good, members, network, now_ms, token)
    if check:
        connection.execute("rollback to savepoint import_members")
    connection.execute("release savepoint import_members")
    return imported


def _known(connection: Connection, network: str, members: dict[Person, str]) -> Known:
    register = read_register(connection)
    passes: dict[str, list[Terms]] = {}
    for one in register.passes.values():
        if not one.ended:
            passes.setdefault(one.member, []).append(one.terms)
    return Known(
        sites=frozenset(sites_of(connection, network)),
        passes={person: tuple(passes.get(member, ())) for person, member in members.items()},
        badges=frozenset(badge.badge for badge in register.badges if badge.badge is not None),
    )


def _put(
    connection: Connection,
    lines: Iterable[Line],
    members: dict[Person, str],
    network: str,
    now_ms: int,
    token: Token,
) -> Imported:
    known, passes, badges = len(members), 0, 0
    for line in lines:
        if line.person not in members:
            members[line.person] = add_member(connection, network, line.person, now_ms, token)
        made = add_pass(connection, members[line.person], line.terms, now_ms, token)
        passes += 1
        if line.badge is not None:
            add_badge(connection, made, NewBadge(badge=line.badge, state=line.state), now_ms, token)
            badges += 1
    return Imported(members=len(members) - known, passes=passes, badges=badges)
