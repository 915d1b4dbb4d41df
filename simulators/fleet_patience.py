"""How long a fleet waits for a hub to catch up. Pure.

A hub that is slow comes on, on a busy machine for longer than anybody would say beforehand; one that is dead, or that
refuses what it is told, does not. So the fleet waits for as long as the hub comes on, and judges it only then.
"""

from dataclasses import dataclass, field

STILL_S = 180.0
"""Without a step of the hub it is waited for no longer: a site asks again within 75 s, so each has asked twice."""

STOPPED_STILL_S = 30.0
"""The same after SIGTERM: who stops a fleet waits for its line. A question lost twice is asked for the third time."""

MOST_S = 3_600.0
"""However steadily the hub comes on: the largest backlog of a fleet, two million events, at 560 a second."""

STOPPED_MOST_S = 50.0
"""The same after SIGTERM: for what is under way, and as long again for the last word."""


@dataclass(slots=True)
class Patience:
    """For `still_s` after the last step of the hub, at `stepped_s`, and until `until_s` on the fleet's clock."""

    stepped_s: float
    still_s: float
    until_s: float
    _committed: int = field(init=False, default=-1)
    _answered: int = field(init=False, default=-1)

    def saw(self, now_s: float, committed: int, answered: int) -> None:
        """Take note of how many events are committed and how many sites answered: more than ever before is a step.

        That a hub answers is none: it may answer for ever and commit nothing.
        """
        if committed > self._committed or answered > self._answered:
            self.stepped_s = now_s
        self._committed = max(self._committed, committed)
        self._answered = max(self._answered, answered)

    def is_over(self, now_s: float) -> bool:
        """Whether it has waited for long enough."""
        return now_s >= min(self.stepped_s + self.still_s, self.until_s)


def patience(now_s: float, since_s: float, still_s: float, most_s: float | None, *, stopped: bool) -> Patience:
    """Return that of a fleet that observes nothing since `since_s`; `most_s` None: nobody has said how long."""
    if stopped and most_s is None:
        return Patience(now_s, STOPPED_STILL_S, now_s + STOPPED_MOST_S)
    return Patience(now_s, still_s, since_s + (MOST_S if most_s is None else most_s))
