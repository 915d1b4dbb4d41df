"""Lists of rights as a hub would issue them, and a rights folder in which one is in force before the agent starts."""

import json
from pathlib import Path

from contract.rights import BadgeRight, Profile, RightsList, encode_rights
from contract.sealing import public_key_of, seal, verify_key_of
from edge.devices.rights_list import RightsKeys

SIGNING_KEY, PRIVATE_KEY = bytes(range(100, 132)), bytes(range(140, 172))
HUB_KEY = verify_key_of(SIGNING_KEY)
KEYS = RightsKeys(HUB_KEY, PRIVATE_KEY)
ISSUED_MS = 1_790_000_000_000
WEEK_MS = 7 * 86_400_000
CENTURY_MS = 100 * 365 * 86_400_000

SETTINGS = f"""
[rights]
folder = "rights"
hub_key = "{HUB_KEY.hex()}"
private_key_file = "rights.key"
site_key_file = "site.key"
"""
"""The part of an agent's settings that fits `install`."""


def a_list(*badges: BadgeRight, site: str = "murat", version: int = ISSUED_MS, life_ms: int = WEEK_MS) -> RightsList:
    """Return a list that opens at any time to its badges."""
    return RightsList(
        site=site,
        version=version,
        issued_at=version,
        expires_at=version + life_ms,
        profiles=[Profile()],
        badges=list(badges),
    )


def secured(credential: str, badge: bytes, key: bytes) -> BadgeRight:
    """Return a secured badge that may enter."""
    return BadgeRight(id=credential, badge=badge.hex(), key=key.hex(), profile=0)


def of_uid_class(credential: str) -> BadgeRight:
    """Return a badge of the UID class that may enter."""
    return BadgeRight(id=credential, profile=0)


def sealed(rights: RightsList, *, site: str | None = None, signing_key: bytes = SIGNING_KEY, once: int = 1) -> bytes:
    """Return a list as it travels; `once` makes another ephemeral key."""
    return seal(
        "rights",
        site or rights.site,
        encode_rights(rights),
        signing_key=signing_key,
        recipient=public_key_of(PRIVATE_KEY),
        ephemeral=once.to_bytes(32, "big"),
    )


def install(folder: Path, rights: RightsList, uid_badges: dict[str, bytes] | None = None) -> None:
    """Put a list in force in the rights folder beside an agent's settings, with the key that opens it."""
    store = folder / "rights"
    store.mkdir()
    (folder / "rights.key").write_text(PRIVATE_KEY.hex())
    (store / "rights.sealed").write_bytes(sealed(rights))
    hashes = {credential: uid_hash.hex() for credential, uid_hash in (uid_badges or {}).items()}
    (store / "uid-badges.json").write_text(json.dumps(hashes))
