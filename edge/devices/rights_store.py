"""The site's rights on disk: the sealed list as it came, the mark of trusted time, the keyed hashes of UID badges.

The list stays sealed at rest. Every file is replaced whole, or not at all, and synced before it counts. What cannot be
read is as if it were not there: the hub sends the list again, and a mark is no earlier than the list's own issue.
"""

import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contract.events import Milliseconds
from contract.identity import BootId, CredentialId
from contract.limits import MAX_RIGHTS_BYTES
from edge.core.moment import Moment
from edge.core.trusted_time import TrustedTime

log = logging.getLogger(__name__)

LIST, INCOMING, MARK, UID_BADGES = "rights.sealed", "incoming.sealed", "trusted-time.json", "uid-badges.json"
"""In the rights folder; a technician without network puts a list in `incoming.sealed`."""

MAX_UID_BADGES = 2_000
MAX_JSON_BYTES = 1_048_576
OURS_ALONE = 0o600

_Hashes = Annotated[
    dict[CredentialId, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]], Field(max_length=MAX_UID_BADGES)
]
_Parsed = TypeVar("_Parsed")
_HASHES: TypeAdapter[dict[str, str]] = TypeAdapter(_Hashes)


class Mark(BaseModel):
    """The trusted time as it was written: with the boot, so that a mere restart of the agent loses nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mark_ms: Milliseconds
    boot: BootId
    mono_s: Annotated[float, Field(ge=0)]
    version: Annotated[int, Field(ge=0)] = 0
    """Of the newest list that was ever accepted: an older file put back is refused."""

    def trusted(self, boot: str, at: Moment) -> TrustedTime:
        """Return the trusted time at `at`; what passed without power is not counted."""
        elapsed_s = max(0.0, at.mono_s - self.mono_s) if boot == self.boot else 0.0
        return TrustedTime(self.mark_ms + round(elapsed_s * 1000), at.mono_s)


class RightsStore:
    """The files of one site's rights in one folder; used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sealed(self) -> bytes | None:
        """Return the list that was in force, sealed, or None."""
        return _read(self._folder / LIST, MAX_RIGHTS_BYTES + 1)

    def keep_sealed(self, sealed: bytes) -> None:
        """Store a list that was verified.

        Raises:
            OSError: it is not on the disk.
        """
        self._replace(LIST, sealed)

    def incoming(self) -> bytes | None:
        """Return a list that a technician brought, once: it is taken away when it was read."""
        path = self._folder / INCOMING
        brought = _read(path, MAX_RIGHTS_BYTES + 1)
        if brought is not None:
            try:
                path.unlink()
            except OSError as error:
                log.debug("%s stays: %s", INCOMING, error.strerror)
        return brought

    def bring(self, sealed: bytes) -> None:
        """Lay a list where the agent looks for one that was brought by hand.

        Raises:
            OSError: it is not on the disk.
        """
        self._replace(INCOMING, sealed)

    def forget(self) -> None:
        """Take away the list and the mark of trusted time, and whatever was brought; badges of the UID class stay.

        Raises:
            OSError: something stays.
        """
        for name in (INCOMING, LIST, MARK):
            (self._folder / name).unlink(missing_ok=True)
        _sync(self._folder)

    def mark(self) -> Mark | None:
        """Return the mark of trusted time, or None."""
        return _parsed(self._folder / MARK, Mark.model_validate_json)

    def keep_mark(self, mark: Mark) -> None:
        """Store the mark.

        Raises:
            OSError: it is not on the disk.
        """
        self._replace(MARK, mark.model_dump_json().encode())

    def uid_badges(self) -> dict[str, bytes]:
        """Return the keyed hash of each badge of the UID class by its credential."""
        hashes = _parsed(self._folder / UID_BADGES, _HASHES.validate_json) or {}
        return {credential: bytes.fromhex(text) for credential, text in hashes.items()}

    def keep_uid_badges(self, badges: dict[str, bytes]) -> None:
        """Store the badges of the UID class: the keyed hash of each by its credential.

        Raises:
            OSError: they are not on the disk, or there are too many.
        """
        if len(badges) > MAX_UID_BADGES:
            raise OSError(f"more than {MAX_UID_BADGES} badges of the UID class")
        document = {one: value.hex() for one, value in sorted(badges.items())}
        self._replace(UID_BADGES, json.dumps(document, indent=1).encode())

    def _replace(self, name: str, content: bytes) -> None:
        # Another name each time: a file left by a power cut must not stop the next one.
        fresh = self._folder / f".{name}.{secrets.token_hex(4)}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OURS_ALONE)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._folder / name)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        _sync(self._folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path, max_bytes: int) -> bytes | None:
    """Return at most `max_bytes` of a regular file, or None when there is none that can be read."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read: %s", path.name, error.strerror)
        return None


def _parsed(path: Path, parse: Callable[[bytes], _Parsed]) -> _Parsed | None:
    content = _read(path, MAX_JSON_BYTES)
    if content is None:
        return None
    try:
        return parse(content)
    except ValidationError:
        log.warning("%s is damaged and counts as absent", path.name)
        return None
