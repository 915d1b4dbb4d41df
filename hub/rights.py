"""The list of rights of one site, from the register; and what a revoked badge could still do there. Pure.

What must stay true here: a list names only badges that may enter there while it holds; a badge that was lost, stolen or
disabled, or whose time is over, is named without its key; nothing in it names a member. The time for which a revoked
badge could still open is never told shorter than it is.
Source: docs/passes.md; ADR 0021.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from contract.messages import RightsStatus
from contract.rights import MAX_BADGES, MAX_PROFILES, BadgeRight, Profile, RightsList
from hub.passes import Badge, Pass, Register, instant_ms, read_windows, write_windows
from hub.store.rows import Issued, Keyed, Site

KeyOf = Callable[[str, str], str]
"""Gives the key of a badge id in a network, both keys and ids as 32 hexadecimal digits."""

MAX_FREE_ACCESS = 200
"""What the contract allows in a list."""


TOLD_MS = 30 * 86_400_000
"""So long after its end the door says of a badge that its time is over, and not that nobody knows it."""


class TooLargeError(ValueError):
    """More may enter at one site than a list can carry; the last list stays."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force at a site's doors, as far as the hub knows."""

    version: int | None
    """None: the site has never said."""
    issued_at_ms: int | None
    expires_at_ms: int | None
    badges: int | None
    may_open_s: int | None
    """The longest that a badge revoked by now could still open there: 0 once the site has confirmed; None: no bound."""


def rights_for(
    site: Site,
    register: Register,
    holidays: Iterable[date],
    issue: tuple[int, int, int],
    key_of: KeyOf,
) -> RightsList:
    """Return the list of a site; `issue` is its version, when it is signed, and how long it holds, in milliseconds.

    Raises:
        TooLargeError: there are more badges, profiles or event days than a list may have.
    """
    version, at_ms, life_ms = issue
    profiles: dict[tuple[str, bool], int] = {}
    badges: list[BadgeRight] = []
    for badge in sorted(register.badges, key=lambda one: one.credential):
        terms = register.passes[badge.pass_id].terms
        validity = _validity(site, badge, register.passes[badge.pass_id], at_ms, at_ms + life_ms)
        if validity is not None:
            profile = profiles.setdefault((write_windows(terms.windows), terms.holidays), len(profiles))
            badges.append(_right(badge, profile, validity, at_ms, lambda badge_id: key_of(badge_id, site.network)))
    free = [one for one in register.free_access.get(site.id, ()) if at_ms < one.end and one.start < at_ms + life_ms]
    if len(badges) > MAX_BADGES or len(profiles) > MAX_PROFILES or len(free) > MAX_FREE_ACCESS:
        raise TooLargeError(f"{len(badges)} badges, {len(profiles)} profiles, {len(free)} event days")
    return RightsList(
        site=site.id,
        version=version,
        issued_at=at_ms,
        expires_at=at_ms + life_ms,
        holidays=[day.isoformat() for day in holidays],
        profiles=[Profile(windows=list(read_windows(windows)), holidays=on) for windows, on in profiles],
        badges=badges,
        free_access=free,
    )


def _validity(site: Site, badge: Badge, one: Pass, at_ms: int, until_ms: int) -> tuple[int | None, int | None] | None:
    """Return from when and until when a badge may enter, None for no bound; or None if it is not to be listed.

    What ended a short while ago is listed, so that the door can say it.
    """
    terms = one.terms
    if badge.removed or one.ended or one.network != site.network or badge.site not in (None, site.id):
        return None
    if terms.sites and site.id not in terms.sites:
        return None
    begins_ms = instant_ms(terms.valid_from, site.zone)
    ends_ms = None if terms.valid_until is None else instant_ms(terms.valid_until, site.zone)
    # Local times that differ may be one instant: a pass for the hour that is skipped in spring is never valid.
    if begins_ms >= until_ms or (ends_ms is not None and ends_ms <= max(begins_ms, at_ms - TOLD_MS)):
        return None
    return begins_ms if begins_ms > at_ms else None, ends_ms


def _right(
    badge: Badge, profile: int, validity: tuple[int | None, int | None], at_ms: int, key_of: Callable[[str], str]
) -> BadgeRight:
    begins_ms, ends_ms = validity
    may_open = badge.state == "active" and (ends_ms is None or ends_ms > at_ms)
    return BadgeRight(
        id=badge.credential,
        badge=badge.badge,
        key=key_of(badge.badge) if badge.badge is not None and may_open else None,
        state=badge.state,
        profile=profile,
        valid_from=begins_ms,
        valid_until=ends_ms,
        emergency=badge.emergency,
    )


def is_due(site: Keyed, now_ms: int, renew_ms: int) -> bool:
    """Return whether a site needs a list: none yet, the register changed, or a day has passed."""
    if site.version is None or site.counter is None or site.issued_at_ms is None:
        return True
    is_fresh = 0 <= now_ms - site.issued_at_ms < renew_ms  # a list of the future is a clock that was wrong
    return site.counter < site.changed or not is_fresh


def next_version(site: Keyed, now_ms: int) -> int:
    """Return the version of a site's next list: the time of signing, and always more than the last one's."""
    return max(now_ms, 1 + (site.version or 0))


def standing(reported: RightsStatus | None, issued: Issued | None) -> Standing:
    """Return what is in force at a site: by its last status, else by its history."""
    if reported is None:
        known = issued or Issued("")
        version, at_ms, ends_ms = known.applied_version, known.applied_at_ms, known.applied_expires_at_ms
        return Standing(version, at_ms, ends_ms, None, _may_open_s(version, at_ms, ends_ms, issued))
    version, ends_ms = reported.version, reported.expires_at
    # The trusted time is at least that of the list's signing.
    trusted_ms = reported.issued_at if reported.trusted_at is None else reported.trusted_at
    may_open_s = _may_open_s(version, trusted_ms, ends_ms, issued)
    return Standing(version, reported.issued_at, ends_ms, reported.credentials, may_open_s)


def _may_open_s(version: int | None, trusted_ms: int | None, ends_ms: int | None, issued: Issued | None) -> int | None:
    if version == 0:
        return 0  # no list: nobody enters
    if issued is None:
        return None
    if issued.revoked_at_ms is None or _confirms(version, issued.needed_version):
        return 0
    if issued.revoked_emergency and not _confirms(version, issued.needed_emergency_version):
        return None
    if trusted_ms is None or ends_ms is None:
        return None
    return max(0, -((trusted_ms - ends_ms) // 1000))


def _confirms(version: int | None, needed: int | None) -> bool:
    return version is not None and needed is not None and version >= needed
