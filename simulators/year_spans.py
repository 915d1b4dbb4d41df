"""Sets of moments as sorted, disjoint, half-open intervals of milliseconds, and how long they are. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from simulators.year_calendar import Span


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the moments that lie in any of the intervals; those that touch become one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def both(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """Return the moments that lie in both sets."""
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        begin, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if begin < end:
            found.append((begin, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return found


def without(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """Return the moments that lie in the first set alone."""
    if not left:
        return []
    first, last = left[0][0], left[-1][1]
    edges = [first, *(edge for span in right for edge in span), last]
    gaps = [(edges[n], edges[n + 1]) for n in range(0, len(edges), 2)]
    return both(left, [(begin, end) for begin, end in gaps if begin < end])


class Measure:
    """How much of a set lies in an interval, by one subtraction."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._begins = [begin for begin, _ in spans]
        self._spans = spans
        self._before = [0, *accumulate(end - begin for begin, end in spans)]

    def within(self, begin_ms: int, end_ms: int) -> int:
        """Return the length of the set in [begin_ms, end_ms)."""
        return self._up_to(end_ms) - self._up_to(begin_ms)

    def _up_to(self, at_ms: int) -> int:
        number = bisect_right(self._begins, at_ms)
        if number == 0:
            return 0
        begin, end = self._spans[number - 1]
        return self._before[number - 1] + min(at_ms, end) - begin
