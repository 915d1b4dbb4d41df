"""The truth of every indicator of desks and rooms: of one of them, of a telecentre, of several together. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

from simulators.year_bookings import Booking, booked_in, bookings, told_of
from simulators.year_calendar import Span, Step, bounds_of, days_of
from simulators.year_levels import Pool, crowd
from simulators.year_sessions import Session, attendance, begun_in, sessions
from simulators.year_spans import Measure, both, union, without
from simulators.year_truth import IN_USE, Truth


class Place:
    """One desk or room, or all of a kind in one or more telecentres."""

    def __init__(self, kind: str, members: Sequence[tuple[Truth, str]]) -> None:
        self.kind = kind
        self.members = members

    @cached_property
    def held(self) -> list[Span]:
        """The time on whose local days the register holds any of its members."""
        return union(span for truth, resource in self.members for span in truth.held(resource))

    @cached_property
    def _measures(self) -> list[tuple[Measure, ...]]:
        """For each member: available, observed, occupied, outside and ghost time."""
        return [tuple(Measure(spans) for spans in _sets(truth, resource)) for truth, resource in self.members]

    @cached_property
    def _sessions(self) -> list[list[Session]]:
        return [sessions(truth, resource) for truth, resource in self.members]

    @cached_property
    def _bookings(self) -> list[list[Booking]]:
        return [bookings(truth, resource) for truth, resource in self.members]

    @cached_property
    def _pool(self) -> Pool:
        return Pool(self.members)

    def times(self, period: Span) -> dict[str, int]:
        """Return the pooled times of a period."""
        lengths = [[measure.within(*period) for measure in measures] for measures in self._measures]
        sums = [sum(column) for column in zip(*lengths, strict=True)]
        return dict(zip(("available_ms", "observed_ms", "occupied_ms", "outside_ms", "ghost_ms"), sums, strict=True))

    def resources(self, period: Span, step: Step) -> int:
        """Return of how many members there is a figure: of an hour, of those that were there for use, or in use."""
        if step == "hour":
            return sum(
                any(measures[n].within(*period) > 0 for n in (_AVAILABLE, _OUTSIDE)) for measures in self._measures
            )
        return sum(bool(both(truth.held(resource), [period])) for truth, resource in self.members)

    def booked(self, period: Span) -> list[str]:
        """Return what came of the bookings that start in a period."""
        return [outcome for of_place in self._bookings for outcome in booked_in(of_place, period)]

    def values(self, period: Span, step: Step, *, pooled: bool) -> dict[str, object]:
        """Return the indicators of a period by name; `status` and `coverage` are the caller's."""
        times = self.times(period)
        told = status(times["available_ms"], times["observed_ms"])
        days = [period] if step == "hour" else [bounds_of(day) for day in days_of(period)]
        place_days = sum(measures[0].within(*day) > 0 for measures in self._measures for day in days)
        found: dict[str, object] = dict(times)
        ghost_ms = found.pop("ghost_ms")
        found["occupancy_rate"] = None if told == "M" else times["occupied_ms"] / times["observed_ms"]
        found |= self._crowd(period, step, days, times["available_ms"]) if pooled else dict.fromkeys(_CROWD)
        if told == "M":
            found |= dict.fromkeys(("average_peak", "average_occupancy", "saturation"))
        begun = [one for of_place in self._sessions for one in begun_in(of_place, period)]
        found |= attendance(begun, place_days, told)
        return found if self.kind == "desk" else found | {"ghost_ms": ghost_ms} | told_of(self.booked(period))

    def _crowd(self, period: Span, step: Step, days: list[Span], available_ms: int) -> dict[str, object]:
        members = self.resources(period, step)
        return crowd(self._pool, period, days, Fraction(available_ms, members) if members else Fraction())


_CROWD = (
    "peak",
    "peak_at",
    "peak_5min",
    "average_peak",
    "average_occupancy",
    "min_free",
    "saturated_ms",
    "saturable_ms",
    "saturation",
)


_AVAILABLE, _OUTSIDE = 0, 3
"""Where these stand among the measures of a member."""


def status(available_ms: int, observed_ms: int) -> str:
    """Return what a coverage allows to say."""
    if not available_ms or not observed_ms:
        return "M"
    covered = observed_ms / available_ms
    return "A" if covered >= 0.8 else "U" if covered >= 0.5 else "M"


def _sets(truth: Truth, resource: str) -> tuple[list[Span], ...]:
    used = truth.told(resource, IN_USE)
    observed = truth.observed(resource)
    return (
        truth.available(resource),
        observed,
        truth.occupied(resource),
        without(both(used, truth.held(resource)), truth.hours),
        both(observed, truth.told(resource, frozenset({"ghost"}))),
    )
