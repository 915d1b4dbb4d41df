"""How a badge of the UID class is known: a keyed hash, the same at the reader and in the site's rights.

The bytes, for anyone who writes a simulator or a provisioning tool (golden vectors: tests/vectors/credentials.toml):

    HMAC-SHA-256(key, message)      RFC 2104, FIPS 198-1
    key      the site key: 32 random bytes, kept as 64 hexadecimal digits
    message  the ASCII text "telecentre/uid/v1", one zero byte, one byte with the length of the UID, then the UID as the
             card sends it in anticollision (4, 7 or 10 bytes, cascade tags removed)

A UID has little entropy and can be copied: the hash protects the list at rest only while the key is not stolen with it,
and the class is the lower one (docs/privacy.md).

A secured badge is known by its `badge_id`: 16 random bytes in a file that anyone may read, proven by the badge's own
AES key, which the hub derives (hub/badge_keys.py) and the edge receives in its rights (docs/badges.md).
"""

import hashlib
import hmac

SITE_KEY_BYTES = 32
UID_LENGTHS = (4, 7, 10)
BADGE_ID_BYTES = 16
BADGE_KEY_BYTES = 16
BADGE_AID = bytes.fromhex("34fa3a")
"""Our application on a DESFire card, least significant byte first as on the wire; a part of every badge's key."""

_DOMAIN = b"telecentre/uid/v1\x00"


def uid_hash(site_key: bytes, uid: bytes) -> bytes:
    """Return the 32 bytes by which a site knows a badge of the UID class.

    Raises:
        ValueError: the key is not 32 bytes, or the UID not 4, 7 or 10.
    """
    if len(site_key) != SITE_KEY_BYTES:
        raise ValueError("a site key has 32 bytes")
    if len(uid) not in UID_LENGTHS:
        raise ValueError("a UID has 4, 7 or 10 bytes")
    return hmac.new(site_key, _DOMAIN + bytes([len(uid)]) + uid, hashlib.sha256).digest()
