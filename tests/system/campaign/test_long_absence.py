"""Three days without a hub: the backlog drains in order over a thin line, and the door does not feel it."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from contract.events import Desk, DeskStateChanged
from edge.outbox import prepare_folder
from simulators.cards import Ntag21x
from tests.support.bench import eventually as soon
from tests.support.edge_site import STRIKE, UID, SimulatedTelecentre, telecentre
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.outbox_agent import Agent, stored_count
from tests.support.waiting import eventually
from tests.system.campaign.world import World

BACKLOG = 20_000
AWAY_MS = 72 * 3_600_000
BYTES_PER_S = 40_000
"""A rural line: the backlog takes some ten seconds."""

TAP_S = 0.4
SLOWEST_TAP_S = 3.0
"""Ten times the middle, and more than ten times the slowest, of a quiet machine; `make bench ARGS=B3` measures them."""

GONE_S = 0.7
"""Longer than a pulse, and than three looks into the field."""


def has_stored(agent: Agent, count: int) -> bool:
    return stored_count(agent.outbox) == count


def fill(folder: Path) -> None:
    """Store three days of events, as an agent without hub does."""
    prepare_folder(folder)
    now_ms = time.time_ns() // 1_000_000
    agent = Agent(folder, wall_ms=now_ms).start()
    for number in range(BACKLOG):
        up = number * AWAY_MS // BACKLOG
        desk = Desk(state="occupied" if number % 2 else "vacant")
        event = DeskStateChanged(subject="desk-01", t=now_ms - AWAY_MS + up, clock="synced", up=up, value=desk)
        agent.put(event)
        if (number + 1) % 2_000 == 0:
            eventually(partial(has_stored, agent, number + 1), what="stored")
    agent.stop()


@contextmanager
def running(site: SimulatedTelecentre) -> Iterator[None]:
    """Run the agent in a process of its own."""
    program = Path(sys.executable).with_name("telecentre-edge")
    command = [str(program), "run", "--config", str(site.toml)]
    process = subprocess.Popen(command, env=site.environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def tap_s(site: SimulatedTelecentre) -> float:
    """Present the badge, and return how long the strike took."""
    before = site.pulses(STRIKE)
    begun_s = time.monotonic()
    site.bench.call(site.chip.present, Ntag21x(UID))
    assert soon(lambda: site.pulses(STRIKE) > before, within_s=20), "the door opens"
    took_s = time.monotonic() - begun_s
    site.bench.call(site.chip.remove)
    threading.Event().wait(GONE_S)
    return took_s


@pytest.mark.timeout(300)
def test_a_backlog_of_three_days_drains_in_order_while_badges_open_the_door(tmp_path: Path) -> None:
    with World(tmp_path, "iotcore", (), seed=0, events_per_s=0) as world:
        world.start()
        with FaultProxy(world.broker.port) as line, telecentre(line.port) as site:
            line.put(Faults(refused=True))
            fill(site.bench.folder / "outbox")

            def positions() -> list[int]:
                with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
                    return [row[0] for row in connection.execute("SELECT position FROM stream ORDER BY rowid")]

            with running(site):
                assert soon(lambda: site.board.connected, within_s=60)
                tap_s(site)
                line.put(Faults(bytes_per_s=BYTES_PER_S))
                eventually(positions, what="the drain begins", within_s=90)
                seen, taps_s = [positions()[0]], list[float]()
                while seen[-1] < BACKLOG:
                    taps_s.append(tap_s(site))
                    seen.append(positions()[0])
                    assert len(seen) < 200, f"the drain stands still: {seen}"
                print(f"drained by {seen}; taps {[round(tap, 3) for tap in taps_s]} s")  # noqa: T201 -- the figures
                eventually(lambda: len(positions()) == 2, what="the events of today come after", within_s=90)
        assert seen == sorted(seen)
        assert len(taps_s) >= 3, "the door was used while the backlog drained"
        assert median(taps_s) < TAP_S
        assert max(taps_s) < SLOWEST_TAP_S
        with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
            question = "SELECT up FROM event JOIN stream USING (site, stream) WHERE boot = ? ORDER BY seq"
            rows = connection.execute(question, ("b" * 32,)).fetchall()
            assert [row[0] for row in rows] == [number * AWAY_MS // BACKLOG for number in range(BACKLOG)]
            (gaps,) = connection.execute("SELECT count(*) FROM gap").fetchone()
        assert gaps == 0
