"""PJLink, classes 1 and 2: the power of a projector or display, with or without a password.

Source: JBMIA "PJLink Specifications", version 1.04 (class 1) and 2.00 (class 2), sections 2.2, 4.1 and 5. Every line
ends with CR. The display greets with `PJLINK 0`, or with `PJLINK 1` and a random number; then the first command follows
the MD5 of that number and the password. A display of class 2 answers the commands of class 1 as well.
"""

import hashlib
import re

from edge.protocols.display import MAX_ANSWER_BYTES, GarbledError, Power, RefusedError

ASK_POWER = b"%1POWR ?\r"
_GREETING = re.compile(rb"PJLINK (0|1 ([0-9A-Fa-f]{8}))")
_ANSWER = re.compile(rb"%[12]POWR=(.+)", re.IGNORECASE)
_POWERS: dict[bytes, Power] = {
    b"0": "standby",
    b"1": "on",
    b"2": "cooling",
    b"3": "warming",
    b"ERR3": "unknown",
    b"ERR4": "unknown",
}
"""ERR3: cannot say at this moment. ERR4: the display has a failure of its own, and is there all the same."""


class PowerQuestion:
    """One question for the power; `password` is empty where the display asks for none."""

    def __init__(self, password: bytes) -> None:
        self.power: Power | None = None
        self.noise_count = 0
        self._password = password
        self._greeted = False
        self._heard = b""

    def opening(self) -> bytes:
        """Return nothing: the display speaks first."""
        return b""

    def take(self, data: bytes) -> bytes:
        """Take what the display said; return the question once it has greeted.

        Raises:
            GarbledError: it does not speak PJLink.
            RefusedError: the password is missing or wrong.
        """
        self._heard += data
        said = b""
        while self.power is None and b"\r" in self._heard:
            line, _, self._heard = self._heard.partition(b"\r")
            said += self._hear(line)
        if len(self._heard) > MAX_ANSWER_BYTES or self.noise_count > MAX_ANSWER_BYTES:
            raise GarbledError("what answers does not speak PJLink")
        return said

    def _hear(self, line: bytes) -> bytes:
        if line.upper() == b"PJLINK ERRA":
            raise RefusedError("the display refuses the password")
        if not self._greeted:
            return self._answer_greeting(line)
        answer = _ANSWER.fullmatch(line)
        if answer is None:
            self.noise_count += len(line)  # the answer to something else, or none
            return b""
        power = _POWERS.get(answer[1].upper())
        if power is None:
            raise GarbledError("the display answers PJLink, and does not know the question for its power")
        self.power = power
        return b""

    def _answer_greeting(self, line: bytes) -> bytes:
        greeting = _GREETING.fullmatch(line)
        if greeting is None:
            raise GarbledError("what answers does not greet as PJLink does")
        self._greeted = True
        if greeting[1] == b"0":
            return ASK_POWER
        if not self._password:
            raise RefusedError("the display asks for a password, and the settings name none")
        # MD5 is what the specification asks for: the password is for this display alone.
        digest = hashlib.md5(greeting[2] + self._password, usedforsecurity=False).hexdigest()
        return digest.encode("ascii") + ASK_POWER
