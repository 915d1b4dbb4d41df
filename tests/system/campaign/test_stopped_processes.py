"""A process that stands still, as on a machine that swaps, and goes on as if nothing had been: SIGSTOP, SIGCONT."""

import signal
import time
from pathlib import Path

import pytest

from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.waiting import eventually
from tests.system.campaign.campaign import committed, drain, stored_count
from tests.system.campaign.oracle import verdict_on
from tests.system.campaign.world import World

SITE = "murat"
STANDS_S = 60.0 if CAMPAIGN_MINUTES else 4.0
EVENTS_PER_S = 50.0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", ["broker", "hub", SITE])
def test_what_stood_still_for_a_while_has_lost_and_doubled_nothing(who: str, tmp_path: Path) -> None:
    with World(tmp_path, "mosquitto", (SITE,), seed=1, events_per_s=EVENTS_PER_S) as world:
        world.start()
        eventually(lambda: stored_count(world) > EVENTS_PER_S, what="the edge observes", within_s=60.0)
        world.send(who, signal.SIGSTOP)
        time.sleep(STANDS_S)
        world.send(who, signal.SIGCONT)
        before = stored_count(world)
        eventually(lambda: stored_count(world) > before + EVENTS_PER_S, what="it goes on", within_s=60.0)
        drain(world)
        world.hub.stop()
        verdict = verdict_on(committed(world), world.database)
    assert verdict.is_right, verdict
    assert verdict.alarms.keys() <= {"quarantined"}, verdict
