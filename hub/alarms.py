"""What needs a person, decided from what is known of the sites. Pure: the same for the board, a page and a program.

Two sources: what a site says of itself now (`live_alarms`), and what the database has recorded (`recorded_alarms`).
Two agents that claim one site are found in what they say: each has its boot and its stream, which never come back
once others have taken their place, unless somebody else holds them (`after_claim`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from hub.store.rows import REFUSED, Alarm, GapRow, RestoreRow

OLD_MS = 3_600_000
"""An event that has waited for an hour while its site is heard: the link does not keep up."""

MANY_EVENTS = 500
"""More waiting than this is not the last minute's traffic: a site has some hundred events an hour."""

FULL_SHARE = 0.70
"""Of the quota: from here on the edge prunes what the hub has, to keep room (TC1, Edge)."""

RECENT_MS = 7 * 86_400_000
"""How long a recorded alarm asks for a person; `telecentre-hub status` knows it for ever."""

RESTORED_MS = 30 * 86_400_000
"""How long a restore is told: for that long the edges hold what came after the copy."""

ALTERNATING_MS = 600_000
"""Two agents of one name each say their status every minute, or end each other's connection all the time."""

CONTESTED_MS = 900_000
"""How long a contested site is told after the last proof."""

PENDING_MS = 60_000
"""A revocation reaches a site that is heard within seconds: one that is not confirmed after this asks for a person."""

OLD_RIGHTS_MS = 36 * 3_600_000
"""A list is renewed every day: one that is older than this has missed at least one renewal."""

MAX_CLAIMS = 8
"""Boots and streams remembered of one site, each: two agents, and a few restarts."""

Grade = Literal["alarm", "stale", "notice"]
Reason = Literal[
    "stale",
    "never",
    "contested",
    "storage",
    "refusing",
    "quota",
    "backlog",
    "gap",
    "disk_went_back",
    "conflicting_event",
    "boot_changed",
    "quarantined",
    "suspect_time",
    "other_version",
    "refused_messages",
    "unknown_messages",
    "rights_refused",
    "emergency_opened",
    "restored",
    "unregistered",
    "revocation_pending",
    "revocation_unbounded",
    "rights_expired",
    "rights_old",
    "rights_too_large",
    "rights_held",
    "rights_clock",
    "database_away",
    "database_moved",
]
GRADES: dict[Reason, Grade] = {
    "stale": "stale",
    "never": "stale",
    "contested": "alarm",
    "storage": "alarm",
    "refusing": "alarm",
    "gap": "alarm",
    "disk_went_back": "alarm",
    "conflicting_event": "alarm",
    "rights_refused": "alarm",
    "emergency_opened": "alarm",
    "revocation_pending": "alarm",
    "revocation_unbounded": "alarm",
    "rights_expired": "alarm",
    "rights_too_large": "alarm",
    "rights_held": "alarm",
    "rights_clock": "alarm",
    "database_away": "alarm",
    "database_moved": "alarm",
}
"""How grave; what is not here is a notice."""

RECORDED: dict[str, Reason] = {
    "gap": "gap",
    "disk_went_back": "disk_went_back",
    "conflicting_event": "conflicting_event",
    "boot_changed": "boot_changed",
    "quarantined": "quarantined",
    "suspect_time": "suspect_time",
    "rights_refused": "rights_refused",
    "emergency_opened": "emergency_opened",
}
"""Reasons of the database's alarm table that have a sentence of their own."""


@dataclass(frozen=True, slots=True)
class OutboxNow:
    """What a site's outbox says of itself."""

    depth: int
    oldest_ms: int | None
    size_bytes: int
    quota_bytes: int
    refused_count: int
    storage_ok: bool


@dataclass(frozen=True, slots=True)
class RightsNow:
    """The list of rights that the hub issues for a site, as far as it stands."""

    issued_ms: int | None
    expires_ms: int | None
    """Of the list in force there."""
    revoked_ms: int | None
    """When a right was last taken away there."""
    may_open_s: int | None
    """The longest that a revoked badge could still open; None: no known bound."""
    is_too_large: bool


@dataclass(frozen=True, slots=True)
class SiteNow:
    """One site as the live board knows it."""

    site: str
    online: bool
    as_of_ms: int | None
    """Until when its snapshot is known to be true; None: it was never heard."""
    contested_ms: int | None
    outbox: OutboxNow | None
    rights: RightsNow | None = None
    """None: the hub issues no lists for it."""


@dataclass(frozen=True, slots=True)
class Raised:
    """Something that needs a person. `site` is empty for the hub itself and for senders that nobody knows."""

    reason: Reason
    site: str | None
    since_ms: int | None = None
    until_ms: int | None = None
    count: int = 0
    share: float = 0.0
    """Of the quota that is in use."""
    left_ms: int = 0
    """How long a revoked badge could still open."""

    @property
    def grade(self) -> Grade:
        """How grave it is."""
        return GRADES.get(self.reason, "notice")


@dataclass(frozen=True, slots=True)
class Claims:
    """Which boots and streams have spoken for a site, each with its last moment, the newest at the end."""

    boots: tuple[tuple[str, int], ...] = ()
    streams: tuple[tuple[str, int], ...] = ()
    contested_ms: int | None = None
    """When one was heard again after another: two agents hold this name."""


def after_claim(claims: Claims, boot: str, stream: str | None, at_ms: int) -> Claims:
    """Return the claims after a fresh status; an outbox that has no stream yet says nothing by it."""
    boots, boot_is_back = _spoken(claims.boots, boot, at_ms)
    streams, stream_is_back = _spoken(claims.streams, stream, at_ms) if stream else (claims.streams, False)
    contested_ms = at_ms if boot_is_back or stream_is_back else claims.contested_ms
    return Claims(boots, streams, contested_ms)


def _spoken(known: tuple[tuple[str, int], ...], name: str, at_ms: int) -> tuple[tuple[tuple[str, int], ...], bool]:
    others = tuple(one for one in known if one[0] != name)
    is_back = len(others) < len(known) and known[-1][0] != name and at_ms - dict(known)[name] <= ALTERNATING_MS
    return (*others, (name, at_ms))[-MAX_CLAIMS:], is_back


def live_alarms(site: SiteNow, now_ms: int) -> Iterator[Raised]:
    """Yield what a site says of itself, the gravest first; of a silent one, that it is silent."""
    if site.contested_ms is not None and now_ms - site.contested_ms <= CONTESTED_MS:
        yield Raised("contested", site.site, site.contested_ms)
    if site.rights is not None:
        yield from _rights_alarms(site, site.rights, now_ms)
    if not site.online:
        yield Raised("never" if site.as_of_ms is None else "stale", site.site, site.as_of_ms)
        return
    if site.outbox is not None:
        yield from _outbox_alarms(site.site, site.outbox, now_ms)


def _rights_alarms(site: SiteNow, rights: RightsNow, now_ms: int) -> Iterator[Raised]:
    """Yield what is wrong with a list; a revocation that has not arrived counts also where nothing is heard."""
    if rights.is_too_large:
        yield Raised("rights_too_large", site.site)
    if rights.issued_ms is None:
        return  # as far as we know it never had a list of ours
    if rights.revoked_ms is not None and rights.may_open_s != 0 and now_ms - rights.revoked_ms > PENDING_MS:
        reason: Reason = "revocation_unbounded" if rights.may_open_s is None else "revocation_pending"
        yield Raised(reason, site.site, rights.revoked_ms, left_ms=(rights.may_open_s or 0) * 1_000)
    if not site.online:
        return
    if rights.expires_ms is not None and rights.expires_ms <= now_ms:
        yield Raised("rights_expired", site.site, rights.expires_ms)
    elif now_ms - rights.issued_ms > OLD_RIGHTS_MS:
        yield Raised("rights_old", site.site, rights.issued_ms)


def _outbox_alarms(site: str, outbox: OutboxNow, now_ms: int) -> Iterator[Raised]:
    share = outbox.size_bytes / outbox.quota_bytes if outbox.quota_bytes else 0.0
    if not outbox.storage_ok:
        yield Raised("storage", site)
    if outbox.refused_count and (share > FULL_SHARE or not outbox.storage_ok):  # counted since the agent started
        yield Raised("refusing", site, count=outbox.refused_count)
    if share > FULL_SHARE:
        yield Raised("quota", site, share=share)
    aged = outbox.oldest_ms is not None and now_ms - outbox.oldest_ms > OLD_MS
    if outbox.depth and (aged or outbox.depth > MANY_EVENTS):
        yield Raised("backlog", site, outbox.oldest_ms, count=outbox.depth)


def recorded_alarms(
    alarms: Iterable[Alarm], gaps: Iterable[GapRow], restores: Iterable[RestoreRow], now_ms: int
) -> Iterator[Raised]:
    """Yield what the database has recorded lately: restores, then by site as the rows come."""
    for row in restores:
        if now_ms - row.restored_at_ms <= RESTORED_MS:
            yield Raised("restored", None, row.backup_at_ms, row.restored_at_ms, count=row.events)
    lost: Counter[str] = Counter()
    for gap in gaps:
        if now_ms - gap.noted_at_ms <= RECENT_MS:
            lost[gap.site] += gap.last - gap.first + 1
    recent = [alarm for alarm in alarms if now_ms - alarm.last_at_ms <= RECENT_MS]
    for alarm in recent:
        if alarm.reason in RECORDED and alarm.site:
            reason = RECORDED[alarm.reason]
            count = lost[alarm.site] if reason == "gap" else alarm.times
            yield Raised(reason, alarm.site, alarm.first_at_ms, alarm.last_at_ms, count)
    refused = [alarm for alarm in recent if alarm.reason.startswith(REFUSED)]
    yield from _refusals([alarm for alarm in refused if not _is_other_version(alarm)])
    for alarm in filter(_is_other_version, refused):
        yield Raised("other_version", alarm.site, alarm.first_at_ms, alarm.last_at_ms, alarm.times)


def _is_other_version(alarm: Alarm) -> bool:
    """Return whether a telecentre of ours speaks another version: an update helps, nobody is to be looked for."""
    return bool(alarm.site) and alarm.reason == REFUSED + "version"


def _refusals(refused: list[Alarm]) -> Iterator[Raised]:
    """Yield one alarm a site, whatever the reasons; the site is empty in the rows of senders that nobody knows."""
    for site in dict.fromkeys(alarm.site for alarm in refused):
        rows = [alarm for alarm in refused if alarm.site == site]
        first_ms, last_ms = min(row.first_at_ms for row in rows), max(row.last_at_ms for row in rows)
        count = sum(row.times for row in rows)
        yield Raised("refused_messages" if site else "unknown_messages", site or None, first_ms, last_ms, count)
