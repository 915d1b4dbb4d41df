"""`make bench`: measure, print one table, write it to docs/benchmarks.md.

`make bench ARGS="B3 B6"` measures only those and writes nothing.
"""

import sys
from pathlib import Path

from tests.benchmarks import idle_edge, replay, settled_ingest, tap_to_strike, thrift
from tests.benchmarks.figures import Figure, machine, table

BENCHMARKS = {
    "B1": replay.measure,
    "B2": settled_ingest.measure,
    "B3": tap_to_strike.measure,
    "B6": idle_edge.measure,
    "B8": thrift.measure,
}
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return 2 for a name that is none."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(BENCHMARKS)})\n")
        return 2
    figures: list[Figure] = []
    for name in names or BENCHMARKS:
        sys.stderr.write(f"{name}...\n")
        figures += BENCHMARKS[name]()
    page = f"# Benchmarks\n\nOne run of `make bench` on {machine()}. Ratios travel; absolute figures do not.\n\n"
    sys.stdout.write(table(figures) + "\n")
    if not names:
        PAGE.write_text(page + table(figures) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
