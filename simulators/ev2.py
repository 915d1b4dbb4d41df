"""The cryptography of NXP's EV2 cards, as the card computes it: CMAC, session keys, secure messaging.

Only the AES block cipher comes from a library; the rest is written here, apart from the reader's own code, so that a
shared mistake cannot hide. Both sides are anchored on the published vectors in tests/vectors/. Sources: NXP NT4H2421Gx
(NTAG 424 DNA data sheet, rev. 3.0), 9.1; NXP AN12196; NIST SP 800-38B.
"""

import binascii
import hmac
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK_BYTES = 16
MAC_BYTES = 8
MAX_COMMANDS = 0xFFFF
"""Where the command counter ends: the card answers as to a wrong MAC (9.1.2)."""

ZERO_BLOCK = bytes(BLOCK_BYTES)


class Mode(IntEnum):
    """How a command and its response travel (8.2.3.5)."""

    PLAIN = 0
    MAC = 1
    FULL = 3


class IntegrityError(ValueError):
    """A MAC or a padding is wrong: INTEGRITY_ERROR, and the session is over."""


def encrypt(key: bytes, data: bytes, start: bytes = ZERO_BLOCK) -> bytes:
    """Return `data`, a whole number of blocks, encrypted in CBC mode from `start` on."""
    machine = Cipher(AES(key), CBC(start)).encryptor()
    return machine.update(data) + machine.finalize()


def decrypt(key: bytes, data: bytes, start: bytes = ZERO_BLOCK) -> bytes:
    """Return what `encrypt` was given."""
    machine = Cipher(AES(key), CBC(start)).decryptor()
    return machine.update(data) + machine.finalize()


@lru_cache(maxsize=512)
def _last_block_masks(key: bytes) -> tuple[int, int]:
    """Return K1 and K2 of SP 800-38B 6.1, as numbers; a door sees the same keys again and again."""
    value = int.from_bytes(encrypt(key, ZERO_BLOCK), "big")
    masks = []
    for _ in range(2):
        value = (value << 1) ^ (0x87 if value >> 127 else 0)
        value &= (1 << 128) - 1
        masks.append(value)
    return masks[0], masks[1]


def cmac(key: bytes, message: bytes) -> bytes:
    """Return the 16 bytes of AES-CMAC over a message of any length. Source: NIST SP 800-38B, 6.2."""
    whole, padded = _last_block_masks(key)
    cut = max(0, (len(message) - 1) // BLOCK_BYTES * BLOCK_BYTES)
    head, tail = message[:cut], message[cut:]
    mask = whole if len(tail) == BLOCK_BYTES else padded
    if len(tail) < BLOCK_BYTES:
        tail = (tail + b"\x80").ljust(BLOCK_BYTES, b"\x00")
    last = (int.from_bytes(tail, "big") ^ mask).to_bytes(BLOCK_BYTES, "big")
    return encrypt(key, head + last)[-BLOCK_BYTES:]


def short_mac(key: bytes, message: bytes) -> bytes:
    """Return the 8 bytes of a CMAC that travel: every second one, beginning with the second (9.1.3)."""
    return cmac(key, message)[1::2]


def padded(data: bytes) -> bytes:
    """Return data with 80 00... up to a whole number of blocks, always at least one byte (9.1.4)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK_BYTES)


def unpadded(data: bytes) -> bytes:
    """Return data without its padding.

    Raises:
        IntegrityError: there is none.
    """
    bare = data.rstrip(b"\x00")
    if not bare.endswith(b"\x80") or len(data) - len(bare) >= BLOCK_BYTES:
        raise IntegrityError("the padding is wrong")
    return bare[:-1]


def key_check(key: bytes) -> bytes:
    """Return the CRC-32 that ChangeKey sends with a new key: IEEE 802.3 without the last complement, low byte first.

    Source: NT4H2421Gx, table 63; AN12196, table 26.
    """
    return (binascii.crc32(key) ^ 0xFFFF_FFFF).to_bytes(4, "little")


def rotated(data: bytes) -> bytes:
    """Return data turned left by one byte."""
    return data[1:] + data[:1]


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What both sides derive from the card's key and their two random numbers."""

    encryption: bytes
    mac: bytes


def session_keys(key: bytes, random_a: bytes, random_b: bytes) -> SessionKeys:
    """Return the keys of a session, `random_a` being the reader's number and `random_b` the card's (9.1.7)."""
    crossed = bytes(a ^ b for a, b in zip(random_a[2:8], random_b[:6], strict=True))
    context = b"\x00\x01\x00\x80" + random_a[:2] + crossed + random_b[6:] + random_a[8:]
    return SessionKeys(cmac(key, b"\xa5\x5a" + context), cmac(key, b"\x5a\xa5" + context))


class Session:
    """Secure messaging at the card's end: opens commands, seals responses, counts.

    `key_number` is the key that opened the session; `transaction` the four bytes that name it.
    """

    def __init__(self, key_number: int, keys: SessionKeys, transaction: bytes, counter: int = 0) -> None:
        self.key_number = key_number
        self.transaction = transaction
        self.counter = counter
        self._keys = keys

    def opened(self, command: int, header: bytes, sent: bytes, mode: Mode) -> bytes:
        """Return a command's data in plain, once its MAC is right; counts the command.

        Raises:
            IntegrityError: the MAC or the padding is wrong, or the counter is at its end.
        """
        if self.counter == MAX_COMMANDS:
            raise IntegrityError("the command counter is at its end")
        data = sent
        if mode is not Mode.PLAIN:
            data, mac = sent[:-MAC_BYTES], sent[-MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(command, header + data)):
                raise IntegrityError("the MAC is wrong")
        if mode is Mode.FULL and data:
            if len(data) % BLOCK_BYTES:
                raise IntegrityError("half a block")
            data = unpadded(decrypt(self._keys.encryption, data, self._start(b"\xa5\x5a")))
        self.counter += 1
        return data

    def sealed(self, data: bytes, mode: Mode) -> bytes:
        """Return a response's data as it travels behind a successful command."""
        if mode is Mode.PLAIN:
            return data
        if mode is Mode.FULL and data:
            data = encrypt(self._keys.encryption, padded(data), self._start(b"\x5a\xa5"))
        return data + self._mac(0x00, data)

    def _mac(self, code: int, data: bytes) -> bytes:
        return short_mac(self._keys.mac, bytes((code,)) + self._count() + self.transaction + data)

    def _start(self, label: bytes) -> bytes:
        return encrypt(self._keys.encryption, (label + self.transaction + self._count()).ljust(BLOCK_BYTES, b"\x00"))

    def _count(self) -> bytes:
        return self.counter.to_bytes(2, "little")
