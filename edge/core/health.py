"""How each device is: told lost once when it is lost, recovered once when it answers again."""

from dataclasses import dataclass, replace

from contract.events import DeviceLost, DeviceRecovered, Fault, Loss, Recovery
from contract.messages import DeviceHealth, DeviceStatus
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


Step = tuple[Health, tuple[Publish, ...]]


def fail(health: Health, device: str, fault: Fault, at: Moment) -> Step:
    """Return the device after a failed try: the first one is a loss, the others change at most the reason.

    A device that was pulled out is absent at each later try: that it was pulled out says more.
    """
    if health.health == "down":
        pulled = health.fault == "unplugged" and fault == "absent"
        return (health if pulled else replace(health, fault=fault)), ()
    lost = DeviceLost(subject=device, value=Loss(fault=fault), t=at.wall_ms, clock=at.clock, up=at.up_ms)
    return replace(health, health="down", since=at, fault=fault), (Publish(lost),)


def recover(health: Health, device: str, at: Moment) -> Step:
    """Return the device after it answered."""
    if health.health == "ok":
        return health, ()
    after = replace(health, health="ok", since=at, fault=None)
    if health.health == "unknown":
        return after, ()
    value = Recovery(down_s=max(0, int(at.mono_s - health.since.mono_s)))
    return after, (Publish(DeviceRecovered(subject=device, value=value, t=at.wall_ms, clock=at.clock, up=at.up_ms)),)


def count_noise(health: Health, count: int) -> Health:
    """Return the device after its thread counted `count` pieces of noise in all."""
    return replace(health, noise_count=count)


def status(health: Health, device: str, since_ms: int | None) -> DeviceStatus:
    """Return the device as the health document carries it."""
    return DeviceStatus(
        id=device,
        kind=health.kind,
        health=health.health,
        since=since_ms,
        fault=health.fault,
        noise_count=health.noise_count,
    )
