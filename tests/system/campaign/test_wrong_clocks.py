"""A telecentre whose wall clock says 1970, jumps back, or jumps ten years ahead, up to the hub's database."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.events import Clock
from edge.clock import SystemClock
from edge.config import OutboxSettings
from edge.core.effects import Publish
from edge.core.observations import ClockJudged, DeviceReady, Observation, PresenceRead, Tick
from edge.core.site import begin, decide
from edge.outbox import read_status
from tests.support.outbox_agent import Agent, folder, ups
from tests.support.plan import PLAN
from tests.support.waiting import eventually
from tests.system.campaign.linked import is_drained, linked
from tests.system.campaign.world import World

__all__ = ["folder"]  # a fixture

HOUR_S, DAY_MS = 3_600, 86_400_000
TEN_YEARS_MS = 3_650 * DAY_MS
BOOTED_BEFORE_MS = 2 * DAY_MS
CHANGE_EVERY_S = 600
"""Somebody sits down or leaves every ten minutes."""


class Telecentre:
    """The pure core, outbox and link of a site, on clocks that the test moves."""

    def __init__(self, folder: Path, port: int, *, error_ms: int, state: Clock) -> None:
        self.booted_ms = time.time_ns() // 1_000_000 - BOOTED_BEFORE_MS
        self.mono_s = 0.0
        self.error_ms, self.state = error_ms, state
        self.published: list[int] = []
        self._clock = SystemClock(lambda: self.state, lambda: self.mono_s, self.wall_ms)
        self.agent = Agent(folder, wall_ms=self.wall_ms())
        self.agent.start()
        self.link = linked(self.agent, PLAN.site, port)
        self.link.start()
        self._site, effects = begin(PLAN, self._clock.now(), "campaign")
        self._publish(effects)
        self._see(DeviceReady(self._clock.now(), "desk-01-pin"))

    def wall_ms(self) -> int:
        return max(0, self.booted_ms + round(self.mono_s * 1_000) + self.error_ms)

    def lives(self, hours: float) -> None:
        """Let time pass, minute by minute."""
        end_s = self.mono_s + hours * HOUR_S
        while self.mono_s < end_s:
            self.mono_s += 60
            self.agent.wall_ms = self.wall_ms()
            step_ms = self._clock.judge()
            if step_ms is not None:
                self._see(ClockJudged(self._clock.now(), step_ms))
            self._see(Tick(self._clock.now()))
            present = int(self.mono_s) // CHANGE_EVERY_S % 2 == 0
            self._see(PresenceRead(self._clock.now(), "desk-01-pin", present))

    def stop(self) -> None:
        """Hand everything over and stop."""
        eventually(lambda: len(ups(self.agent.outbox)) == len(self.published), what="stored")
        eventually(lambda: is_drained(self.agent, self.link), what="drained", within_s=90)
        self.link.stop(20)
        self.agent.stop()

    def reconnect(self, port: int) -> None:
        """Connect anew, so that a Hello is answered and the outbox may prune."""
        eventually(lambda: is_drained(self.agent, self.link), what="drained", within_s=90)
        self.link.stop(20)
        self.mono_s += 60
        self.agent.wall_ms = self.wall_ms()
        self.link = linked(self.agent, PLAN.site, port)
        self.link.start()
        before = self.agent.outbox.status().acknowledged_at
        eventually(lambda: self.link.online and self.agent.outbox.status().acknowledged_at != before, what="answered")

    def _see(self, seen: Observation) -> None:
        self._site, effects = decide(self._site, seen)
        self._publish(effects)

    def _publish(self, effects: tuple[object, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self.agent.put(effect.event, person=effect.person)
                self.published.append(effect.event.up)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker and a hub of telecentres that never close: there are figures on whatever day this runs."""
    (tmp_path / "world").mkdir()
    with World(tmp_path / "world", "iotcore", (), seed=0, events_per_s=0, opening_hours="24/7") as running:
        running.start()
        yield running


class AtTheHub:
    """What the hub made of it, by a look that shares no code with it."""

    def __init__(self, world: World, site: Telecentre) -> None:
        eventually(world.figures_are_settled, what="the figures are settled", within_s=60)
        world.hub.stop()
        with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
            question = "SELECT up, at_ms, t FROM event JOIN stream USING (site, stream) ORDER BY stream.rowid, seq"
            self.events = connection.execute(question).fetchall()
            self.alarms = {row[0] for row in connection.execute("SELECT reason FROM alarm")}
            self.last_figure_ms = connection.execute(
                "SELECT max(end_ms) FROM day_figure WHERE observed_ms > 0"
            ).fetchone()[0]
            self.observed_ms = connection.execute(
                "SELECT sum(observed_ms) FROM day_figure WHERE resource = 'desk-01'"
            ).fetchone()[0]
        assert [up for up, _, _ in self.events] == site.published, "every event, once, in the order of its life"
        self.errors_ms = {up: at_ms - (site.booted_ms + up) for up, at_ms, _ in self.events if at_ms is not None}
        self.without_time = {up for up, at_ms, _ in self.events if at_ms is None}
        assert '"differences": 0' in world.ask_hub("rebuild", "--json").stdout


@pytest.mark.timeout(300)
def test_a_boot_in_1970_is_timed_once_its_clock_is_set(world: World, folder: Path) -> None:
    booted_ms = time.time_ns() // 1_000_000 - BOOTED_BEFORE_MS
    site = Telecentre(folder, world.broker.port, error_ms=-booted_ms, state="unsynced")
    site.lives(5)
    site.error_ms, site.state = 0, "synced"
    site.lives(5)
    site.stop()
    hub = AtTheHub(world, site)
    assert hub.without_time == set()
    assert max(abs(error_ms) for error_ms in hub.errors_ms.values()) <= 1_000
    assert hub.alarms == set()


@pytest.mark.timeout(300)
def test_ten_years_ahead_nothing_is_pruned_and_no_figure_is_made(world: World, folder: Path) -> None:
    site = Telecentre(folder, world.broker.port, error_ms=0, state="synced")
    site.lives(3)
    before_ms = round(site.mono_s * 1_000)
    # Setting the clock by hand takes the kernel's word that it is synchronised: systemd's file stays.
    site.error_ms, site.state = TEN_YEARS_MS, "holdover"
    site.lives(3)
    site.reconnect(world.broker.port)
    site.lives(1)
    after_ms = round(site.mono_s * 1_000)
    assert read_status(OutboxSettings(folder=folder)).streams[0].first == 1, "nothing is pruned by such a clock"
    site.error_ms, site.state = 0, "synced"
    site.lives(3)
    site.stop()
    hub = AtTheHub(world, site)
    ahead = {up for up in site.published if before_ms + 1_000 < up <= after_ms}
    assert ahead
    assert hub.without_time >= ahead, "ten years ahead is suspect"
    assert max(abs(error_ms) for error_ms in hub.errors_ms.values()) <= 1_000, "the rest is right"
    assert hub.alarms == {"suspect_time"}
    assert hub.last_figure_ms <= time.time_ns() // 1_000_000 + DAY_MS


@pytest.mark.timeout(300)
def test_a_clock_that_jumps_back_changes_neither_order_nor_what_is_kept(world: World, folder: Path) -> None:
    site = Telecentre(folder, world.broker.port, error_ms=0, state="synced")
    site.lives(6)
    site.error_ms = -3 * HOUR_S * 1_000
    site.lives(2)
    site.error_ms = 0
    site.lives(2)
    site.stop()
    hub = AtTheHub(world, site)
    assert hub.without_time == set()
    wrong = [up for up, error_ms in hub.errors_ms.items() if abs(error_ms) > 1_000]
    assert all(6 * HOUR_S * 1_000 < up <= 8 * HOUR_S * 1_000 + 60_000 for up in wrong), (
        "only what the clock said itself"
    )
    assert hub.observed_ms <= 10 * HOUR_S * 1_000, "no hour is counted twice"
    assert read_status(OutboxSettings(folder=folder)).streams[0].first == 1
