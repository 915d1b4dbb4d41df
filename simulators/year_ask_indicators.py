"""Asks the hub for every indicator of desks, rooms, telecentres and zones, and holds each against the truth."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from simulators.year_ask import KINDS, Days, Kind, compare_rows, covering, moment, resources, share
from simulators.year_calendar import Span, Step, local_ms
from simulators.year_hub import PlayedHub
from simulators.year_indicators import Place, status
from simulators.year_spans import both
from simulators.year_tally import Tally
from simulators.year_truth import Truth
from simulators.year_world import World

LONG_STEPS: tuple[Step, ...] = ("week", "month", "quarter", "year")


class When(NamedTuple):
    """Of which days the hours are asked, the days, and the longer periods."""

    hours: Days
    days: Days
    whole: Days


def ask_indicators(hub: PlayedHub, world: World, truths: Sequence[Truth], when: When, tally: Tally) -> None:
    """Compare the indicators of each desk and room, of each telecentre, and of each zone, by every step.

    A zone has the telecentres that are part of it now, also in the past: its days can be compared with one another.
    """
    days = when.whole
    steps: list[tuple[Step, Days]] = [("hour", when.hours), ("day", when.days)]
    steps += [(step, when.whole) for step in LONG_STEPS]
    there = [truth for truth in truths if truth.place.since < days[1]]
    zones = {zone.id: zone.sites(days[1] - timedelta(days=1)) for zone in world.zones(days[1] - timedelta(days=1))}
    for kind in KINDS:
        everything = {truth.place.id: [(truth, one) for one in resources(truth, kind)] for truth in there}
        asked = [(place, {"site": place}, members) for place, members in everything.items()]
        for zone, sites in zones.items():
            asked.append((zone, {"zone": zone}, [one for site in sorted(sites) for one in everything[site]]))
        for place, question, members in asked:
            if not members:
                continue
            pool = Place(kind, members)
            singles = {resource: Place(kind, [(truth, resource)]) for truth, resource in members}
            for step, days_of_step in steps:
                _ask(
                    hub,
                    (kind, step, days_of_step),
                    question,
                    {place: pool},
                    tally,
                    by="zone" if "zone" in question else "site",
                )
                if "site" in question:
                    _ask(hub, (kind, step, days_of_step), question, singles, tally, by="resource")


def _ask(
    hub: PlayedHub,
    what: tuple[Kind, Step, Days],
    question: Mapping[str, str],
    places: Mapping[str, Place],
    tally: Tally,
    *,
    by: str,
) -> None:
    kind, step, days = what
    span = (local_ms(days[0]), local_ms(days[1]))
    asked = {"from_": days[0].isoformat(), "to": days[1].isoformat(), "step": step, "kind": kind, "by": by}
    answer = hub.ask("/api/v1/indicators", **asked, **question)
    if answer is None:
        tally.lack("/api/v1/indicators")
        return
    name = "resource" if by == "resource" else "place"
    found = {(one[name], one["start"]): _flat(one) for one in answer["figures"]}
    told = {"level": by, "place": question.get("site") or question["zone"], "site_id": question.get("site")}
    expected = {
        (place, moment(period[0])): figures | told | {"resource": place if by == "resource" else None}
        for place, pool in places.items()
        for period in covering(step, span)
        if (figures := _expected(pool, period, span, step, pooled=by != "resource"))
    }
    compare_rows(tally, f"indicators {by} {kind} {step}", "", expected, found)


def _expected(pool: Place, period: Span, span: Span, step: Step, *, pooled: bool) -> dict[str, object]:
    """Return the figures of a place in a period; none out of its register, nor while closed, empty and not booked."""
    asked = max(period[0], span[0]), min(period[1], span[1])
    there = both(pool.held, [asked])
    if not there:
        return {}
    inside = there[0][0], there[-1][1]
    times = pool.times(inside)
    if step == "hour" and not times["available_ms"] and not times["outside_ms"] and not pool.booked(inside):
        return {}
    values = pool.values(inside, step, pooled=pooled)
    told = {name: _told(name, value) for name, value in values.items()}
    return told | {
        "end": moment(period[1]),
        "coverage": share(times["observed_ms"], times["available_ms"]),
        "status": status(times["available_ms"], times["observed_ms"]),
        "resources": pool.resources(inside, step) if pooled else 1,
    }


def _told(name: str, value: object) -> object:
    """Return a value as the API writes it."""
    if name == "peak_at" and isinstance(value, int):
        return moment(value)
    return share(value, 1) if isinstance(value, float) else value


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat = {**row, **row["values"]}
    del flat["values"]
    return flat
