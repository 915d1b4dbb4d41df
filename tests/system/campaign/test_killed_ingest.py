"""The ingest killed under a fleet, on both engines: a few times in `make test`, fifty times in `make campaign`."""

from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.system.campaign.campaign import seed_to_use
from tests.system.campaign.killed_ingest import Engine, Kills, run_killed

SHORT = Kills(sites=60, rate=150.0, kills=3)
LONG: dict[Engine, Kills] = {
    "sqlite": Kills(sites=1_000, rate=300.0, kills=50),
    "postgres": Kills(sites=4_072, rate=300.0, kills=50),
}
"""Where nothing else runs, each life of a hub of 4,072 sites takes some ten seconds before it has taken history."""


@pytest.mark.timeout(240 if CAMPAIGN_MINUTES == 0 else 3_600)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_an_ingest_that_is_killed_under_a_fleet_ends_with_what_the_fleet_knows(engine: Engine, tmp_path: Path) -> None:
    mosquitto_path()
    seed = seed_to_use()
    print(f"TELECENTRE_SEED={seed}")  # noqa: T201 -- a failure must be replayable
    outcome = run_killed(tmp_path, engine, LONG[engine] if CAMPAIGN_MINUTES else SHORT, seed)
    print(outcome)  # noqa: T201 -- what a failure is about
    assert outcome.is_right, outcome
