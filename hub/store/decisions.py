"""The decisions at one site's doors, without anybody's name: who badged is in the journal alone."""

from collections.abc import Iterable
from dataclasses import replace

from contract.events import Access, Door
from hub.store.connection import Connection
from hub.store.rows import DecisionRow
from hub.store.schema import statements

LONGEST_PULSE_MS = 35_000
"""A strike is released for at most 30 s (docs/operating.md); that nobody opened is told at the end of it."""

_SQL = statements("decisions")


def read_decisions(connection: Connection, site: str, period_ms: tuple[int, int], most: int) -> list[DecisionRow]:
    """Return the first decisions of a half-open period, in order of time; those without a time are left out."""
    from_ms, to_ms = period_ms
    rows = connection.execute(_SQL["decisions"], {"site": site, "from_ms": from_ms, "to_ms": to_ms, "most": most})
    return _decisions(connection, site, rows)


def read_last_decisions(connection: Connection, site: str, most: int) -> list[DecisionRow]:
    """Return the last decisions, in order of time; those without a time are left out."""
    rows = connection.execute(_SQL["last_decisions"], {"site": site, "most": most}).fetchall()
    return _decisions(connection, site, reversed(rows))


def _decisions(connection: Connection, site: str, rows: Iterable[tuple[str, str, int, int]]) -> list[DecisionRow]:
    found = [
        DecisionRow(reader, Access.model_validate_json(value), at_ms, received_at_ms)
        for reader, value, at_ms, received_at_ms in rows
    ]
    if not found:
        return []
    between = {"site": site, "from_ms": found[0].at_ms, "to_ms": found[-1].at_ms + LONGEST_PULSE_MS}
    for door, value, at_ms in connection.execute(_SQL["doors"], between):
        if Door.model_validate_json(value).unused:
            _note_unused(found, door, at_ms)
    return found


def _note_unused(found: list[DecisionRow], door: str, at_ms: int) -> None:
    """Mark the last decision that released this door before it was told that nobody had opened."""
    for place in range(len(found) - 1, -1, -1):
        row = found[place]
        if row.access.door == door and row.access.reason == "GRANTED" and row.at_ms <= at_ms:
            if at_ms - row.at_ms <= LONGEST_PULSE_MS:
                found[place] = replace(row, unused=True)
            return
