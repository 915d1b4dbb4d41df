"""One line of the benchmark table: what was measured, against which peer, at which size."""

import math
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure; `reach` is what the blueprint asks, in words, so that the reader judges."""

    name: str
    what: str
    measured: str
    peer: str
    size: str
    reach: str
    reached: bool


def percentile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def machine() -> str:
    """Return the machine in one line: cores, processor architecture, kernel, Python."""
    uname = platform.uname()
    return f"{os.cpu_count()} cores, {uname.machine}, Linux {uname.release}, Python {platform.python_version()}"


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = ["| # | what | measured | peer, same run | size | to reach | reached |", "|---|---|---|---|---|---|---|"]
    for figure in figures:
        reached = "yes" if figure.reached else "not yet"
        cells = [figure.name, figure.what, figure.measured, figure.peer, figure.size, figure.reach, reached]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
