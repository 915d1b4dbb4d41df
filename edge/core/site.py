"""The whole site as one value: `decide` takes one observation and returns the next site and what the shell must do.

Pure: the same observations give the same effects, whatever the pace at which they are taken. Before each observation
everything that was due by its moment happens, at the moment it was due.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from contract.events import (
    Access,
    AccessDecided,
    ClockSet,
    ClockStep,
    Desk,
    DeskState,
    DeskStateChanged,
    EdgeAlive,
    EdgeStarted,
    Issue,
    Nothing,
    Rejection,
    RightsApplied,
    RightsRefused,
    RoomState,
    RoomStateChanged,
    Start,
)
from contract.events import Room as RoomValue
from edge.core import booking, door, enrolment, health, occupancy, room, sensor
from edge.core.access import Door as AskedDoor
from edge.core.access import credential_of, decide_access
from edge.core.booking import Judgement
from edge.core.door import DoorRules, Leaf
from edge.core.effects import Effect, Publish, ShowIndicator
from edge.core.free_access import changes_in_ms, is_free
from edge.core.health import Health
from edge.core.moment import Moment, later
from edge.core.observations import (
    BookingsRead,
    ClockJudged,
    CredentialSeen,
    DeviceFailed,
    DeviceReady,
    DisplayRead,
    DoorContactRead,
    ExitPressed,
    NoiseCounted,
    Observation,
    PresenceRead,
    RadarIdentified,
    RightsLoaded,
    RightsRejected,
    StreamBegan,
    Tick,
)
from edge.core.occupancy import Presence
from edge.core.plan import Plan
from edge.core.reader import NEW_READER, Reader, remember
from edge.core.rights import NOBODY, Rights
from edge.core.room import Room, Told
from edge.core.sensor import Watched, untold
from edge.core.trusted_time import TrustedTime, judge

AGENT = "agent"
"""The subject of what the agent says about itself."""

RIGHTS = "rights"
"""The subject of what happens to the list of rights, and the id of the device that reads it."""

CLOCK_STEP_MS = 1_000
"""A smaller step of a clock that was right is the daily work of NTP."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the agent knows; `at` is the latest moment it has heard of."""

    plan: Plan
    at: Moment
    rights: Rights
    trusted: TrustedTime | None
    readers: dict[str, Reader]
    doors: dict[str, Leaf]
    desks: dict[str, Presence]
    rooms: dict[str, Room]
    devices: dict[str, Health]
    watched: Watched
    enrolments: enrolment.Readers
    alive_due_s: float


Step = tuple[Site, tuple[Effect, ...]]


def begin(plan: Plan, at: Moment, version: str) -> Step:
    """Return the site at the start of the agent: everything is unknown, and the event that says so."""
    site = Site(
        plan=plan,
        at=at,
        rights=NOBODY,
        trusted=None,
        readers=dict.fromkeys(plan.readers, NEW_READER),
        doors={name: door.shut(rules, at) for name, rules in plan.doors.items()},
        desks={name: occupancy.unknown_presence(at, in_service=rules.in_service) for name, rules in plan.desks.items()},
        rooms={name: room.unknown_room(rules, at) for name, rules in plan.rooms.items()},
        devices={name: Health(kind, "unknown", at) for name, kind in plan.devices.items()},
        watched=Watched({name: untold(at) for name in plan.devices if plan.neighbours(name)}),
        enrolments={},
        alive_due_s=at.mono_s + plan.alive_interval_s,
    )
    started = EdgeStarted(subject=AGENT, value=Start(version=version), t=at.wall_ms, clock=at.clock, up=at.up_ms)
    locked = [door.published(leaf, plan.doors[name], at) for name, leaf in site.doors.items() if leaf.state == "locked"]
    closed = [_desk_event(name, desk.state, at) for name, desk in site.desks.items() if desk.state == "out_of_service"]
    closed += [_room_event(name, one.state, at) for name, one in site.rooms.items() if one.state == "out_of_service"]
    return site, (Publish(started), *locked, *closed)


def decide(site: Site, seen: Observation) -> Step:
    """Return the site after one observation, and the effects in the order in which they must be performed."""
    at = later(site.at, seen.at)
    if not isinstance(seen, ClockJudged):
        # A device thread that still saw the old clock must not undo what has been judged since.
        at = replace(at, clock=site.at.clock)
    site, elapsed = _elapse(site, at)
    before, site = site.at, replace(site, at=at)
    match seen:
        case CredentialSeen() | DoorContactRead() | ExitPressed():
            site, done = _at_the_door(site, seen)
        case PresenceRead():
            site, done = _sensed(site, seen)
        case BookingsRead() | DisplayRead():
            site, done = _in_a_room(site, seen)
        case DeviceFailed() | DeviceReady() | NoiseCounted() | RadarIdentified():
            site, done = _of_a_device(site, seen)
        case RightsLoaded() | RightsRejected():
            site, done = _rights_seen(site, seen)
        case ClockJudged():
            done = _clock_set(before, site.at, seen.step_ms)
        case StreamBegan():
            done = _all_states(site)
        case Tick():
            done = ()
        case _:
            site, done = _of_an_enrolment(site, seen)
    # Another list, a clock that was set or pins that answer again may begin or end a time of free access at once.
    site, freed = _set_free(site, at)
    return site, (*elapsed, *done, *freed)


def next_deadline(site: Site) -> float:
    """Return when, on the monotonic clock, something changes by itself."""
    due = [site.alive_due_s, *enrolment.deadlines(site.enrolments)]
    due += [due_s for leaf in site.doors.values() if (due_s := door.deadline(leaf)) is not None]
    time = judge(site.trusted, site.at, site.rights.expires_at_ms)
    for name in site.doors:
        if (in_ms := changes_in_ms(site.rights, name, time)) is not None:
            due.append(site.at.mono_s + in_ms / 1000)
    for name, presence in site.desks.items():
        if (due_s := occupancy.deadline(presence, site.plan.desks[name])) is not None:
            due.append(due_s)
    for name, state in site.rooms.items():
        if (due_s := room.deadline(state, site.plan.rooms[name], site.at)) is not None:
            due.append(due_s)
    return min(due)


def _elapse(site: Site, at: Moment) -> Step:
    effects: list[Effect] = []
    doors, desks, rooms = dict(site.doors), dict(site.desks), dict(site.rooms)
    for name, rules in site.plan.doors.items():
        doors[name], told = door.elapse(doors[name], rules, at)
        effects += told
    site, freed = _set_free(replace(site, doors=doors), at)
    effects += freed
    for name, presence_rules in site.plan.desks.items():
        desks[name], changes = occupancy.elapse(desks[name], presence_rules, at)
        effects += [_desk_event(name, change.state, change.since) for change in changes]
    for name, room_rules in site.plan.rooms.items():
        rooms[name], said = room.elapse(rooms[name], room_rules, at)
        effects += [_told_of_a_room(name, one) for one in said]
    alive_due_s = site.alive_due_s
    if alive_due_s <= at.mono_s:
        effects.append(Publish(EdgeAlive(subject=AGENT, value=Nothing(), t=at.wall_ms, clock=at.clock, up=at.up_ms)))
        alive_due_s = at.mono_s + site.plan.alive_interval_s
    enrolments, ended = enrolment.elapse(site.enrolments, at, _lost_readers(site))
    site = replace(site, desks=desks, rooms=rooms, enrolments=enrolments, alive_due_s=alive_due_s)
    return site, (*effects, *ended)


def _set_free(site: Site, at: Moment) -> Step:
    """Let every door be free, or no longer, as the list in force says of this moment."""
    doors, effects = dict(site.doors), list[Effect]()
    time = judge(site.trusted, at, site.rights.expires_at_ms)
    for name, rules in site.plan.doors.items():
        doors[name], freed = door.set_free(doors[name], rules, at, free=is_free(site.rights, name, time))
        effects += freed
    return replace(site, doors=doors), tuple(effects)


def _at_the_door(site: Site, seen: CredentialSeen | DoorContactRead | ExitPressed) -> Step:
    if isinstance(seen, CredentialSeen):
        return _credential_seen(site, seen)
    rules, leaf = site.plan.doors[seen.door], site.doors[seen.door]
    if isinstance(seen, ExitPressed):
        return _with_door(site, rules.id, door.press_exit(leaf, rules, site.at)), ()
    leaf, told = door.read_contact(leaf, rules, site.at, closed=seen.closed)
    return _with_door(site, rules.id, leaf), told


def _credential_seen(site: Site, seen: CredentialSeen) -> Step:
    """Let in or refuse: the strike first, then what the person sees, then what is kept of it."""
    at, name = site.at, site.plan.readers[seen.reader]
    known = credential_of(site.rights, seen)[0] is not None
    enrolments, done = enrolment.presented(site.enrolments, seen, at, _lost_readers(site), known=known)
    site = replace(site, enrolments=enrolments)
    if done is not None:
        return site, done
    reader, rules = site.readers[seen.reader], site.plan.reader_rules
    time = judge(site.trusted, at, site.rights.expires_at_ms)
    asked = AskedDoor(name, site.plan.zone, uid_badges=site.plan.uid_badges)
    decision = decide_access(site.rights, replace(seen, at=at), reader, rules, time, asked)
    reader = remember(reader, rules, decision.reason, decision.person, at.mono_s)
    site = replace(site, readers={**site.readers, seen.reader: reader})
    value = Access(
        door=name,
        reason=decision.reason,
        assurance=decision.assurance,
        time=decision.time,
        passback=decision.passback,
        emergency=decision.emergency,
        card=decision.card,
    )
    event = AccessDecided(subject=seen.reader, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms)
    kept = Publish(event, person=decision.person)
    if not decision.granted:
        return site, (ShowIndicator(seen.reader, "refused"), kept)
    leaf, (release, *told) = door.grant(site.doors[name], site.plan.doors[name], at)
    return _with_door(site, name, leaf), (release, ShowIndicator(seen.reader, "granted"), kept, *told)


def _of_an_enrolment(site: Site, seen: enrolment.Seen) -> Step:
    readers, done = enrolment.take(site.enrolments, seen, site.at, site.plan, _lost_readers(site))
    return replace(site, enrolments=readers), done


def _lost_readers(site: Site) -> set[str]:
    return {name for name in site.plan.readers if site.devices[name].health == "down"}


def _rights_seen(site: Site, seen: RightsLoaded | RightsRejected) -> Step:
    """Put a list in force, or tell that one was refused; a list that is loaded again at a start is not news."""
    at = site.at
    if isinstance(seen, RightsRejected):
        rejection = Rejection(reason=seen.reason)
        event = RightsRefused(subject=RIGHTS, value=rejection, t=at.wall_ms, clock=at.clock, up=at.up_ms)
        return site, (Publish(event),)
    site = replace(site, rights=seen.rights, trusted=seen.trusted)
    if seen.rights.version == 0:
        return site, ()
    issue = Issue(version=seen.rights.version, badges=len(seen.rights.credentials) + len(seen.rights.badges))
    return site, (Publish(RightsApplied(subject=RIGHTS, value=issue, t=at.wall_ms, clock=at.clock, up=at.up_ms)),)


def _sensed(site: Site, seen: PresenceRead) -> Step:
    """Judge the sensor first, then its place: a sensor in doubt says nothing."""
    at, plan, name = site.at, site.plan, seen.sensor
    watched, verdicts = sensor.judge(
        site.watched,
        plan.limits_of(name),
        plan.neighbours(name),
        name,
        at,
        present=seen.present,
        is_open=plan.opening is None or plan.opening.holds(at),
    )
    site, effects = replace(site, watched=watched), list[Effect]()
    for verdict in verdicts:
        before = site.devices[verdict.sensor]
        if verdict.fault is None:
            after, told = health.believe(before, verdict.sensor, at)
            done: tuple[Effect, ...] = ()
        else:
            after, told = health.doubt(before, verdict.sensor, verdict.fault, at)
            site, done = _lose(site, verdict.sensor, verdict.since)
        site = _with_device(site, verdict.sensor, after)
        effects += [*told, *done]
    if watched.sensors[name].doubt is None:
        site, done = _read(site, seen)
        effects += done
    return site, tuple(effects)


def _read(site: Site, seen: PresenceRead) -> Step:
    at = site.at
    if (desk := site.plan.desk_of(seen.sensor)) is not None:
        rules = site.plan.desks[desk]
        return _with_desk(site, desk, occupancy.read(site.desks[desk], rules, seen.sensor, at, present=seen.present))
    if (name := site.plan.room_of(seen.sensor)) is not None:
        state, changes = room.read(site.rooms[name], site.plan.rooms[name], seen.sensor, at, present=seen.present)
        return _with_room(site, name, state, changes)
    return site, ()


def _in_a_room(site: Site, seen: BookingsRead | DisplayRead) -> Step:
    at = site.at
    if isinstance(seen, BookingsRead):
        state, changes = room.learn(site.rooms[seen.room], site.plan.rooms[seen.room], seen.bookings, at)
        return _with_room(site, seen.room, state, changes)
    state, changes = room.show(site.rooms[seen.room], site.plan.rooms[seen.room], seen.power, at)
    return _with_room(site, seen.room, state, changes)


def _of_a_device(site: Site, seen: DeviceFailed | DeviceReady | NoiseCounted | RadarIdentified) -> Step:
    at, name, before = site.at, seen.device, site.devices[seen.device]
    if isinstance(seen, NoiseCounted):
        return _with_device(site, name, health.count_noise(before, seen.count)), ()
    if isinstance(seen, RadarIdentified):
        radar = health.learn(before, seen.firmware, seen.settings, at, drifted=seen.drifted)
        return _with_device(site, name, radar), ()
    if isinstance(seen, DeviceReady):
        after, told = health.recover(before, name, at)
        site, done = _door_step(site, name, door.recover)
    else:
        after, told = health.fail(before, name, seen.fault, at)
        if name in site.watched.sensors:
            site = replace(site, watched=sensor.forget(site.watched, name, at))
        site, done = _lose(site, name, at)
        enrolments, ended = enrolment.reader_lost(site.enrolments, name, at)
        site, done = replace(site, enrolments=enrolments), (*done, *ended)
    return _with_device(site, name, after), (*told, *done)


def _lose(site: Site, device: str, since: Moment) -> Step:
    """Forget what a device has said since: its place becomes unknown, never vacant; its door's leaf likewise."""
    if (desk := site.plan.desk_of(device)) is not None:
        return _with_desk(site, desk, occupancy.lose(site.desks[desk], site.plan.desks[desk], device, since))
    if (name := site.plan.room_of(device)) is not None:
        rules = site.plan.rooms[name]
        state, lost = room.lose(site.rooms[name], rules, device, since)
        state, later_on = room.elapse(state, rules, site.at)
        return _with_room(site, name, state, (*lost, *later_on))
    return _door_step(site, device, door.fail)


def _door_step(site: Site, device: str, step: Callable[[Leaf, DoorRules, Moment], door.Step]) -> Step:
    if device not in site.doors:
        return site, ()
    leaf, told = step(site.doors[device], site.plan.doors[device], site.at)
    return _with_door(site, device, leaf), told


def _clock_set(before: Moment, at: Moment, step_ms: int) -> tuple[Effect, ...]:
    """Tie this boot to UTC when the clock becomes right, and again when a right clock jumps."""
    became_right = at.clock == "synced" and before.clock == "unsynced"
    jumped = at.clock == "synced" and abs(step_ms) >= CLOCK_STEP_MS
    if not (became_right or jumped):
        return ()
    value = ClockStep(step_ms=step_ms)
    return (Publish(ClockSet(subject=AGENT, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms)),)


def _all_states(site: Site) -> tuple[Effect, ...]:
    """Say every state again, each true from the moment it always was: a new stream must stand alone."""
    doors = [door.published(leaf, site.plan.doors[name], leaf.since) for name, leaf in site.doors.items()]
    desks = [_desk_event(name, presence.state, presence.since) for name, presence in site.desks.items()]
    rooms = [_room_event(name, state.state, state.since) for name, state in site.rooms.items()]
    return (*doors, *desks, *rooms)


def _with_door(site: Site, name: str, leaf: Leaf) -> Site:
    return replace(site, doors={**site.doors, name: leaf})


def _with_device(site: Site, name: str, device: Health) -> Site:
    return replace(site, devices={**site.devices, name: device})


def _with_desk(site: Site, name: str, presence: Presence) -> Step:
    presence, changes = occupancy.elapse(presence, site.plan.desks[name], site.at)
    told = [_desk_event(name, change.state, change.since) for change in changes]
    return replace(site, desks={**site.desks, name: presence}), tuple(told)


def _with_room(site: Site, name: str, state: Room, said: tuple[Told, ...]) -> Step:
    return replace(site, rooms={**site.rooms, name: state}), tuple(_told_of_a_room(name, one) for one in said)


def _told_of_a_room(name: str, one: Told) -> Publish:
    return booking.published(name, one) if isinstance(one, Judgement) else _room_event(name, one.state, one.since)


def _desk_event(name: str, state: DeskState, at: Moment) -> Publish:
    return Publish(DeskStateChanged(subject=name, value=Desk(state=state), t=at.wall_ms, clock=at.clock, up=at.up_ms))


def _room_event(name: str, state: RoomState, at: Moment) -> Publish:
    value = RoomValue(state=state)
    return Publish(RoomStateChanged(subject=name, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms))
