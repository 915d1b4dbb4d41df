"""How each device is: told lost once when it is lost, recovered once when it answers again.

A device that answers and is not believed is degraded: it is told lost and recovered like one that is down. A radar
whose settings drifted from their file is degraded as well, but still measures: that is told in the status alone.
"""

from dataclasses import dataclass, replace

from contract.events import DeviceLost, DeviceRecovered, Fault, Loss, Recovery
from contract.messages import DeviceHealth, DeviceStatus, RadarStatus
from edge.core.effects import Publish
from edge.core.moment import Moment


@dataclass(frozen=True, slots=True)
class Health:
    """One device. It is unknown until its first word; `since` is when its present health began."""

    kind: str
    health: DeviceHealth
    since: Moment
    fault: Fault | None = None
    noise_count: int = 0
    last_fault: Fault | None = None
    firmware: str | None = None
    settings: str | None = None
    drifted_since: Moment | None = None


Step = tuple[Health, tuple[Publish, ...]]


def fail(health: Health, device: str, fault: Fault, at: Moment) -> Step:
    """Return the device after a failed try: the first one is a loss, the others change at most the reason.

    A device that was pulled out is absent at each later try: that it was pulled out says more.
    """
    if health.health == "down":
        pulled = health.fault == "unplugged" and fault == "absent"
        return (health if pulled else replace(health, fault=fault, last_fault=fault)), ()
    after = replace(health, health="down", since=at, fault=fault, last_fault=fault)
    return after, (_lost(device, fault, at),)


def doubt(health: Health, device: str, fault: Fault, at: Moment) -> Step:
    """Return a device that answers, but is not believed from now on."""
    if health.health == "degraded" and health.fault == fault:
        return health, ()
    after = replace(health, health="degraded", since=at, fault=fault, last_fault=fault)
    return after, (_lost(device, fault, at),)


def believe(health: Health, device: str, at: Moment) -> Step:
    """Return a device that was in doubt, and is believed again."""
    return _well(health, device, at) if health.health == "degraded" else (health, ())


def recover(health: Health, device: str, at: Moment) -> Step:
    """Return the device after it answered; whether it is to be believed, what it says will show."""
    return (health, ()) if health.health in ("ok", "degraded") else _well(health, device, at)


def learn(health: Health, firmware: str, settings: str, at: Moment, *, drifted: bool) -> Health:
    """Return a radar after it said what it is and how it is set."""
    since = (health.drifted_since or at) if drifted else None
    last_fault: Fault | None = "drifted" if drifted and health.fault is None else health.last_fault
    return replace(health, firmware=firmware, settings=settings, drifted_since=since, last_fault=last_fault)


def _lost(device: str, fault: Fault, at: Moment) -> Publish:
    return Publish(DeviceLost(subject=device, value=Loss(fault=fault), t=at.wall_ms, clock=at.clock, up=at.up_ms))


def _well(health: Health, device: str, at: Moment) -> Step:
    after = replace(health, health="ok", since=at, fault=None)
    if health.health == "unknown":
        return after, ()
    value = Recovery(down_s=max(0, int(at.mono_s - health.since.mono_s)))
    return after, (Publish(DeviceRecovered(subject=device, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms)),)


def count_noise(health: Health, count: int) -> Health:
    """Return the device after its thread counted `count` pieces of noise in all."""
    return replace(health, noise_count=count)


def shown(health: Health) -> tuple[DeviceHealth, Moment, Fault | None]:
    """Return how a device is, since when, and what is wrong: a well one may have drifted from its file."""
    if health.health == "ok" and health.drifted_since is not None:
        return "degraded", health.drifted_since, "drifted"
    return health.health, health.since, health.fault


def status(health: Health, device: str, since_ms: int | None) -> DeviceStatus:
    """Return the device as the health document carries it."""
    state, _, fault = shown(health)
    return DeviceStatus(
        id=device,
        kind=health.kind,
        health=state,
        since=since_ms,
        fault=fault,
        noise_count=health.noise_count,
        last_fault=health.last_fault,
    )


def radar_status(health: Health, device: str) -> RadarStatus | None:
    """Return what a radar has said of itself, None for every other device and for one that has said nothing."""
    if health.firmware is None or health.settings is None:
        return None
    return RadarStatus(id=device, firmware=health.firmware, settings=health.settings)
