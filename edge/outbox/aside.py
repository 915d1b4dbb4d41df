"""Outbox files that were moved aside because they were damaged: kept to be looked at, until their persons must go.

A damaged file cannot be blanked row by row: what it says of its rows may be wrong. So it is deleted as a whole when a
person in it may be 90 days old. The time is the one in its name, when it was moved aside.
"""

import logging
import re
from pathlib import Path

from edge.outbox.schema import FILE_NAME, sync_folder

KEEP_MS = 90 * 86_400_000
"""How long an event may name a person (docs/privacy.md)."""

EARLIEST_MS = 1_577_836_800_000
"""2020-01-01: a clock that says less was never set."""

_NAME = re.compile(rf"{re.escape(FILE_NAME)}\.corrupt-(\d{{1,16}})(-wal|-shm)?")
"""A journal that was moved aside with its file may hold persons too, and may be there without it."""

_LOG = logging.getLogger(__name__)


def aside_suffix(now_ms: int) -> str:
    """Return what the name of a file that is moved aside now ends with."""
    return f"corrupt-{now_ms}"


def forget_aside(folder: Path, now_ms: int | None, lived_ms: int) -> int:
    """Delete the files that were moved aside 90 days ago; return how many.

    `now_ms` is the present time by a synchronised clock, or None. Without one they go once the outbox that was begun in
    their place has lived for 90 days (`lived_ms`).

    A file whose name was given by a clock that was not set, or that was ahead, gets the present time as its own: it
    cannot be told how old it is, so its 90 days begin now. What the storage refuses is logged, and tried again later.
    """
    deleted = 0
    for path in sorted(folder.glob(f"{FILE_NAME}.corrupt-*")):
        named = _NAME.fullmatch(path.name)
        if named is None:
            continue
        at_ms, ending = int(named[1]), named[2] or ""
        try:
            if _is_old(at_ms, now_ms, lived_ms):
                path.unlink()
                sync_folder(folder)
                deleted += 1
                _LOG.warning("storage=forgotten file=%s it was moved aside 90 days ago and may name persons", path)
            elif now_ms is not None and not EARLIEST_MS <= at_ms <= now_ms:
                _rename(path, path.with_name(f"{FILE_NAME}.{aside_suffix(now_ms)}{ending}"))
        except OSError as error:
            _LOG.warning("storage=unforgotten file=%s reason=%r", path, str(error))
    return deleted


def _is_old(at_ms: int, now_ms: int | None, lived_ms: int) -> bool:
    return lived_ms >= KEEP_MS or (now_ms is not None and EARLIEST_MS <= at_ms <= now_ms - KEEP_MS)


def _rename(path: Path, target: Path) -> None:
    if not target.exists():  # else two of them have no time: in an hour, the second gets another name
        path.rename(target)
        sync_folder(path.parent)


def count_aside(folder: Path) -> int:
    """Return how many outbox files stand aside."""
    return sum(1 for path in folder.glob(f"{FILE_NAME}.corrupt-*") if path.name.rpartition("-")[2].isdigit())
