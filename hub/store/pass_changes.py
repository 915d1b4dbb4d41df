"""Every change of the register of passes, with its moment, its count, and the sites that it concerns.

Each function runs inside the caller's transaction (`Store.changed()`). Every change counts, so that lists of rights are
issued anew where it concerns somebody (hub/issuing.py). What must stay true here: a change that may take a right away
is recorded as such at every site where the badge opened.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from contract.rights import CredentialState, FreeAccess
from hub.passes import (
    Badge,
    NewBadge,
    Pass,
    PassError,
    Person,
    Terms,
    check_person,
    check_terms,
    new_id,
    new_label,
    write_moment,
    write_windows,
)
from hub.store.connection import Connection
from hub.store.passes import (
    counter,
    credentials_of,
    networks,
    read_badge,
    read_member,
    read_pass,
    read_register,
    sites_of,
)
from hub.store.schema import statements
from hub.store.visits import forget_passes, mark_badge

Token = Callable[[int], bytes]
"""Gives that many random bytes (`secrets.token_bytes`)."""

HISTORY_MS = 90 * 86_400_000
"""A superseded row is kept as long as the journal names the badge: it explains those decisions, and nothing else."""

MAX_DRAWS = 100
"""Labels drawn before we give up: there are 778,688, so with ten thousand badges the third try is already rare."""

_SQL = statements("passes")


def network_of(connection: Connection, network: str | None) -> str:
    """Return the network that was named; without a name, the only one there is.

    Raises:
        PassError: it is not in the register, or there are several.
    """
    known = networks(connection)
    if network is None and len(known) == 1:
        return known[0]
    if network is None or network not in known:
        raise PassError(f"name the network: {', '.join(known) or 'none is in the register yet (site import)'}")
    return network


def add_member(connection: Connection, network: str | None, person: Person, now_ms: int, token: Token) -> str:
    """Add a member and return its id; without a network, to the only one there is.

    Raises:
        PassError: the person cannot be, or the network is not in the register.
    """
    network = network_of(connection, network)
    person, member = check_person(person), new_id(token(8))
    connection.execute(
        _SQL["put_member"], {**_person_row(person), "member": member, "network": network, "added_at": now_ms}
    )
    return member


def change_member(connection: Connection, member: str, person: Person) -> None:
    """Correct what is known of a member; no decision depends on it.

    Raises:
        PassError: there is no such member, or no more.
    """
    if read_member(connection, member).person is None:
        raise PassError("this member was removed")
    connection.execute(_SQL["change_member"], {**_person_row(check_person(person)), "member": member})


def remove_member(connection: Connection, member: str, now_ms: int) -> list[str]:
    """End every pass of a member, disable the badges, forget the name; return their credentials, for the erasure.

    It may be repeated: a removal that was cut short is then finished.

    Raises:
        PassError: there is no such member.
    """
    read_member(connection, member)
    register = read_register(connection)
    passes = [one for one in register.passes.values() if one.member == member]
    for one in passes:
        if not one.ended:
            end_pass(connection, one.id, now_ms)
    own = [badge for badge in register.badges if badge.pass_id in {one.id for one in passes}]
    for badge in own:
        if badge.state == "active" and not badge.removed:
            change_badge(connection, badge.credential, now_ms, state="disabled")
    forget_person(connection, member, now_ms)
    return [badge.credential for badge in own]


def forget_person(connection: Connection, member: str, now_ms: int) -> None:
    """Empty the name, organisation and e-mail of a member, forget when passes were used; overwrite it in the file."""
    for credential in credentials_of(connection, member):
        mark_badge(connection, credential)
    with connection.overwriting():
        forget_passes(connection, member)
        connection.execute(_SQL["forget_member"], {"member": member, "removed_at": now_ms})


# Passes.


def add_pass(connection: Connection, member: str, terms: Terms, now_ms: int, token: Token) -> str:
    """Give a member a pass, from now on; return its id.

    Raises:
        PassError: there is no such member, or the terms cannot be.
    """
    found = read_member(connection, member)
    if found.person is None:
        raise PassError("this member was removed")
    check_terms(terms, sites_of(connection, found.network))
    one = Pass(new_id(token(8)), member, found.network, terms, since_ms=now_ms)
    _put_pass(connection, one)
    _concern(connection, _sites(connection, one), now_ms)
    return one.id


def change_pass(connection: Connection, pass_id: str, terms: Terms, now_ms: int) -> None:
    """Give a pass other terms, from now on.

    Raises:
        PassError: there is no such pass, it was ended, or the terms cannot be.
    """
    known = read_pass(connection, pass_id)[-1]
    if known.ended:
        raise PassError("this pass was ended: give the member another one")
    check_terms(terms, sites_of(connection, known.network))
    if terms != known.terms:
        _replace_pass(connection, known, replace(known, terms=terms), now_ms)


def end_pass(connection: Connection, pass_id: str, now_ms: int) -> None:
    """End a pass now, whatever its validity says: its badges open nowhere any more.

    Raises:
        PassError: there is no such pass.
    """
    known = read_pass(connection, pass_id)[-1]
    if not known.ended:
        _replace_pass(connection, known, replace(known, ended=True), now_ms)


def _replace_pass(connection: Connection, known: Pass, wanted: Pass, now_ms: int) -> None:
    _put_pass(connection, replace(wanted, since_ms=max(now_ms, known.since_ms + 1)))
    emergency = connection.execute(_SQL["is_emergency_pass"], {"pass": known.id}).fetchone() is not None
    sites = {*_sites(connection, known), *_sites(connection, wanted)}
    _concern(connection, sites, now_ms, revoked=True, emergency=emergency)


def _put_pass(connection: Connection, one: Pass) -> None:
    terms = one.terms
    values = {
        "pass": one.id,
        "since": one.since_ms,
        "member": one.member,
        "category": terms.category,
        "valid_from": write_moment(terms.valid_from),
        "valid_until": None if terms.valid_until is None else write_moment(terms.valid_until),
        "sites": " ".join(terms.sites),
        "windows": write_windows(terms.windows),
        "holidays": int(terms.holidays),
        "ended": int(one.ended),
    }
    connection.execute(_SQL["put_pass"], values)


# Badges.


def add_badge(connection: Connection, pass_id: str, new: NewBadge, now_ms: int, token: Token) -> Badge:
    """Give a pass a badge, from now on.

    Raises:
        PassError: there is no such pass or site, or the badge id is another badge's.
    """
    one = read_pass(connection, pass_id)[-1]
    if one.ended:
        raise PassError("this pass was ended: a badge of it would open nothing")
    if new.site is not None and new.site not in sites_of(connection, one.network):
        raise PassError(f"the site '{new.site[:40]}' is not in the register")
    badge = None if new.site is not None else new.badge or token(16).hex()
    if badge is not None and connection.execute(_SQL["is_badge"], {"badge": badge}).fetchone():
        raise PassError("this badge id is another badge's already")
    label = _free_label(connection, token)
    credential = new.credential or new_id(token(8))
    made = Badge(credential, label, pass_id, badge, new.site, new.state, new.emergency, since_ms=now_ms)
    values = {"credential": made.credential, "label": made.label, "badge": badge, "site": new.site, "added_at": now_ms}
    connection.execute(_SQL["put_credential"], values)
    _put_state(connection, made)
    _concern(connection, _sites_of_badge(connection, made, one), now_ms)
    return made


def change_badge(
    connection: Connection,
    name: str,
    now_ms: int,
    *,
    state: CredentialState | None = None,
    emergency: bool | None = None,
    pass_id: str | None = None,
    removed: bool = False,
) -> Badge:
    """Change the badge with this label or credential id from now on, and return it as it is then.

    Raises:
        PassError: there is no such badge or pass, or it was removed.
    """
    known = read_badge(connection, name)[-1]
    if known.removed:
        raise PassError("this badge was removed from the register")
    before = read_pass(connection, known.pass_id)[-1]
    after = before if pass_id is None else read_pass(connection, pass_id)[-1]
    if pass_id is not None and (after.network != before.network or after.ended):
        raise PassError("a badge goes to a pass of its own network that was not ended")
    wanted = replace(
        known,
        state=state or known.state,
        emergency=known.emergency if emergency is None else emergency,
        pass_id=after.id,
        removed=removed,
    )
    if wanted == known:
        return known
    wanted = replace(wanted, since_ms=max(now_ms, known.since_ms + 1))
    _put_state(connection, wanted)
    sites = {*_sites_of_badge(connection, known, before), *_sites_of_badge(connection, wanted, after)}
    # Whatever was changed, it may have opened something until now that it does not open any more.
    _concern(connection, sites, now_ms, revoked=known.state == "active", emergency=known.emergency)
    return wanted


def _free_label(connection: Connection, token: Token) -> str:
    for _ in range(MAX_DRAWS):
        label = new_label(token(8))
        if connection.execute(_SQL["is_label"], {"label": label}).fetchone() is None:
            return label
    raise PassError("no label is free any more")


def _put_state(connection: Connection, badge: Badge) -> None:
    values = {
        "credential": badge.credential,
        "since": badge.since_ms,
        "pass": badge.pass_id,
        "state": badge.state,
        "emergency": int(badge.emergency),
        "removed": int(badge.removed),
    }
    connection.execute(_SQL["put_state"], values)
    mark_badge(connection, badge.credential)


# Event days.


def add_free_access(connection: Connection, site: str, free: FreeAccess, now_ms: int) -> None:
    """Let everyone in at a door for an event; said again of one that ends earlier, it takes a right away.

    Raises:
        PassError: the register has no such door.
    """
    _check_door(connection, site, free.door)
    values = {"site": site, "door": free.door, "start_at": free.start}
    known = connection.execute(_SQL["free_access_until"], values).fetchone()
    connection.execute(_SQL["put_free_access"], {**values, "end_at": free.end})
    _concern(connection, [site], now_ms, revoked=known is not None and known[0] > free.end)


def remove_free_access(connection: Connection, site: str, door: str, start_ms: int, now_ms: int) -> None:
    """Call an event off; a door that stands open to everyone is a right, so this is a revocation.

    Raises:
        PassError: there is no such event.
    """
    values = {"site": site, "door": door, "start_at": start_ms}
    if connection.execute(_SQL["end_free_access"], values).rowcount == 0:
        raise PassError("no event of this door begins then")
    _concern(connection, [site], now_ms, revoked=True)


def _check_door(connection: Connection, site: str, door: str) -> None:
    if connection.execute(_SQL["is_door"], {"site": site, "door": door}).fetchone() is None:
        raise PassError(f"the site '{site[:40]}' has no door '{door[:40]}' in the register")


# Housekeeping, and whom a change concerns.


def forget_old(connection: Connection, now_ms: int) -> int:
    """Forget what was superseded more than 90 days ago: no journal row needs it any more; return how many rows."""
    before = {"before": now_ms - HISTORY_MS}
    return sum(
        connection.execute(_SQL[name], before).rowcount
        for name in ("forget_passes", "forget_states", "forget_free_access")
    )


def count_change(connection: Connection) -> None:
    """Have the register looked at, although no site's list changes by it."""
    connection.execute(_SQL["count_change"])


def concern_site(connection: Connection, site: str, now_ms: int, *, revoked: bool = False) -> None:
    """Have the list of a site issued anew; `revoked`: any badge may have lost its right there."""
    _concern(connection, [site], now_ms, revoked=revoked, emergency=revoked)


def _concern(
    connection: Connection, sites: Iterable[str], now_ms: int, *, revoked: bool = False, emergency: bool = False
) -> None:
    """Count a change, and note at which sites it counts; `revoked`: it may have taken a right away."""
    count_change(connection)
    change = counter(connection)
    values = {
        "changed": change,
        "revoked": change if revoked else 0,
        "revoked_at": now_ms if revoked else 0,
        "emergency_revoked": change if revoked and emergency else 0,
    }
    connection.executemany(_SQL["put_concerned"], [{**values, "site": site} for site in sorted(set(sites))])


def _sites(connection: Connection, one: Pass) -> list[str]:
    return list(one.terms.sites) or sites_of(connection, one.network)


def _sites_of_badge(connection: Connection, badge: Badge, one: Pass) -> list[str]:
    sites = _sites(connection, one)
    return sites if badge.site is None else [site for site in sites if site == badge.site]


def _person_row(person: Person) -> dict[str, str]:
    return {"name": person.name, "organisation": person.organisation, "email": person.email}
