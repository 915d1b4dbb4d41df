"""Asks the hub who many came and what its doors did, and holds each count against the truth."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from simulators.year_ask import Days, compare_rows, moment
from simulators.year_calendar import DAY_MS, MINUTE_MS, Span, Step, day_of, days_of, local_ms, periods
from simulators.year_hub import PlayedHub
from simulators.year_persons import Door, Visitors, doors_of, doors_together, first_ever, passages
from simulators.year_tally import Tally
from simulators.year_truth import Truth
from simulators.year_world import World
from simulators.year_zones import Belonging, Zone

PERSON_STEPS: tuple[Step, ...] = ("day", "week", "month")
DOOR_STEPS: tuple[Step, ...] = ("hour", "day", "week", "month", "quarter", "year")

KEPT_MS = 90 * DAY_MS - 35 * MINUTE_MS
"""From when on a count is frozen: a journal row goes after 90 days; a visit may have begun half an hour before the
period, and by a clock that is five minutes ahead."""


def ask_visits(hub: PlayedHub, world: World, truths: Sequence[Truth], days: Days, tally: Tally) -> None:
    """Compare the persons of each telecentre and of each zone, day by day, week by week, month by month."""
    member_of = world.member_of()
    found = {truth.place.id: passages(truth, member_of) for truth in truths}
    first = first_ever(one for each in found.values() for one in each)
    there = {truth.place.id: truth for truth in truths if truth.place.since < days[1]}
    for site, truth in there.items():
        always = Zone(site, truth.place.name, "network", (Belonging(site),))
        _ask_place(hub, (always, "site"), there, Visitors(found[site], first), days, tally)
    for zone in world.zones(days[1] - timedelta(days=1)):
        everybody = (
            one
            for member in zone.members
            if member.site in there
            for one in found[member.site]
            if member.holds(day_of(one.at_ms))
        )
        _ask_place(hub, (zone, "zone"), there, Visitors(everybody, first), days, tally)


def _ask_place(
    hub: PlayedHub,
    place: tuple[Zone, Literal["site", "zone"]],
    truths: Mapping[str, Truth],
    visitors: Visitors,
    days: Days,
    tally: Tally,
) -> None:
    zone, level = place
    for step in PERSON_STEPS:
        question = {"from_": days[0].isoformat(), "to": days[1].isoformat(), "step": step, level: zone.id}
        answer = hub.ask("/api/v1/visits", **question)
        if answer is None:
            tally.lack("/api/v1/visits")
            return
        expected = {}
        for period in periods(step, (local_ms(days[0]), local_ms(days[1]))):
            members = [truths[site] for site in sorted(zone.sites_within(days_of(period))) if site in truths]
            if (status := _status(period, members)) is not None:
                told = {"place": zone.id, "level": level, "end": moment(period[1]), "status": status}
                expected[zone.id, moment(period[0])] = told | visitors.within(period)
        found = {(one["place"], one["start"]): one for one in answer["figures"]}
        compare_rows(tally, f"visits {level} {step}", "", expected, found)


def _status(period: Span, members: Sequence[Truth]) -> str | None:
    """Return how final a count is; None where there is none, because nobody listened before its end or spoke after."""
    first_ms = min((truth.first_ms for truth in members if truth.first_ms is not None), default=None)
    if first_ms is None or first_ms >= period[1] or max(truth.heard_ms for truth in members) <= period[0]:
        return None
    if period[0] < members[0].now_ms - KEPT_MS:
        return "frozen"
    return "provisional" if min(truth.heard_ms for truth in members) < period[1] else "final"


def ask_doors(hub: PlayedHub, world: World, truths: Sequence[Truth], days: Days, tally: Tally) -> None:
    """Compare what doors did, hour by hour and by longer periods: each alone, of each telecentre, and of each zone.

    A period in which nothing was done has no row. A zone has the telecentres that are part of it now.
    """
    there = {truth.place.id: doors_of(truth) for truth in truths if truth.place.since < days[1]}
    asked: list[tuple[dict[str, str], dict[str, list[Door]]]] = []
    for site, doors in there.items():
        asked.append(({"site": site, "by": "resource"}, {name: [door] for name, door in doors.items()}))
        asked.append(({"site": site, "by": "site"}, {site: list(doors.values())}))
    for zone in world.zones(days[1] - timedelta(days=1)):
        members = there.keys() & zone.sites(days[1] - timedelta(days=1))
        everything = [door for site in members for door in there[site].values()]
        asked.append(({"zone": zone.id, "by": "zone"}, {zone.id: everything}))
    for place, pools in asked:
        for step in DOOR_STEPS:
            question = {"from_": days[0].isoformat(), "to": days[1].isoformat(), "step": step, **place}
            answer = hub.ask("/api/v1/doors", **question)
            if answer is None:
                tally.lack("/api/v1/doors")
                return
            expected = {
                (name, moment(period[0])): {**counts, **_names(place, name), "end": moment(period[1])}
                for name, pool in pools.items()
                for period in periods(step, (local_ms(days[0]), local_ms(days[1])))
                if (counts := doors_together(pool, period)) is not None
            }
            found = {(one["door"] or one["place"], one["start"]): one for one in answer["figures"]}
            compare_rows(tally, f"doors {place['by']} {step}", place.get("site", ""), expected, found)


def _names(place: Mapping[str, str], name: str) -> dict[str, object]:
    """Return of what a figure of doors says that it is."""
    by = place["by"]
    named = {"place": place["zone" if by == "zone" else "site"], "level": by}
    return {**named, "site_id": place.get("site"), "door": name if by == "resource" else None}
