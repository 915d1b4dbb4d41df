"""The key of one badge, derived from the network's master key: pure. The master key never leaves the hub.

Source:
    docs/badges.md (what it is derived from); NXP AN10922 (rev. 2.2), 2.2 (AES-128). Golden vectors in
    tests/vectors/aes.toml.
"""

import hashlib

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from contract.credentials import BADGE_AID, BADGE_ID_BYTES, BADGE_KEY_BYTES

SYSTEM_ID_BYTES = 12
_AES_128 = b"\x01"
SHORTEST_INPUT, LONGEST_INPUT = 16, 31
"""AN10922 always pads to two blocks. From 16 bytes on that is plain CMAC; a shorter input is refused."""


def badge_key(master: bytes, badge_id: bytes, network: str) -> bytes:
    """Return the AES-128 key of a badge of a network: another network with the same master key would have another one.

    Raises:
        ValueError: the master key or the badge's id does not have 16 bytes.
    """
    if len(badge_id) != BADGE_ID_BYTES:
        raise ValueError("a badge id has 16 bytes")
    system_id = hashlib.sha256(b"telecentre/network/" + network.encode()).digest()[:SYSTEM_ID_BYTES]
    return diversify(master, badge_id + BADGE_AID + system_id)


def diversify(master: bytes, diversification_input: bytes) -> bytes:
    """Return the AES-128 key that belongs to `diversification_input` (M in AN10922), of 16 to 31 bytes.

    Raises:
        ValueError: a length is wrong; the text does not hold the values.
    """
    if len(master) != BADGE_KEY_BYTES:
        raise ValueError("a master key has 16 bytes")
    if not SHORTEST_INPUT <= len(diversification_input) <= LONGEST_INPUT:
        raise ValueError("a diversification input has 16 to 31 bytes")
    mac = CMAC(AES(master))
    mac.update(_AES_128 + diversification_input)
    return mac.finalize()
