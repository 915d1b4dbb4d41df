"""What the live board says of the list of rights in force at a site. Pure."""

from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from contract.messages import RightsStatus
from hub.instants import instant
from hub.rights import standing
from hub.store.rows import Issued


class LiveRights(TypedDict):
    """The list of rights in force at the doors of a site, as far as the hub knows."""

    version: int | None
    """0: the site has none, so nobody enters; null: it has never said."""
    issued_at: str | None
    expires_at: str | None
    badges: int | None
    latest_version: int | None
    """The last list that the hub issued for it; null when it issues none."""
    latest_issued_at: str | None
    revoked_at: str | None
    """When a right was last taken away there."""
    may_open_s: int | None
    """The longest that a badge revoked by now could still open there, in seconds of the site's trusted time, which
    counts while the site has power; 0: it has confirmed; null: there is no known bound."""
    is_too_large: bool
    is_held: bool
    has_leapt: bool
    """Nothing is issued by a clock that is far past the last moment that is proven."""


def live_rights(reported: RightsStatus | None, issued: Issued | None) -> LiveRights:
    """Return what the board says of the list at a site, from its last status and what the hub issued."""
    known = issued or Issued("")
    stands = standing(reported, issued)
    return {
        "version": stands.version,
        "issued_at": instant(stands.issued_at_ms),
        "expires_at": instant(stands.expires_at_ms),
        "badges": stands.badges,
        "latest_version": known.version,
        "latest_issued_at": instant(known.issued_at_ms),
        "revoked_at": instant(known.revoked_at_ms),
        "may_open_s": stands.may_open_s,
        "is_too_large": known.is_too_large,
        "is_held": known.is_held,
        "has_leapt": known.has_leapt,
    }
