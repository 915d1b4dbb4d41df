"""Every fault of the list has its test: what docs/campaign.md names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "campaign.md").read_text(encoding="utf-8")
ASKED = {f"F{number}" for number in (*range(2, 13), 15)}


def rows() -> list[list[str]]:
    """Return the rows of the table of faults: number, fault, tests."""
    table = PAGE.partition("| # | fault | tests |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_fault_that_was_asked_for_has_a_row() -> None:
    assert {number for number, _, _ in rows() if number} == ASKED


def test_every_row_names_tests_that_exist() -> None:
    for _, fault, tests in rows():
        files = re.findall(r"`(tests/[\w/]+\.py)`: ((?:`test_\w+`[^`;]*)+)", tests)
        assert files, fault
        for file, names in files:
            code = (ROOT / file).read_text(encoding="utf-8")
            for name in re.findall(r"`(test_\w+)`", names):
                assert f"def {name}(" in code, f"{file}: {name}"
