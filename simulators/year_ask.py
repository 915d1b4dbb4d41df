"""Asks the hub for its figures of a period and holds each one against the truth."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args

from simulators.year_calendar import Span, Step, day_of, local_ms, offset_ms, periods
from simulators.year_hub import PlayedHub
from simulators.year_indicators import status
from simulators.year_spans import Measure, both
from simulators.year_tally import Tally
from simulators.year_truth import Truth

Kind = Literal["desk", "room"]
KINDS: tuple[Kind, ...] = ("desk", "room")
STEPS: tuple[Step, ...] = get_args(Step)

Days = tuple[date, date]
"""The first local day, and the one after the last."""

SHARE_DIGITS = 4
"""Shares are told to a hundredth of a percent (docs/method.md)."""


def moment(at_ms: int) -> str:
    """Write an instant as the hub does: local, to the second, with its offset."""
    offset = timedelta(milliseconds=offset_ms(at_ms))
    shown = datetime.fromtimestamp(at_ms // 1000, UTC) + offset
    return f"{shown:%Y-%m-%dT%H:%M:%S}+{offset // timedelta(hours=1):02d}:00"


def share(part: float, whole: float) -> float | None:
    """Return a share as it is told; None of nothing."""
    return round(part / whole, SHARE_DIGITS) if whole else None


def usage(available_ms: int, observed_ms: int, occupied_ms: int) -> dict[str, object]:
    """Return the figures of time in use."""
    told = status(available_ms, observed_ms)
    return {
        "available_ms": available_ms,
        "observed_ms": observed_ms,
        "occupied_ms": occupied_ms,
        "coverage": share(observed_ms, available_ms),
        "occupancy_rate": None if told == "M" else share(occupied_ms, observed_ms),
        "status": told,
    }


def resources(truth: Truth, kind: Kind) -> list[str]:
    """Return the desks or rooms that the register ever held up to now."""
    known = [room.id for room in truth.place.rooms] if kind == "room" else [desk.id for desk in truth.place.desks]
    return [one for one in known if truth.held(one)]


def ask_occupancy(hub: PlayedHub, truths: Iterable[Truth], days: Days, tally: Tally) -> None:
    """Compare the time in use of every desk and room, and of all of a telecentre, by every step."""
    for truth in truths:
        first = max(days[0], truth.place.since)
        if first >= days[1]:
            continue
        span = (local_ms(first), local_ms(days[1]))
        for kind in KINDS:
            places = [Usage(truth, resource) for resource in resources(truth, kind)]
            for step in STEPS:
                for by in ("resource", "site"):
                    question = {"from_": first.isoformat(), "to": days[1].isoformat(), "step": step, "kind": kind}
                    answer = hub.ask("/api/v1/occupancy", **question, site=truth.place.id, by=by)
                    if answer is None:
                        tally.lack("/api/v1/occupancy")
                        return
                    found = {(_named(one, by), one["start"]): one for one in answer["figures"]}
                    expected = dict(_occupancy(places, by, step, span))
                    compare_rows(tally, f"occupancy {by} {kind} {step}", truth.place.id, expected, found)


def _named(row: Mapping[str, Any], by: str) -> str:
    return str(row["resource"]) if by == "resource" else "all"


class Usage:
    """How long one desk or room was there for use, observed and in use."""

    def __init__(self, truth: Truth, resource: str) -> None:
        self.site, self.resource = truth.place.id, resource
        self._held = truth.held(resource)
        self._measures = [Measure(of(resource)) for of in (truth.available, truth.observed, truth.occupied)]

    def within(self, span: Span, step: Step) -> list[int] | None:
        """Return these times in a period; None where there is no figure: not in the register, or an hour closed."""
        lengths = [measure.within(*span) for measure in self._measures]
        return lengths if lengths[0] or (step != "hour" and both(self._held, [span])) else None


def _occupancy(
    places: Iterable[Usage], by: str, step: Step, span: Span
) -> Iterator[tuple[tuple[str, str], dict[str, object]]]:
    """Yield the figures of each desk or room, or of all of them, and of each period that has any."""
    known = list(places)
    for begin_ms, end_ms in covering(step, span):
        inside = max(begin_ms, span[0]), min(end_ms, span[1])
        found = [(one, lengths) for one in known if (lengths := one.within(inside, step)) is not None]
        groups = {one.resource: [(one, lengths)] for one, lengths in found} if by == "resource" else {"all": found}
        for name, group in groups.items():
            if group:
                one = group[0][0]
                figures = usage(*(sum(column) for column in zip(*(lengths for _, lengths in group), strict=True)))
                figures |= {"site_id": one.site, "resource": one.resource if len(group) == 1 else None}
                yield (name, moment(begin_ms)), figures | {"resources": len(group), "end": moment(end_ms)}


def covering(step: Step, span: Span) -> list[Span]:
    """Return the periods of a step that touch an interval of whole local days, also the one in which it begins."""
    if step in ("hour", "day"):
        return periods(step, span)
    early = local_ms(day_of(span[0]) - timedelta(days={"week": 6, "month": 31, "quarter": 92, "year": 366}[step]))
    return [one for one in periods(step, (early, span[1])) if one[1] > span[0]]


def compare_rows(
    tally: Tally,
    what: str,
    place: str,
    expected: Mapping[tuple[str, str], dict[str, object]],
    found: Mapping[tuple[str, str], Mapping[str, Any]],
) -> None:
    """Compare two tables row by row; a row, or a figure of it, that only one of them has is a difference.

    When a row begins is what it is found by.
    """
    for key, truth in expected.items():
        row = {name: value for name, value in found.get(key, {}).items() if name != "start"}
        unknown = dict.fromkeys(row.keys() - truth.keys(), "not compared")
        tally.compare(what, f"{place} {key[0]}", key[1], truth | unknown, row)
    for key in found.keys() - expected.keys():
        tally.compare(what, f"{place} {key[0]}", key[1], {"row": None}, {"row": "there"})
