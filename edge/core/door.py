"""A door: locked, unlocked for a pulse, open; forced, left open, free. The strike's own timer ends a pulse, not this.

The inside handle and the exit button act in hardware: here they merely explain an opening. A door without a contact is
taken for closed, and tells only of its lock.
"""

from dataclasses import dataclass, replace
from typing import Literal

from contract.events import Door, DoorAlarm, DoorState, DoorStateChanged
from edge.core.effects import Effect, LockStrike, Publish, ReleaseStrike
from edge.core.moment import Moment, later

EXCUSED_AFTER_PULSE_S = 2.0
"""A person who pulls the handle at the very end of the pulse, and the bounce of the contact, are not a burglar."""

FREE_PULSE_S, FREE_RENEWAL_S = 25.0, 15.0
"""A free door is kept unlocked by one pulse after the other: when the agent stops, it locks within 25 s by itself."""


@dataclass(frozen=True, slots=True)
class DoorRules:
    """How one door behaves."""

    id: str
    pulse_s: float
    held_open_s: float
    contact: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """Everything known of one door: its leaf, its lock, and what is wrong."""

    position: Literal["closed", "open", "unknown"]
    released_until_s: float | None
    excused_until_s: float
    alarm: DoorAlarm
    alarm_due_s: float | None
    since: Moment
    renewal_s: float | None = None
    """When the strike of a free door is energised again; empty while the door is not free."""

    @property
    def state(self) -> DoorState:
        """The door in one published word."""
        if self.position != "closed":
            return self.position
        return "locked" if self.released_until_s is None and self.renewal_s is None else "unlocked"


Step = tuple[Leaf, tuple[Effect, ...]]


def shut(rules: DoorRules, at: Moment) -> Leaf:
    """Return a door as it is at the start: its strike de-energised, its leaf unknown until the contact was read."""
    return Leaf(
        position="unknown" if rules.contact else "closed",
        released_until_s=None,
        excused_until_s=0.0,
        alarm="NORMAL",
        alarm_due_s=None,
        since=at,
    )


def grant(leaf: Leaf, rules: DoorRules, at: Moment) -> Step:
    """Return the door after someone was let in: the strike comes first, it is what the person waits for.

    The strike is released even when the leaf seems open: a cut contact wire must not keep people out.
    """
    until_s = at.mono_s + rules.pulse_s
    after = replace(
        leaf,
        released_until_s=until_s,
        excused_until_s=max(leaf.excused_until_s, until_s + EXCUSED_AFTER_PULSE_S),
    )
    after, told = _tell(leaf, after, rules, at)
    return after, (ReleaseStrike(rules.id, rules.pulse_s if leaf.renewal_s is None else FREE_PULSE_S), *told)


def set_free(leaf: Leaf, rules: DoorRules, at: Moment, *, free: bool) -> Step:
    """Return the door at the beginning or the end of a time of free access; a door in trouble waits for its pins."""
    if free == (leaf.renewal_s is not None) or leaf.alarm == "DOOR_FAULT":
        return leaf, ()
    if free:
        after = replace(leaf, renewal_s=at.mono_s + FREE_RENEWAL_S, alarm="FREE_ACCESS", alarm_due_s=None)
        after, told = _tell(leaf, after, rules, at)
        return after, (ReleaseStrike(rules.id, FREE_PULSE_S), *told)
    excused_until_s = max(leaf.excused_until_s, at.mono_s + EXCUSED_AFTER_PULSE_S)
    due_s = at.mono_s + rules.held_open_s if leaf.position == "open" else None
    after = replace(leaf, renewal_s=None, alarm="NORMAL", alarm_due_s=due_s, excused_until_s=excused_until_s)
    after, told = _tell(leaf, replace(after, released_until_s=None), rules, at)
    return after, (LockStrike(rules.id), *told)


def press_exit(leaf: Leaf, rules: DoorRules, at: Moment) -> Leaf:
    """Return the door after its exit button was pressed: an opening that follows is not forced."""
    excused_until_s = at.mono_s + rules.pulse_s + EXCUSED_AFTER_PULSE_S
    return replace(leaf, excused_until_s=max(leaf.excused_until_s, excused_until_s))


def read_contact(leaf: Leaf, rules: DoorRules, at: Moment, *, closed: bool) -> Step:
    """Return the door after its contact was read: it locks again as soon as it opens, so that nobody follows."""
    position: Literal["closed", "open"] = "closed" if closed else "open"
    if position == leaf.position:
        return leaf, ()
    if leaf.renewal_s is not None:
        # Everybody may come and go: nothing is forced, nothing is held open, and the strike stays released.
        return _tell(leaf, replace(leaf, position=position, released_until_s=None), rules, at)
    if closed:
        return _tell(leaf, replace(leaf, position="closed", alarm="NORMAL", alarm_due_s=None), rules, at)
    # A door found open when the contact is first read was opened before anyone was there to judge it.
    forced = leaf.position == "closed" and at.mono_s > leaf.excused_until_s
    after = replace(
        leaf,
        position="open",
        released_until_s=None,
        alarm="FORCED_OPEN" if forced else "NORMAL",
        alarm_due_s=at.mono_s + rules.held_open_s,
    )
    after, told = _tell(leaf, after, rules, at)
    return after, (LockStrike(rules.id), *told) if leaf.released_until_s is not None else told


def fail(leaf: Leaf, rules: DoorRules, at: Moment) -> Step:
    """Return the door after its pins were lost: nothing is known of it."""
    after = replace(
        leaf, position="unknown", released_until_s=None, renewal_s=None, alarm="DOOR_FAULT", alarm_due_s=None
    )
    return _tell(leaf, after, rules, at)


def recover(leaf: Leaf, rules: DoorRules, at: Moment) -> Step:
    """Return the door after its pins answer again; its contact speaks for itself."""
    if leaf.alarm != "DOOR_FAULT":
        return leaf, ()
    return _tell(leaf, replace(leaf, position=shut(rules, at).position, alarm="NORMAL"), rules, at)


def elapse(leaf: Leaf, rules: DoorRules, at: Moment) -> Step:
    """Return the door at `at`: the pulse has ended, or an open door is still open and its alarm is repeated."""
    done: tuple[Effect, ...] = ()
    while (due_s := deadline(leaf)) is not None and due_s <= at.mono_s:
        leaf, more = _come_due(leaf, rules, at, due_s)
        done += more
    return leaf, done


def _come_due(leaf: Leaf, rules: DoorRules, at: Moment, due_s: float) -> Step:
    instant = at.moved_to(due_s)
    if leaf.released_until_s == due_s:
        unused = rules.contact and leaf.position == "closed" and leaf.renewal_s is None
        return _tell(leaf, replace(leaf, released_until_s=None), rules, instant, unused=unused)
    # At most one for a wait of any length: a clock that jumped must not flood the outbox, nor the strike.
    if leaf.renewal_s == due_s:
        return replace(leaf, renewal_s=max(due_s, at.mono_s) + FREE_RENEWAL_S), (ReleaseStrike(rules.id, FREE_PULSE_S),)
    alarm: DoorAlarm = "FORCED_OPEN" if leaf.alarm == "FORCED_OPEN" else "DOOR_OPEN_TOO_LONG"
    repeats_s = max(due_s, at.mono_s) + rules.held_open_s
    leaf, told = _tell(leaf, replace(leaf, alarm=alarm, alarm_due_s=repeats_s), rules, instant)
    return leaf, told or (published(leaf, rules, instant),)


def deadline(leaf: Leaf) -> float | None:
    """Return when, on the monotonic clock, this door next changes by itself, or None."""
    due = (leaf.released_until_s, leaf.alarm_due_s, leaf.renewal_s)
    return min((due_s for due_s in due if due_s is not None), default=None)


def published(leaf: Leaf, rules: DoorRules, at: Moment, *, unused: bool = False) -> Publish:
    """Return the order to publish the door's state, true from `at`."""
    value = Door(state=leaf.state, alarm=leaf.alarm, unused=unused)
    return Publish(DoorStateChanged(subject=rules.id, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms))


def _tell(before: Leaf, after: Leaf, rules: DoorRules, at: Moment, *, unused: bool = False) -> Step:
    if (before.state, before.alarm) == (after.state, after.alarm):
        return after, ()
    at = later(before.since, at)
    after = replace(after, since=at)
    return after, (published(after, rules, at, unused=unused),)
