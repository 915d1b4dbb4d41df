"""What the edge says next on the history lane: protocol TC1 as a state machine without network, disk or clock.

The shell tells it what happened (`connected`, `ack`, `stored`...) and asks `next` what to send, until nothing; `wake_s`
says when to ask again. Monotonic time and randomness are arguments. What must stay true: the position of a stream never
exceeds what the hub said it has committed, and after any doubt nothing is sent or pruned before a Hello was answered.

Source: docs/mqtt-api.md, protocol TC1, "Edge".
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contract.limits import MAX_BATCH_EVENTS, MAX_HELLO_STREAMS
from contract.messages import Ack

WINDOW_BATCHES = 32
"""Batches sent and not yet acknowledged: fills a line of 200 ms round trip, and bounds what a lost Ack sends twice."""

TIMER_MIN_S = 5.0
"""A hub commits within a second; waiting less only repeats what is under way."""

TIMER_MAX_S = 60.0
"""A hub that is away is asked at least once a minute, so that the backlog starts within a minute of its return."""

TIMER_JITTER = 0.25
"""Up to a quarter more, so that sites whose timers started together drift apart."""

HELLO_EVERY_S = 900.0
"""A quiet Hello every 15 minutes finds what no other sign told, and lets the outbox prune."""

ROUND_TRIP_WEIGHT = 0.125
"""Weight of a new measure in the smoothed round trip, as TCP does (RFC 6298)."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The positions of one stream that the outbox holds; streams are listed oldest first. `last` is at least 1."""

    stream: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class SendHello:
    """Ask the hub what it has of these streams: one page."""

    hello_id: str
    streams: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send positions `first` to `last` of a stream, or fewer from `first` on if they do not fit in one message."""

    stream: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Up to where the hub has each stream: the truth after a Hello (`answered`: prune now), else an advance."""

    of: dict[str, int]
    answered: bool


@dataclass(slots=True)
class _Question:
    """A Hello under way: all its pages, and the one whose answer is awaited."""

    pages: list[tuple[Holding, ...]]
    page: int = 0
    hello_id: str | None = None
    """None until the page is sent."""
    sent_s: float = 0.0
    hub: str | None = None
    """Who answered the first page; all pages must come from one incarnation."""
    told: dict[str, int] = field(default_factory=dict)


class Sender:
    """The edge side of TC1.

    `draw` gives uniform numbers in [0, 1); a new incarnation is greeted after up to `hello_spread_s`.
    """

    def __init__(self, *, hello_spread_s: float, draw: Callable[[], float]) -> None:
        self._hello_spread_s = hello_spread_s
        self._draw = draw
        self._held: Sequence[Holding] = ()
        self._positions: dict[str, int] = {}
        self._question: _Question | None = None
        self._hub: str | None = None
        self._hint: str | None = None
        self._answered = False
        self._stuck = False
        self._stream: str | None = None
        self._pointer = 1
        self._in_flight: deque[tuple[int, float]] = deque()
        self._round_trip_s = 0.0
        self._timeout_s = TIMER_MIN_S
        self._timer_s: float | None = None
        self._hello_due_s: float | None = None
        self._periodic_s: float | None = None

    @property
    def answered(self) -> bool:
        """Whether the hub has answered since the connection was made, and nothing has raised a doubt since."""
        return self._answered

    def connected(self, now_s: float) -> None:
        """Begin anew on a fresh connection: first comes a Hello."""
        self.disconnected()
        self._timeout_s = self._base_timeout_s()
        self._ask(now_s)

    def disconnected(self) -> None:
        """Forget what was under way: nothing is sent before the next connection."""
        self._question = None
        self._answered = self._stuck = False
        self._in_flight.clear()
        self._timer_s = self._hello_due_s = self._periodic_s = None

    def held(self, streams: Sequence[Holding]) -> None:
        """Learn what the outbox holds now, oldest stream first: after events were stored or pruned."""
        self._held = streams
        if len(self._positions) > len(streams):
            kept = {holding.stream for holding in streams}
            self._positions = {stream: seq for stream, seq in self._positions.items() if stream in kept}

    def hub_seen(self, incarnation: str, now_s: float) -> None:
        """Learn the incarnation that the hub's retained topic names: a hint, which may be stale.

        Each new hint earns one Hello after a random wait, unless an answer shows that it was known already.
        """
        if incarnation == self._hint:
            return
        self._hint = incarnation
        if incarnation != self._hub and self._is_connected():
            self._hello_due_s = now_s + self._draw() * self._hello_spread_s

    def ack(self, ack: Ack, now_s: float) -> Positions | None:
        """Take an answer or an advance; return the positions that are new, or None when it says nothing."""
        if self._question is not None:
            return self._answer(self._question, ack, now_s)
        if not self._answered or ack.hello_id is not None:
            return None
        if ack.hub != self._hub:
            self._ask(now_s)
            return None
        return self._advance(ack, now_s)

    def next(self, now_s: float) -> SendHello | SendBatch | None:
        """Return what to send now, or None. After a SendBatch, call `sent` or `unreadable` before asking again."""
        if not self._is_connected():
            return None
        if self._passed(self._timer_s, now_s):
            self._timeout_s = min(TIMER_MAX_S, 2 * self._timeout_s)
            self._ask(now_s)
        elif self._passed(self._hello_due_s, now_s) or self._passed(self._periodic_s, now_s):
            self._ask(now_s)
        if self._question is not None:
            return self._next_page(self._question, now_s)
        if self._stuck or len(self._in_flight) >= WINDOW_BATCHES:
            return None
        return self._next_batch(now_s)

    def sent(self, last: int, now_s: float) -> None:
        """Note that the batch went out, up to the position `last`."""
        self._pointer = last + 1
        if not self._in_flight:
            self._start_timer(now_s)
        self._in_flight.append((last, now_s))

    def unreadable(self, now_s: float) -> None:
        """Note that the outbox cannot give the rows (storage away, or just pruned): a Hello follows by the timer."""
        self._stuck = True
        self._start_timer(now_s)

    def wake_s(self) -> float | None:
        """Return when to call `next` again although nothing happened, or None."""
        times = [time for time in (self._timer_s, self._hello_due_s, self._periodic_s) if time is not None]
        return min(times, default=None)

    def _is_connected(self) -> bool:
        return self._question is not None or self._answered

    @staticmethod
    def _passed(time_s: float | None, now_s: float) -> bool:
        return time_s is not None and now_s >= time_s

    def _base_timeout_s(self) -> float:
        return min(TIMER_MAX_S, max(TIMER_MIN_S, 4 * self._round_trip_s))

    def _start_timer(self, now_s: float) -> None:
        self._timer_s = now_s + self._timeout_s * (1 + TIMER_JITTER * self._draw())

    def _measure(self, round_trip_s: float) -> None:
        weight = ROUND_TRIP_WEIGHT if self._round_trip_s else 1.0
        self._round_trip_s += weight * (round_trip_s - self._round_trip_s)

    def _ask(self, now_s: float) -> None:
        """Begin a Hello from its first page; whatever was under way is in doubt."""
        streams = self._held
        pages = [tuple(streams[at : at + MAX_HELLO_STREAMS]) for at in range(0, len(streams), MAX_HELLO_STREAMS)]
        self._question = _Question(pages or [()])
        self._answered = self._stuck = False
        self._in_flight.clear()
        self._hello_due_s = None
        self._periodic_s = None
        self._start_timer(now_s)

    def _next_page(self, question: _Question, now_s: float) -> SendHello | None:
        if question.hello_id is not None:
            return None
        # Two draws of 32 bits: one float has only 53 random bits.
        question.hello_id = f"{int(self._draw() * 2**32):08x}{int(self._draw() * 2**32):08x}"
        question.sent_s = now_s
        return SendHello(question.hello_id, question.pages[question.page])

    def _answer(self, question: _Question, ack: Ack, now_s: float) -> Positions | None:
        """Take the answer to the page that is out. Any other Ack is ignored: the answer is the truth."""
        if question.hello_id is None or ack.hello_id != question.hello_id:
            return None
        told = {item.stream: item.seq for item in ack.acks}
        page = question.pages[question.page]
        if any(holding.stream not in told for holding in page):
            return None
        if question.hub not in (None, ack.hub):
            # The hub was replaced between two pages: what the first one said no longer counts.
            self._ask(now_s)
            return None
        self._measure(now_s - question.sent_s)
        question.hub = ack.hub
        question.told.update({holding.stream: told[holding.stream] for holding in page})
        question.page += 1
        if question.page < len(question.pages):
            question.hello_id = None
            self._start_timer(now_s)
            return None
        return self._complete(question, now_s)

    def _complete(self, question: _Question, now_s: float) -> Positions:
        if any(seq > self._positions.get(stream, 0) for stream, seq in question.told.items()):
            self._timeout_s = self._base_timeout_s()
        self._positions.update(question.told)
        self._hub = question.hub
        if self._hub == self._hint:
            self._hello_due_s = None
        self._question = None
        self._answered = True
        self._stream = None
        self._timer_s = None
        self._periodic_s = now_s + HELLO_EVERY_S
        return Positions(dict(question.told), answered=True)

    def _advance(self, ack: Ack, now_s: float) -> Positions | None:
        known = {holding.stream for holding in self._held}
        moved = {
            item.stream: item.seq
            for item in ack.acks
            if item.stream in known and item.seq > self._positions.get(item.stream, 0)
        }
        if not moved:
            return None
        self._positions.update(moved)
        self._timeout_s = self._base_timeout_s()
        if self._stream in moved:
            self._slide(moved[self._stream], now_s)
        return Positions(moved, answered=False)

    def _slide(self, position: int, now_s: float) -> None:
        """Move the window of the stream under way up to `position`."""
        self._pointer = max(self._pointer, position + 1)
        while self._in_flight and self._in_flight[0][0] <= position:
            _, sent_s = self._in_flight.popleft()
            self._measure(now_s - sent_s)
        if self._in_flight:
            self._start_timer(now_s)
        elif not self._stuck:
            self._timer_s = None

    def _next_batch(self, now_s: float) -> SendBatch | None:
        for holding in self._held:
            position = self._positions.get(holding.stream, 0)
            if position >= holding.last:
                continue
            if position + 1 < holding.first:
                # Rows that the hub lacks are gone for good. The next Hello says so, and the hub records the gap.
                self.unreadable(now_s)
                return None
            if self._stream != holding.stream:
                self._stream = holding.stream
                self._pointer = position + 1
                self._in_flight.clear()
            if self._pointer > holding.last:
                return None
            return SendBatch(holding.stream, self._pointer, min(holding.last, self._pointer + MAX_BATCH_EVENTS - 1))
        return None
