"""From the readings of a place's sensors to its occupancy, with settling and hold times and a backdated end.

One rule: the sensors together give a *sight* (present, absent or unknown); a sight that has lasted long enough becomes
the state, and the state is true from the moment the sight began. Presence must last `settle_s` (a passer-by is not a
guest), absence `hold_s` (a guest sits still), and not knowing counts at once. So a desk is vacated at its last
detection, and a sensor that is lost makes it unknown, never vacant.

A PIR falls silent between two movements: a presence that comes back within `bridge_s` goes on, so that short pulses
settle together. A place that is out of service is so whatever its sensors say.
"""

from dataclasses import dataclass, replace
from typing import Literal

from edge.core.moment import Moment, later

Sight = Literal["present", "absent", "unknown"]
Occupancy = Literal["occupied", "vacant", "unknown", "out_of_service"]

SILENT_AFTER_S = 15.0
"""A sensor's thread repeats its reading every 2 s: seven missed repeats are not a late one."""

_BECOMES: dict[Sight, Occupancy] = {"present": "occupied", "absent": "vacant", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class PresenceRules:
    """The sensors of one place, and how long their sight must last."""

    sensors: tuple[str, ...]
    settle_s: float
    hold_s: float
    bridge_s: float = 0.0
    in_service: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """The last word of one sensor."""

    present: bool
    heard_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """A state and the moment from which it is true."""

    state: Occupancy
    since: Moment


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of one place: a sensor missing from `readings` is lost or was never heard."""

    change: Change
    sight: Sight
    sight_since: Moment
    readings: dict[str, Reading]
    before: Moment | None = None
    """Where the presence began that the present absence has broken off."""

    @property
    def state(self) -> Occupancy:
        """The occupancy that was concluded."""
        return self.change.state

    @property
    def since(self) -> Moment:
        """The moment from which the occupancy is true."""
        return self.change.since


def unknown_presence(at: Moment, *, in_service: bool = True) -> Presence:
    """Return what is known of a place before any of its sensors spoke: nothing, or that it is out of service."""
    state: Occupancy = "unknown" if in_service else "out_of_service"
    return Presence(change=Change(state, at), sight="unknown", sight_since=at, readings={})


def fuse(rules: PresenceRules, readings: dict[str, Reading]) -> Sight:
    """Return what the sensors see together: present if any does, else unknown if any is unknown, else absent."""
    if any(reading.present for reading in readings.values()):
        return "present"
    return "absent" if all(sensor in readings for sensor in rules.sensors) else "unknown"


def read(presence: Presence, rules: PresenceRules, sensor: str, at: Moment, *, present: bool) -> Presence:
    """Return the place after one reading of one of its sensors; `elapse` to `at` comes first."""
    return _with_readings(presence, rules, {**presence.readings, sensor: Reading(present, at.mono_s)}, at)


def lose(presence: Presence, rules: PresenceRules, sensor: str, at: Moment) -> Presence:
    """Return the place after one of its sensors was lost; `elapse` to `at` comes first."""
    readings = {name: reading for name, reading in presence.readings.items() if name != sensor}
    return _with_readings(presence, rules, readings, at)


def elapse(presence: Presence, rules: PresenceRules, at: Moment) -> tuple[Presence, tuple[Change, ...]]:
    """Return the place at `at`, and every change of its state on the way, in order.

    Sensors that have been silent too long are lost at the moment their silence became too long, however late this is
    noticed: the result does not depend on when it is asked for.
    """
    changes: list[Change] = []
    while (due_s := deadline(presence, rules)) is not None and due_s <= at.mono_s:
        if _matures_at_s(presence, rules) == due_s:
            change = Change(_BECOMES[presence.sight], presence.sight_since)
            presence = replace(presence, change=change, before=None)
            changes.append(change)
        else:
            silent = min(presence.readings, key=lambda name: presence.readings[name].heard_s)
            presence = lose(presence, rules, silent, at.moved_to(due_s))
    return presence, tuple(changes)


def deadline(presence: Presence, rules: PresenceRules) -> float | None:
    """Return when, on the monotonic clock, this place next changes by itself, or None."""
    due = [reading.heard_s + SILENT_AFTER_S for reading in presence.readings.values()]
    matures_at_s = _matures_at_s(presence, rules)
    if matures_at_s is not None:
        due.append(matures_at_s)
    return min(due, default=None)


def _matures_at_s(presence: Presence, rules: PresenceRules) -> float | None:
    if not rules.in_service or presence.state == _BECOMES[presence.sight]:
        return None
    needed_s = {"present": rules.settle_s, "absent": rules.hold_s, "unknown": 0.0}[presence.sight]
    return presence.sight_since.mono_s + needed_s


def _with_readings(presence: Presence, rules: PresenceRules, readings: dict[str, Reading], at: Moment) -> Presence:
    sight = fuse(rules, readings)
    if sight == presence.sight:
        return replace(presence, readings=readings)
    since = later(presence.sight_since, at)
    before = presence.sight_since if presence.sight == "present" and sight == "absent" else None
    if sight == "present" and presence.before and since.mono_s - presence.sight_since.mono_s <= rules.bridge_s:
        since = presence.before
    return replace(presence, readings=readings, sight=sight, sight_since=since, before=before)
