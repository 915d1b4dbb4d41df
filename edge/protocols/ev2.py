"""Mutual authentication and secure messaging of NTAG 424 DNA and DESFire EV2/EV3, sans-IO.

`authenticate` proves to each side that the other holds the key; the `Session` that it returns carries commands whose
bytes nobody on the way can read or change. Randomness comes by parameter.

Source:
    NXP AN12196 (rev. 2.0), 5 and 6; NXP NT4H2421Gx (rev. 3.0), 9.1. Golden exchanges in
    tests/vectors/ev2.toml and aes.toml.
"""

import hmac
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

from edge.protocols.apdu import (
    AUTHENTICATION_ERROR,
    MORE_FRAMES,
    NATIVE_DONE,
    CardError,
    Conversation,
    Response,
    native,
    response,
)

KEY_BYTES = 16
RANDOM_BYTES = 16
MAC_BYTES = 8
SECOND_STEP = bytes.fromhex("90af0000")
"""How the command of an authentication begins that nobody can answer who does not hold the key now."""

_AUTHENTICATE_FIRST, _MORE, _CHANGE_KEY = 0x71, 0xAF, 0xC4
_BLOCK = 16
_NO_IV = bytes(_BLOCK)


class WrongKeyError(CardError):
    """The card does not hold the key, or does not believe that we do."""


def cmac(key: bytes, message: bytes) -> bytes:
    """Return the 16 bytes of AES-CMAC. Source: NIST SP 800-38B, RFC 4493."""
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def short_mac(key: bytes, message: bytes) -> bytes:
    """Return the 8 bytes of AES-CMAC that NXP sends: every second one. Source: AN12196 5.3."""
    return cmac(key, message)[1::2]


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> tuple[bytes, bytes]:
    """Return the session's keys for encryption and for MACs. Source: NT4H2421Gx 9.1.7."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
    context = bytes.fromhex("00010080") + rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
    return cmac(key, b"\xa5\x5a" + context), cmac(key, b"\x5a\xa5" + context)


def authenticate(key: bytes, number: int, rnd_a: bytes) -> "Conversation[Session]":
    """Hold AuthenticateEV2First with the card's key of that number and return the session.

    `rnd_a` is 16 random bytes that were never used before: with them again, a recorded exchange would be believed.

    Raises:
        WrongKeyError: the card does not hold this key.
        CardError: the card answers something else than an authentication.
    """
    if len(key) != KEY_BYTES or len(rnd_a) != RANDOM_BYTES:
        raise ValueError("a key and a random number have 16 bytes")
    first = response((yield native(_AUTHENTICATE_FIRST, bytes([number, 0]))))
    if first.status != MORE_FRAMES or len(first.data) != RANDOM_BYTES:
        raise CardError("the card does not begin the authentication", first.status)
    rnd_b = _decrypt(key, _NO_IV, first.data)
    second = response((yield native(_MORE, _encrypt(key, _NO_IV, rnd_a + rnd_b[1:] + rnd_b[:1]))))
    if second.status == AUTHENTICATION_ERROR:
        raise WrongKeyError("the card holds another key", second.status)
    if second.status != NATIVE_DONE or len(second.data) != 2 * _BLOCK:
        raise CardError("the card does not end the authentication", second.status)
    # Transaction identifier, RndA rotated by one byte, capabilities of both sides.
    plain = _decrypt(key, _NO_IV, second.data)
    if not hmac.compare_digest(plain[4:20], rnd_a[1:] + rnd_a[:1]):
        raise WrongKeyError("the card holds another key", second.status)
    return Session(*session_keys(key, rnd_a, rnd_b), transaction=plain[:4])


class Session:
    """What two sides share after an authentication; counts their commands. It never shows its keys."""

    def __init__(self, encryption_key: bytes, mac_key: bytes, *, transaction: bytes, counter: int = 0) -> None:
        self._encryption_key = encryption_key
        self._mac_key = mac_key
        self._transaction = transaction
        self._counter = counter

    def with_mac(self, instruction: int, header: bytes, data: bytes = b"") -> Conversation[bytes]:
        """Send a command in CommMode.MAC and return the data of its answer.

        Raises:
            CardError: the card refuses, or its answer was changed on the way.
        """
        answer = yield from self._exchange(instruction, header + data)
        return answer

    def encrypted(self, instruction: int, header: bytes, data: bytes = b"") -> Conversation[bytes]:
        """Send a command in CommMode.Full and return the data of its answer; `header` goes unencrypted.

        Raises:
            CardError: the card refuses, or its answer was changed on the way.
        """
        sealed = _encrypt(self._encryption_key, self._iv(b"\xa5\x5a"), _pad(data)) if data else b""
        answer = yield from self._exchange(instruction, header + sealed)
        if not answer:
            return b""
        if len(answer) % _BLOCK:
            raise CardError("the answer is not made of whole blocks")
        return _unpad(_decrypt(self._encryption_key, self._iv(b"\x5a\xa5"), answer))

    def change_key(self, number: int, new: bytes, *, old: bytes | None = None, version: int = 1) -> Conversation[None]:
        """Replace a key of the application; `old` is needed unless it is the one of this session, which then ends.

        Raises:
            CardError: the card refuses.
        """
        if old is not None:
            mixed = bytes(a ^ b for a, b in zip(old, new, strict=True))
            checked = mixed + bytes([version]) + _crc32(new)
            yield from self.encrypted(_CHANGE_KEY, bytes([number]), checked)
            return
        sealed = _encrypt(self._encryption_key, self._iv(b"\xa5\x5a"), _pad(new + bytes([version])))
        # The session ends with its key: the answer is a bare status.
        answer = response((yield self._signed(_CHANGE_KEY, bytes([number]) + sealed)))
        _check(answer)

    def _exchange(self, instruction: int, content: bytes) -> Conversation[bytes]:
        answer = response((yield self._signed(instruction, content)))
        _check(answer)
        self._counter += 1
        data, mac = answer.data[:-MAC_BYTES], answer.data[-MAC_BYTES:]
        if not hmac.compare_digest(mac, short_mac(self._mac_key, b"\x00" + self._position() + data)):
            raise CardError("the answer was changed on the way", answer.status)
        return data

    def _signed(self, instruction: int, content: bytes) -> bytes:
        mac = short_mac(self._mac_key, bytes([instruction]) + self._position() + content)
        return native(instruction, content + mac)

    def _position(self) -> bytes:
        return self._counter.to_bytes(2, "little") + self._transaction

    def _iv(self, label: bytes) -> bytes:
        place = label + self._transaction + self._counter.to_bytes(2, "little") + bytes(8)
        return _encrypt(self._encryption_key, _NO_IV, place)


def _check(answer: Response) -> None:
    if answer.status != NATIVE_DONE:
        raise CardError("the card refuses", answer.status)


def _crc32(data: bytes) -> bytes:
    """Return the CRC of a key as the card checks it: without the last inversion. Source: AN12196 6.16.1."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def _pad(data: bytes) -> bytes:
    """Return whole blocks: a bit, then zeros. Source: ISO/IEC 9797-1, padding method 2."""
    return data + b"\x80" + bytes(-(len(data) + 1) % _BLOCK)


def _unpad(data: bytes) -> bytes:
    content = data.rstrip(b"\x00")
    if content[-1:] != b"\x80":
        raise CardError("the answer is not padded")
    return content[:-1]


def _encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    return _all(Cipher(AES(key), CBC(iv)).encryptor(), data)


def _decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    return _all(Cipher(AES(key), CBC(iv)).decryptor(), data)


def _all(context: CipherContext, data: bytes) -> bytes:
    return context.update(data) + context.finalize()
