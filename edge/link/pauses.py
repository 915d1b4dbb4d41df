"""How long the link waits before each new connection: without a storm, whatever the line and the broker do."""

from collections.abc import Callable

MIN_S = 1.0
MAX_S = 60.0
"""A pause is random between the one and a bound that doubles up to the other while nobody answers."""

STEADY_S = 10.0
"""A connection that lasted so long, and twice the bound, was a good one: the next pause is short again.

One that did not is a failure too: the line flaps, or two agents with one certificate end each other's connections.
"""


class Pauses:
    """The pauses of one link. `draw` gives uniform numbers in [0, 1).

    A good connection that the other side closed was closed to every site in the same instant: the broker was started
    again, and a TLS handshake costs it 3 ms. So the first pause is then drawn from `spread_s`. Silence is noticed by
    each site in its own time, and most often it is its own line: then it comes back after `MIN_S`. At most one attempt
    in five seconds, on average, however the line flaps.
    """

    def __init__(self, draw: Callable[[], float], *, spread_s: float) -> None:
        self._draw = draw
        self._spread_s = spread_s
        self._bound_s = MIN_S

    def after(self, *, lasted_s: float, heard: bool, closed: bool) -> float:
        """Return how long to wait after a connection that lasted so long.

        `heard` says whether the hub was heard on it, `closed` whether the other side ended it, rather than fall silent.
        """
        if heard and lasted_s >= max(STEADY_S, 2 * self._bound_s):
            self._bound_s = MIN_S
            return MIN_S + self._draw() * (self._spread_s if closed else 0.0)
        self._bound_s = min(MAX_S, 2 * self._bound_s)
        return MIN_S + self._draw() * (self._bound_s - MIN_S)
