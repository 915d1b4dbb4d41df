"""What the sending half of TC1 is asked and told: used by its tests."""

from random import Random

from contract.messages import Ack, StreamAck
from edge.core.sender import TIMER_JITTER, Holding, SendBatch, Sender, SendHello

HUB, OTHER_HUB = "a" * 32, "b" * 32
OLD, NEW = "0" * 32, "1" * 32
JITTERED = 1 + TIMER_JITTER


def sender(*, spread_s: float = 30.0, seed: int = 1) -> Sender:
    return Sender(hello_spread_s=spread_s, draw=Random(seed).random)


def answer(hello: SendHello, hub: str = HUB, /, **positions: int) -> Ack:
    """The hub's answer; streams are named by their first digit (s0=5)."""
    of = {digits[1] * 32: seq for digits, seq in positions.items()}
    acks = [StreamAck(stream=item.stream, seq=of.get(item.stream, 0)) for item in hello.streams]
    return Ack(site="murat", hub=hub, hello_id=hello.hello_id, acks=acks)


def advance(stream: str, seq: int, *, hub: str = HUB) -> Ack:
    return Ack(site="murat", hub=hub, acks=[StreamAck(stream=stream, seq=seq)])


def hello_of(edge: Sender, now_s: float) -> SendHello:
    order = edge.next(now_s)
    assert isinstance(order, SendHello)
    return order


def answered(*held: Holding, now_s: float = 0.0, **positions: int) -> Sender:
    edge = sender()
    edge.held(held)
    edge.connected(now_s)
    edge.ack(answer(hello_of(edge, now_s), **positions), now_s)
    return edge


def send_all(edge: Sender, now_s: float) -> list[SendBatch]:
    batches = []
    while isinstance(order := edge.next(now_s), SendBatch):
        batches.append(order)
        edge.sent(order.last, now_s)
    assert order is None
    return batches
