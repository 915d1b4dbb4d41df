"""What the technician's page says of each device: how it is, since when, what was wrong last. Pure."""

from dataclasses import dataclass

from contract.messages import DeviceHealth, DeviceStatus, RadarStatus, Report
from hub.instants import instant
from hub.live_answer import LiveSite
from hub.routes.cards import View, device_name, fault_key, number_of
from hub.store import Undeclared

HEALTH_ORDER: tuple[DeviceHealth, ...] = ("down", "degraded", "unknown", "ok")
"""What needs a person comes first; within these by name, so that a device keeps its place."""

HEALTH_SHAPES: dict[DeviceHealth, str] = {
    "down": "out_of_service",
    "degraded": "degraded",
    "unknown": "unknown",
    "ok": "ok",
}


@dataclass(frozen=True)
class DeviceLine:
    """One device of a telecentre."""

    id: str
    name: str
    health: DeviceHealth
    shape: str
    word: str
    was: str
    """The same word when the telecentre is no longer heard: its last known state; else empty."""
    since: str
    sentence: str
    """What is wrong, or was last; empty when nothing was since the agent started."""
    remedy: str
    noise: str
    firmware: str
    settings: str
    drift: str
    """Whether a radar's settings are those of its file; empty for every other device."""


def device_lines(report: Report, site: LiveSite, view: View) -> list[DeviceLine]:
    """Return the devices of a report, those that need a person first."""
    radars = {radar.id: radar for radar in report.radars}
    lines = [_line(device, radars.get(device.id), site, view) for device in report.devices]
    return sorted(lines, key=lambda line: (HEALTH_ORDER.index(line.health), line.id))


def device_words(device: DeviceStatus, view: View) -> tuple[str, str]:
    """Return what is wrong with a device and what to do; of a well one what was wrong last; both empty for neither."""
    words, fault = view.words, device.fault or device.last_fault
    if fault is not None:
        key = fault_key(device.kind, fault)
    elif device.health != "ok":
        key = f"device.{device.health}"
    else:
        return "", ""
    sentence = words(key)
    if device.health == "ok":
        sentence = words("devices.last_fault", fault=sentence)
    return sentence, words(f"{key}_remedy")


def _line(device: DeviceStatus, radar: RadarStatus | None, site: LiveSite, view: View) -> DeviceLine:
    words, stale = view.words, not site["online"]
    word, (sentence, remedy) = words(f"health.{device.health}"), device_words(device, view)
    return DeviceLine(
        id=device.id,
        name=device_name(device.id, words),
        health=device.health,
        shape="unknown" if stale else HEALTH_SHAPES[device.health],
        word="?" if stale else word,
        was=words("card.last_known", word=word, since="").rstrip() if stale else "",
        since=view.for_how_long(instant(device.since), site["time_zone"]),
        sentence=sentence,
        remedy=remedy,
        noise=words.some("devices.noise", device.noise_count) if device.noise_count else "",
        firmware="" if radar is None else radar.firmware,
        settings="" if radar is None else radar.settings,
        drift="" if radar is None else words(f"devices.{'drifted' if device.fault == 'drifted' else 'as_read'}"),
    )


def agent_table(report: Report, site: LiveSite, view: View) -> list[tuple[str, str]]:
    """Return what the box says of itself: name and value."""
    words, zone = view.words, site["time_zone"]
    values = {
        "version": report.version,
        "reported": view.moment(instant(report.at), zone),
        "started": view.moment(instant(report.started_at), zone),
        "clock": words(f"clock.{report.clock}"),
    }
    return [(words(f"devices.{name}"), value) for name, value in values.items()]


PLACE_NAMES = {"desk": "card.desk", "room": "card.room_n", "door": "card.door_n"}
"""How people call a place, by what its id begins with."""


def undeclared_table(places: list[Undeclared], site: LiveSite, view: View) -> list[tuple[str, str, str, str, str]]:
    """Return what the register does not hold: name, id, how many events, the first and the last."""
    words, zone = view.words, site["time_zone"]
    rows: list[tuple[str, str, str, str, str]] = []
    for place in places:
        key = PLACE_NAMES.get(place.resource.partition("-")[0])
        name = words(key, n=number_of(place.resource)) if key else ""
        count = words.number(place.events)
        events = words("devices.at_least", n=count) if place.is_more else count
        first, last = (view.moment(instant(at_ms), zone) for at_ms in (place.first_ms, place.last_ms))
        rows.append((name, place.resource, events, first, last))
    return rows
