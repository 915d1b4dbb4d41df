"""The machine has teeth: each wrong implementation of TC1 is caught within a few worlds."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contract.messages import Ack, StreamAck
from edge.core.sender import Positions, SendBatch, Sender, SendHello
from hub.backlog import Backlog
from hub.custody import Message, Outcome
from hub.receiver import Batch, Receipt, read_batch, receive
from tests.protocol.hubs import Hub, Receive
from tests.protocol.machine import ProtocolMachine
from tests.protocol.oracle import BrokenError, Kept

BUDGET = 200
"""Worlds, some 20 seconds when nothing is found; each of these is found within a tenth of it."""


def caught(machine: type[ProtocolMachine]) -> str:
    """Return the sentence of the invariant that a machine breaks; fail if it breaks none within the budget."""
    with pytest.raises(BrokenError) as broken:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=BUDGET,
                stateful_step_count=50,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return str(broken.value)


class Stubborn(Sender):
    """Keeps its position when a Hello is answered with a lower one."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]  # handed on as they came
        self._highest: dict[str, int] = {}

    def ack(self, ack: Ack, now_s: float) -> Positions | None:
        acks = [StreamAck(stream=it.stream, seq=max(it.seq, self._highest.get(it.stream, 0))) for it in ack.acks]
        positions = super().ack(ack.model_copy(update={"acks": acks}), now_s)
        self._highest.update(positions.of if positions is not None else {})
        return positions


class StubbornMachine(ProtocolMachine):
    sender = Stubborn


class Credulous(Sender):
    """Takes the advance of any hub for one of the hub that answered its Hello."""

    _trusted: str | None = None

    def ack(self, ack: Ack, now_s: float) -> Positions | None:
        if ack.hello_id is None and self._trusted is not None:
            ack = ack.model_copy(update={"hub": self._trusted})
        positions = super().ack(ack, now_s)
        if positions is not None and positions.answered:
            self._trusted = ack.hub
        return positions


class CredulousMachine(ProtocolMachine):
    sender = Credulous


class Forgetful(Sender):
    """Does not look which Hello is answered."""

    _asked: str | None = None

    def next(self, now_s: float) -> SendHello | SendBatch | None:
        order = super().next(now_s)
        if isinstance(order, SendHello):
            self._asked = order.hello_id
        return order

    def ack(self, ack: Ack, now_s: float) -> Positions | None:
        positions = None
        if ack.hello_id is not None and self._asked is not None:
            positions = super().ack(ack.model_copy(update={"hello_id": self._asked}), now_s)
        return positions if positions is not None else super().ack(ack, now_s)


class ForgetfulMachine(ProtocolMachine):
    sender = Forgetful


class Bridge(Sender):
    """Takes what it has sent for what the hub has, as a bridge does with its broker's PUBACK."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]  # handed on as they came
        self._sent_to: dict[str, int] = {}
        self._sending = ""

    def next(self, now_s: float) -> SendHello | SendBatch | None:
        order = super().next(now_s)
        self._sending = order.stream if isinstance(order, SendBatch) else ""
        return order

    def sent(self, last: int, now_s: float) -> None:
        self._sent_to[self._sending] = last
        super().sent(last, now_s)

    def ack(self, ack: Ack, now_s: float) -> Positions | None:
        positions = super().ack(ack, now_s)
        if positions is None:
            return None
        of = {stream: max(seq, self._sent_to.get(stream, 0)) for stream, seq in positions.of.items()}
        return Positions(of, answered=positions.answered)


class BridgeMachine(ProtocolMachine):
    sender = Bridge


class Patient(Sender):
    """Says Hello once on each connection, and waits for the answer however long."""

    _said = False

    def connected(self, now_s: float) -> None:
        self._said = False
        super().connected(now_s)

    def next(self, now_s: float) -> SendHello | SendBatch | None:
        order = super().next(now_s)
        if isinstance(order, SendHello):
            if self._said:
                return None
            self._said = True
        return order


class PatientMachine(ProtocolMachine):
    sender = Patient


class GreedyMachine(ProtocolMachine):
    """Its hub stores a batch that begins beyond the next position."""

    @staticmethod
    def receive() -> Receive:
        def greedy(batch: Batch, committed: int, received_at: int, offset_ms: int | None) -> Receipt:
            return receive(batch, max(committed, batch.header.first - 1), received_at, offset_ms)

        return greedy


class NaiveMachine(ProtocolMachine):
    """Its hub takes what comes again for new."""

    @staticmethod
    def receive() -> Receive:
        def naive(batch: Batch, committed: int, received_at: int, offset_ms: int | None) -> Receipt:
            return receive(batch, min(committed, batch.header.first - 1), received_at, offset_ms)

        return naive


class HastyHub(Hub):
    """Acknowledges what it is about to commit."""

    def commit(self, messages: list[Message]) -> Outcome:
        hoped = Outcome()
        for message in messages:
            if message.channel == "up":
                batch = read_batch(message.site, message.content_type, message.payload)
                kept = self.database.streams.get((message.site, batch.header.stream), Kept())
                position = receive(batch, kept.position, message.received_at, None).position
                hoped.positions.setdefault(message.site, {})[batch.header.stream] = position
        self.promise(hoped)
        return super().commit(messages)


class HastyMachine(ProtocolMachine):
    hub = HastyHub


class LeakyBacklog(Backlog):
    """Takes the later batches of a site of which it dropped one."""

    def _fall_behind(self, site: str) -> None:
        """Forget it."""


class LeakyHub(Hub):
    backlog_of = LeakyBacklog


class LeakyMachine(ProtocolMachine):
    hub = LeakyHub


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        (StubbornMachine, "a position never exceeds"),
        (CredulousMachine, "an advance counts only"),
        (ForgetfulMachine, "only the answer to the last Hello"),
        (BridgeMachine, "a position never exceeds"),
        (PatientMachine, "once the world is at peace"),
        (GreedyMachine, "up to the position everything"),
        (NaiveMachine, "no event is stored twice"),
        (HastyMachine, "a position never exceeds"),
        (LeakyMachine, "nothing waits at the hub behind"),
    ],
)
def test_a_wrong_implementation_is_caught(machine: type[ProtocolMachine], sentence: str) -> None:
    assert sentence in caught(machine)
