"""From the states of a desk or a room to the sessions of work there. Pure.

A session is a time in use in which no break lasted longer than a quarter of an hour (five minutes in a room): who
fetches a coffee comes back to the same session. Its end is when the place was last in use, not when that was noticed.
It may cross midnight; it counts on the local day on which it began.

- A session of less than two minutes is none: somebody put down a bag.
- *Closed*: both ends were seen, so its length is known. Where the place was not watched just before or just after, or
  where it was in use at the last sign of life, the length is at least what was seen: *censored*, and in no dwell time.

Source: domain.md 3.2 as docs/method.md tells it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from hub.statistics import OBSERVED, OCCUPIED, Stretch

MERGE_MS: Mapping[str, int] = {"desk": 900_000, "room": 300_000}
"""The longest break within a session, by kind of place. It counts only where the place was watched all the while."""

SHORTEST_MS = 120_000
"""What is shorter is not counted."""

Ended = Literal["seen", "lost", "open"]
"""How a session ended: the place was seen empty; nobody watched it any more; it was in use when last heard of."""


class Session(NamedTuple):
    """One session, half-open; `active_ms` is its length without the breaks in it."""

    start_ms: int
    end_ms: int
    active_ms: int
    begun: Literal["seen", "lost"]
    """Whether the place was seen empty just before."""
    ended: Ended

    @property
    def is_closed(self) -> bool:
        """Whether both ends were seen, so that its length is known."""
        return self.begun == "seen" and self.ended == "seen"


class Dwell(NamedTuple):
    """How long closed sessions lasted; empty when there was none."""

    closed: int
    mean_ms: float | None
    median_ms: float | None
    p90_ms: int | None


def sessions(stretches: Sequence[Stretch], after: str | None, merge_ms: int) -> list[Session]:
    """Return the sessions of one place, in order, from what it was in, in order and without an empty stretch.

    `after` is the state in which the last stretch ends, where one is known: the place was vacated as it was last heard
    of. A place whose last stretch is in use and that has no state after it is still in use.
    """
    found: list[Session] = []
    session: Session | None = None
    empty_from: int | None = None  # since when it is watched and empty
    for start, end, state in stretches:
        if state in OCCUPIED:
            if session is not None and (empty_from is None or start - empty_from <= merge_ms):
                # Made anew by place: there are dozens a day, and `_replace` takes four times as long.
                session = Session(session.start_ms, end, session.active_ms + end - start, session.begun, "open")
            else:
                found += _kept(session)
                session = Session(start, end, end - start, "lost" if empty_from is None else "seen", "open")
            empty_from = None
        elif state in OBSERVED:
            empty_from = start if empty_from is None else empty_from
            session = _ended(session, "seen")
        else:
            found += _kept(_ended(session, "lost"))
            session = empty_from = None
    if session is not None and after is not None and after not in OCCUPIED:
        session = _ended(session, "seen" if after in OBSERVED else "lost")
    return [*found, *_kept(session)]


def _ended(session: Session | None, ended: Ended) -> Session | None:
    return Session(*session[:4], ended) if session is not None and session.ended == "open" else session


def _kept(session: Session | None) -> list[Session]:
    return [session] if session is not None and session.end_ms - session.start_ms >= SHORTEST_MS else []


def dwell(lengths: Iterable[int]) -> Dwell:
    """Return how long sessions lasted, given the length of each closed one.

    Of an even number, the median is the mean of the two in the middle. P90 is the nearest rank: the shortest length
    that at least nine sessions in ten do not exceed.
    """
    known = sorted(lengths)
    count = len(known)
    if not count:
        return Dwell(0, None, None, None)
    median = (known[(count - 1) // 2] + known[count // 2]) / 2
    return Dwell(count, sum(known) / count, median, known[-(-9 * count // 10) - 1])
