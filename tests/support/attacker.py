"""Somebody who reads everything published and solves for the rest: the widest range that each hidden value can have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from hub.cells import Table
from hub.disclosure import Release

Row = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Range:
    """What a linear solver finds that a value can be."""

    lowest: float
    highest: float


class Attacker:
    """Knows margins, ceilings, every published value of one additive indicator, and that nothing is below zero."""

    def __init__(self, table: Table, release: Release, indicator: str) -> None:
        self._sites = {place.id: place.sites for place in table.places}
        self._parts = {period.id: period.parts for period in table.periods}
        base = [
            cell
            for cell in table.cells
            if cell.indicator == indicator
            and self._sites[cell.place] == {cell.place}
            and self._parts[cell.period] == {cell.period}
        ]
        self._columns = {(cell.place, cell.period): column for column, cell in enumerate(base)}
        self._bounds = [(0.0, cell.ceiling) for cell in base]
        told = [it for it in release.verdicts if it.indicator == indicator and it.value is not None]
        self._sums = np.array([self._row(it.place, it.period) for it in told]).reshape(len(told), len(base))
        self._values = np.array([it.value for it in told])

    def _row(self, place: str, period: str) -> list[float]:
        row = [0.0] * len(self._columns)
        for site in self._sites[place]:
            for part in self._parts[period]:
                row[self._columns[site, part]] = 1.0
        return row

    def range_of(self, place: str, period: str) -> Range:
        """Return between which numbers the value of a place and period must lie."""
        row = np.array(self._row(place, period))
        return Range(self._least(row), -self._least(-row))

    def _least(self, row: Row) -> float:
        return least(row, self._bounds, self._sums, self._values)


def least(row: Row, bounds: Sequence[tuple[float, float]], sums: Row, values: Row) -> float:
    """Return the least that a sum of unknowns can be, when these sums of them have these values."""
    known = {"A_eq": sums, "b_eq": values} if len(values) else {}
    found = linprog(row, bounds=bounds, method="highs", **known)
    if found.status == 3:
        return float("-inf")
    assert found.status == 0, found.message
    return float(found.fun)
