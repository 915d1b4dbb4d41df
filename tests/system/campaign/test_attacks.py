"""Nobody is let in who should not be: eleven attacks, through the real nfcpy and a real agent, whatever else is broken.

A dozen attempts of each in `make test`, a thousand in `make campaign`; `TELECENTRE_SEED` repeats a run.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.waiting import eventually
from tests.system.campaign.siege import ATTACKS, READERS, Siege, besieged
from tests.system.campaign.world import World

ATTEMPTS = 1_000 if CAMPAIGN_MINUTES else 12
SEED = os.environ.get("TELECENTRE_SEED", "1")
TIMEOUT_S = 1_800 if CAMPAIGN_MINUTES else 120
NOT_READ, MOST_NOT_READ = "DENIED_OTHER", max(1, ATTEMPTS // 100)
"""On a busy machine an answer misses the card's 38.7 ms now and then: the person is told to hold the card again."""

NOBODY_LISTENS = 9
SLEEPING = Path(__file__).parents[2] / "support" / "faketime"

pytestmark = pytest.mark.timeout(TIMEOUT_S)


def all_attacks_fail(siege: Siege, circumstance: str) -> None:
    """Let every attacker try; each gets the one right reason, no door opens, and a genuine badge then opens at once."""
    for attack, one in ATTACKS.items():
        before, began_s = siege.openings(), time.monotonic()
        reasons = siege.suffer(attack, ATTEMPTS, f"{SEED} {circumstance}")
        openings = siege.openings() - before
        took_s = time.monotonic() - began_s
        sys.stdout.write(f"{circumstance}: {attack}: {ATTEMPTS} attempts, {openings} openings, {took_s:.1f} s\n")
        assert openings == 0
        assert set(reasons) <= {one.reason, NOT_READ}, attack
        assert reasons[NOT_READ] <= MOST_NOT_READ, attack
    for reader in READERS:
        siege.let_in(reader)


def test_no_attack_opens_with_hub_and_broker_nor_without(tmp_path: Path) -> None:
    with World(tmp_path, "iotcore", (), seed=0, events_per_s=0) as world:
        world.start()
        with besieged(world.broker.port) as siege:
            all_attacks_fail(siege, "hub and broker alive")
            world.kill("hub")
            world.kill("broker")
            all_attacks_fail(siege, "hub and broker dead")
            eventually(lambda: siege.kept() == siege.decided, what="every decision is kept, with its reason")


def test_no_attack_opens_while_nothing_can_be_written() -> None:
    with besieged(NOBODY_LISTENS) as siege:
        siege.forbid_writing()
        all_attacks_fail(siege, "read-only disk")
        assert sum(siege.kept().values()) <= len(READERS), "nothing was written since"


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The file that says how far the agent's wall clock is off, for `faked`."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    file = tmp_path / "moved"
    file.write_text("+0d")
    return file


def faked(moved: Path) -> dict[str, str]:
    """Return the environment of a program whose wall clock is off by what a file says, also while it runs.

    Without the faketime command, which would be the parent of the program and get its signals.
    """
    asked = subprocess.run(
        ["faketime", "-f", "+0d", "printenv", "LD_PRELOAD"], capture_output=True, text=True, timeout=20, check=True
    )
    return {
        "LD_PRELOAD": asked.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(moved),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(SLEEPING),
    }


@pytest.mark.parametrize("days", [-3_650, 3_650])
def test_no_attack_opens_after_the_clock_was_moved_by_ten_years(moved: Path, days: int) -> None:
    with besieged(NOBODY_LISTENS, environment=faked(moved)) as siege:
        moved.write_text(f"{days:+d}d")
        eventually(siege.by_high_water, what="the agent no longer believes its clock")
        all_attacks_fail(siege, f"clock moved by {days:+d} days")
        eventually(siege.by_high_water, what="the agent does not believe it at the end either")
