"""How a site, a stream, a boot and a resource are named, and which bucket serves a site."""

import re
import zlib
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

SITE_PATTERN = r"^[a-z0-9][a-z0-9-]{0,39}$"
RESERVED_SITES = frozenset({"hub"})
BUCKET_COUNT = 64


def _not_reserved(site: str) -> str:
    if site in RESERVED_SITES:
        raise ValueError(f"'{site}' is reserved and cannot name a site")
    return site


SiteId = Annotated[str, StringConstraints(pattern=SITE_PATTERN), AfterValidator(_not_reserved)]
"""The common name of the site's certificate; `hub` is reserved."""

ResourceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""`desk-01`, `room-01`, `door-01`, `reader-01`, `desk-01-radar`: unique within a site."""

StreamId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits as 32 hexadecimal digits: an outbox stream."""

BootId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The kernel's boot id without its dashes."""

Incarnation = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits: one hub worker on one connection to its database."""

CredentialId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z][0-9a-z-]{0,31}$")]
"""The random identity of a credential: never a UID, never derived from one."""


def is_site(text: str) -> bool:
    """Return whether `text` may name a site."""
    return re.fullmatch(SITE_PATTERN, text) is not None and text not in RESERVED_SITES


def bucket_of(site: str) -> int:
    """Return the bucket, 0 to 63, whose hub worker serves `site`: CRC-32 of its ASCII name modulo 64."""
    return zlib.crc32(site.encode("ascii")) % BUCKET_COUNT
