"""A simulated world: edges, a broker that may do everything but forge, a hub, and one clock. No thread, no waiting.

Everything that happens is one step, and comes from one seed. The oracle looks at each step.
"""

from dataclasses import dataclass, field
from random import Random

from contract.messages import Ack
from edge.core.sender import HELLO_EVERY_S, TIMER_MAX_S, Sender
from hub.receiver import receive
from tests.protocol.edges import Edge, Packet
from tests.protocol.hubs import Hub, Receive
from tests.protocol.oracle import Oracle, hold

SITES = ("murat", "ydes")
ROOMY_BYTES, TIGHT_BYTES = 10_000_000, 15_000
"""Quotas of an outbox that is never full, and of one that is full after some 70 events."""

MAX_UNDER_WAY = 300
PEACE_S = 3 * HELLO_EVERY_S
"""Within two routine Hellos everything must have been found out."""


@dataclass(slots=True)
class Weather:
    """What the network does to each message."""

    loss: float = 0.0
    duplication: float = 0.0
    disorder: float = 0.0


@dataclass(slots=True)
class Broker:
    """A pipe: messages under way in both directions, and one retained hint that may be stale."""

    up: list[Packet] = field(default_factory=list)
    down: list[tuple[str, Ack | str]] = field(default_factory=list)
    """Site, and an acknowledgement or the incarnation of a hint."""
    retained: str | None = None
    deaf: bool = False
    """Whether announcements get lost, so that the retained hint stays what it was."""
    partitioned: set[str] = field(default_factory=set)


class World:
    """All parts together. Each public method is one thing that happens; `steps` counts them."""

    def __init__(
        self,
        seed: int,
        *,
        sites: int = 1,
        quota_bytes: int = ROOMY_BYTES,
        sender: type[Sender] = Sender,
        receive_: Receive = receive,
        hub: type[Hub] = Hub,
    ) -> None:
        self.now_s = 0.0
        self.steps = 0
        self.weather = Weather()
        self.broker = Broker()
        self.oracle = Oracle()
        self.random = Random(seed)
        self.edges = [
            Edge(site, self, self.random, self.oracle, quota_bytes=quota_bytes, sender=sender) for site in SITES[:sites]
        ]
        self.hub = hub(self, self.random, self.oracle, self, receive_)

    # What the hub says, as the broker takes it.

    def publish_ack(self, ack: Ack) -> None:
        # The real link reads it from bytes: what a bound of the contract refuses must not pass here either.
        self.broker.down.append((ack.site, Ack.model_validate_json(ack.model_dump_json())))
        del self.broker.down[:-MAX_UNDER_WAY]

    def announce(self, incarnation: str) -> None:
        if self.broker.deaf:
            return
        self.broker.retained = incarnation
        self.broker.down += [(edge.site, incarnation) for edge in self.edges if edge.connected]

    # What happens by itself.

    def pass_time(self, seconds: float) -> None:
        self.steps += 1
        self.now_s += seconds

    def take_turn(self, edge: Edge) -> None:
        """Let an edge store what waits and say what is due."""
        self.store(edge)
        self.speak(edge)

    def store(self, edge: Edge) -> None:
        self.steps += 1
        edge.store()

    def speak(self, edge: Edge) -> None:
        self.steps += 1
        self.broker.up += edge.speak()
        del self.broker.up[:-MAX_UNDER_WAY]

    def work(self, count: int) -> None:
        self.steps += 1
        self.hub.work(count)

    def carry_up(self) -> None:
        """Take one message to the hub, or lose it, or keep a copy for later."""
        self.steps += 1
        waiting = [at for at, packet in enumerate(self.broker.up[:16]) if packet.site not in self.broker.partitioned]
        if waiting:
            packet = self.broker.up.pop(self._choose(waiting))
            if self._happens(self.weather.duplication):
                self.broker.up.append(packet)
            if not self._happens(self.weather.loss):
                self.hub.hear(packet)

    def carry_down(self) -> None:
        """Take one message to its edge, or lose it, or keep a copy for later."""
        self.steps += 1
        waiting = [at for at, (site, _) in enumerate(self.broker.down[:16]) if site not in self.broker.partitioned]
        if waiting:
            site, said = self.broker.down.pop(self._choose(waiting))
            if self._happens(self.weather.duplication):
                self.broker.down.append((site, said))
            if not self._happens(self.weather.loss):
                self._deliver(next(edge for edge in self.edges if edge.site == site), said)

    def run(self, count: int) -> None:
        """Let whatever is due happen, in a random order."""
        for _ in range(count):
            edge = self.random.choice(self.edges)
            chance = self.random.random()
            if chance < 0.25:
                self.carry_up()
            elif chance < 0.5:
                self.carry_down()
            elif chance < 0.65:
                self.work(self.random.choice((1, 1, 2, 8)))
            elif chance < 0.75:
                self.store(edge)
            elif chance < 0.85:
                self.speak(edge)
            elif chance < 0.9:
                edge.put(self.random.randrange(1, 8))
            elif chance < 0.95 and not edge.connected:
                self.connect(edge)
            else:
                self.pass_time(self.random.choice((0.05, 0.5, 3.0)))

    def overrun(self, count: int) -> None:
        """Let the edges observe and speak while the hub is busy with something else."""
        for _ in range(count):
            edge = self.random.choice(self.edges)
            edge.put(1)
            self.take_turn(edge)
            self.carry_up()

    # What people, power and programs do.

    def connect(self, edge: Edge) -> None:
        self.steps += 1
        edge.connect()
        if self.broker.retained is not None:
            edge.hear_hub(self.broker.retained)

    def forget_everything(self) -> None:
        """Lose the broker with all that it held; hub and edges are disconnected, and the hub comes back first."""
        self.steps += 1
        self.broker.up.clear()
        self.broker.down.clear()
        self.broker.retained = None
        for edge in self.edges:
            edge.disconnect()
        self.announce(self.hub.incarnation)

    def heal(self) -> None:
        """End every fault. What was said stays under way, in whatever order."""
        self.weather = Weather()
        self.broker.partitioned.clear()
        self.broker.deaf = False
        self.hub.database.failures.clear()
        for edge in self.edges:
            edge.disk.troubles.clear()
            edge.disk.readable = True
            edge.batch_events = 200

    def settle(self) -> None:
        """Heal everything, and see that all that the edges hold arrives, and that the truth is whole.

        Raises:
            BrokenError: it does not, within two routine Hellos.
        """
        self.heal()
        for edge in self.edges:
            if not edge.connected:
                self.connect(edge)
        until_s = self.now_s + PEACE_S
        while self.now_s < until_s:
            self.talk()
            if self._is_whole():
                self.oracle.check_whole(self.hub.database.streams)
                return
            wakes = [wake_s for edge in self.edges if (wake_s := edge.sender.wake_s()) is not None]
            self.pass_time(max(0.001, min(TIMER_MAX_S, min(wakes, default=self.now_s) - self.now_s)))
        hold(condition=False, sentence="once the world is at peace, everything arrives")

    def talk(self) -> None:
        """Carry everything until nobody has more to say at this moment."""
        said = -1
        while said != self.steps:
            said = self.steps
            for edge in self.edges:
                edge.store()
                self.broker.up += edge.speak()
            while self.broker.up:
                self.carry_up()
            while not self.hub.idle:
                self.work(64)
            while self.broker.down:
                self.carry_down()

    def _is_whole(self) -> bool:
        streams = self.hub.database.streams
        for edge in self.edges:
            if not edge.sender.answered or edge.ledger.status().depth or edge.waiting:
                return False
            for held in edge.ledger.held():
                kept = streams.get((edge.site, held.stream))
                if kept is None or kept.position < held.last:
                    return False
        return True

    def _deliver(self, edge: Edge, said: Ack | str) -> None:
        if not edge.connected:
            return
        if isinstance(said, str):
            edge.hear_hub(said)
        else:
            edge.hear(said)

    def _choose(self, waiting: list[int]) -> int:
        return self.random.choice(waiting) if self._happens(self.weather.disorder) else waiting[0]

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability
