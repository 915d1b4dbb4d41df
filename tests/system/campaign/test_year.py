"""A year of ten telecentres against a real hub: every figure that it gives equals the truth, to the millisecond.

Two weeks around the night of 29 March in `make test`, the year in `make campaign`; `TELECENTRE_SEED` plays another.
Each month is published, and what was published attacked by a linear solver, which must not recover what has no value.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.disclosure import disclose_to
from hub.exports import to_csv
from hub.lateness import decode_basis
from hub.observatory import month_table
from hub.release import FIGURE_COLUMNS, Edition, figure_rows
from hub.store import Store
from hub.store.releases import read_release
from hub.suppression import Pattern
from simulators.processes import program
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.release_attack import Attack, K, Truth, read_month

SEED = os.environ.get("TELECENTRE_SEED", "7")
DAYS = [] if CAMPAIGN_MINUTES else ["--from", "2026-03-15", "--to", "2026-04-01"]
"""Of the short form: a telecentre opens on the 16th, the 29th has 23 hours, and March can be published."""

FEWEST_FIGURES = 4_000_000 if CAMPAIGN_MINUTES else 400_000
FEWEST_TOLD = 1_500 if CAMPAIGN_MINUTES else 100
"""Of all figures of all releases, to the public."""

EVERY_ONE = 1_000_000

ATTACKED = EVERY_ONE if CAMPAIGN_MINUTES else 100
"""Figures of each release that are solved for: confidential ones, of 700 to 1,500, and others, of 300 to 800."""

TIMEOUT_S = 7_200 if CAMPAIGN_MINUTES else 900
"""Many times what it takes on a machine that does nothing else (docs/campaign.md)."""

pytestmark = pytest.mark.timeout(TIMEOUT_S + 120)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a year that was played, and what came of it."""
    folder = tmp_path_factory.mktemp("played") / "year"
    command = [program("telecentre-sim"), "year", "--seed", SEED, "--state", str(folder), *DAYS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


def test_every_figure_of_the_year_equals_what_really_happened(played: tuple[Path, dict[str, Any]]) -> None:
    outcome = played[1]
    assert outcome["equal"]
    assert outcome["not_answered"] == []
    assert outcome["compared"] >= FEWEST_FIGURES
    assert outcome["released"]["public told"] >= FEWEST_TOLD


def test_a_linear_solver_over_all_that_was_published_recovers_nothing_that_was_not(
    played: tuple[Path, dict[str, Any]],
) -> None:
    months = sorted((played[0] / "releases").iterdir())
    attacks = [Attack(read_month(month, audience), int(SEED), ATTACKED) for month in months for audience in K]
    assert [find for attack in attacks for find in attack.finds()] == []
    assert all(attack.confidential and attack.others for attack in attacks)


def close_counts(folder: Path, audience: str) -> tuple[int, list[tuple[str, str, str, float]]]:
    """Return how many pairs of counts of persons lie inside one another, and those that differ by too few.

    Of the counts that this file is the first to tell: those of another revision are of what was heard by then.
    """
    truth = Truth(json.loads((folder / "truth.json").read_text(encoding="utf-8")))
    with (folder / audience / "indicateurs.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["indicateur"] == "visiteurs_uniques"]
    first = folder == min(folder.parent.iterdir())
    newest = "1" if first else str(max(int(row["revision"]) for row in rows))
    if newest == "1" and not first:
        return 0, []
    new = [row for row in rows if row["valeur"] and row["revision"] == newest]
    told = {(row["id_telecentre|zone"], row["periode"]): float(row["valeur"]) for row in new}
    atoms = {
        (place, period): {
            (site, day)
            for site in truth.places[place]
            for day in truth.periods[period]
            if truth.ceiling("visites:personnes", site, day)
        }
        for place, period in told
    }
    pairs = [(inner, outer) for inner in told for outer in told if atoms[inner] < atoms[outer]]
    close = [(*inner, outer[0], told[outer] - told[inner]) for inner, outer in pairs]
    return len(pairs), [find for find in close if find[-1] < K[audience]]


def test_no_two_counts_of_persons_that_were_published_differ_by_a_few(played: tuple[Path, dict[str, Any]]) -> None:
    days = [day for month in sorted((played[0] / "releases").iterdir()) for day in sorted(month.iterdir())]
    found = [close_counts(day, audience) for day in days for audience in K]
    assert sum(pairs for pairs, _ in found)
    assert [find for _, finds in found for find in finds] == []


def test_a_gate_that_hides_only_what_is_small_is_found_out(
    played: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pattern, "protect", lambda *_: None)
    month = max((played[0] / "releases").iterdir())
    publish_again(played[0], month, tmp_path / month.name)
    attacks = [Attack(read_month(tmp_path / month.name, audience), int(SEED), EVERY_ONE) for audience in K]
    assert any(any(attack.finds()) for attack in attacks)


def publish_again(played: Path, month: Path, folder: Path) -> None:
    """Publish the figures of a month through the gate as it is now."""
    with closing(Store(played / "hub.sqlite")) as store, store.seen() as connection:
        frozen = read_release(connection, month.name)
    assert frozen is not None
    assert frozen.revision == 1
    table, facts = month_table(decode_basis(frozen.basis).month)
    levels = {place.id: place.level for place in table.places}
    again = folder / "again"
    for audience, k in K.items():
        verdicts = disclose_to(table, list(K.values()))[k].verdicts
        rows = figure_rows(Edition(month.name, "", ""), levels, facts, verdicts)
        (again / audience).mkdir(parents=True)
        (again / audience / "indicateurs.csv").write_text(to_csv(FIGURE_COLUMNS, rows), encoding="utf-8")
    shutil.copy(max(month.iterdir()) / "truth.json", again)
