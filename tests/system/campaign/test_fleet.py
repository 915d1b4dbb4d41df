"""The short form of the fleet: what 4,072 sites do to a hub, `make campaign` measures."""

from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path
from tests.system.campaign.campaign import seed_to_use
from tests.system.campaign.fleet import BACK_WITHIN_S, FleetSize, run_fleet, run_frozen

SHORT = FleetSize(sites=500, rate=100.0, spread_s=5.0)


@pytest.mark.timeout(400)
def test_every_site_comes_back_to_a_broker_that_was_killed_and_the_hub_has_all_of_it(tmp_path: Path) -> None:
    mosquitto_path()
    seed = seed_to_use()
    print(f"TELECENTRE_SEED={seed}")  # noqa: T201 -- a failure must be replayable
    outcome = run_fleet(tmp_path, SHORT, seed)
    print(outcome)  # noqa: T201 -- what a failure is about
    assert outcome.is_right, outcome
    assert outcome.told["longest_absence_s"] <= outcome.told["caught_up"]["max_s"] <= BACK_WITHIN_S


def test_a_hub_that_stands_still_is_behind_and_not_different(tmp_path: Path) -> None:
    mosquitto_path()
    code, told = run_frozen(tmp_path, sites=20, wait_s=3.0)
    assert (code, told["verdict"], told["different"]) == (3, "behind", [])
    assert told["behind"]["silent"] == 20
    assert told["behind"]["events"] == told["events"] - told["committed"] > 0
