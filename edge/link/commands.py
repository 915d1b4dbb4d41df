"""What comes on `cmd`: unsealed, checked, and handed on once; everything else is counted, and tells nobody anything.

A command that can be verified but not timed, because no clock here is to be believed, is handed on as such: the hub is
then told why nothing happens. No command opens a door.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable

from pydantic import ValidationError

from contract.commands import MAX_COMMAND_BYTES, CancelEnrolment, Command, EnrolSecured, EnrolUid, decode_command
from contract.sealing import SealError, unseal
from edge.core.enrolment import judge_command
from edge.core.trusted_time import Judged

MAX_SEEN = 256
"""Commands remembered so that none is obeyed twice: each lives for 30 s, and an animator gives one a minute."""

log = logging.getLogger(__name__)

Order = EnrolSecured | EnrolUid | CancelEnrolment


class Commands:
    """The commands of one site's hub; used by the link's thread alone.

    `keys` are the hub's Ed25519 public key and the site's X25519 private key; `time` gives the time that is believed,
    `started_ms` when this agent started by the present clock; `hand_on` gets a command's id, its order, and whether it
    is surely alive.
    """

    def __init__(
        self,
        site: str,
        keys: tuple[bytes, bytes],
        *,
        time: Callable[[], Judged],
        started_ms: Callable[[], int],
        hand_on: Callable[[str, Order, bool], None],
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._site = site
        self._keys = keys
        self._time = time
        self._started_ms = started_ms
        self._hand_on = hand_on
        self._seen: deque[str] = deque(maxlen=MAX_SEEN)

    def take(self, sealed: bytes, retained: bool) -> None:
        """Take one message from the broker."""
        if retained:
            self._refuse("retained")
            return
        command = self._opened(sealed)
        if command is None:
            return
        refusal = judge_command(command, self._time(), self._started_ms(), self._seen)
        if refusal is not None:
            self._refuse(refusal)
        if refusal in (None, "no_clock"):
            self._seen.append(command.id)
            self._hand_on(command.id, command.order, refusal is None)

    def _opened(self, sealed: bytes) -> Command | None:
        verify_key, private_key = self._keys
        try:
            body = unseal(
                "command",
                self._site,
                sealed,
                verify_key=verify_key,
                private_key=private_key,
                max_bytes=MAX_COMMAND_BYTES,
                max_body=MAX_COMMAND_BYTES,
            )
            command = decode_command(body)
        except SealError as error:
            self._refuse(error.reason)
            return None
        except ValidationError:
            # Its text may hold a key.
            self._refuse("content")
            return None
        if command.site != self._site:
            self._refuse("site")
            return None
        return command

    def _refuse(self, reason: str) -> None:
        """Count it; a flood of them fills no log."""
        self.refused[reason] += 1
        count = self.refused[reason]
        if count & (count - 1) == 0:
            log.warning("command=refused reason=%s count=%d", reason, count)
