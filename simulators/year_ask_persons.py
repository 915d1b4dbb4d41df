"""Asks the hub who many came and what its doors did, and holds each count against the truth."""

from collections.abc import Sequence
from typing import Literal

from simulators.year_ask import Days, compare_rows, moment
from simulators.year_calendar import DAY_MS, MINUTE_MS, Span, Step, local_ms, periods
from simulators.year_hub import PlayedHub
from simulators.year_persons import Door, Visitors, first_ever, passages
from simulators.year_tally import Tally
from simulators.year_truth import Truth
from simulators.year_world import World

PERSON_STEPS: tuple[Step, ...] = ("day", "week", "month")
DOOR_STEPS: tuple[Step, ...] = ("hour", "day", "week", "month")

KEPT_MS = 90 * DAY_MS - 35 * MINUTE_MS
"""From when on a count is frozen: a journal row goes after 90 days; a visit may have begun half an hour before the
period, and by a clock that is five minutes ahead."""


def ask_visits(hub: PlayedHub, world: World, truths: Sequence[Truth], days: Days, tally: Tally) -> None:
    """Compare the persons of each telecentre and of the network, day by day, week by week, month by month."""
    member_of = world.member_of()
    found = {truth.place.id: passages(truth, member_of) for truth in truths}
    first = first_ever(one for each in found.values() for one in each)
    network = f"reseau:{world.network.id}"
    everybody = Visitors((one for each in found.values() for one in each), first)
    there = [truth for truth in truths if truth.place.since < days[1]]
    for step in PERSON_STEPS:
        for truth in there:
            _ask_visits(
                hub, (truth.place.id, "site"), [truth], Visitors(found[truth.place.id], first), (step, days), tally
            )
        _ask_visits(hub, (network, "zone"), there, everybody, (step, days), tally)


def _ask_visits(
    hub: PlayedHub,
    place: tuple[str, Literal["site", "zone"]],
    truths: Sequence[Truth],
    visitors: Visitors,
    when: tuple[Step, Days],
    tally: Tally,
) -> None:
    name, level = place
    step, days = when
    question = {"from_": days[0].isoformat(), "to": days[1].isoformat(), "step": step, level: name}
    answer = hub.ask("/api/v1/visits", **question)
    if answer is None:
        tally.lack("/api/v1/visits")
        return
    first_ms = min((truth.first_ms for truth in truths if truth.first_ms is not None), default=None)
    heard_ms, last_ms = (pick(truth.heard_ms for truth in truths) for pick in (min, max))
    expected = {
        (name, moment(period[0])): {
            **visitors.within(period),
            "level": level,
            "end": moment(period[1]),
            "status": _status(period, heard_ms, truths[0].now_ms),
        }
        for period in periods(step, (local_ms(days[0]), local_ms(days[1])))
        if first_ms is not None and first_ms < period[1] and period[0] < last_ms
    }
    found = {(one["place"], one["start"]): one for one in answer["figures"]}
    compare_rows(tally, f"visits {level} {step}", "", expected, found)


def _status(period: Span, heard_ms: int, now_ms: int) -> str:
    if period[0] < now_ms - KEPT_MS:
        return "frozen"
    return "provisional" if heard_ms < period[1] else "final"


def ask_doors(hub: PlayedHub, truths: Sequence[Truth], days: Days, tally: Tally) -> None:
    """Compare what each door did, hour by hour and by longer periods; a period in which it did nothing has no row."""
    for truth in truths:
        if truth.place.since >= days[1]:
            continue
        door = Door(truth)
        for step in DOOR_STEPS:
            question = {"from_": days[0].isoformat(), "to": days[1].isoformat(), "step": step, "site": truth.place.id}
            answer = hub.ask("/api/v1/doors", **question)
            if answer is None:
                tally.lack("/api/v1/doors")
                return
            found = {(one["door"], one["start"]): one for one in answer["figures"]}
            expected = {
                ("door-01", moment(period[0])): {**counts, "end": moment(period[1])}
                for period in periods(step, (local_ms(days[0]), local_ms(days[1])))
                if any((counts := door.within(period)).values())
            }
            compare_rows(tally, f"doors {step}", truth.place.id, expected, found)
