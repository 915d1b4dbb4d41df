"""Enrolling: sends what was asked to a telecentre's reader, and puts the badge into the register when it says `done`.

What must stay true here: a command is noted as sent before it is, so that a hub that dies in between does not send it
twice; what was sent and not answered stays open, and its badge id with it.

One thread, beside the issuing; it writes as a guest of the database, and never waits for the broker.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol

from contract.commands import (
    MAX_COMMAND_LIFE_MS,
    CancelEnrolment,
    Command,
    EnrolSecured,
    EnrolUid,
    encode_command,
)
from contract.sealing import seal
from hub.config import IssuingSettings
from hub.enrolment import SEND_WITHIN_MS, Enrolling, Outcome
from hub.keys import read_keys
from hub.rounds import go_round
from hub.store import Store, StoreDownError, StoreRefusedError
from hub.store.enrolments import (
    end,
    forget,
    key_of_site,
    network_of_site,
    put_cancel_sent,
    put_sent,
    read_open,
    said_end,
)

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How soon an enrolment that was asked for is seen, and its end: somebody stands at the reader."""

LATE_LOOK_S = 30.0
"""How often the end of one is looked for whose telecentre should have answered long ago."""

HOUSE_S = 3_600.0
"""How often what is over is forgotten."""


class Line(Protocol):
    """The connection to the broker, as the ingest holds it."""

    def connection(self) -> int:
        """Return the number of the present connection; 0 while there is none."""

    def publish_sealed(self, channel: Literal["cmd"], site: str, sealed: bytes) -> object | None:
        """Publish a command, never retained; None when it cannot be taken now."""


class Enrolments:
    """The thread; everything that matters is in the database."""

    def __init__(
        self,
        settings: IssuingSettings,
        store: Store,
        line: Line,
        is_heard: Callable[[str], bool],
        *,
        now_ms: Callable[[], int],
        token: Callable[[int], bytes],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """`is_heard` says whether a site is heard now; `token` gives that many random bytes.

        Raises:
            SettingsError: a key is missing or is none.
        """
        self._keys = read_keys(settings)
        self._store = store
        self._line = line
        self._is_heard = is_heard
        self._now_ms = now_ms
        self._token = token
        self._on_crash = on_crash
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="enrolling", daemon=True)
        self._late_s = self._cleaned_s = float("-inf")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Finish what is at hand; the rest goes on at the next start."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        waits_on = (StoreDownError, StoreRefusedError)
        go_round(self._look, self._stopping, every_s=POLL_S, waits_on=waits_on, on_crash=self._on_crash)

    def _look(self) -> None:
        now_s, now_ms = time.monotonic(), self._now_ms()
        if now_s - self._cleaned_s >= HOUSE_S:
            self._cleaned_s = now_s
            with self._store.changed() as connection:
                forget(connection, now_ms)
        with self._store.seen() as connection:
            waiting = read_open(connection)
        looks_at_late_ones = now_s - self._late_s >= LATE_LOOK_S
        if looks_at_late_ones:
            self._late_s = now_s
        for one in waiting:
            if one.sent_at_ms is None:
                self._send(one, now_ms)
            elif looks_at_late_ones or not one.is_over(now_ms):
                self._follow(one, now_ms)

    def _send(self, one: Enrolling, now_ms: int) -> None:
        if one.cancel_asked_at_ms is not None:
            self._end(one, "cancelled")
        elif not 0 <= now_ms - one.asked_at_ms < SEND_WITHIN_MS:
            self._end(one, "unreached")
        elif self._line.connection() != 0 and self._is_heard(one.site):
            with self._store.changed() as connection:
                is_ours = put_sent(connection, one, now_ms)
            if is_ours:
                self._publish(one, one.command, self._order(one))
                log.info("enrolment=sent site=%s reader=%s command=%s", one.site, one.reader, one.command)

    def _follow(self, one: Enrolling, now_ms: int) -> None:
        with self._store.seen() as connection:
            outcome = said_end(connection, one)
        if outcome is not None:
            self._end(one, outcome)
        elif one.cancel_asked_at_ms is not None and one.cancel_sent_at_ms is None and self._line.connection() != 0:
            with self._store.changed() as connection:
                put_cancel_sent(connection, one, now_ms)
            self._publish(one, self._token(16).hex(), CancelEnrolment(reader=one.reader))

    def _order(self, one: Enrolling) -> EnrolSecured | EnrolUid:
        if one.badge is None:
            return EnrolUid(reader=one.reader, credential=one.credential, window_s=one.window_s)
        with self._store.seen() as connection:
            network = network_of_site(connection, one.site) or ""
        key = self._keys.badge_key(one.badge, network)
        return EnrolSecured(reader=one.reader, badge=one.badge, key=key, resume=one.resume, window_s=one.window_s)

    def _publish(self, one: Enrolling, command: str, order: EnrolSecured | EnrolUid | CancelEnrolment) -> None:
        now_ms = self._now_ms()
        with self._store.seen() as connection:
            recipient = key_of_site(connection, one.site)
        if recipient is None:
            return
        body = encode_command(
            Command(id=command, site=one.site, issued_at=now_ms, expires_at=now_ms + MAX_COMMAND_LIFE_MS, order=order)
        )
        sealed = seal(
            "command",
            one.site,
            body,
            signing_key=self._keys.signing,
            recipient=bytes.fromhex(recipient),
            ephemeral=self._token(32),
        )
        self._line.publish_sealed("cmd", one.site, sealed)

    def _end(self, one: Enrolling, outcome: Outcome) -> None:
        with self._store.changed() as connection:
            end(connection, one, outcome, self._now_ms(), self._token)
        log.info("enrolment=ended site=%s reader=%s command=%s outcome=%s", one.site, one.reader, one.command, outcome)
