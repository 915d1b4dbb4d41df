"""The state machine: hypothesis chooses what goes wrong and when, between turns of a world that runs by itself."""

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.core.sender import Sender
from hub.receiver import receive
from tests.protocol.disk import Trouble
from tests.protocol.edges import Edge
from tests.protocol.hubs import Failure, Hub, Receive
from tests.protocol.world import ROOMY_BYTES, SITES, TIGHT_BYTES, Weather, World

WHICH = st.integers(0, len(SITES) - 1)
CHANCES = st.sampled_from((0.0, 0.0, 0.1, 0.5))
DAY_S = 86_400.0
BETWEEN_FAULTS = 40
"""Steps at most between two faults: enough for a Hello, its answer, and some batches."""


Act = Callable[..., None]


def fault(**arguments: Any) -> Callable[[Act], Act]:  # noqa: ANN401 -- strategies of every type
    """Let hypothesis choose when something happens; then the world goes on by itself for a moment."""

    def decorate(happens: Act) -> Act:
        @functools.wraps(happens)
        def happens_and_goes_on(machine: "ProtocolMachine", **chosen: object) -> None:
            machine.unbroken = False
            happens(machine, **chosen)
            machine.world.run(machine.world.random.randrange(BETWEEN_FAULTS))
            machine.unbroken = True

        chosen: Act = rule(**arguments)(happens_and_goes_on)  # type: ignore[no-untyped-call]  # too general for its types
        return chosen

    return decorate


class ProtocolMachine(RuleBasedStateMachine):
    """TC1 under every fault at once. Subclasses put a wrong part in the place of a right one."""

    sender: type[Sender] = Sender
    hub: type[Hub] = Hub
    unbroken = False
    steps = 0
    """Steps of all worlds of this process, for the measure of speed."""

    @staticmethod
    def receive() -> Receive:
        return receive

    @initialize(seed=st.integers(0, 2**32 - 1), sites=st.integers(1, len(SITES)), tight=st.booleans())
    def begin(self, seed: int, sites: int, tight: bool) -> None:
        quota_bytes = TIGHT_BYTES if tight else ROOMY_BYTES
        self.world = World(
            seed, sites=sites, quota_bytes=quota_bytes, sender=self.sender, receive_=self.receive(), hub=self.hub
        )
        for edge in self.world.edges:
            edge.put(5)
            self.world.connect(edge)
        self.unbroken = True

    def edge(self, which: int) -> Edge:
        return self.world.edges[which % len(self.world.edges)]

    @fault(count=st.integers(1, 100))
    def run(self, count: int) -> None:
        self.world.run(count)

    @fault(which=WHICH, count=st.integers(1, 30), unwelcome=st.sampled_from((False, False, False, True)))
    def put(self, which: int, count: int, unwelcome: bool) -> None:
        self.edge(which).put(count, unwelcome=unwelcome)
        self.world.take_turn(self.edge(which))

    @fault(count=st.integers(20, 80))
    def keep_the_hub_busy(self, count: int) -> None:
        self.world.overrun(count)

    @fault(which=WHICH, events=st.sampled_from((1, 3, 10, 200)))
    def cut_batches(self, which: int, events: int) -> None:
        self.edge(which).batch_events = events

    @fault(seconds=st.sampled_from((6.0, 31.0, 65.0, 901.0, 31 * DAY_S)))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # The network and the broker.

    @fault(loss=CHANCES, duplication=CHANCES, disorder=CHANCES)
    def change_weather(self, loss: float, duplication: float, disorder: float) -> None:
        self.world.weather = Weather(loss, duplication, disorder)

    @fault(which=WHICH)
    def part_or_join(self, which: int) -> None:
        self.world.broker.partitioned ^= {self.edge(which).site}

    @fault(which=WHICH, on=st.sampled_from((True, True, False)))
    def reconnect(self, which: int, on: bool) -> None:
        self.edge(which).disconnect()
        if on:
            self.world.connect(self.edge(which))

    @fault()
    def lose_the_broker(self) -> None:
        self.world.forget_everything()

    @fault(deaf=st.booleans())
    def keep_the_retained_hint(self, deaf: bool) -> None:
        self.world.broker.deaf = deaf

    # An edge.

    @fault(which=WHICH, transactions=st.integers(0, 3), connected=st.sampled_from((True, True, False)))
    def cut_power(self, which: int, transactions: int, connected: bool) -> None:
        self.edge(which).cut_power(transactions)
        if connected:
            self.world.connect(self.edge(which))

    @fault(which=WHICH, troubles=st.lists(st.sampled_from(("works", "refuses", "fails", "durable")), max_size=3))
    def trouble_the_disk(self, which: int, troubles: list[Trouble]) -> None:
        self.edge(which).disk.troubles.extend(troubles)

    @fault(which=WHICH, garble=st.booleans())
    def damage_a_row(self, which: int, garble: bool) -> None:
        edge = self.edge(which)
        held = edge.ledger.held()
        if held:
            chosen = self.world.random.choice(held)
            edge.disk.damage(chosen.stream, self.world.random.randint(chosen.first, chosen.last), garble=garble)

    @fault(which=WHICH, readable=st.booleans())
    def take_the_disk_away(self, which: int, readable: bool) -> None:
        self.edge(which).disk.readable = readable

    @fault(which=WHICH, days=st.sampled_from((-40, 0, 40)), synced=st.booleans())
    def set_the_clock_wrong(self, which: int, days: int, synced: bool) -> None:
        edge = self.edge(which)
        edge.clock, edge.clock_error_ms = "synced" if synced else "unsynced", int(days * DAY_S * 1000)

    # The hub.

    @fault()
    def restart_the_hub(self) -> None:
        self.world.hub.restart()

    @fault()
    def kill_the_hub_after_its_commit(self) -> None:
        self.world.hub.work(8, promise=False)

    @fault(failures=st.lists(st.sampled_from(("works", "away", "fails", "durable")), min_size=1, max_size=4))
    def trouble_the_database(self, failures: list[Failure]) -> None:
        self.world.hub.database.failures.extend(failures)

    @fault()
    def back_up(self) -> None:
        self.world.hub.database.back_up()

    @fault()
    def restore(self) -> None:
        self.world.hub.restore()

    @invariant()
    def the_database_is_whole(self) -> None:
        if self.unbroken:
            self.unbroken = False
            self.world.oracle.check(self.world.hub.database.streams)
            self.unbroken = True

    def teardown(self) -> None:
        # After a broken invariant, peace would only hide its sentence behind another.
        if self.unbroken:
            self.world.settle()
            ProtocolMachine.steps += self.world.steps
