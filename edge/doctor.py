"""What a technician is told of each device: tried once, with a remedy for each way to fail."""

import queue
from dataclasses import dataclass
from random import Random
from time import monotonic

from contract.events import Fault
from edge.clock import SystemClock
from edge.config import EdgeSettings, SiteKeys
from edge.core.observations import DeviceFailed, DeviceReady, Observation, RadarIdentified
from edge.core.site import RIGHTS
from edge.devices.rights_list import ListRefusedError, stored_list
from edge.wiring import devices_of, rights_keys_of

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


ROOM_REMEDIES: dict[tuple[str, Fault], str] = {
    ("display", "silent"): "it does not answer: many displays do not in standby: switch it on, then check its address",
    ("display", "absent"): "check its network cable and address, and let the system reach it (systemd/README.md)",
    ("display", "refused"): "correct its password, or switch the secured protocol off in its menu",
    ("bookings", "absent"): "no calendar there: check file or address, and the line",
    ("bookings", "silent"): "the calendar's server does not answer in time: check the address and the line",
    ("bookings", "garbled"): "the calendar's server answers, but gives no calendar: look at the address in a browser",
    ("bookings", "refused"): "the calendar's server refuses: check login, secret and certificate",
}
"""What fits a display or a calendar better, by the end of its device id."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One device, and what is wrong with it, if anything; `said` is what a radar says of itself."""

    device: str
    fault: Fault | None
    remedy: str | None
    said: str | None = None


def examine(settings: EdgeSettings, keys: SiteKeys) -> list[Finding]:
    """Return a finding for every device, after trying each once for at most eight seconds."""
    heard: queue.Queue[Observation] = queue.Queue()
    crashes: list[BaseException] = []
    clock = SystemClock(lambda: "unsynced")
    devices = devices_of(settings, keys, boot=None, clock=clock.now, random=Random(0), on_crash=crashes.append)  # noqa: S311
    faults: dict[str, Fault | None] = {}
    said: dict[str, str] = {}
    deadline_s = monotonic() + ANSWER_WITHIN_S
    for thread in devices.threads:
        thread.start(heard.put)
    try:
        while len(faults) < len(devices.threads) and not crashes and (left_s := deadline_s - monotonic()) > 0:
            try:
                seen = heard.get(timeout=min(left_s, 0.5))
            except queue.Empty:
                continue
            _note(seen, faults, said)
    finally:
        for thread in devices.threads:
            thread.stopping.set()
            thread.wake()
        for thread in devices.threads:
            thread.stop(2.0)
    if crashes:
        raise crashes[0]
    found = [(thread.id, faults.get(thread.id, "silent")) for thread in devices.threads]
    findings = [Finding(name, fault, _remedy(name, fault), said.get(name)) for name, fault in found]
    return [*findings, *_rights(settings, keys)]


def _note(seen: Observation, faults: dict[str, Fault | None], said: dict[str, str]) -> None:
    """Note what is said first of each device; a radar identifies itself before it is ready."""
    if isinstance(seen, DeviceReady):
        faults.setdefault(seen.device, None)
    elif isinstance(seen, DeviceFailed):
        faults.setdefault(seen.device, seen.fault)
    elif isinstance(seen, RadarIdentified):
        said[seen.device] = f"firmware {seen.firmware}, settings {seen.settings}"
        if seen.drifted:
            faults.setdefault(seen.device, "drifted")


def _remedy(device: str, fault: Fault | None) -> str | None:
    if fault is None:
        return None
    return ROOM_REMEDIES.get((device.rpartition("-")[2], fault), REMEDIES[fault])


def _rights(settings: EdgeSettings, keys: SiteKeys) -> list[Finding]:
    """Return what is wrong with the list of rights on the disk; the running agent alone takes new ones."""
    try:
        if stored_list(settings.site, settings.rights.folder, rights_keys_of(settings, keys)) is not None:
            return [Finding(RIGHTS, None, None)]
    except ListRefusedError as error:
        remedy = f"the stored list is refused ({error.reason}): the hub sends it again once the link is up"
        return [Finding(RIGHTS, "unreadable", remedy)]
    return [Finding(RIGHTS, "absent", "no badge opens before the hub has sent a first list: check the link to the hub")]
