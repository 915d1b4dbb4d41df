import itertools
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.messages import Ack, StreamAck
from edge.core.sender import (
    HELLO_EVERY_S,
    TIMER_JITTER,
    TIMER_MAX_S,
    TIMER_MIN_S,
    WINDOW_BATCHES,
    Holding,
    Positions,
    SendBatch,
    Sender,
    SendHello,
)

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


def test_sending_starts_after_the_position_that_the_answer_names() -> None:
    edge = answered(Holding(OLD, 1, 5), s0=2)
    assert edge.next(0.0) == SendBatch(OLD, 3, 5)


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


def test_the_answer_is_the_truth_even_when_it_is_lower() -> None:
    edge = answered(Holding(OLD, 1, 100), s0=100)
    edge.connected(10.0)
    told = edge.ack(answer(hello_of(edge, 10.0), s0=20), 10.0)
    assert told == Positions({OLD: 20}, answered=True)
    assert edge.next(10.0) == SendBatch(OLD, 21, 100)


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


# --- The whole conversation: a small hub and a network that loses, repeats, delays and reorders ------------------


@dataclass
class SmallHub:
    """The hub's side of TC1 as sets of rows, written from the protocol and not from the sender."""

    incarnation: str = HUB
    rows: dict[str, set[int]] = field(default_factory=dict)
    gaps: dict[str, set[int]] = field(default_factory=dict)

    def height(self, stream: str) -> int:
        return max(self.rows.get(stream, set()) | self.gaps.get(stream, set()), default=0)

    def hear(self, order: SendHello | SendBatch) -> Ack:
        if isinstance(order, SendBatch):
            if order.first <= self.height(order.stream) + 1:
                self.rows.setdefault(order.stream, set()).update(range(order.first, order.last + 1))
            return self._ack([order.stream], None)
        for held in order.streams:
            if held.first > self.height(held.stream) + 1:
                lost = range(self.height(held.stream) + 1, held.first)
                self.gaps.setdefault(held.stream, set()).update(lost)
        return self._ack([held.stream for held in order.streams], order.hello_id)

    def _ack(self, streams: list[str], hello_id: str | None) -> Ack:
        acks = [StreamAck(stream=stream, seq=self.height(stream)) for stream in streams]
        return Ack(site="murat", hub=self.incarnation, acks=acks, hello_id=hello_id)


@dataclass
class World:
    """One edge, one hub, and everything under way between them, moved by a seeded script."""

    random: Random
    edge: Sender = field(init=False)
    hub: SmallHub = field(default_factory=SmallHub)
    now_s: float = 0.0
    lasts: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    connected: bool = False
    up: list[SendHello | SendBatch] = field(default_factory=list)
    down: list[Ack] = field(default_factory=list)
    ever_committed: dict[str, int] = field(default_factory=dict)
    pruned: dict[str, int] = field(default_factory=dict)
    asked: str | None = None
    answered_by: str | None = None

    def __post_init__(self) -> None:
        self.edge = sender(spread_s=2.0, seed=self.random.getrandbits(32))

    def store(self) -> None:
        if not self.lasts or self.random.random() < 0.1:
            self.lasts[f"{len(self.lasts):032x}"] = 0
        self.lasts[list(self.lasts)[-1]] += self.random.randrange(1, 700)
        self.tell_held()

    def tell_held(self) -> None:
        self.edge.held([Holding(stream, self.firsts.get(stream, 1), last) for stream, last in self.lasts.items()])

    def speak(self) -> None:
        while (order := self.edge.next(self.now_s)) is not None:
            if isinstance(order, SendBatch):
                last = self.random.randrange(order.first, order.last + 1) if self.random.random() < 0.2 else order.last
                order = SendBatch(order.stream, order.first, last)
                assert order.last <= self.lasts[order.stream], "sent what is not stored"
                self.edge.sent(last, self.now_s)
            else:
                self.asked = order.hello_id
            self.up.append(order)

    def hear(self, ack: Ack) -> None:
        positions = self.edge.ack(ack, self.now_s)
        if positions is None:
            return
        if positions.answered:
            assert ack.hello_id == self.asked, "took the answer to an older Hello"
            self.answered_by = ack.hub
        else:
            assert ack.hub == self.answered_by, "took an advance of a hub that it did not ask"
        for stream, seq in positions.of.items():
            assert seq <= self.ever_committed.get(stream, 0), "acknowledged what no hub ever had"
            if positions.answered:
                self.prune(stream, seq)

    def prune(self, stream: str, seq: int) -> None:
        """Half of the time, drop the acknowledged front: allowed, because a Hello was just answered."""
        if self.random.random() < 0.5:
            through = min(seq, self.lasts[stream] - 1)
            first = self.firsts.get(stream, 1)
            if through >= first:
                self.firsts[stream] = through + 1
                self.pruned[stream] = through
                self.tell_held()

    def carry(self, *, faults: bool) -> None:
        """Take one message from one direction, with the faults that the broker is allowed to have."""
        if self.up and (not self.down or self.random.random() < 0.5):
            order = self.up.pop(self.random.randrange(len(self.up)) if faults else 0)
            if not (faults and self.random.random() < 0.2):
                self.down.append(self.hub.hear(order))
                for stream in self.hub.rows.keys() | self.hub.gaps.keys():
                    height = max(self.ever_committed.get(stream, 0), self.hub.height(stream))
                    self.ever_committed[stream] = height
            if faults and self.random.random() < 0.1:
                self.up.append(order)
        elif self.down:
            ack = self.down.pop(self.random.randrange(len(self.down)) if faults else 0)
            if not (faults and self.random.random() < 0.2):
                self.hear(ack)
            if faults and self.random.random() < 0.1:
                self.down.append(ack)

    def connect(self) -> None:
        self.connected = True
        self.edge.connected(self.now_s)

    def disconnect(self) -> None:
        self.connected = False
        self.edge.disconnected()

    def restart_hub(self, *, restored: bool) -> None:
        self.hub.incarnation = f"{self.random.getrandbits(128):032x}"
        if restored:
            # A backup of an earlier moment: for each stream, only a front of its rows is there.
            for stream, rows in self.hub.rows.items():
                keep = self.random.randrange(self.hub.height(stream) + 1)
                self.hub.rows[stream] = {seq for seq in rows if seq <= keep}
                self.hub.gaps[stream] = {seq for seq in self.hub.gaps.get(stream, set()) if seq <= keep}
        if self.random.random() < 0.5:
            self.edge.hub_seen(self.hub.incarnation, self.now_s)

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.15:
            self.store()
        elif chance < 0.75:
            self.carry(faults=True)
        elif chance < 0.80:
            (self.disconnect if self.connected else self.connect)()
        elif chance < 0.84:
            self.restart_hub(restored=chance < 0.82)
        self.now_s += self.random.choice([0.0, 0.05, 0.5, 7.0])
        self.speak()

    def settle(self) -> None:
        """Let the network hold, and look whether everything arrives long before the next routine Hello."""
        if not self.connected:
            self.connect()
        limit_s = self.now_s + 5 * TIMER_MAX_S
        while self.now_s < limit_s:
            self.speak()
            while self.up or self.down:
                self.carry(faults=False)
                self.speak()
            if all(self.hub.height(stream) >= last for stream, last in self.lasts.items()):
                return
            self.now_s = max(self.now_s, self.edge.wake_s() or self.now_s)
        raise AssertionError("the backlog does not drain over a good network")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 250))
def test_no_row_is_lost_whatever_the_network_and_the_hub_do(seed: int, steps: int) -> None:
    world = World(Random(seed))
    for _ in range(steps):
        world.step()
    world.settle()
    for stream, last in world.lasts.items():
        rows, gaps = world.hub.rows.get(stream, set()), world.hub.gaps.get(stream, set())
        assert rows | gaps == set(range(1, last + 1))
        # A hub that was restored may lack what had been pruned by its own word; that is a recorded gap, nothing else.
        assert all(seq <= world.pruned.get(stream, 0) for seq in gaps - rows)
