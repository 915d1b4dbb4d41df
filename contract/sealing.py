"""What the hub signs and seals for one site: the broker that carries it sees neither keys nor members.

The bytes of a sealed message (golden vectors: tests/vectors/sealed.toml):

    "TCS1"                     4 bytes, the form of the message
    ephemeral public key       32 bytes, X25519 (RFC 7748), new for every message
    ciphertext and tag         AES-256-GCM (NIST SP 800-38D), nonce of twelve zero bytes: its key is used once

    key        HKDF-SHA-256 (RFC 5869) of the X25519 secret, without salt, info = context || ephemeral || recipient
    plaintext  an Ed25519 signature (RFC 8032) of context || recipient || body, then the body (a zlib stream)
    context    "telecentre/" purpose "/v1", one zero byte, the site's name, one zero byte
    recipient  the site's X25519 public key, 32 bytes

The signature names the recipient, so that a site cannot pass a list on to another one; the context keeps a list of
rights from being taken for a command. The keys are 32 raw bytes each.
"""

import zlib
from typing import Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Purpose = Literal["rights", "command"]
Unsealing = Literal["size", "form", "seal", "signature", "compression"]
"""Why a sealed message is refused: a word for a counter. A message for another site fails at the seal."""

KEY_BYTES = 32
_FORM = b"TCS1"
_SIGNATURE_BYTES = 64
_TAG_BYTES = 16
_NONCE = bytes(12)


class SealError(ValueError):
    """A sealed message is not for us, not from our hub, or not whole."""

    def __init__(self, reason: Unsealing) -> None:
        super().__init__(reason)
        self.reason = reason


def seal(purpose: Purpose, site: str, body: bytes, *, signing_key: bytes, recipient: bytes, ephemeral: bytes) -> bytes:
    """Return `body` signed by the hub and sealed to one site.

    Args:
        purpose: what the body is.
        site: the name of the site.
        body: any bytes; they are compressed first.
        signing_key: the hub's Ed25519 private key.
        recipient: the site's X25519 public key.
        ephemeral: 32 random bytes, never used twice.
    """
    once = X25519PrivateKey.from_private_bytes(ephemeral)
    once_public = once.public_key().public_bytes_raw()
    context = _context(purpose, site)
    packed = zlib.compress(body, 9)
    signature = Ed25519PrivateKey.from_private_bytes(signing_key).sign(context + recipient + packed)
    key = _key(once.exchange(X25519PublicKey.from_public_bytes(recipient)), context + once_public + recipient)
    return _FORM + once_public + AESGCM(key).encrypt(_NONCE, signature + packed, context)


def unseal(
    purpose: Purpose, site: str, sealed: bytes, *, verify_key: bytes, private_key: bytes, max_bytes: int, max_body: int
) -> bytes:
    """Return the body of a sealed message, after every check.

    Args:
        purpose: what the body must be.
        site: the name of the site that opens it.
        sealed: the bytes as they came.
        verify_key: the hub's Ed25519 public key.
        private_key: the site's X25519 private key.
        max_bytes: the longest sealed message accepted.
        max_body: the longest body accepted, decompressed.

    Raises:
        SealError: with its reason.
    """
    if len(sealed) > max_bytes:
        raise SealError("size")
    head = len(_FORM) + KEY_BYTES
    if not sealed.startswith(_FORM) or len(sealed) < head + _SIGNATURE_BYTES + _TAG_BYTES:
        raise SealError("form")
    once_public = sealed[len(_FORM) : head]
    own = X25519PrivateKey.from_private_bytes(private_key)
    recipient = own.public_key().public_bytes_raw()
    context = _context(purpose, site)
    try:
        secret = own.exchange(X25519PublicKey.from_public_bytes(once_public))
        plain = AESGCM(_key(secret, context + once_public + recipient)).decrypt(_NONCE, sealed[head:], context)
    except (InvalidTag, ValueError) as error:  # ValueError: a public key of low order
        raise SealError("seal") from error
    signature, packed = plain[:_SIGNATURE_BYTES], plain[_SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(verify_key).verify(signature, context + recipient + packed)
    except InvalidSignature as error:
        raise SealError("signature") from error
    return _inflate(packed, max_body)


def public_key_of(private_key: bytes) -> bytes:
    """Return the X25519 public key, 32 bytes, of a site's private key."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def verify_key_of(signing_key: bytes) -> bytes:
    """Return the Ed25519 public key, 32 bytes, by which the sites know what their hub signed."""
    return Ed25519PrivateKey.from_private_bytes(signing_key).public_key().public_bytes_raw()


def _context(purpose: Purpose, site: str) -> bytes:
    return f"telecentre/{purpose}/v1\x00{site}\x00".encode("ascii")


def _key(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _inflate(packed: bytes, max_body: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(packed, max_body + 1)
    except zlib.error as error:
        raise SealError("compression") from error
    if len(body) > max_body:
        raise SealError("size")
    if not inflater.eof or inflater.unused_data:
        raise SealError("compression")
    return body
