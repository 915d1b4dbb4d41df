"""Asks the hub for its figures of a period and holds each one against the truth."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from simulators.year_calendar import Span, Step, day_of, local_ms, offset_ms, periods
from simulators.year_hub import PlayedHub
from simulators.year_indicators import status
from simulators.year_spans import Measure
from simulators.year_tally import Tally
from simulators.year_truth import Truth

Kind = Literal["desk", "room"]
KINDS: tuple[Kind, ...] = ("desk", "room")

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


def resources(truth: Truth, kind: Kind, day: date) -> list[str]:
    """Return the desks or rooms that the register knows of on a day."""
    if kind == "room":
        return [room.id for room in truth.place.rooms]
    return [desk for desk, begin in truth.place.desks if begin <= day]


def ask_occupancy(hub: PlayedHub, truths: Iterable[Truth], days: Days, tally: Tally) -> None:
    """Compare the time in use of every desk and room, hour by hour, day by day, and by longer periods."""
    steps: tuple[Step, ...] = ("hour", "day", "month")
    for truth in truths:
        first = max(days[0], truth.place.since)
        if first >= days[1]:
            continue
        for kind in KINDS:
            for step in steps:
                question = {"from_": first.isoformat(), "to": days[1].isoformat(), "step": step, "kind": kind}
                answer = hub.ask("/api/v1/occupancy", **question, site=truth.place.id, by="resource")
                if answer is None:
                    tally.lack("/api/v1/occupancy")
                    return
                found = {(one["resource"], one["start"]): one for one in answer["figures"]}
                span = (local_ms(first), local_ms(days[1]))
                expected = dict(_occupancy(truth, kind, step, span))
                compare_rows(tally, f"occupancy {kind} {step}", truth.place.id, expected, found)


def _occupancy(truth: Truth, kind: Kind, step: Step, span: Span) -> Iterable[tuple[tuple[str, str], dict[str, object]]]:
    """Yield the figures of each desk or room and each period that has any."""
    found = [one for one in covering(step, span) if local_ms(truth.place.since) < one[1]]
    for resource in resources(truth, kind, day_of(span[1] - 1)):
        begin = next((day for desk, day in truth.place.desks if desk == resource), truth.place.since)
        there = [one for one in found if one[1] > max(local_ms(begin), span[0])]
        measures = [Measure(of(resource)) for of in (truth.available, truth.observed, truth.occupied)]
        for begin_ms, end_ms in there:
            inside = max(begin_ms, span[0]), min(end_ms, span[1])
            lengths = [measure.within(*inside) for measure in measures]
            if lengths[0] or step != "hour":
                yield (resource, moment(begin_ms)), usage(*lengths) | {"end": moment(end_ms)}


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
    read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda row: row,
) -> None:
    """Compare two tables row by row; a row that only one of them has is a difference."""
    for key, truth in expected.items():
        row = found.get(key)
        tally.compare(what, f"{place} {key[0]}", key[1], truth, dict(read(row)) if row is not None else {})
    for key in found.keys() - expected.keys():
        tally.compare(what, f"{place} {key[0]}", key[1], {"row": None}, {"row": "there"})
