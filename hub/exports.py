"""Rows become CSV that an observatory's tools read and a spreadsheet does not execute.

UTF-8 without a mark, `;` between cells, `.` in numbers, ISO 8601 times, one header row. Source: docs/method.md.
"""

import csv
import io
from collections.abc import Iterable, Sequence

Cell = str | int | float | None

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection); such text gets an apostrophe before it."""


def to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return the table as CSV; None is an empty cell, which is not a zero."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell


def minutes(milliseconds: int) -> float:
    """Return minutes with two decimals: rounding happens here, on output, and nowhere before."""
    return round(milliseconds / 60_000, 2)
