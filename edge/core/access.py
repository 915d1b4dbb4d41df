"""Who may enter now: a pure and total decision, with the reason that a person can be told.

The same badge at the same time gives the same answer with or without a network: everything that counts is in the
arguments. Reasons are BACnet's AccessEvent names (ASHRAE 135, clause 12.33); docs/passes.md has them as a table.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from contract.events import AccessReason, Assurance, CardTrouble, DecidedBy
from edge.core.observations import CardRefusal, CredentialSeen
from edge.core.reader import Reader, ReaderRules
from edge.core.rights import Credential, CredentialState, Rights, Window
from edge.core.trusted_time import Judged

_REFUSED_CARDS: dict[CardRefusal, AccessReason] = {
    "random_uid": "DENIED_VERIFICATION_FAILED",
    "classic": "DENIED_VERIFICATION_FAILED",
    "phone": "DENIED_VERIFICATION_FAILED",
    "unreadable": "DENIED_OTHER",
    "unknown_badge": "DENIED_UNKNOWN_CREDENTIAL",
    "wrong_application": "DENIED_CREDENTIAL_NOT_PROVISIONED",
    "wrong_key": "DENIED_VERIFICATION_FAILED",
    "late": "DENIED_VERIFICATION_FAILED",
    "pulled_away": "DENIED_OTHER",
    "two_cards": "DENIED_OTHER",
}
"""A card whose number changes or can be copied by anyone proves nothing; one that was not read may be tried again."""

_CARD_TROUBLE: dict[CardRefusal, CardTrouble] = {
    "random_uid": "random_uid",
    "classic": "classic",
    "phone": "phone",
    "late": "late",
    "pulled_away": "pulled_away",
    "two_cards": "two_cards",
}
"""What a person can do something about; that a key was wrong is told by the reason alone."""

_REFUSED_STATES: dict[CredentialState, AccessReason] = {
    "lost": "DENIED_AUTHENTICATION_FACTOR_LOST",
    "stolen": "DENIED_AUTHENTICATION_FACTOR_STOLEN",
    "disabled": "DENIED_CREDENTIAL_DISABLED",
}

_LATEST_MS = 253_000_000_000_000
"""In the year 9987: a clock gone wild must not make the calendar fail."""


@dataclass(frozen=True, slots=True)
class Door:
    """The door that is asked for, and what its site allows."""

    id: str
    zone: ZoneInfo
    uid_badges: bool
    """Whether badges known by their number alone may open here: the lower class, which a site must choose."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, about whom, how sure the reader is of the badge, and by which time.

    `person` is set when the badge is known: proven, or one that was reported lost, stolen or disabled, or is over.
    """

    reason: AccessReason
    person: str | None
    assurance: Assurance
    time: DecidedBy
    passback: bool = False
    emergency: bool = False
    card: CardTrouble | None = None
    """What was wrong with the card itself."""

    @property
    def granted(self) -> bool:
        """Whether the door opens."""
        return self.reason == "GRANTED"


def decide_access(
    rights: Rights, seen: CredentialSeen, reader: Reader, rules: ReaderRules, time: Judged, door: Door
) -> Decision:
    """Return whether the badge opens the door, and why."""
    credential, assurance = credential_of(rights, seen)
    if reader.is_locked(seen.at.mono_s) and not _is_proven_emergency(seen, credential):
        return Decision("DENIED_LOCKOUT", None, "none", time.by)
    if seen.refusal is not None:
        return _refused_unproven(seen.refusal, credential, time)
    if seen.badge is None and not door.uid_badges:
        return Decision("DENIED_VERIFICATION_FAILED", None, "none", time.by, card="number_only")
    if credential is None:
        return Decision("DENIED_UNKNOWN_CREDENTIAL", None, "none", time.by)
    reason = _refused_for_ever(rights, credential, time) or _refused_here(rights, credential, door, time)
    granted = reason is None
    return Decision(
        reason or "GRANTED",
        credential.id,
        assurance,
        time.by,
        passback=granted and reader.is_back(credential.id, rules, seen.at.mono_s),
        emergency=granted and _is_over(rights, time),
    )


def _refused_unproven(refusal: CardRefusal, credential: Credential | None, time: Judged) -> Decision:
    """Return the refusal of a card that proved nothing.

    A badge that was reported lost, stolen or disabled, or whose time is over, has no key in the list, so that it cannot
    prove itself: that it shows up is worth knowing all the same.
    """
    if credential is not None and credential.state != "active":
        return Decision(_REFUSED_STATES[credential.state], credential.id, "none", time.by)
    if credential is not None and credential.badge is not None and credential.key is None:
        return Decision("DENIED_CREDENTIAL_EXPIRED", credential.id, "none", time.by)
    return Decision(_REFUSED_CARDS[refusal], None, "none", time.by, card=_CARD_TROUBLE.get(refusal))


def credential_of(rights: Rights, seen: CredentialSeen) -> tuple[Credential | None, Assurance]:
    """Return the credential that a card is, or claims to be, and how sure the reader would be of it."""
    if seen.badge is not None:
        return rights.badges.get(seen.badge), "secured"
    if seen.uid_hash is not None:
        return rights.credentials.get(seen.uid_hash), "uid"
    return None, "none"


def _is_proven_emergency(seen: CredentialSeen, credential: Credential | None) -> bool:
    """Return whether the badge passes a reader's pause: the fire brigade must not wait for somebody's attempts."""
    return seen.refusal is None and seen.badge is not None and credential is not None and credential.emergency


def _is_over(rights: Rights, time: Judged) -> bool:
    """Return whether the list has expired, by trusted time alone."""
    return rights.expires_at_ms is not None and time.trusted_ms >= rights.expires_at_ms


def _refused_for_ever(rights: Rights, credential: Credential, time: Judged) -> AccessReason | None:
    """Return why the badge opens nothing at all, or None.

    After the list has expired, secured badges flagged for emergencies open, and nothing of the UID class does.
    """
    if credential.state != "active":
        return _REFUSED_STATES[credential.state]
    if _is_over(rights, time) and not (credential.emergency and credential.badge is not None):
        return "DENIED_SNAPSHOT_EXPIRED"
    if credential.valid_from_ms is not None and time.now_ms < credential.valid_from_ms:
        return "DENIED_CREDENTIAL_NOT_YET_ACTIVE"
    if credential.valid_until_ms is not None and time.now_ms >= credential.valid_until_ms:
        return "DENIED_CREDENTIAL_EXPIRED"
    return None


def _refused_here(rights: Rights, credential: Credential, door: Door, time: Judged) -> AccessReason | None:
    """Return why the badge does not open this door at this hour, or None."""
    if credential.doors and door.id not in credential.doors:
        return "DENIED_POINT_NO_ACCESS_RIGHTS"
    if not credential.holidays and _local(time.now_ms, door.zone).date() in rights.holidays:
        return "DENIED_SITE_CLOSED"
    if credential.windows and not is_within(credential.windows, time.now_ms, door.zone):
        return "DENIED_OUT_OF_TIME_RANGE"
    return None


def is_within(windows: tuple[Window, ...], now_ms: int, zone: ZoneInfo) -> bool:
    """Return whether an instant lies in one of the weekly windows, by the wall clock of the site's zone.

    A local time that the spring night skips never comes; one that the autumn night repeats counts both times.
    """
    local = _local(now_ms, zone)
    minute = local.hour * 60 + local.minute
    return any(
        local.isoweekday() in window.weekdays and window.start_min <= minute < window.end_min for window in windows
    )


def _local(now_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(min(now_ms, _LATEST_MS) // 1000, UTC).astimezone(zone)
