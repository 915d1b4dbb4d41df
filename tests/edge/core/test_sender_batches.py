"""What the edge sends after an answer: from where, how much at once, and when again."""

from edge.core.sender import TIMER_MAX_S, TIMER_MIN_S, WINDOW_BATCHES, Holding, Positions, SendBatch
from tests.support.sending import JITTERED, NEW, OLD, advance, answer, answered, hello_of, send_all, sender


def test_sending_starts_after_the_position_that_the_answer_names() -> None:
    edge = answered(Holding(OLD, 1, 5), s0=2)
    assert edge.next(0.0) == SendBatch(OLD, 3, 5)


def test_batches_have_200_events_at_most_and_32_are_in_flight() -> None:
    edge = answered(Holding(OLD, 1, 10_000))
    batches = send_all(edge, 0.0)
    assert [batch.first for batch in batches] == list(range(1, 32 * 200, 200))
    assert {batch.last - batch.first + 1 for batch in batches} == {200}
    assert len(batches) == WINDOW_BATCHES


def test_an_acknowledgement_opens_the_window() -> None:
    edge = answered(Holding(OLD, 1, 10_000))
    send_all(edge, 0.0)
    assert edge.ack(advance(OLD, 400), 1.0) == Positions({OLD: 400}, answered=False)
    assert [batch.first for batch in send_all(edge, 1.0)] == [6401, 6601]


def test_a_batch_that_was_cut_short_is_followed_without_a_hole() -> None:
    edge = answered(Holding(OLD, 1, 300))
    assert edge.next(0.0) == SendBatch(OLD, 1, 200)
    edge.sent(37, 0.0)
    assert edge.next(0.0) == SendBatch(OLD, 38, 237)


def test_an_advance_never_moves_a_position_down() -> None:
    edge = answered(Holding(OLD, 1, 100), s0=50)
    send_all(edge, 0.0)
    assert edge.ack(advance(OLD, 40), 1.0) is None
    assert edge.next(1.0) is None


def test_the_next_stream_waits_until_the_older_is_wholly_acknowledged() -> None:
    edge = answered(Holding(OLD, 1, 10), Holding(NEW, 1, 10))
    assert send_all(edge, 0.0) == [SendBatch(OLD, 1, 10)]
    edge.ack(advance(OLD, 9), 1.0)
    assert send_all(edge, 1.0) == []
    edge.ack(advance(OLD, 10), 2.0)
    assert send_all(edge, 2.0) == [SendBatch(NEW, 1, 10)]


def test_a_stream_that_began_after_the_hello_is_sent_from_its_first_event() -> None:
    edge = answered(Holding(OLD, 1, 10), s0=10)
    edge.held([Holding(OLD, 1, 10), Holding(NEW, 1, 2)])
    assert edge.next(1.0) == SendBatch(NEW, 1, 2)


def test_without_progress_the_timer_brings_a_hello_and_sending_starts_again_from_the_truth() -> None:
    edge = answered(Holding(OLD, 1, 100))
    send_all(edge, 0.0)
    wake_s = edge.wake_s() or 0.0
    assert TIMER_MIN_S <= wake_s <= TIMER_MIN_S * JITTERED
    edge.ack(answer(hello_of(edge, wake_s), s0=60), wake_s)
    assert edge.next(wake_s) == SendBatch(OLD, 61, 100)


def test_progress_restarts_the_timer() -> None:
    edge = answered(Holding(OLD, 1, 1000))
    send_all(edge, 0.0)
    edge.ack(advance(OLD, 200), 4.0)
    assert (edge.wake_s() or 0.0) >= 4.0 + TIMER_MIN_S


def test_the_timer_follows_a_slow_line_up_to_a_minute() -> None:
    for round_trip_s, timer_s in ((4.0, 16.0), (40.0, TIMER_MAX_S)):
        edge = sender()
        edge.held([Holding(OLD, 1, 10)])
        edge.connected(0.0)
        edge.ack(answer(hello_of(edge, 0.0), s0=5), round_trip_s)
        send_all(edge, round_trip_s)
        assert timer_s <= (edge.wake_s() or 0.0) - round_trip_s <= timer_s * JITTERED


def test_rows_that_cannot_be_read_stop_sending_until_the_next_hello() -> None:
    edge = answered(Holding(OLD, 1, 10))
    assert edge.next(0.0) is not None
    edge.unreadable(0.0)
    assert edge.next(1.0) is None
    wake_s = edge.wake_s() or 0.0
    edge.ack(answer(hello_of(edge, wake_s)), wake_s)
    assert edge.next(wake_s) == SendBatch(OLD, 1, 10)


def test_a_hub_behind_the_front_of_a_stream_is_told_so_by_the_next_hello() -> None:
    edge = answered(Holding(OLD, 1, 10))
    edge.held([Holding(OLD, 6, 10)])
    assert edge.next(0.0) is None
    wake_s = edge.wake_s() or 0.0
    hello = hello_of(edge, wake_s)
    assert hello.streams == (Holding(OLD, 6, 10),)
    edge.ack(answer(hello, s0=5), wake_s)
    assert edge.next(wake_s) == SendBatch(OLD, 6, 10)


def test_a_lost_connection_forgets_what_was_under_way() -> None:
    edge = answered(Holding(OLD, 1, 100))
    send_all(edge, 0.0)
    edge.disconnected()
    assert edge.next(100.0) is None
    assert edge.ack(advance(OLD, 100), 100.0) is None
