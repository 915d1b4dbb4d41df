"""Forgetting one credential: in the journal at once, in what comes later, and again after a restore.

What must stay true here: an erasure is durable in the ledger before the journal forgets; the ledger is no part of the
database, so a copy of an earlier day cannot undo it; an event stays, because it names nobody.
Source: docs/decisions/0016-an-erasure-outlives-a-restore.md; protocol TC1, "Persons".
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from contract.events import Milliseconds
from contract.identity import CredentialId
from contract.limits import MAX_FUTURE_MS
from hub.store.connection import Connection, transaction
from hub.store.pass_changes import remove_member
from hub.store.passes import named_members
from hub.store.schema import statements
from hub.store.visits import forget_badge, mark_badge

MAX_ERASURES = 10_000
"""Lines of the ledger, 20 MiB at most: some years of a large network, and read in a tenth of a second."""

MAX_LINE_BYTES = 2_048
"""A reason of 200 characters is at most 1,200 bytes of JSON."""

FOR_EVER_MS = 2**62
"""No instant is later: what the journal names now is forgotten, whatever a clock said."""

_SQL = statements("erasures")

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]
"""Why, in one line: a request and its date, not a name."""

_CREDENTIAL: TypeAdapter[str] = TypeAdapter(CredentialId)
_REASON: TypeAdapter[str] = TypeAdapter(Reason)


class ErasureError(Exception):
    """An erasure cannot be made or replayed: one sentence, and nothing was changed."""


class Erasure(BaseModel):
    """One line of the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Milliseconds
    credential: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The SHA-256 of the credential id: enough to find it again in a restored journal, and not to read it here."""
    reason: Reason
    count: Annotated[int, Field(ge=0)]
    """Access events that named it when it was erased."""


def ledger_of(file: Path) -> Path:
    """Return where the erasures of a database are kept: beside it, never in it."""
    return file.with_name(f"{file.name}.erasures")


def is_credential(text: str) -> bool:
    """Return whether `text` may be a credential id."""
    return _is(_CREDENTIAL, text)


def is_reason(text: str) -> bool:
    """Return whether `text` is a reason: one line of 1 to 200 characters, none of which commands a terminal."""
    return text.isprintable() and _is(_REASON, text)


def _is(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return True


def erase(connection: Connection, ledger: Path, credential: str, reason: str, now_ms: int) -> int:
    """Make the journal name this credential no more; return how many access events did. `is_reason(reason)` holds.

    Raises:
        ErasureError: the ledger is damaged, full or cannot be written.
    """
    hashed = _hash(credential)
    with _locked(ledger) as handle, transaction(connection):
        count = _forget(connection, credential, FOR_EVER_MS)
        connection.execute(_SQL["put_erasure"], {"credential": hashed, "erased_at": now_ms})
        # Before the commit: whatever fails after this line, the next start of the hub does what the ledger says.
        _append(handle, ledger, Erasure(at=now_ms, credential=hashed, reason=reason, count=count))
    return count


def replay(connection: Connection, ledger: Path) -> tuple[int, int]:
    """Forget again whom the ledger names, inside the caller's transaction; return (erasures, access events forgotten).

    A member who was removed stands there by the member's own id: the name goes again, and the passes end again.

    Raises:
        ErasureError: the ledger is damaged or cannot be read.
    """
    until = {erasure.credential: erasure.at for erasure in sorted(read(ledger), key=lambda one: one.at)}
    if not until:
        return 0, 0
    for credential, at_ms in until.items():
        connection.execute(_SQL["put_erasure"], {"credential": credential, "erased_at": at_ms})
    forgotten = 0
    for (person,) in connection.execute(_SQL["persons"]).fetchall():
        if (at := until.get(_hash(person))) is not None:
            forgotten += _forget(connection, person, at + MAX_FUTURE_MS)
    for member in named_members(connection):
        if (at := until.get(_hash(member))) is not None:
            remove_member(connection, member, at)
    return len(until), forgotten


def forgotten_until(connection: Connection, person: str) -> int | None:
    """Return until when the events of a person name nobody, UTC ms; None when they were never erased.

    An edge's clock may be ahead by as much as its events are believed.
    """
    at_ms = erased_at(connection, person)
    return None if at_ms is None else at_ms + MAX_FUTURE_MS


def erased_at(connection: Connection, person: str) -> int | None:
    """Return when a person was erased last, UTC ms; None when never."""
    row = connection.execute(_SQL["erased_at"], {"credential": _hash(person)}).fetchone()
    return None if row is None else row[0]


def read(ledger: Path) -> list[Erasure]:
    """Return every erasure; a last line without its end was never confirmed, and is left out.

    Raises:
        ErasureError: the ledger is damaged or cannot be read.
    """
    try:
        content = ledger.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ErasureError(f"{ledger}: cannot be read ({error.strerror})") from error
    return _erasures(content, ledger)


def _erasures(content: bytes, ledger: Path) -> list[Erasure]:
    if len(content) > MAX_ERASURES * MAX_LINE_BYTES:
        raise ErasureError(f"{ledger}: larger than a ledger can be: put back the copy that you keep of it")
    erasures: list[Erasure] = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            erasures.append(Erasure.model_validate_json(line))
        except ValidationError as error:
            raise ErasureError(f"{ledger}: line {number} is damaged: put back the copy that you keep of it") from error
    return erasures


@contextmanager
def _locked(ledger: Path) -> Iterator[int]:
    """Give the open ledger, made if it is not there, ours alone (0600), to one command at a time."""
    try:
        handle = os.open(ledger, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ErasureError(f"{ledger}: cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _append(handle: int, ledger: Path, erasure: Erasure) -> None:
    """Add a line durably; what a power cut left of another one goes first."""
    content = ledger.read_bytes()
    erasures = _erasures(content, ledger)
    if len(erasures) >= MAX_ERASURES:
        raise ErasureError(
            f"{ledger}: full ({MAX_ERASURES} erasures): keep a copy, and take out lines older than 90 days"
        )
    line = erasure.model_dump_json().encode() + b"\n"
    try:
        whole = content.rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        os.pwrite(handle, line, whole)
        os.fsync(handle)
        folder = os.open(ledger.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ErasureError(f"{ledger}: cannot be written ({error.strerror})") from error


def _forget(connection: Connection, person: str, until_ms: int) -> int:
    """Delete what names a person, and overwrite it."""
    mark_badge(connection, person)
    with connection.overwriting():
        forget_badge(connection, person)
        return connection.execute(_SQL["forget"], {"person": person, "until_ms": until_ms}).rowcount


def _hash(credential: str) -> str:
    return sha256(b"telecentre/erasure/v1\x00" + credential.encode()).hexdigest()
