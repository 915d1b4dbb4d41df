"""The rights in force at a site: who may open which door, when. The place where signed snapshots arrive later.

Only the decision (`edge.core.access`) reads them. Times of day are local to the site's zone; validity is half-open.
"""

from dataclasses import dataclass
from typing import Literal

CredentialState = Literal["active", "lost", "stolen", "disabled"]


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly window: ISO weekdays (Monday is 1), minutes from local midnight, half-open."""

    weekdays: frozenset[int]
    start_min: int
    end_min: int


@dataclass(frozen=True, slots=True)
class Credential:
    """One badge of the UID class and what it may do here.

    `id` is random and the only name under which it is ever reported. Empty `doors` means every door of the site;
    empty `windows` means at any time of the opening days.
    """

    id: str
    uid_hash: bytes
    state: CredentialState = "active"
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    doors: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Rights:
    """One list of rights: version, life and credentials by their keyed hash."""

    version: int
    issued_at_ms: int | None
    expires_at_ms: int | None
    credentials: dict[bytes, Credential]


NOBODY = Rights(version=0, issued_at_ms=None, expires_at_ms=None, credentials={})
"""What is in force before a list was read: nobody enters."""
