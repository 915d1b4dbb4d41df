"""The rights in force at a site: who may open which door, when. The place where signed snapshots arrive later.

Only the decision (`edge.core.access`) reads them. Times of day are local to the site's zone; validity is half-open.
"""

from dataclasses import dataclass, field
from datetime import date
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
    """One badge and what it may do here.

    `id` is random and the only name under which it is ever reported. A secured badge has `badge`, and its `key` while
    it may open; one of the UID class has `uid_hash`. Empty `doors` means every door of the site; empty `windows` means
    at any time; `holidays` says whether it opens on public holidays.
    """

    id: str
    uid_hash: bytes | None = None
    badge: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    state: CredentialState = "active"
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None
    doors: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    holidays: bool = True
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class FreeAccess:
    """A door that is open to everyone for a while, half-open, in UTC milliseconds."""

    door: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Rights:
    """One list of rights: version, life, credentials by their keyed hash, secured badges by their badge id."""

    version: int
    issued_at_ms: int | None
    expires_at_ms: int | None
    credentials: dict[bytes, Credential]
    badges: dict[bytes, Credential] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    free_access: tuple[FreeAccess, ...] = ()

    def keys(self) -> dict[bytes, bytes]:
        """Return the key of every secured badge that may open, by its badge id: what the reader authenticates with."""
        return {badge: one.key for badge, one in self.badges.items() if one.key is not None}


NOBODY = Rights(version=0, issued_at_ms=None, expires_at_ms=None, credentials={})
"""What is in force before a list was read: nobody enters."""
