"""Rows for the link, which drains a backlog batch by batch: several batches are read at once.

To open the file for a question costs as much as to read 200 rows. What was read ahead is sent soon or not at all: it
may name persons, whom the file forgets in time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contract.events import Lost, Size, encode
from contract.identity import CredentialId
from contract.limits import MAX_EVENT_BYTES
from edge.outbox.read import read_rows

AHEAD_EVENTS = 800
"""Read beyond what was asked: four batches, some 100 kB (at most 1.6 MB)."""

AHEAD_S = 10.0
"""What was read ahead is used for so long: a drain takes a batch in some hundredths of a second."""

_CREDENTIAL: TypeAdapter[str] = TypeAdapter(CredentialId)

SentRow = tuple[bytes, str | None]
"""A line and its person."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows of one stream from `first` on, good until `until_s`."""

    stream: str
    first: int
    boot: str
    rows: Sequence[SentRow]
    until_s: float


class ReadAhead:
    """What was read last; for one thread alone."""

    def __init__(self, folder: Path, mono_s: Callable[[], float]) -> None:
        self._folder = folder
        self._mono_s = mono_s
        self._read: _Read | None = None

    def rows(self, stream: str, first: int, last: int) -> tuple[str, list[SentRow]] | None:
        """Return the boot of a stream and its rows `first` to `last`, or None if they cannot be had.

        Raises:
            sqlite3.DatabaseError: the file is damaged where its streams stand.
        """
        read, self._read = self._read, None
        if read is None or not _holds(read, stream, first, last, self._mono_s()):
            found = read_rows(self._folder, stream, first, last, ahead=AHEAD_EVENTS)
            if found is None:
                return None
            boot, rows = found
            read = _Read(stream, first, boot, [as_sent(row[1], row[2]) for row in rows], self._mono_s() + AHEAD_S)
        if last < read.first + len(read.rows) - 1:
            self._read = read
        return read.boot, list(read.rows[first - read.first : last + 1 - read.first])


def _holds(read: _Read, stream: str, first: int, last: int, now_s: float) -> bool:
    return read.stream == stream and read.first <= first <= last < read.first + len(read.rows) and now_s < read.until_s


def as_sent(line: bytes | None, person: str | None) -> tuple[bytes, str | None]:
    """Return what of a row can be sent: a damaged line becomes `lost` without a time, the same at every reading."""
    if line is None or b"\n" in line or len(line) > MAX_EVENT_BYTES:
        size_bytes = len(line) if line else 0
        return encode(Lost(subject="outbox", t=0, clock="unsynced", up=0, value=Size(size_bytes=size_bytes))), None
    if person is None:
        return line, None
    try:
        return line, _CREDENTIAL.validate_python(person)
    except ValidationError:
        return line, None
