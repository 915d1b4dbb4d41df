"""Thresholds for a radar from two recordings of its energies: the place empty, and with somebody who sits and works.

A gate tells the two apart when somebody gives more energy, nine times out of ten, than the empty place ever does. Its
threshold stands in the middle, and the margin is what either side may shift before the radar errs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

GATES = 9
FIRST_STATIC_GATE = 2
"""The module does not let the static thresholds of the two nearest gates be set."""

SEEN_SHARE = 0.1
"""Somebody gives at least this decile of the energies: a moment of stillness is bridged by the module itself."""

MIN_MARGIN_PCT = 5
"""Energies of an empty place vary by this much from one minute to another."""

ABOVE_QUIET_PCT = 10
"""Where a gate does not tell, its threshold stands clear of the empty place: it then counts only what is strong."""

OFF_PCT = 100


class Energies(NamedTuple):
    """The energies of one engineering report, 0 to 100, gate 0 first."""

    moving: tuple[int, ...]
    static: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One gate: the most that the empty place gave, what somebody gives nearly always, and what follows from it."""

    quiet_pct: int
    seen_pct: int
    threshold_pct: int
    margin_pct: int
    """How far both are from the threshold; 0 where the gate cannot tell."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Thresholds for every gate, and the farthest gates worth listening to."""

    moving: tuple[Threshold, ...]
    static: tuple[Threshold, ...]
    max_moving_gate: int
    max_static_gate: int

    @property
    def tells(self) -> bool:
        """Whether any gate tells somebody from nobody."""
        return any(gate.margin_pct for gate in (*self.moving, *self.static))


def propose(empty: Sequence[Energies], occupied: Sequence[Energies]) -> Proposal:
    """Return thresholds from the reports of an empty place and of an occupied one.

    Raises:
        ValueError: one of the recordings is empty.
    """
    if not empty or not occupied:
        raise ValueError("a recording holds no report with energies")
    moving = [
        _threshold([one.moving[gate] for one in empty], [one.moving[gate] for one in occupied]) for gate in range(GATES)
    ]
    static = [
        _threshold([one.static[gate] for one in empty], [one.static[gate] for one in occupied])
        if gate >= FIRST_STATIC_GATE
        else Threshold(0, 0, 0, 0)
        for gate in range(GATES)
    ]
    ends = [
        max((gate for gate, one in enumerate(kind) if one.margin_pct), default=FIRST_STATIC_GATE)
        for kind in (moving, static)
    ]
    far_moving, far_static = (max(end, FIRST_STATIC_GATE) for end in ends)
    return Proposal(_until(moving, far_moving), _until(static, far_static), far_moving, far_static)


def _threshold(quiet: list[int], seen: list[int]) -> Threshold:
    quiet_pct = max(quiet)
    seen_pct = sorted(seen)[int(len(seen) * SEEN_SHARE)]
    margin_pct = (seen_pct - quiet_pct) // 2
    if margin_pct < MIN_MARGIN_PCT:
        return Threshold(quiet_pct, seen_pct, min(OFF_PCT, quiet_pct + ABOVE_QUIET_PCT), 0)
    return Threshold(quiet_pct, seen_pct, quiet_pct + margin_pct, margin_pct)


def _until(gates: list[Threshold], last: int) -> tuple[Threshold, ...]:
    """Return the gates with those behind the farthest one switched off."""
    behind = [Threshold(one.quiet_pct, one.seen_pct, OFF_PCT, 0) for one in gates[last + 1 :]]
    return (*gates[: last + 1], *behind)
