"""When the edge says Hello, and which answer it believes."""

import itertools

from contract.messages import Ack, StreamAck
from edge.core.sender import (
    HELLO_EVERY_S,
    Holding,
    Positions,
    SendBatch,
)
from tests.support.sending import (
    HUB,
    JITTERED,
    NEW,
    OLD,
    OTHER_HUB,
    advance,
    answer,
    answered,
    hello_of,
    send_all,
    sender,
)


def test_nothing_is_said_without_a_connection() -> None:
    edge = sender()
    edge.held([Holding(OLD, 1, 5)])
    assert edge.next(0.0) is None
    assert edge.wake_s() is None


def test_a_connection_begins_with_a_hello_that_names_every_stream_held() -> None:
    edge = sender()
    edge.held([Holding(OLD, 3, 9), Holding(NEW, 1, 4)])
    edge.connected(0.0)
    hello = hello_of(edge, 0.0)
    assert hello.streams == (Holding(OLD, 3, 9), Holding(NEW, 1, 4))
    assert len(hello.hello_id) == 16


def test_nothing_is_sent_before_the_hello_is_answered() -> None:
    edge = sender()
    edge.held([Holding(OLD, 1, 5)])
    edge.connected(0.0)
    hello_of(edge, 0.0)
    assert edge.next(1.0) is None


def test_an_answer_to_another_hello_is_ignored() -> None:
    edge = sender()
    edge.held([Holding(OLD, 1, 5)])
    edge.connected(0.0)
    first = hello_of(edge, 0.0)
    edge.connected(1.0)
    hello_of(edge, 1.0)
    assert edge.ack(answer(first), 1.0) is None
    assert not edge.answered


def test_an_answer_that_leaves_out_a_stream_is_ignored() -> None:
    edge = sender()
    edge.held([Holding(OLD, 1, 5), Holding(NEW, 1, 5)])
    edge.connected(0.0)
    hello = hello_of(edge, 0.0)
    partial = Ack(site="murat", hub=HUB, hello_id=hello.hello_id, acks=[StreamAck(stream=OLD, seq=5)])
    assert edge.ack(partial, 0.0) is None
    assert not edge.answered


def test_an_unanswered_hello_is_repeated_with_doubling_pauses_up_to_a_minute() -> None:
    edge = sender()
    edge.connected(0.0)
    times = [0.0]
    hello_of(edge, 0.0)
    for _ in range(8):
        wake_s = edge.wake_s()
        assert wake_s is not None
        assert edge.next(wake_s - 0.001) is None
        hello_of(edge, wake_s)
        times.append(wake_s)
    pauses_s = [after - before for before, after in itertools.pairwise(times)]
    for pause_s, base_s in zip(pauses_s, [5, 10, 20, 40, 60, 60, 60, 60], strict=True):
        assert base_s <= pause_s <= base_s * JITTERED


def test_each_hello_has_an_identity_of_its_own() -> None:
    edge = sender()
    edge.connected(0.0)
    ids = {hello_of(edge, 0.0).hello_id}
    for _ in range(20):
        ids.add(hello_of(edge, edge.wake_s() or 0.0).hello_id)
    assert len(ids) == 21


def test_more_than_200_streams_are_asked_page_by_page() -> None:
    held = [Holding(f"{number:032x}", 1, 1) for number in range(450)]
    edge = sender()
    edge.held(held)
    edge.connected(0.0)
    asked: list[Holding] = []
    for pages_left in (2, 1, 0):
        hello = hello_of(edge, 0.0)
        asked += hello.streams
        told = edge.ack(answer(hello), 0.0)
        assert (told is not None) == (pages_left == 0)
    assert asked == held
    assert edge.answered


def test_pages_answered_by_two_hubs_begin_again_from_the_first() -> None:
    edge = sender()
    edge.held([Holding(f"{number:032x}", 1, 1) for number in range(201)])
    edge.connected(0.0)
    first = hello_of(edge, 0.0)
    edge.ack(answer(first), 0.0)
    second = hello_of(edge, 0.0)
    assert edge.ack(answer(second, OTHER_HUB), 0.0) is None
    assert hello_of(edge, 0.0).streams == first.streams


def test_the_answer_is_the_truth_even_when_it_is_lower() -> None:
    edge = answered(Holding(OLD, 1, 100), s0=100)
    edge.connected(10.0)
    told = edge.ack(answer(hello_of(edge, 10.0), s0=20), 10.0)
    assert told == Positions({OLD: 20}, answered=True)
    assert edge.next(10.0) == SendBatch(OLD, 21, 100)


def test_an_acknowledgement_of_another_hub_brings_a_hello_and_changes_nothing() -> None:
    edge = answered(Holding(OLD, 1, 100))
    send_all(edge, 0.0)
    assert edge.ack(advance(OLD, 100, hub=OTHER_HUB), 1.0) is None
    hello = hello_of(edge, 1.0)
    edge.ack(answer(hello, OTHER_HUB), 1.0)
    assert edge.next(1.0) == SendBatch(OLD, 1, 100)


def test_a_late_acknowledgement_from_before_a_restore_does_not_move_the_position() -> None:
    edge = answered(Holding(OLD, 1, 100), s0=80)
    edge.connected(1.0)
    edge.ack(answer(hello_of(edge, 1.0), OTHER_HUB, s0=10), 1.0)
    edge.ack(advance(OLD, 80, hub=HUB), 1.0)
    edge.ack(answer(hello_of(edge, 1.0), OTHER_HUB, s0=10), 1.0)
    assert edge.next(1.0) == SendBatch(OLD, 11, 100)


def test_a_quiet_link_says_hello_every_15_minutes() -> None:
    edge = answered(Holding(OLD, 1, 10), s0=10)
    assert edge.wake_s() == HELLO_EVERY_S
    assert edge.next(HELLO_EVERY_S - 1) is None
    hello_of(edge, HELLO_EVERY_S)


def test_a_new_incarnation_is_greeted_once_within_the_spread() -> None:
    edge = answered(Holding(OLD, 1, 10), s0=10)
    edge.hub_seen(OTHER_HUB, 100.0)
    wake_s = edge.wake_s() or 0.0
    assert 100.0 <= wake_s <= 130.0
    edge.ack(answer(hello_of(edge, wake_s), OTHER_HUB, s0=10), wake_s)
    edge.hub_seen(OTHER_HUB, wake_s)
    assert edge.wake_s() == wake_s + HELLO_EVERY_S


def test_a_stale_retained_incarnation_costs_one_hello_only() -> None:
    edge = answered(Holding(OLD, 1, 10), s0=10)
    edge.hub_seen(OTHER_HUB, 0.0)
    wake_s = edge.wake_s() or 0.0
    edge.ack(answer(hello_of(edge, wake_s), HUB, s0=10), wake_s)
    edge.hub_seen(OTHER_HUB, wake_s)
    assert edge.wake_s() == wake_s + HELLO_EVERY_S


def test_the_incarnation_that_has_just_answered_is_not_greeted_again() -> None:
    edge = sender()
    edge.connected(0.0)
    hello = hello_of(edge, 0.0)
    edge.hub_seen(HUB, 0.0)
    edge.ack(answer(hello), 0.1)
    assert edge.wake_s() == 0.1 + HELLO_EVERY_S
