"""Who may enter now: a pure and total decision, with the reason that a person can be told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contract.events import AccessReason, Assurance
from edge.core.observations import CardRefusal, CredentialSeen
from edge.core.rights import Credential, CredentialState, Rights, Window

_REFUSED_CARDS: dict[CardRefusal, AccessReason] = {
    "random_uid": "DENIED_VERIFICATION_FAILED",
    "classic": "DENIED_VERIFICATION_FAILED",
    "phone": "DENIED_VERIFICATION_FAILED",
    "unreadable": "DENIED_OTHER",
    "wrong_application": "DENIED_CREDENTIAL_NOT_PROVISIONED",
    "unknown_badge": "DENIED_UNKNOWN_CREDENTIAL",
    "wrong_key": "DENIED_VERIFICATION_FAILED",
    "late": "DENIED_VERIFICATION_FAILED",
    "pulled_away": "DENIED_OTHER",
    "two_cards": "DENIED_OTHER",
}
"""A card whose number changes or can be copied by anyone proves nothing; one that was not read may be tried again."""

_REFUSED_STATES: dict[CredentialState, AccessReason] = {
    "lost": "DENIED_AUTHENTICATION_FACTOR_LOST",
    "stolen": "DENIED_AUTHENTICATION_FACTOR_STOLEN",
    "disabled": "DENIED_CREDENTIAL_DISABLED",
}

_LATEST_MS = 253_000_000_000_000
"""In the year 9987: a clock gone wild must not make the calendar fail."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, about whom (only when the badge is known), and how sure the reader is of the badge."""

    reason: AccessReason
    person: str | None
    assurance: Assurance

    @property
    def granted(self) -> bool:
        """Whether the door opens."""
        return self.reason == "GRANTED"


def decide_access(rights: Rights, seen: CredentialSeen, door: str, zone: ZoneInfo, *, uid_badges: bool) -> Decision:
    """Return whether the badge opens `door` at the moment it was seen, and why.

    `uid_badges` says whether the site accepts badges known by their number alone. An expired list opens to emergency
    badges only. The list itself proves that it is no earlier than its own issue: a clock behind it is not believed.
    """
    if seen.uid_hash is None:
        return Decision(_REFUSED_CARDS[seen.refusal or "unreadable"], None, "none")
    if not uid_badges:
        return Decision("DENIED_VERIFICATION_FAILED", None, "none")
    credential = rights.credentials.get(seen.uid_hash)
    if credential is None:
        return Decision("DENIED_UNKNOWN_CREDENTIAL", None, "none")
    now_ms = max(seen.at.wall_ms, rights.issued_at_ms or 0)
    reason = _refused_for_ever(rights, credential, now_ms) or _refused_here(credential, door, now_ms, zone)
    return Decision(reason or "GRANTED", credential.id, "uid")


def _refused_for_ever(rights: Rights, credential: Credential, now_ms: int) -> AccessReason | None:
    """Return why the badge opens nothing at all, or None."""
    if credential.state != "active":
        return _REFUSED_STATES[credential.state]
    if rights.expires_at_ms is not None and now_ms >= rights.expires_at_ms and not credential.emergency:
        return "DENIED_SNAPSHOT_EXPIRED"
    if credential.valid_from_ms is not None and now_ms < credential.valid_from_ms:
        return "DENIED_CREDENTIAL_NOT_YET_ACTIVE"
    if credential.valid_until_ms is not None and now_ms >= credential.valid_until_ms:
        return "DENIED_CREDENTIAL_EXPIRED"
    return None


def _refused_here(credential: Credential, door: str, now_ms: int, zone: ZoneInfo) -> AccessReason | None:
    """Return why the badge does not open this door at this hour, or None."""
    if credential.doors and door not in credential.doors:
        return "DENIED_POINT_NO_ACCESS_RIGHTS"
    if credential.windows and not is_within(credential.windows, now_ms, zone):
        return "DENIED_OUT_OF_TIME_RANGE"
    return None


def is_within(windows: tuple[Window, ...], now_ms: int, zone: ZoneInfo) -> bool:
    """Return whether an instant lies in one of the weekly windows, by the wall clock of the site's zone.

    A local time that the spring night skips never comes; one that the autumn night repeats counts both times.
    """
    local = datetime.fromtimestamp(min(now_ms, _LATEST_MS) // 1000, UTC).astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(
        local.isoweekday() in window.weekdays and window.start_min <= minute < window.end_min for window in windows
    )
