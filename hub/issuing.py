"""Issuing lists of rights: looks at the register once a second, seals what changed, and publishes it to its site.

What must stay true here: a list is durable before it is published, so that its version is never given twice; a site
gets its last list again on every connection, whatever the broker forgot; nothing is issued after a restore until a
person has looked at the register, which would give back what was revoked since the copy; nothing is signed by a clock
that has leapt, because no site can go back from a list of the future.

One thread, beside the ingest; it writes as a guest of the database, and never waits for the broker.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from contract.limits import MAX_RIGHTS_BYTES
from contract.rights import RightsList, encode_rights
from contract.sealing import seal
from hub.config import IssuingSettings
from hub.keys import read_keys
from hub.opening import public_holidays
from hub.passes import Register
from hub.rights import TooLargeError, is_due, next_version, rights_for
from hub.rounds import go_round
from hub.store import Site, Store, StoreDownError, StoreRefusedError
from hub.store.issues import (
    NewIssue,
    has_leapt,
    held_since,
    put_issue,
    read_issued,
    read_keyed,
    read_sealed,
)
from hub.store.pass_changes import forget_old
from hub.store.passes import counter, read_register
from hub.store.rows import Issued, Keyed

log = logging.getLogger(__name__)

POLL_S = 1.0
"""How soon a change of the register is seen: a revocation reaches a site that is heard within 5 s."""

LOOK_S = 30.0
"""How often it is looked whether a list is to be renewed, and what the sites say of theirs."""

TOO_LARGE_WAIT_S = 600.0
"""Before a list that was too large is tried again, unless the register changes: its passes end by themselves."""

HOUSE_S = 3_600.0
"""How often what is superseded is forgotten."""

MAX_IN_FLIGHT = 16
"""Lists that the broker has not confirmed yet, 16 MiB at most: a thousand sites do not fill the memory."""

HOLIDAYS = timedelta(days=366)
"""Public holidays that a list names: some eleven dates, also for emergency badges after its expiry."""

HOUR_MS = 3_600_000


class Sent(Protocol):
    """A message on its way."""

    def is_published(self) -> bool:
        """Return whether the broker has confirmed it."""


class Line(Protocol):
    """The connection to the broker, as the ingest holds it."""

    def connection(self) -> int:
        """Return the number of the present connection; 0 while there is none."""

    def publish_sealed(self, channel: Literal["rights"], site: str, sealed: bytes) -> Sent | None:
        """Publish a list, retained; None when it cannot be taken now."""


class Board(Protocol):
    """The live board, as the issuing feeds it."""

    def take_issued(self, issued: list[Issued]) -> None:
        """Show which lists were issued."""


class Issuing:
    """The thread and what it remembers; everything that matters is in the database."""

    def __init__(
        self,
        settings: IssuingSettings,
        store: Store,
        line: Line,
        board: Board,
        *,
        now_ms: Callable[[], int],
        token: Callable[[int], bytes],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """`token` gives that many random bytes.

        Raises:
            SettingsError: a key is missing or is none.
        """
        self._keys = read_keys(settings)
        self._life_ms = settings.life_hours * HOUR_MS
        self._renew_ms = settings.renew_hours * HOUR_MS
        self._store = store
        self._line = line
        self._board = board
        self._now_ms = now_ms
        self._token = token
        self._on_crash = on_crash
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="issuing", daemon=True)
        self._counter = -1
        self._leapt = False
        self._looked_s = self._cleaned_s = float("-inf")
        self._too_large: dict[str, tuple[int, float]] = {}
        self._connection = 0
        self._to_publish: dict[str, None] = {}
        self._in_flight: list[Sent] = []

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Finish the list at hand; what is not published yet is published at the next start."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        waits_on = (StoreDownError,)
        go_round(self._go, self._stopping, every_s=POLL_S, waits_on=waits_on, on_crash=self._on_crash)

    def _go(self) -> None:
        self._look()
        self._publish()

    def _look(self) -> None:
        """Issue what is due, those sites first at which a right was taken away, and tell the board."""
        with self._store.seen() as connection:
            count = counter(connection)
        now_s = time.monotonic()
        if count == self._counter and now_s - self._looked_s < LOOK_S:
            return
        if now_s - self._cleaned_s >= HOUSE_S:
            self._cleaned_s = now_s
            with self._store.changed() as connection:
                forget_old(connection, self._now_ms())
        with self._store.seen() as connection:
            count, now_ms = counter(connection), self._now_ms()
            self._judge_clock(leapt=has_leapt(connection, now_ms))
            keyed = [] if self._leapt or held_since(connection) is not None else read_keyed(connection)
            due = [one for one in keyed if is_due(one, now_ms, self._renew_ms)]
            register = read_register(connection) if due else Register()
        sites = {site.id: site for site in self._store.sites()} if due else {}
        for one in sorted(due, key=lambda one: (one.revoked <= (one.counter or 0), one.site)):
            if self._stopping.is_set():
                return
            self._issue(sites[one.site], one, register, now_ms)
            self._publish()
        self._tell_board()
        self._counter, self._looked_s = count, now_s

    def _judge_clock(self, *, leapt: bool) -> None:
        if leapt != self._leapt:
            self._leapt = leapt
            log.warning("rights=%s reason=clock", "held" if leapt else "issued_again")

    def _issue(self, site: Site, keyed: Keyed, register: Register, now_ms: int) -> None:
        tried, tried_s = self._too_large.get(site.id, (-1, 0.0))
        if tried >= keyed.changed and time.monotonic() - tried_s < TOO_LARGE_WAIT_S:
            return
        try:
            rights = self._list_of(site, keyed, register, now_ms)
            sealed = self._sealed(rights, bytes.fromhex(keyed.public_key))
        except TooLargeError as error:
            self._too_large[site.id] = (register.counter, time.monotonic())
            log.warning("rights=too_large site=%s %s; the last list stays", site.id, error)
            return
        self._too_large.pop(site.id, None)
        new = NewIssue(
            site=site.id,
            version=rights.version,
            counter=register.counter,
            issued_at_ms=rights.issued_at,
            expires_at_ms=rights.expires_at,
            badges=len(rights.badges),
            sealed=sealed,
        )
        try:
            with self._store.changed() as connection:
                put_issue(connection, new)
        except StoreRefusedError as error:
            raise StoreDownError(str(error)) from error
        self._to_publish[site.id] = None
        log.info("rights=issued site=%s version=%d badges=%d bytes=%d", site.id, new.version, new.badges, len(sealed))

    def _list_of(self, site: Site, keyed: Keyed, register: Register, now_ms: int) -> RightsList:
        today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(site.zone).date()
        issue = (next_version(keyed, now_ms), now_ms, self._life_ms)
        return rights_for(site, register, public_holidays(today, today + HOLIDAYS), issue, self._keys.badge_key)

    def _sealed(self, rights: RightsList, recipient: bytes) -> bytes:
        body, ephemeral = encode_rights(rights), self._token(32)
        sealed = seal(
            "rights", rights.site, body, signing_key=self._keys.signing, recipient=recipient, ephemeral=ephemeral
        )
        if len(sealed) > MAX_RIGHTS_BYTES:
            raise TooLargeError(f"{len(rights.badges)} badges, {len(sealed)} bytes")
        return sealed

    def _publish(self) -> None:
        """Hand lists to the broker as fast as it confirms them; all of them again on a new connection."""
        connection = self._line.connection()
        if connection == 0:
            return
        if connection != self._connection:
            self._connection, self._in_flight = connection, []
            with self._store.seen() as reader:
                self._to_publish.update(
                    dict.fromkeys(one.site for one in read_keyed(reader) if one.version is not None)
                )
        self._in_flight = [sent for sent in self._in_flight if not sent.is_published()]
        while self._to_publish and len(self._in_flight) < MAX_IN_FLIGHT:
            site = next(iter(self._to_publish))
            with self._store.seen() as reader:
                sealed = read_sealed(reader, site)
            sent = None if sealed is None else self._line.publish_sealed("rights", site, sealed)
            if sealed is not None and sent is None:
                return
            del self._to_publish[site]
            if sent is not None:
                self._in_flight.append(sent)

    def _tell_board(self) -> None:
        with self._store.seen() as connection:
            issued = read_issued(connection)
        self._board.take_issued(
            [replace(one, is_too_large=one.site in self._too_large, has_leapt=self._leapt) for one in issued]
        )
