"""One line of the benchmark table: what was measured, against which peer, at which size."""

import math
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


HEAD = (
    "| # | what | measured | peer, same run | size | to reach | reached | when, load before |",
    "|---|---|---|---|---|---|---|---|",
)


def row(figure: Figure, when: str) -> str:
    """Return a figure as a line of the table; `when` says the day and how busy the machine was before."""
    reached = "yes" if figure.reached else "not yet"
    cells = [figure.name, figure.what, figure.measured, figure.peer, figure.size, figure.reach, reached, when]
    return "| " + " | ".join(cells) + " |"


def merged(page: str, rows: list[str]) -> list[str]:
    """Return the lines of a table: new ones, and those of a page for benchmarks that were not measured again."""
    names = {_name(line) for line in rows}
    kept = [line for line in page.splitlines() if line.startswith("| B") and _name(line) not in names]
    return sorted([*kept, *rows], key=lambda line: int(_name(line)[1:]))


def _name(line: str) -> str:
    return line.split("|")[1].strip()
