"""What a fleet says that the hub must end with, compared with what is in the hub's database, by no code of the hub."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

Ask = Callable[[str], Iterable[tuple[Any, ...]]]
"""Answers one SQL question: the same on both engines."""

_STREAMS = "select site, stream, position, events from stream"
_DIGESTS = "select site, stream, digest from event order by site, stream, seq"
_DAYS = """
select site, day, kind, sum(observed_ms), sum(occupied_ms) from day_figure
group by site, day, kind having sum(observed_ms) > 0
"""


def different(ask: Ask, ledger: Path) -> list[str]:
    """Return what the hub has otherwise than the fleet: streams (position, events, bytes) and figures of days."""
    rows = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    streams = {(row["site"], row["stream"]): (row["last"], row["last"], row["digest"]) for row in rows if "last" in row}
    days = {
        (row["site"], row["day"], row["kind"]): (row["observed_ms"], row["occupied_ms"]) for row in rows if "day" in row
    }
    digests: dict[tuple[str, str], str] = {}
    for key, events in groupby(ask(_DIGESTS), key=lambda row: (row[0], row[1])):
        digests[key] = sha256(b"".join(bytes(row[2]) for row in events)).hexdigest()
    found = {
        (site, stream): (position, events, digests.get((site, stream), ""))
        for site, stream, position, events in ask(_STREAMS)
    }
    figures = {(site, day, kind): (int(a), int(b)) for site, day, kind, a, b in ask(_DAYS)}
    told = _differing("stream", streams, found)
    return told + (_differing("figures", days, figures) if days else [])


def different_in_file(database: Path, ledger: Path) -> list[str]:
    """Return the same for a hub's SQLite file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return different(connection.execute, ledger)


def _differing(what: str, expected: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    keys = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    return [f"{what} {' '.join(key)}: {found.get(key)} instead of {expected.get(key)}" for key in keys]
