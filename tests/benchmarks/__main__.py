"""`make bench`: measure, print one table, write it to docs/benchmarks.md.

`make bench ARGS="B3 B6"` measures only those; the other lines of the page stay, each with its day.
"""

import os
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import fleet_load, idle_edge, replay, settled_ingest, stored_month, tap_to_strike, thrift
from tests.benchmarks.figures import HEAD, merged, row
from tests.benchmarks.machine import machine

BENCHMARKS = {
    "B1": replay.measure,
    "B2": settled_ingest.measure,
    "B3": tap_to_strike.measure,
    "B5": stored_month.measure,
    "B6": idle_edge.measure,
    "B7": fleet_load.measure_peak,
    "B8": thrift.measure,
    "B9": fleet_load.measure_flat,
}
WIDTH = 120
INTRODUCTION = f"""# Benchmarks

{textwrap.fill(f"`make bench` on {machine()}.", WIDTH)}

Ratios travel; absolute figures do not. The load is that of the minute before a benchmark began: on a quiet machine it
is below 1. B9 is no number of the blueprint's: what an event costs at four sizes of a network.
"""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return 2 for a name that is none."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(BENCHMARKS)})\n")
        return 2
    rows: list[str] = []
    for name in names or BENCHMARKS:
        sys.stderr.write(f"{name}...\n")
        when = f"{datetime.now(UTC):%Y-%m-%d}, {os.getloadavg()[0]:.1f}"
        rows += [row(figure, when) for figure in BENCHMARKS[name]()]
        # Written at once: the next one may take minutes.
        known = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(f"{INTRODUCTION}\n" + "\n".join([*HEAD, *merged(known, rows)]) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join([*HEAD, *rows]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
