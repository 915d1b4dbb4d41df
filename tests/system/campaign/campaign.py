"""A fault campaign: real processes, faults from a seed, and then the question whether anything was lost.

The plan is the same for the same seed; what a fault meets is not, because processes run as the machine lets them. A
replay thus repeats what was done, and most often what came of it.
"""

import heapq
import itertools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.support.brokers import Kind
from tests.support.fault_proxy import NO_FAULTS
from tests.support.waiting import eventually
from tests.system.campaign.events import event_of
from tests.system.campaign.oracle import History, Verdict, committed_at, verdict_on
from tests.system.campaign.plan import BROKER, HUB, BadLine, Kill, plan_of
from tests.system.campaign.world import Process, World

SITES = (
    "aurillac",
    "saint-flour",
    "murat",
    "mauriac",
    "allanche",
    "ydes",
)
AGAIN_S = 0.3
"""A kill that finds its victim dead waits for its next life: each counted kill has killed something."""

LIVE_S = 60.0
"""How long a process may take to begin a life on a busy machine."""

STORES_WITHIN_S = 120.0
"""The events that a campaign needs at least, on a machine whose processes take long to begin."""

DRAINS_WITHIN_S = 180.0
"""An edge whose line was bad for long tries again once a minute, and asks the hub once a minute."""

_STORED = re.compile(r"^stored ([0-9a-f]{32}) ([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a campaign is."""

    lasts_s: float
    kills: int
    bad_lines: int
    events_per_s: float
    """Of each site."""
    sites: tuple[str, ...] = SITES
    least_events: int = 0
    """It goes on until so many are stored, whatever the machine's load."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign did and what came of it."""

    seed: int
    broker: Kind
    lasted_s: float
    events: int
    kills: dict[str, int]
    bad_lines: dict[str, int]
    drained_s: float
    verdict: Verdict
    differences: int
    """Figures of the hub that a full recomputation finds different."""

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, {self.broker}: {self.events:,} events, {sum(self.kills.values())} kills {self.kills},"
            f" {sum(self.bad_lines.values())} bad lines {self.bad_lines} in {self.lasted_s:.0f} s;"
            f" drained {self.drained_s:.1f} s after the last; {self.verdict}; figures different: {self.differences}"
        )


def seed_to_use() -> int:
    """Return the seed that TELECENTRE_SEED asks for, or a new one."""
    asked = os.environ.get("TELECENTRE_SEED")
    return int(asked) if asked else Random().getrandbits(32)


def run(folder: Path, kind: Kind, size: Size, seed: int) -> Outcome:
    """Run a campaign and judge it."""
    with World(folder, kind, size.sites, seed=seed, events_per_s=size.events_per_s) as world:
        world.start()
        begun_s = time.monotonic()
        bad_lines = _Executor(world).execute(
            plan_of(seed, sites=size.sites, lasts_s=size.lasts_s, kills=size.kills, bad_lines=size.bad_lines)
        )
        eventually(
            lambda: stored_count(world) >= size.least_events, what="enough events are stored", within_s=STORES_WITHIN_S
        )
        lasted_s = time.monotonic() - begun_s
        drain(world)
        drained_s = time.monotonic() - begun_s - lasted_s
        eventually(world.figures_are_settled, what="the figures are settled", within_s=DRAINS_WITHIN_S)
        world.hub.stop()
        edges = committed(world)
        rebuilt = world.ask_hub("rebuild", "--json")
        kills = {
            "edges": sum(edge.kills for edge in world.edges.values()),
            HUB: world.hub.kills,
            BROKER: world.broker_kills,
        }
        return Outcome(
            seed=seed,
            broker=kind,
            lasted_s=lasted_s,
            events=len(edges.digests),
            kills=kills,
            bad_lines=dict(bad_lines),
            drained_s=drained_s,
            verdict=verdict_on(edges, world.database),
            differences=json.loads(rebuilt.stdout)["differences"],
        )


class _Executor:
    """Carries a plan out, one act after the other, each not before its time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._bad_lines: Counter[str] = Counter()
        self._begun_s = time.monotonic()

    def execute(self, plan: list[Kill | BadLine]) -> Counter[str]:
        """Do everything, then heal everything; return how many lines were bad in which way."""
        for fault in plan:
            act = partial(self._kill, fault) if isinstance(fault, Kill) else partial(self._spoil, fault)
            self._at(fault.at_s, act)
        while self._due:
            at_s, _, act_now = heapq.heappop(self._due)
            time.sleep(max(0.0, at_s - self._now_s()))
            act_now()
        return self._bad_lines

    def _now_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _at(self, at_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at_s, next(self._order), act))

    def _kill(self, fault: Kill) -> None:
        world = self._world
        if not world.is_running(fault.victim):
            self._at(self._now_s() + AGAIN_S, partial(self._kill, fault))
            return
        world.kill(fault.victim)
        self._at(self._now_s() + fault.away_s, partial(world.revive, fault.victim, rebooted=fault.rebooted))

    def _spoil(self, fault: BadLine) -> None:
        line = self._world.lines[fault.whose]
        self._bad_lines[fault.trouble] += 1
        if fault.trouble == "cut":
            line.cut()
        elif fault.trouble == "cut_after":
            line.cut_after(fault.cut_bytes)
        else:
            line.put(fault.faults)
            self._at(self._now_s() + fault.for_s, partial(line.put, NO_FAULTS))


def stored_count(world: World) -> int:
    """Return how many events the edges said to be stored, over all their lives."""
    # A stream says its position again and again, each time a higher one.
    lasts = {stream: int(last) for edge in world.edges.values() for stream, last in _STORED.findall(edge.said())}
    return sum(lasts.values())


def drain(world: World) -> None:
    """Let the edges observe no more, and wait until the hub has everything; then stop them."""
    for edge in world.edges.values():
        edge.tell("enough")
    for edge in world.edges.values():
        eventually(
            partial(_has_drained, edge),
            what=f"{edge.name} has handed everything over: {edge.said()[-500:]}",
            within_s=DRAINS_WITHIN_S,
        )
    for edge in world.edges.values():
        edge.stop()


def _has_drained(edge: Process) -> bool:
    return edge.is_running and "\ndrained " in edge.said()


def committed(world: World) -> History:
    """Return what the edges committed, which must be all that they said they had, in order and without a hole."""
    history = History()
    for site, edge in world.edges.items():
        of_site, numbers = committed_at(site, world.outbox_of(site))
        history.digests |= of_site.digests
        history.persons |= of_site.persons
        for key, number in of_site.blanked.items():
            # The telecentre's days pass in seconds, so the edge forgets within a campaign; the seed still knows.
            _, person = event_of(f"{world.seed} {site}", number, 0, life=number - 1, rebooted=False)
            assert person is not None, f"{key}: an access event without a person"
            history.persons[key] = person
        assert "crash" not in edge.said(), edge.said()[-2000:]
        assert numbers == list(range(len(numbers))), f"{site}: an event is missing, twice, or out of order"
        for stream, last in _STORED.findall(edge.said()):
            assert (site, stream, int(last)) in history.digests, f"{site}: said to be stored, and is not in the file"
    return history
