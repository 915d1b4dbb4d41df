"""What a technician is told of each device: tried once, with a remedy for each way to fail."""

import queue
from dataclasses import dataclass
from random import Random
from time import monotonic

from contract.events import Fault
from edge.clock import SystemClock
from edge.config import EdgeSettings
from edge.core.observations import DeviceFailed, DeviceReady, Observation
from edge.wiring import devices_of

ANSWER_WITHIN_S = 8.0
"""A reader left at another speed and a radar that must leave its configuration mode both answer within this time."""

REMEDIES: dict[Fault, str] = {
    "absent": "nothing is connected there: check the cable, the power and the name in the settings",
    "unplugged": "it was there and has gone: check the plug and the cable",
    "silent": "the port is there but nothing answers: check the power, the crossing of TX and RX, and the other end",
    "garbled": "it answers, but not in its protocol: check the kind of device, the ground wire and the cable's length",
    "refused": "the system does not give it: check the groups gpio and dialout, and who else uses it",
    "chattering": "it changes faster than a person can: check the wiring and shield the cable",
    "stuck": "it has not changed for too long: check that it sees its place",
    "implausible": "it says what cannot be: check what misleads it, and that it sees the same place as its neighbour",
    "drifted": "its settings are not those of its file: write them again with `telecentre-edge sensors configure`",
    "unreadable": "its content cannot be used: correct the file; the agent logs the line",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One device, and what is wrong with it, if anything."""

    device: str
    fault: Fault | None
    remedy: str | None


def examine(settings: EdgeSettings, site_key: bytes | None) -> list[Finding]:
    """Return a finding for every device, after trying each once for at most eight seconds."""
    heard: queue.Queue[Observation] = queue.Queue()
    crashes: list[BaseException] = []
    clock = SystemClock(lambda: "unsynced")
    devices = devices_of(settings, site_key, clock=clock.now, random=Random(0), on_crash=crashes.append)  # noqa: S311
    faults: dict[str, Fault | None] = {}
    deadline_s = monotonic() + ANSWER_WITHIN_S
    for thread in devices.threads:
        thread.start(heard.put)
    try:
        while len(faults) < len(devices.threads) and not crashes and (left_s := deadline_s - monotonic()) > 0:
            try:
                seen = heard.get(timeout=min(left_s, 0.5))
            except queue.Empty:
                continue
            if isinstance(seen, DeviceReady):
                faults.setdefault(seen.device, None)
            elif isinstance(seen, DeviceFailed):
                faults.setdefault(seen.device, seen.fault)
    finally:
        for thread in devices.threads:
            thread.stopping.set()
            thread.wake()
        for thread in devices.threads:
            thread.stop(2.0)
    if crashes:
        raise crashes[0]
    found = [(thread.id, faults.get(thread.id, "silent")) for thread in devices.threads]
    return [Finding(device, fault, REMEDIES[fault] if fault else None) for device, fault in found]
