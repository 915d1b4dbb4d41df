"""A whole agent with its door, killed again and again, and a reader that is pulled out again and again.

Asked after each: the strike is locked, the next badge opens. At the end: the hub has every event of the outbox, once.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest

from edge.config import read_settings
from edge.outbox import read_status
from simulators.cards import Ntag21x
from tests.support.bench import eventually
from tests.support.edge_site import STRIKE, UID, SimulatedTelecentre, telecentre
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.system.campaign.campaign import seed_to_use
from tests.system.campaign.oracle import committed_at, verdict_on
from tests.system.campaign.world import World

KILLS = 200 if CAMPAIGN_MINUTES else 3
UNPLUGS = 50 if CAMPAIGN_MINUTES else 3
SERVES_WITHIN_S = 60.0
"""From a start, or from the reader's return with its longest back-off, to an open door; some 3 s on a quiet machine."""

LOCKS_WITHIN_S = 10.0
LIVES_S = 4.0
"""A life ends somewhere in its start, while it waits, or while its strike is released."""

SITE = "murat"


@contextmanager
def world_with_a_door(folder: Path) -> Iterator[tuple[World, SimulatedTelecentre]]:
    """Run broker and hub, and the devices of a telecentre; at the end the hub must have what its outbox has."""
    with World(folder, "mosquitto", (), seed=1, events_per_s=0.0) as world:
        world.start()
        with telecentre(world.broker.port) as place:
            yield world, place
            world.hub.stop()
            outbox = place.toml.parent / "outbox" / "outbox.db"
            verdict = verdict_on(committed_at(SITE, outbox)[0], world.database)
    assert verdict.is_right, verdict
    assert not verdict.alarms, verdict


@contextmanager
def agent(place: SimulatedTelecentre) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent; it is killed at the end, unless it has ended."""
    command = [sys.executable, "-m", "edge", "run", "--config", str(place.toml)]
    with (place.toml.parent / "agent.log").open("ab") as log:
        process = subprocess.Popen(command, env=place.environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def has_opened(place: SimulatedTelecentre, before: int) -> bool:
    """Return whether the strike was released more often than before."""
    return place.pulses(STRIKE) > before


def opens(place: SimulatedTelecentre) -> None:
    """Present the badge: the door opens once, and is locked again."""
    before = place.pulses(STRIKE)
    place.bench.call(place.chip.present, Ntag21x(UID))
    assert eventually(partial(has_opened, place, before), SERVES_WITHIN_S), log_of(place)
    place.bench.call(place.chip.remove)
    assert eventually(lambda: not place.level(STRIKE), LOCKS_WITHIN_S)


def events_at(world: World) -> int:
    """Return how many events the hub has."""
    with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
        count: int = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        return count


def ends_well(world: World, place: SimulatedTelecentre, process: subprocess.Popen[bytes]) -> None:
    """Wait until the hub has everything, and stop the agent."""
    settings = read_settings(place.toml).outbox
    # The edge writes a position down with its next event, so its file says less than the hub has.
    has_all = eventually(lambda: events_at(world) == read_status(settings).events, SERVES_WITHIN_S, every_s=0.1)
    assert has_all, log_of(place)
    process.terminate()
    assert process.wait(30) == 0, log_of(place)


def log_of(place: SimulatedTelecentre) -> str:
    """Return the end of what the agents have said."""
    return (place.toml.parent / "agent.log").read_text()[-3000:]


@pytest.mark.timeout(120 + 15 * KILLS)
def test_an_agent_killed_at_random_leaves_its_strike_locked_and_loses_nothing(tmp_path: Path) -> None:
    seed = seed_to_use()
    print(f"TELECENTRE_SEED={seed}")  # noqa: T201 -- a failure must be replayable
    random = Random(seed)
    with world_with_a_door(tmp_path) as (world, place):
        for _ in range(KILLS):
            with agent(place) as process:
                before = place.pulses(STRIKE)
                place.bench.call(place.chip.present, Ntag21x(UID))
                # At any moment of a life, or while the strike is released.
                eventually(partial(has_opened, place, before), random.uniform(0.0, LIVES_S))
                assert process.poll() is None, log_of(place)
                process.kill()
            assert eventually(lambda: not place.level(STRIKE), LOCKS_WITHIN_S)
            place.bench.call(place.chip.remove)
        with agent(place) as process:
            opens(place)
            ends_well(world, place, process)


@pytest.mark.timeout(120 + 15 * UNPLUGS)
def test_a_reader_pulled_out_again_and_again_comes_back_each_time_and_nothing_is_lost(tmp_path: Path) -> None:
    random = Random(seed_to_use())
    with world_with_a_door(tmp_path) as (world, place), agent(place) as process:
        opens(place)
        for _ in range(UNPLUGS):
            if random.random() < 0.5:
                place.bench.call(place.chip.present, Ntag21x(UID))
                # In the middle of what a reader and a badge say to each other.
                place.bench.unplug_after(place.reader_port, random.uniform(0.0, 0.3))
                assert eventually(lambda: not place.reader_port.is_symlink(), LOCKS_WITHIN_S)
                place.bench.call(place.chip.remove)
            else:
                place.bench.unplug(place.reader_port)
            assert eventually(lambda: not place.level(STRIKE), LOCKS_WITHIN_S)
            place.bench.plug(place.reader_port)
            opens(place)
        ends_well(world, place, process)
