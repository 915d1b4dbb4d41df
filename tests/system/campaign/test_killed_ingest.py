"""The ingest killed under a fleet, on both engines: a few times in `make test`, fifty times in `make campaign`."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.system.campaign.campaign import seed_to_use
from tests.system.campaign.killed_ingest import Engine, Kills, await_history, run_killed

SHORT = Kills(sites=60, rate=150.0, kills=3)
LONG: dict[Engine, Kills] = {
    "sqlite": Kills(sites=1_000, rate=300.0, kills=50),
    "postgres": Kills(sites=4_072, rate=300.0, kills=50),
}
"""Where nothing else runs, each life of a hub of 4,072 sites takes some ten seconds before it has taken history."""


LONG_MAY_TAKE_S = 7_200
"""Two and a half times what 4,072 sites took on two cores that had three times as much to do, 2,864 s."""


@pytest.mark.timeout(240 if CAMPAIGN_MINUTES == 0 else LONG_MAY_TAKE_S)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_an_ingest_that_is_killed_under_a_fleet_ends_with_what_the_fleet_knows(engine: Engine, tmp_path: Path) -> None:
    mosquitto_path()
    seed = seed_to_use()
    print(f"TELECENTRE_SEED={seed}")  # noqa: T201 -- a failure must be replayable
    outcome = run_killed(tmp_path, engine, LONG[engine] if CAMPAIGN_MINUTES else SHORT, seed)
    print(outcome)  # noqa: T201 -- what a failure is about
    assert outcome.is_right, outcome


def test_a_fleet_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.db")) as file:
        file.execute("create table stream (events integer)")
    (tmp_path / "fleet.log").write_text("no room for so many sites", encoding="utf-8")
    fleet = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"], text=True)
    fleet.wait(60)
    with pytest.raises(AssertionError, match="the fleet has ended with code 1: no room for so many sites"):
        await_history(tmp_path, None, 0, fleet, within_s=60.0)
