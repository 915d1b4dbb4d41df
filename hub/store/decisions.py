"""The decisions at one site's doors, without anybody's name: who badged is in the journal alone."""

import json
import sqlite3

from hub.store.rows import DecisionRow
from hub.store.sqlite import statements

_SQL = statements("decisions")


def read_decisions(
    connection: sqlite3.Connection, site: str, period_ms: tuple[int, int], most: int
) -> list[DecisionRow]:
    """Return the first decisions of a half-open period, in order of time; those without a time are left out."""
    from_ms, to_ms = period_ms
    rows = connection.execute(_SQL["decisions"], {"site": site, "from_ms": from_ms, "to_ms": to_ms, "most": most})
    return [_row(*row) for row in rows]


def _row(reader: str, value: str, at_ms: int, received_at_ms: int) -> DecisionRow:
    access = json.loads(value)
    return DecisionRow(reader, access["door"], access["reason"], access["assurance"], at_ms, received_at_ms)
