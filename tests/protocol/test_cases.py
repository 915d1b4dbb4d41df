"""Each case that broke an earlier draft of TC1, one by one: real sender and receiver, simulated world."""

from pathlib import Path

import pytest

from contract.events import decode
from contract.limits import MAX_HELLO_STREAMS
from contract.messages import Ack, encode_batch
from edge.core.sender import HELLO_EVERY_S, TIMER_JITTER, TIMER_MIN_S
from hub.custody import Message, commit
from hub.receiver import Batch
from tests.hub.test_receiver import NOW, STREAM, batch, desk
from tests.protocol.edges import HELLO_SPREAD_S, Edge
from tests.protocol.hubs import Failure
from tests.protocol.oracle import Kept
from tests.protocol.world import TIGHT_BYTES, World
from tests.support.telecentres import cantal

DAY_S = 86_400.0
TIMER_S = TIMER_MIN_S * (1 + TIMER_JITTER)


def connected(events: int, *, quota_bytes: int | None = None) -> tuple[World, Edge]:
    """Return a world at peace with one edge that has put so many events, connected and not yet heard."""
    world = World(1) if quota_bytes is None else World(1, quota_bytes=quota_bytes)
    edge = world.edges[0]
    edge.put(events)
    edge.store()
    world.connect(edge)
    return world, edge


def kept(world: World) -> list[Kept]:
    """Return what the hub has, stream by stream, oldest first."""
    return list(world.hub.database.streams.values())


def stored_count(world: World) -> int:
    return sum(len(it.rows) for it in kept(world))


def said(world: World, channel: str) -> int:
    return sum(packet.channel == channel for packet in world.broker.up)


def take_down(world: World) -> list[tuple[str, Ack | str]]:
    """Hold up everything that the broker has for the edges."""
    held, world.broker.down[:] = list(world.broker.down), []
    return held


def test_a_hub_restored_under_a_running_connection_gets_again_what_it_lost() -> None:
    world, edge = connected(6)
    world.talk()
    world.hub.database.back_up()
    edge.put(4)
    world.talk()
    assert stored_count(world) == 10
    world.hub.restore()
    assert stored_count(world) == 6
    world.talk()
    world.pass_time(HELLO_SPREAD_S)
    world.talk()
    assert stored_count(world) == 10


def test_a_hub_restored_in_silence_is_found_out_by_the_next_event() -> None:
    world, edge = connected(10)
    world.talk()
    world.broker.deaf = True
    world.hub.restore()
    edge.put(1)
    world.talk()
    assert stored_count(world) == 11


def test_a_hub_restored_in_silence_is_found_out_by_the_routine_hello_of_a_quiet_site() -> None:
    world, _ = connected(10)
    world.talk()
    world.broker.deaf = True
    world.hub.restore()
    world.talk()
    assert stored_count(world) == 0
    world.pass_time(HELLO_EVERY_S)
    world.talk()
    assert stored_count(world) == 10


def test_a_late_acknowledgement_from_before_a_restore_moves_nothing() -> None:
    world, edge = connected(0)
    world.talk()
    edge.put(10)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    late = take_down(world)
    assert isinstance(late[0][1], Ack)
    assert late[0][1].acks[0].seq == 10
    world.hub.restore()
    world.talk()
    world.pass_time(HELLO_SPREAD_S)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    world.carry_down()
    assert edge.sender.answered
    world.broker.down += late
    world.carry_down()
    assert edge.ledger.status().depth == 10
    world.settle()
    assert stored_count(world) == 10


def test_a_lost_hello_answer_is_asked_for_again_by_the_timer() -> None:
    world, edge = connected(5)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    assert len(take_down(world)) == 1
    world.talk()
    assert not edge.sender.answered
    world.pass_time(TIMER_S)
    world.talk()
    assert edge.sender.answered
    assert stored_count(world) == 5


def test_a_stream_is_not_starved_while_another_progresses() -> None:
    world, edge = connected(3)
    edge.start()
    edge.put(1)
    world.connect(edge)
    older = edge.ledger.held()[0].stream
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    world.carry_down()
    world.take_turn(edge)
    assert said(world, "up") == 1
    world.broker.up.clear()  # the batch of the older stream is lost
    for _ in range(int(2 * TIMER_S)):
        edge.put(1)
        world.talk()
        world.pass_time(1.0)
    assert world.hub.database.streams[edge.site, older].position == 3
    assert edge.ledger.status().depth == 0


def test_two_batches_of_one_stream_in_one_transaction_are_both_stored() -> None:
    world, edge = connected(6)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    world.carry_down()
    edge.batch_events = 3
    world.take_turn(edge)
    assert said(world, "up") == 2
    world.carry_up()
    world.carry_up()
    world.work(2)
    (answer,) = take_down(world)
    assert isinstance(answer[1], Ack)
    assert [ack.seq for ack in answer[1].acks] == [6]
    assert stored_count(world) == 6


def test_two_batches_of_one_stream_in_one_transaction_of_the_real_store_are_both_stored(tmp_path: Path) -> None:
    store = cantal(tmp_path)
    writer = store.writer()
    batches = [batch(desk(), desk("vacant")), batch(desk(), first=3), batch(desk(), desk("vacant"), desk())]
    outcome = commit(writer, [message(it) for it in batches])
    assert outcome.positions == {"murat": {STREAM: 3}}
    assert outcome.stored == 3
    assert (store.totals().events, store.totals().quarantined) == (3, 0)
    writer.close()
    store.close()


def message(sent: Batch) -> Message:
    content_type, payload = encode_batch(sent.header, sent.lines)
    return Message(1, 1, 1, sent.header.site, "up", content_type, payload, NOW)


def test_an_event_that_the_database_refuses_is_set_aside_and_blocks_nobody() -> None:
    world, edge = connected(4)
    edge.put(4, unwelcome=True)
    world.talk()
    (stream,) = kept(world)
    assert stream.aside == {5}
    assert sorted(stream.rows) == [1, 2, 3, 4, 6, 7, 8]
    assert edge.ledger.status().depth == 0
    world.settle()


def test_an_unreadable_row_is_told_as_lost_under_its_own_position() -> None:
    world, edge = connected(5)
    stream = edge.ledger.held()[0].stream
    edge.disk.damage(stream, 3, garble=False)
    _, rows = edge.disk.read(stream, 1, 5) or ("", [])
    assert [decode(line).kind == "lost" for line, _ in rows] == [False, False, True, False, False]
    world.settle()
    assert stored_count(world) == 5


def test_a_garbled_row_is_set_aside_under_its_own_position() -> None:
    world, edge = connected(5)
    edge.disk.damage(edge.ledger.held()[0].stream, 3, garble=True)
    world.settle()
    assert kept(world)[0].aside == {3}
    assert sorted(kept(world)[0].rows) == [1, 2, 4, 5]


def test_a_clock_that_is_wrong_prunes_nothing_that_the_hub_does_not_have() -> None:
    world, edge = connected(10)
    world.talk()
    edge.put(10)
    edge.store()
    edge.clock_error_ms = int(400 * DAY_S * 1000)
    # The wrong clock counts as synchronised and stamps an event: from then on it says how old the others are.
    edge.put(1)
    edge.store()
    world.pass_time(HELLO_EVERY_S)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    world.carry_down()
    edge.store()
    held = edge.ledger.held()[0]
    assert (held.first, held.last) == (11, 21)
    world.settle()
    assert stored_count(world) == 21


def test_a_clock_that_was_not_set_makes_no_event_old() -> None:
    world = World(1)
    edge = world.edges[0]
    edge.clock, edge.clock_error_ms = "unsynced", int(-50 * 365 * DAY_S * 1000)
    edge.put(10)
    edge.store()
    edge.clock, edge.clock_error_ms = "synced", 0
    world.connect(edge)
    edge.put(1)
    world.settle()
    world.pass_time(HELLO_EVERY_S)
    world.talk()
    assert edge.ledger.held()[0].first == 1, "rows stamped in 1970 are not 50 years old"


def test_a_full_disk_of_acknowledged_rows_makes_room_although_nobody_answers() -> None:
    world, edge = connected(50, quota_bytes=TIGHT_BYTES)
    world.talk()
    assert edge.ledger.status().depth == 0
    edge.disconnect()
    for _ in range(4):
        edge.put(10)
        edge.store()
    assert edge.ledger.status().depth == 40
    assert edge.ledger.status().refused_count == 0
    assert edge.ledger.held()[0].first > 1
    world.settle()
    assert stored_count(world) == 90


def test_an_edge_whose_commit_raised_although_durable_stores_each_event_once() -> None:
    world, edge = connected(3)
    edge.disk.troubles.append("durable")
    edge.put(4)
    edge.store()
    edge.put(2)
    world.settle()
    assert stored_count(world) == 9
    assert [held.last for held in edge.ledger.held()] == [7, 2], "after a storage error begins a new stream"


def test_an_edge_whose_commit_failed_stores_each_event_once_in_a_new_stream() -> None:
    world, edge = connected(3)
    edge.disk.troubles.append("fails")
    edge.put(4)
    edge.store()
    world.settle()
    assert stored_count(world) == 7
    assert [held.last for held in edge.ledger.held()] == [3, 4]


@pytest.mark.parametrize("failure", ["away", "fails", "durable"])
def test_a_hub_whose_commit_raised_promises_nothing_and_stores_each_event_once(failure: Failure) -> None:
    world, edge = connected(5)
    world.take_turn(edge)
    world.carry_up()
    world.work(1)
    world.carry_down()
    world.take_turn(edge)
    before = world.hub.incarnation
    world.hub.database.failures.append(failure)
    world.carry_up()
    world.work(1)
    assert not any(isinstance(heard, Ack) for _, heard in world.broker.down)
    assert world.hub.incarnation != before
    assert stored_count(world) == (5 if failure == "durable" else 0)
    world.settle()
    assert stored_count(world) == 5


def test_after_300_restarts_every_stream_is_asked_for_and_arrives() -> None:
    world, edge = connected(1)
    for _ in range(300):
        edge.start()
        edge.put(2)
        edge.store()
    assert len(edge.ledger.held()) == 301 > MAX_HELLO_STREAMS
    world.settle()
    assert stored_count(world) == 601
    assert all(stream.position == len(stream.rows) for stream in kept(world))


def test_a_stale_retained_hint_costs_one_hello_and_no_event() -> None:
    world, edge = connected(5)
    world.talk()
    world.broker.deaf = True
    world.hub.restart()
    edge.start()
    world.connect(edge)
    world.talk()
    hellos = 0
    for _ in range(20):
        world.pass_time(HELLO_SPREAD_S)
        world.take_turn(edge)
        hellos += said(world, "hello")
        world.talk()
    assert hellos == 1
    edge.put(1)
    world.talk()
    assert stored_count(world) == 6


def test_what_a_full_backlog_drops_comes_after_the_next_hello() -> None:
    world, edge = connected(1)
    world.talk()
    edge.batch_events = 10
    edge.put(400)
    world.take_turn(edge)
    while world.broker.up:
        world.carry_up()
    assert world.hub.dropped > 0
    world.settle()
    assert stored_count(world) == 401
