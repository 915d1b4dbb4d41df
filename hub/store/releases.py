"""Releases: what was published of a month, frozen and numbered. Rows are added, and never changed or taken away."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from hub.release import ReleaseError
from hub.store.connection import Connection
from hub.store.schema import statements

RELEASE = "release"
"""What stands in the column `site`: a release is about all of them."""

QUICKLY = 1
"""How hard to compress: the ingest waits meanwhile. 41 MB become 3 in a sixth of a second."""

_SQL = statements("releases")


@dataclass(frozen=True, slots=True)
class Frozen:
    """One revision of a month, as it was published."""

    revision: int
    basis: bytes
    """What it was computed from (hub/lateness.py)."""
    files: Mapping[str, Mapping[str, bytes]]
    """By audience and name."""


def read_release(connection: Connection, month: str) -> Frozen | None:
    """Return the last revision of a month, or None when nothing was published of it.

    Raises:
        ReleaseError: a file is not the one whose checksum was kept.
    """
    row = connection.execute(_SQL["last"], {"site": RELEASE, "month": month}).fetchone()
    if row is None:
        return None
    revision, basis = row
    files: dict[str, dict[str, bytes]] = {}
    of_it = {"site": RELEASE, "month": month, "revision": revision}
    for audience, name, sha256, content in connection.execute(_SQL["files"], of_it):
        try:
            files.setdefault(audience, {})[name] = _unpacked(bytes(content), sha256)
        except ValueError as error:
            raise ReleaseError(f"{name} of {month}, revision {revision}, is damaged in the database") from error
    return Frozen(revision, bytes(basis), files)


def put_release(connection: Connection, month: str, release: Frozen) -> None:
    """Keep a revision for ever. Runs inside the caller's transaction.

    Raises:
        StoreRefusedError: it is there already; another export was first.
    """
    of_it = {"site": RELEASE, "month": month, "revision": release.revision}
    connection.execute(_SQL["put_release"], {**of_it, "basis": release.basis})
    for audience, files in sorted(release.files.items()):
        for name, content in sorted(files.items()):
            sha256 = hashlib.sha256(content).hexdigest()
            values = {"audience": audience, "name": name, "sha256": sha256, "content": zlib.compress(content, QUICKLY)}
            connection.execute(_SQL["put_file"], {**of_it, **values})


def _unpacked(content: bytes, sha256: str) -> bytes:
    """Return a file as it was published: kept compressed, or as it is, as releases before 22 November 2026 are.

    Raises:
        ValueError: it is not the one with this checksum.
    """
    if hashlib.sha256(content).hexdigest() == sha256:
        return content
    try:
        content = zlib.decompress(content)
    except zlib.error as error:
        raise ValueError from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError
    return content
