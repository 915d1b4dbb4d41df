"""The list of rights in force at the site: taken from the hub, verified, stored, and put in force again at a start.

A list is refused when it is not sealed to this site by our hub, not whole, not newer than the newest ever accepted, or
already expired; the last good one stays in force. A disk that cannot be written changes nothing at the door: the list
then holds until the next start.
"""

import hashlib
import logging
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from contract.events import RightsRefusal
from contract.limits import MAX_RIGHTS_BYTES
from contract.rights import MAX_RIGHTS_BODY_BYTES, BadgeRight, RightsList, decode_rights
from contract.sealing import SealError, unseal
from edge.core.observations import RightsLoaded, RightsRejected, UidBadgeKept
from edge.core.rights import Credential, FreeAccess, Rights, Window
from edge.core.trusted_time import TrustedTime
from edge.devices.device import DeviceThread
from edge.devices.rights_store import Mark, RightsStore

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How soon a list is seen that a technician brought."""

REFUSED_EVERY_S = 60.0
"""Whoever sends one bad list after the other fills neither the journal nor the outbox."""

MARK_EVERY_S = 900.0
"""A power cut takes at most this much from the trusted time; each mark costs a write of one block."""


class ListRefusedError(Exception):
    """A list of rights is not to be put in force, for one of a few reasons."""

    def __init__(self, reason: RightsRefusal) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RightsKeys:
    """What verifies and opens a list: the hub's Ed25519 public key, the site's X25519 private key, 32 bytes each."""

    verify_key: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "RightsKeys(...)"


class RightsReader:
    """The list of one site, and the trusted time that it proves. `offer` and `keep_uid_badge` are for any thread."""

    def __init__(self, site: str, folder: Path, keys: RightsKeys, boot: str) -> None:
        self.keys = keys
        self._site = site
        self._boot = boot
        self._store = RightsStore(folder)
        self._lock = threading.Lock()
        self._offered: bytes | None = None
        self._enrolled: dict[str, bytes] = {}
        self._device: DeviceThread | None = None
        # The thread's own.
        self._list: RightsList | None = None
        self._trusted: TrustedTime | None = None
        self._newest_version = 0
        self._judged: bytes | None = None
        self._believed: bytes | None = None
        self._refused_s: dict[RightsRefusal, float] = {}
        self._uid_badges: dict[str, bytes] = {}
        self._marked_s = 0.0
        self._unwritten: bytes | None = None

    def offer(self, sealed: bytes) -> None:
        """Take a sealed list that came from the hub; the newest waits, alone."""
        with self._lock:
            self._offered = sealed
        self._wake()

    def keep_uid_badge(self, credential: str, uid_hash: bytes) -> None:
        """Keep which card a credential of the UID class is; `UidBadgeKept` says whether it is stored."""
        with self._lock:
            self._enrolled[credential] = uid_hash
        self._wake()

    def may_be_back(self) -> bool:
        """Return False: nothing outside tells."""
        return False

    def session(self, device: DeviceThread) -> None:
        """Put the stored list in force, then whatever is offered, until asked to stop."""
        self._device = device
        self._resume(device)
        device.ready()
        while not device.stopping.is_set():
            for sealed in self._waiting():
                self._take(sealed, device)
            self._keep_enrolled(device)
            if device.clock().mono_s - self._marked_s >= MARK_EVERY_S:
                self._write_mark(device)
            device.rest(LOOK_S)
        self._write_mark(device)

    def _wake(self) -> None:
        if self._device is not None:
            self._device.wake()

    def _waiting(self) -> list[bytes]:
        with self._lock:
            offered, self._offered = self._offered, None
        brought = self._store.incoming()
        return [sealed for sealed in (offered, brought) if sealed is not None]

    def _resume(self, device: DeviceThread) -> None:
        """Put the stored list in force again, also when it has expired: emergency badges open by it."""
        at = device.clock()
        mark = self._store.mark()
        if mark is not None:
            self._trusted = mark.trusted(self._boot, at)
            self._newest_version = mark.version
        self._uid_badges = self._store.uid_badges()
        self._marked_s = at.mono_s
        sealed = self._store.sealed()
        if sealed is None:
            return
        self._judged = hashlib.sha256(sealed).digest()
        try:
            stored = open_list(self._site, sealed, self.keys, oldest=self._newest_version)
        except ListRefusedError as error:
            self._refuse(error.reason, device)
            return
        self._believed = self._judged
        self._put_in_force(stored, device)

    def _take(self, sealed: bytes, device: DeviceThread) -> None:
        """Judge a list once: a retained message comes again with each connection.

        The newest version is taken again where it is not in force: its file was damaged, and the hub has no later one.
        """
        print_of = hashlib.sha256(sealed).digest()
        if print_of in (self._judged, self._believed):
            return
        self._judged = print_of
        now_ms = 0 if self._trusted is None else self._trusted.now_ms(device.clock())
        is_in_force = self._list is not None and self._list.version == self._newest_version
        oldest = self._newest_version + 1 if is_in_force else self._newest_version
        try:
            offered = open_list(self._site, sealed, self.keys, oldest=oldest, alive_at_ms=now_ms)
        except ListRefusedError as error:
            self._refuse(error.reason, device)
            return
        self._believed = print_of
        self._newest_version = offered.version
        self._unwritten = sealed
        self._put_in_force(offered, device)
        self._write_mark(device)

    def _refuse(self, reason: RightsRefusal, device: DeviceThread) -> None:
        at = device.clock()
        if at.mono_s - self._refused_s.get(reason, float("-inf")) < REFUSED_EVERY_S:
            return
        self._refused_s[reason] = at.mono_s
        log.warning("rights refused reason=%s; version=%d stays", reason, self._list.version if self._list else 0)
        device.emit(RightsRejected(at, reason))

    def _put_in_force(self, rights: RightsList, device: DeviceThread) -> None:
        at = device.clock()
        self._list = rights
        self._newest_version = max(self._newest_version, rights.version)
        mark = self._trusted or TrustedTime(rights.issued_at, at.mono_s)
        self._trusted = mark.advanced(rights.issued_at, at)
        device.emit(RightsLoaded(at, rights_of(rights, self._uid_badges), self._trusted))
        log.info("rights version=%d badges=%d in force", rights.version, len(rights.badges))

    def _keep_enrolled(self, device: DeviceThread) -> None:
        with self._lock:
            enrolled, self._enrolled = self._enrolled, {}
        for credential, uid_hash in enrolled.items():
            # A card is one badge: with two credentials it would still open by the one when the other was stolen. What
            # is known is written, not what can be read now: a damaged file must not cost the other badges.
            badges = {one: value for one, value in self._uid_badges.items() if value != uid_hash}
            badges[credential] = uid_hash
            try:
                self._store.keep_uid_badges(badges)
            except OSError as error:
                # A badge that is forgotten at the next start must not be said to be one.
                log.warning("a badge of the UID class cannot be stored, and is none: %s", error)
                device.emit(UidBadgeKept(device.clock(), credential, stored=False))
            else:
                self._uid_badges = badges
                device.emit(UidBadgeKept(device.clock(), credential, stored=True))
        if enrolled and self._list is not None:
            device.emit(RightsLoaded(device.clock(), rights_of(self._list, self._uid_badges), self._trusted))

    def _write_mark(self, device: DeviceThread) -> None:
        """Store the mark, and a list that is not on the disk yet; tried again at the next mark."""
        at = device.clock()
        self._marked_s = at.mono_s
        if self._trusted is None:
            return
        mark = Mark(
            mark_ms=self._trusted.now_ms(at), boot=self._boot, mono_s=max(0.0, at.mono_s), version=self._newest_version
        )
        try:
            if self._unwritten is not None:
                self._store.keep_sealed(self._unwritten)
                self._unwritten = None
            self._store.keep_mark(mark)
        except OSError as error:
            log.warning("the rights are in force and not on the disk: %s", error.strerror or error)


def open_list(site: str, sealed: bytes, keys: RightsKeys, *, oldest: int = 0, alive_at_ms: int = 0) -> RightsList:
    """Return a list that passes every check; `oldest` is the lowest version taken.

    Raises:
        ListRefusedError: with its reason.
    """
    try:
        body = unseal(
            "rights",
            site,
            sealed,
            verify_key=keys.verify_key,
            private_key=keys.private_key,
            max_bytes=MAX_RIGHTS_BYTES,
            max_body=MAX_RIGHTS_BODY_BYTES,
        )
        rights = decode_rights(body)
    except SealError as error:
        raise ListRefusedError(error.reason) from None
    except ValueError as error:
        log.warning("rights cannot be read: %s", error)
        raise ListRefusedError("content") from None
    if rights.site != site:
        raise ListRefusedError("site")
    if rights.version < oldest:
        raise ListRefusedError("older")
    if rights.expires_at <= alive_at_ms:
        raise ListRefusedError("expired")
    return rights


def stored_list(site: str, folder: Path, keys: RightsKeys) -> RightsList | None:
    """Return the list that an agent would put in force at its start, or None when there is none yet.

    Raises:
        ListRefusedError: it would be refused.
    """
    store = RightsStore(folder)
    sealed, mark = store.sealed(), store.mark()
    return None if sealed is None else open_list(site, sealed, keys, oldest=0 if mark is None else mark.version)


def rights_of(issued: RightsList, uid_badges: dict[str, bytes]) -> Rights:
    """Return the list as the decision needs it; `uid_badges` says which card a credential of the UID class is."""
    profiles = [
        (tuple(Window(frozenset(one.days), one.start, one.end) for one in profile.windows), profile.holidays)
        for profile in issued.profiles
    ]
    known = [_credential(badge, *profiles[badge.profile], uid_badges.get(badge.id)) for badge in issued.badges]
    return Rights(
        version=issued.version,
        issued_at_ms=issued.issued_at,
        expires_at_ms=issued.expires_at,
        credentials={one.uid_hash: one for one in known if one.uid_hash is not None},
        badges={one.badge: one for one in known if one.badge is not None},
        holidays=frozenset(date.fromisoformat(day) for day in issued.holidays),
        free_access=tuple(FreeAccess(one.door, one.start, one.end) for one in issued.free_access),
    )


def _credential(right: BadgeRight, windows: tuple[Window, ...], holidays: bool, uid_hash: bytes | None) -> Credential:
    secured = right.badge is not None
    return Credential(
        id=right.id,
        uid_hash=None if secured else uid_hash,
        badge=bytes.fromhex(right.badge) if right.badge is not None else None,
        key=bytes.fromhex(right.key) if right.key is not None else None,
        state=right.state,
        valid_from_ms=right.valid_from,
        valid_until_ms=right.valid_until,
        doors=frozenset(right.doors or ()),
        windows=windows,
        holidays=holidays,
        emergency=right.emergency,
    )
