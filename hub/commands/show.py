"""Members, passes and badges as the command line shows them: as JSON, and in lines for a person."""

from datetime import UTC, datetime
from typing import Any

from hub.passes import Badge, Member, Pass, Terms, write_moment, write_windows


def member_answer(member: Member) -> dict[str, Any]:
    """Return a member for a program."""
    person = member.person
    return {
        "member": member.id,
        "network": member.network,
        "name": person and person.name,
        "organisation": person and person.organisation,
        "email": person and person.email,
        "removed": member.removed_at_ms is not None,
    }


def member_line(member: Member) -> str:
    """Return a member in one line."""
    if member.person is None:
        return f"{member.id}  (removed)"
    return "  ".join(filter(None, (member.id, member.person.name, member.person.organisation, member.person.email)))


def pass_answer(one: Pass) -> dict[str, Any]:
    """Return a pass for a program."""
    terms = one.terms
    return {
        "pass": one.id,
        "member": one.member,
        "network": one.network,
        "category": terms.category,
        "valid_from": write_moment(terms.valid_from),
        "valid_until": None if terms.valid_until is None else write_moment(terms.valid_until),
        "sites": list(terms.sites) or None,
        "windows": write_windows(terms.windows) or None,
        "holidays": terms.holidays,
        "ended": one.ended,
        "since": moment(one.since_ms),
    }


def pass_line(one: Pass) -> str:
    """Return a pass in one line."""
    return f"{one.id}  {'ended' if one.ended else one.terms.category}: {terms_line(one.terms)}"


def terms_line(terms: Terms) -> str:
    """Return what a pass allows, as a person reads it."""
    until = "" if terms.valid_until is None else f" until {write_moment(terms.valid_until)} (not included)"
    where = " ".join(terms.sites) or "every site of the network"
    when = write_windows(terms.windows) or "at any time"
    holidays = "public holidays too" if terms.holidays else "not on public holidays"
    return f"from {write_moment(terms.valid_from)}{until}; {where}; {when}; {holidays}"


def badge_answer(badge: Badge) -> dict[str, Any]:
    """Return a badge for a program. Its key is nowhere; its badge id is no secret."""
    return {
        "label": badge.label,
        "credential": badge.credential,
        "pass": badge.pass_id,
        "class": "uid" if badge.site else "secured",
        "badge": badge.badge,
        "site": badge.site,
        "state": badge.state,
        "emergency": badge.emergency,
        "removed": badge.removed,
        "since": moment(badge.since_ms),
    }


def badge_line(badge: Badge) -> str:
    """Return a badge in one line."""
    kind = f"known by its number, at {badge.site} alone" if badge.site else "secured"
    state = "removed" if badge.removed else badge.state
    return f"{badge.label}  {state}; {kind}; pass {badge.pass_id}{'; emergency' if badge.emergency else ''}"


def moment(at_ms: int) -> str:
    """Return an instant as a person and a program read it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
