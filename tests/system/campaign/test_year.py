"""A year of ten telecentres against a real hub: every figure that it gives equals the truth, to the millisecond.

Two weeks around the night of 29 March in `make test`, the year in `make campaign`; `TELECENTRE_SEED` plays another.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.processes import program
from tests.support.long_form import CAMPAIGN_MINUTES

SEED = os.environ.get("TELECENTRE_SEED", "7")
DAYS = [] if CAMPAIGN_MINUTES else ["--from", "2026-03-15", "--to", "2026-03-30"]
"""Of the short form: a telecentre opens on the 16th, and the 29th has 23 hours."""

FEWEST_FIGURES = 3_000_000 if CAMPAIGN_MINUTES else 60_000
TIMEOUT_S = 3_600 if CAMPAIGN_MINUTES else 240
"""Many times what it takes on a machine that does nothing else (docs/campaign.md)."""


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_every_figure_of_the_year_equals_what_really_happened(tmp_path: Path) -> None:
    command = [program("telecentre-sim"), "year", "--seed", SEED, "--state", str(tmp_path / "year"), *DAYS]
    played = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    sys.stdout.write(played.stdout)
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr[-2000:]
    outcome = json.loads(played.stdout.splitlines()[-1])
    assert outcome["equal"]
    assert outcome["not_answered"] == []
    assert outcome["compared"] >= FEWEST_FIGURES
