"""Whether a presence sensor is to be believed: chattering, stuck, or saying what cannot be.

A sensor in doubt says nothing: its place is judged as if the sensor were lost, so that it becomes unknown unless
another sensor sees somebody, and never vacant. What is found impossible was so from the beginning of the run, so the
doubt is backdated to it: its time leaves the denominator. Judged at each reading, which a sensor's thread repeats every
2 s; a doubt about a run lasts as long as the run.

Source: docs/sensors.md has the thresholds with their reasons; domain.md 2.3 the failures that others had.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from contract.events import Fault
from edge.core.moment import Moment

SensorType = Literal["pir", "contact", "pressure", "radar"]

HOUR_S = 3600.0

CHATTER_WINDOW_S = 60.0
"""Changes are counted over the last minute, and a sensor is calm again when half as many remain in it."""

MAX_CHANGES = 60
"""In a minute. The quickest PIR module (0.3 s on, 2.5 s blocked) changes 43 times a minute before a busy person."""

CLOSED_ON_S = 3 * HOUR_S
"""Somebody without a break for three hours of a closed site: who stays late has left, and a cleaner moves on."""

CONTRADICTION_S = 4 * HOUR_S
"""Two sensors of one place that say the opposite without a break: nobody sits for four hours unseen by one of them."""

UNHEARD_S = 15.0
"""After such a silence it is not known whether a run went on: it begins anew (edge.core.occupancy, SILENT_AFTER_S)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when a sensor's unchanged word is not believed any more.

    `stuck_on_s` is how long it may see somebody without a break; `stuck_off_days` on how many days the site may be in
    use while it sees nobody.
    """

    stuck_on_s: float
    stuck_off_days: int


LIMITS: dict[SensorType, Limits] = {
    "pir": Limits(stuck_on_s=8 * HOUR_S, stuck_off_days=15),
    "contact": Limits(stuck_on_s=12 * HOUR_S, stuck_off_days=30),
    "pressure": Limits(stuck_on_s=12 * HOUR_S, stuck_off_days=15),
    "radar": Limits(stuck_on_s=12 * HOUR_S, stuck_off_days=15),
}
"""Two hours gave false alarms in offices, eight to twelve did not (domain.md 2.3). A PIR sees movement, and nobody
moves for eight hours without a break; a contact may stay untouched at a place whose cleaner opens nothing."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What one sensor has said lately; `present` is None when it has said nothing since its start or its loss.

    `since` is when the run of its present word began, `changes` are its last changes on the monotonic clock.
    """

    present: bool | None
    since: Moment
    heard_s: float
    changes: tuple[float, ...] = ()
    closed_since_s: float | None = None
    """From when on it has seen somebody in a closed site."""
    used_days: int = 0
    """How many days of use the site had known when this run began."""
    doubt: Fault | None = None


@dataclass(frozen=True, slots=True)
class DaysOfUse:
    """On how many days, of 24 h since the boot, somebody was seen at the site since the agent started."""

    count: int = 0
    last: int = -1


def untold(at: Moment) -> Trust:
    """Return what is known of a sensor that has said nothing: nothing against it."""
    return Trust(present=None, since=at, heard_s=at.mono_s)


def use(days: DaysOfUse, at: Moment) -> DaysOfUse:
    """Return the days of use after somebody was seen at `at`."""
    day = int(at.mono_s // (24 * HOUR_S))
    return days if day == days.last else DaysOfUse(days.count + 1, day)


def hear(trust: Trust, limits: Limits, days: DaysOfUse, at: Moment, *, present: bool, is_open: bool) -> Trust:
    """Return the sensor after one reading."""
    if present != trust.present or at.mono_s - trust.heard_s > UNHEARD_S:
        changes = (*trust.changes, at.mono_s)[-MAX_CHANGES:] if trust.present is not None else ()
        doubt = trust.doubt if trust.doubt == "chattering" else None
        trust = Trust(present, since=at, heard_s=at.mono_s, changes=changes, used_days=days.count, doubt=doubt)
    if is_open or not present:
        closed_since_s = None
    else:
        closed_since_s = at.mono_s if trust.closed_since_s is None else trust.closed_since_s
    trust = replace(trust, heard_s=at.mono_s, closed_since_s=closed_since_s)
    return replace(trust, doubt=_doubt(trust, limits, days, at.mono_s))


def _doubt(trust: Trust, limits: Limits, days: DaysOfUse, now_s: float) -> Fault | None:
    recent = sum(changed_s > now_s - CHATTER_WINDOW_S for changed_s in trust.changes)
    if recent >= MAX_CHANGES or (trust.doubt == "chattering" and recent > MAX_CHANGES // 2):
        return "chattering"
    if trust.doubt is not None and trust.doubt != "chattering":
        return trust.doubt
    if trust.present:
        if now_s - trust.since.mono_s >= limits.stuck_on_s:
            return "stuck"
        closed = trust.closed_since_s is not None and now_s - trust.closed_since_s >= CLOSED_ON_S
        return "implausible" if closed else None
    return "stuck" if days.count - trust.used_days >= limits.stuck_off_days else None


def false_from(trust: Trust, at: Moment) -> Moment:
    """Return from when on a sensor in doubt was not to be believed: its run, or for a chattering one, now."""
    return at if trust.doubt == "chattering" else trust.since


def contradictions(sensors: dict[str, Trust], now_s: float) -> dict[str, Moment]:
    """Return the sensors of one place that have said the opposite of another for too long, and since when."""
    said = {
        name: trust
        for name, trust in sensors.items()
        if trust.present is not None and trust.doubt is None and now_s - trust.heard_s <= UNHEARD_S
    }
    found: dict[str, Moment] = {}
    for (one, first), (other, second) in combinations(said.items(), 2):
        since = max(first.since, second.since, key=lambda moment: moment.mono_s)
        if first.present != second.present and now_s - since.mono_s >= CONTRADICTION_S:
            for name in (one, other):
                found[name] = min(found.get(name, since), since, key=lambda moment: moment.mono_s)
    return found


@dataclass(frozen=True, slots=True)
class Watched:
    """What every presence sensor of the site has said lately."""

    sensors: dict[str, Trust]
    days: DaysOfUse = DaysOfUse()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sensor that is in doubt from now on, or believed again (no fault); `since` is from when on it was wrong."""

    sensor: str
    fault: Fault | None
    since: Moment


def forget(watched: Watched, name: str, at: Moment) -> Watched:
    """Return the sensors after one was lost: what it said before says nothing about what it will say."""
    return replace(watched, sensors={**watched.sensors, name: untold(at)})


def judge(
    watched: Watched,
    limits: Limits,
    neighbours: tuple[str, ...],
    name: str,
    at: Moment,
    *,
    present: bool,
    is_open: bool,
) -> tuple[Watched, tuple[Verdict, ...]]:
    """Return the sensors after one reading of one of them, and every verdict that it changes.

    `neighbours` are all sensors of its place, the one that was read included.
    """
    before = watched.sensors
    trust = hear(before[name], limits, watched.days, at, present=present, is_open=is_open)
    after = {**before, name: trust}
    since = {name: false_from(trust, at)}
    if len(neighbours) > 1:
        for one, moment in contradictions({one: after[one] for one in neighbours}, at.mono_s).items():
            after[one] = replace(after[one], doubt="implausible")
            since[one] = moment
    days = use(watched.days, at) if present and after[name].doubt is None else watched.days
    changed = [one for one in since if after[one].doubt != before[one].doubt]
    return Watched(after, days), tuple(Verdict(one, after[one].doubt, since[one]) for one in changed)
