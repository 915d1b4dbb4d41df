"""What an EV2 card remembers without power: keys with the counters of their failures, and files with their rights.

Source: NXP NT4H2421Gx (NTAG 424 DNA data sheet, rev. 3.0), 8.2 and 9; status words: table 23.
"""

from dataclasses import dataclass
from enum import IntEnum

from simulators.ev2 import ZERO_BLOCK, Mode

FREE, NEVER = 0xE, 0xF
"""Access conditions that name no key (table 6)."""


class Status(IntEnum):
    """The second byte of a status word behind 91 (table 23)."""

    OK = 0x00
    ILLEGAL_COMMAND = 0x1C
    INTEGRITY = 0x1E
    NO_SUCH_KEY = 0x40
    LENGTH = 0x7E
    PERMISSION_DENIED = 0x9D
    PARAMETER = 0x9E
    APPLICATION_NOT_FOUND = 0xA0
    AUTHENTICATION_DELAY = 0xAD
    AUTHENTICATION = 0xAE
    MORE = 0xAF
    BOUNDARY = 0xBE
    ABORTED = 0xCA
    FILE_NOT_FOUND = 0xF0


class RefusedError(Exception):
    """A command is answered with a status and nothing else; a session does not survive it."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass
class Key:
    """An AES key with the counters of its failures (9; AN12196, "Failed authentication counter").

    They survive the field and are cleared by ChangeKey.
    """

    DELAY_AFTER = 50
    LIMIT = 1_000
    FORGIVEN = 10
    LONGEST_DELAY = 205
    """SeqFailCtr ends at 255, 205 beyond the 50 from which on it delays."""

    value: bytes = ZERO_BLOCK
    version: int = 0
    failures: int = 0
    failures_in_a_row: int = 0
    delays_left: int = 0

    def change(self, value: bytes, version: int) -> None:
        """Be another key, without a past."""
        self.value, self.version = value, version
        self.failures = self.failures_in_a_row = self.delays_left = 0

    def admit(self) -> None:
        """Let an authentication begin.

        Raises:
            RefusedError: the key is blocked for ever, or its delay is not over. The card has no clock: a delay is so
                many refusals, each of which a reader waits for.
        """
        if self.failures >= self.LIMIT:
            raise RefusedError(Status.PERMISSION_DENIED)
        if self.delays_left:
            self.delays_left -= 1
            raise RefusedError(Status.AUTHENTICATION_DELAY)

    def fail(self) -> None:
        """Count a failed authentication; from the fiftieth in a row on, each brings a longer delay."""
        self.failures += 1
        self.failures_in_a_row += 1
        beyond = self.failures_in_a_row - self.DELAY_AFTER + 1
        self.delays_left = max(0, min(beyond, self.LONGEST_DELAY))

    def succeed(self) -> None:
        """Forgive what was counted in a row, and a part of the rest."""
        self.failures = max(0, self.failures - self.FORGIVEN)
        self.failures_in_a_row = 0


@dataclass
class File:
    """A standard data file; each right is a key's number, `FREE` or `NEVER`."""

    content: bytearray
    mode: Mode
    read: int
    write: int
    read_write: int
    change: int
    iso_id: bytes = b""

    def settings(self) -> bytes:
        """Return what GetFileSettings says (table 73)."""
        rights = bytes((self.read_write << 4 | self.change, self.read << 4 | self.write))
        return bytes((0x00, self.mode)) + rights + len(self.content).to_bytes(3, "little")

    def granted(self, right: int, key_number: int | None) -> Mode:
        """Return how an access travels that `right` or the read-write right allows.

        Raises:
            RefusedError: neither allows it to who holds `key_number`.
        """
        conditions = (right, self.read_write)
        if key_number in conditions:
            return self.mode
        if FREE in conditions:
            # What is granted to everybody only travels in plain, even in a session (8.2.3.3).
            return Mode.PLAIN
        denied = all(condition == NEVER for condition in conditions)
        raise RefusedError(Status.PERMISSION_DENIED if denied else Status.AUTHENTICATION)
