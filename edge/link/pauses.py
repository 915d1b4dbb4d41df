"""How long the link waits before each new connection: without a storm, whatever the line does."""

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

    At most one attempt in five seconds, on average, however the line flaps.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._bound_s = MIN_S

    def after(self, *, lasted_s: float, heard: bool) -> float:
        """Return how long to wait after a connection that lasted so long, and on which the hub was heard or not."""
        steady = heard and lasted_s >= max(STEADY_S, 2 * self._bound_s)
        self._bound_s = MIN_S if steady else min(MAX_S, 2 * self._bound_s)
        return MIN_S + self._draw() * (self._bound_s - MIN_S)
