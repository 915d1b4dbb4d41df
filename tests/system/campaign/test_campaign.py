"""The short form of the fault campaign, once with each broker; the long one is `make campaign`."""

from pathlib import Path

import pytest

from tests.support.brokers import KINDS, Kind, mosquitto_path
from tests.system.campaign.campaign import SITES, Size, run, seed_to_use
from tests.system.campaign.plan import Kill, plan_of

SHORT = Size(lasts_s=12.0, kills=15, bad_lines=5, events_per_s=100.0, sites=SITES[:3], least_events=1_000)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", KINDS)
def test_kills_and_bad_lines_lose_nothing_and_double_nothing(kind: Kind, tmp_path: Path) -> None:
    if kind == "mosquitto":
        mosquitto_path()
    seed = seed_to_use()
    print(f"TELECENTRE_SEED={seed}")  # noqa: T201 -- a failure must be replayable
    outcome = run(tmp_path, kind, SHORT, seed)
    print(outcome)  # noqa: T201 -- what a failure is about
    assert outcome.verdict.is_right, outcome
    assert outcome.verdict.alarms.keys() <= {"quarantined"}, outcome
    assert outcome.differences == 0, outcome
    assert sum(outcome.kills.values()) >= SHORT.kills
    assert outcome.events >= SHORT.least_events


def test_a_seed_gives_the_same_plan_again() -> None:
    plans = [plan_of(7, sites=SITES, lasts_s=60.0, kills=30, bad_lines=10) for _ in range(2)]
    assert plans[0] == plans[1]
    assert sum(isinstance(fault, Kill) for fault in plans[0]) == 30
    assert plans[0] != plan_of(8, sites=SITES, lasts_s=60.0, kills=30, bad_lines=10)
