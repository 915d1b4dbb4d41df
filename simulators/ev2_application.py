"""One application of an EV2 card: AES keys, files with rights, authentication, and commands in secure messaging.

NTAG 424 DNA has one such application, a DESFire has several. Commands come unwrapped (code and data) and leave as data
and status; the ISO 7816 wrapping is the card's. Source: NXP NT4H2421Gx (NTAG 424 DNA data sheet, rev. 3.0), 8.2, 9.1
and 10; for DESFire, whose full data sheet is not public, its commands of the same codes.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from simulators.ev2 import (
    BLOCK_BYTES,
    IntegrityError,
    Mode,
    Session,
    decrypt,
    encrypt,
    key_check,
    rotated,
    session_keys,
)
from simulators.ev2_memory import FREE, NEVER, File, Key, RefusedError, Status

MAX_RESPONSE_BYTES = 256
MORE = 0xAF
"""The command that continues one; as a status, that a command is not finished."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a command is read: bytes of header, how the rest travels in a session, and what it does.

    `act` gets header and data and returns the response's data; a header of another length is a LENGTH_ERROR.
    """

    header_bytes: int
    mode: Callable[[bytes], Mode]
    act: Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Challenge:
    """An authentication between its two parts."""

    key_number: int
    random_b: bytes
    transaction: bytes
    capabilities: bytes
    first: bool
    counter: int = 0


def always(mode: Mode) -> Callable[[bytes], Mode]:
    """Return the mode of a command that does not depend on its header."""
    return lambda _: mode


@dataclass
class Application:
    """Keys and files, and the session that a reader may have opened.

    `answer` takes a command's code and data and returns the response's data and its status.
    """

    random: Random
    uid: bytes
    version_parts: tuple[bytes, bytes, bytes]
    keys: list[Key]
    files: dict[int, File]
    session: Session | None = None
    _challenge: _Challenge | None = None
    _version_left: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._commands = {
            0x51: Command(0, always(Mode.FULL), self._get_card_uid),
            0x5F: Command(1, self._change_mode, self._change_file_settings),
            0x64: Command(1, always(Mode.MAC), self._get_key_version),
            0x8D: Command(7, self._write_mode, self._write_data),
            0xAD: Command(7, self._read_mode, self._read_data),
            0xC4: Command(1, always(Mode.FULL), self._change_key),
            0xF5: Command(1, always(Mode.MAC), self._get_file_settings),
        }

    def reset(self) -> None:
        """Forget session and unfinished commands: the field went, or something was selected."""
        self.session = self._challenge = None
        self._version_left = []

    @property
    def key_number(self) -> int | None:
        """The key that opened the session."""
        return self.session.key_number if self.session else None

    @property
    def is_busy(self) -> bool:
        """Whether a command of several parts is not finished."""
        return self._challenge is not None or bool(self._version_left)

    def answer(self, code: int, data: bytes) -> bytes:
        """Return data and status word; any error ends the session (9.1.9)."""
        try:
            answer, status = self._answered(code, data)
        except RefusedError as refused:
            self.reset()
            return bytes((0x91, refused.status))
        except IntegrityError:
            self.reset()
            return bytes((0x91, Status.INTEGRITY))
        return answer + bytes((0x91, status))

    def _answered(self, code: int, data: bytes) -> tuple[bytes, Status]:
        if code == MORE:
            return self._continued(data)
        if self.is_busy:
            raise RefusedError(Status.ABORTED)
        if code in (0x71, 0x77):
            return self._challenged(data, first=code == 0x71), Status.MORE
        if code == 0x60:
            return self._first_version_part(data)
        return self._run(code, data), Status.OK

    def _run(self, code: int, data: bytes) -> bytes:
        command = self._commands.get(code)
        if command is None:
            raise RefusedError(Status.ILLEGAL_COMMAND)
        header, sent = data[: command.header_bytes], data[command.header_bytes :]
        if len(header) < command.header_bytes:
            raise RefusedError(Status.LENGTH)
        session, mode = self.session, command.mode(header)
        if session is None:
            return command.act(header, sent)
        answer = command.act(header, session.opened(code, header, sent, mode))
        # Whoever changed the key of the session has no session any more, and gets no MAC (AN12196, table 27).
        return session.sealed(answer, mode) if self.session is session else answer

    # Authentication (9.1.5, 9.1.6)

    def _challenged(self, data: bytes, *, first: bool) -> bytes:
        capabilities = self._capabilities(data) if first else b""
        if not first and len(data) != 1:
            raise RefusedError(Status.LENGTH)
        if not first and self.session is None:
            raise RefusedError(Status.PERMISSION_DENIED)
        key = self._key(data[0])
        key.admit()
        transaction = self.random.randbytes(4) if first or self.session is None else self.session.transaction
        counter = 0 if first or self.session is None else self.session.counter
        challenge = _Challenge(data[0], self.random.randbytes(BLOCK_BYTES), transaction, capabilities, first, counter)
        self.reset()
        self._challenge = challenge
        return encrypt(key.value, challenge.random_b)

    @staticmethod
    def _capabilities(data: bytes) -> bytes:
        """Return PCDcap2 as it is sent back: six bytes."""
        if len(data) < 2 or len(data) != 2 + data[1]:
            raise RefusedError(Status.LENGTH)
        if data[1] > 6:
            raise RefusedError(Status.PARAMETER)
        return data[2:].ljust(6, b"\x00")

    def _continued(self, data: bytes) -> tuple[bytes, Status]:
        challenge, self._challenge = self._challenge, None
        if challenge is not None:
            return self._proven(challenge, data), Status.OK
        if self._version_left:
            return self._next_version_part(data)
        raise RefusedError(Status.ILLEGAL_COMMAND)

    def _proven(self, challenge: _Challenge, data: bytes) -> bytes:
        if len(data) != 2 * BLOCK_BYTES:
            raise RefusedError(Status.LENGTH)
        key = self._key(challenge.key_number)
        said = decrypt(key.value, data)
        random_a, proof = said[:BLOCK_BYTES], said[BLOCK_BYTES:]
        if not hmac.compare_digest(proof, rotated(challenge.random_b)):
            key.fail()
            raise RefusedError(Status.AUTHENTICATION)
        key.succeed()
        keys = session_keys(key.value, random_a, challenge.random_b)
        self.session = Session(challenge.key_number, keys, challenge.transaction, challenge.counter)
        answer = rotated(random_a)
        if challenge.first:
            # PDcap2 is zero: AES secure messaging, as delivered.
            answer = challenge.transaction + answer + bytes(6) + challenge.capabilities
        return encrypt(key.value, answer)

    def _key(self, number: int) -> Key:
        if number >= len(self.keys):
            raise RefusedError(Status.NO_SUCH_KEY)
        return self.keys[number]

    def _demand(self, number: int) -> None:
        if self.key_number != number:
            raise RefusedError(Status.AUTHENTICATION)

    # GetVersion comes in three parts; in a session, the last one carries a MAC over all of them (10.5.2)

    def _first_version_part(self, data: bytes) -> tuple[bytes, Status]:
        if self.session is not None:
            data = self.session.opened(0x60, b"", data, Mode.MAC)
        if data:
            raise RefusedError(Status.LENGTH)
        self._version_left = list(self.version_parts[1:])
        return self.version_parts[0], Status.MORE

    def _next_version_part(self, data: bytes) -> tuple[bytes, Status]:
        if data:
            raise RefusedError(Status.LENGTH)
        part = self._version_left.pop(0)
        if self._version_left:
            return part, Status.MORE
        if self.session is None:
            return part, Status.OK
        whole = b"".join(self.version_parts)
        return part + self.session.sealed(whole, Mode.MAC)[len(whole) :], Status.OK

    # Commands on keys (10.6)

    def _change_key(self, header: bytes, data: bytes) -> bytes:
        self._demand(0)
        key = self._key(header[0])
        if header[0] == 0:
            if len(data) != BLOCK_BYTES + 1:
                raise RefusedError(Status.LENGTH)
            key.change(data[:BLOCK_BYTES], data[BLOCK_BYTES])
            self.reset()
            return b""
        if len(data) != BLOCK_BYTES + 5:
            raise RefusedError(Status.LENGTH)
        value = bytes(new ^ old for new, old in zip(data[:BLOCK_BYTES], key.value, strict=True))
        if key_check(value) != data[BLOCK_BYTES + 1 :]:
            raise RefusedError(Status.INTEGRITY)
        key.change(value, data[BLOCK_BYTES])
        return b""

    def _get_key_version(self, header: bytes, data: bytes) -> bytes:
        _expect_none(data)
        return bytes((self._key(header[0]).version,))

    def _get_card_uid(self, _: bytes, data: bytes) -> bytes:
        if self.session is None:
            raise RefusedError(Status.AUTHENTICATION)
        _expect_none(data)
        return self.uid

    # Commands on files (10.7, 10.8)

    def _file(self, header: bytes) -> File:
        file = self.files.get(header[0] & 0x1F)
        if file is None:
            raise RefusedError(Status.FILE_NOT_FOUND)
        return file

    def _get_file_settings(self, header: bytes, data: bytes) -> bytes:
        _expect_none(data)
        return self._file(header).settings()

    def _change_mode(self, header: bytes) -> Mode:
        file = self._file(header)
        if file.change == NEVER:
            raise RefusedError(Status.PERMISSION_DENIED)
        if file.change not in (FREE, self.key_number):
            raise RefusedError(Status.AUTHENTICATION)
        return Mode.FULL if file.change == self.key_number else Mode.PLAIN

    def _change_file_settings(self, header: bytes, data: bytes) -> bytes:
        if len(data) != 3:
            raise RefusedError(Status.LENGTH)
        options, mixed = data[0], (data[1] >> 4, data[1] & 0xF, data[2] >> 4, data[2] & 0xF)
        keyless = (FREE, NEVER)
        # Secure dynamic messaging (40) is not simulated; 2 is the second number of plain.
        if options not in (0, 1, 2, 3) or any(right >= len(self.keys) and right not in keyless for right in mixed):
            raise RefusedError(Status.PARAMETER)
        file = self._file(header)
        file.mode = Mode(0 if options == 2 else options)
        file.read_write, file.change, file.read, file.write = mixed
        return b""

    def _read_mode(self, header: bytes) -> Mode:
        file = self._file(header)
        return file.granted(file.read, self.key_number)

    def _read_data(self, header: bytes, data: bytes) -> bytes:
        _expect_none(data)
        content, start, size = self._file(header).content, *_part(header)
        size = size or len(content) - start
        if start >= len(content) or start + size > len(content):
            raise RefusedError(Status.BOUNDARY)
        if size > MAX_RESPONSE_BYTES:
            raise RefusedError(Status.LENGTH)
        return bytes(content[start : start + size])

    def _write_mode(self, header: bytes) -> Mode:
        file = self._file(header)
        return file.granted(file.write, self.key_number)

    def _write_data(self, header: bytes, data: bytes) -> bytes:
        content, start, size = self._file(header).content, *_part(header)
        if not size or size != len(data):
            raise RefusedError(Status.LENGTH)
        if start + size > len(content):
            raise RefusedError(Status.BOUNDARY)
        content[start : start + size] = data
        return b""


def _part(header: bytes) -> tuple[int, int]:
    return int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:7], "little")


def _expect_none(data: bytes) -> None:
    if data:
        raise RefusedError(Status.LENGTH)
