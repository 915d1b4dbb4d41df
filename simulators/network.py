"""The network that the demo plays: which telecentres there are, and which simulated devices each of them has.

Read from a network file (packaged: cantal.toml). Everything here is a pure function of that file: no port, no clock.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

ALWAYS_OPEN = "24/7"
"""Opening hours in OSM syntax: the demo and the tests pass on a Sunday at 03:00."""

STRIKE_PIN, CONTACT_PIN, EXIT_BUTTON_PIN = 17, 27, 22
GRANTED_PIN, REFUSED_PIN, BUZZER_PIN = 23, 24, 25
_DESK_PINS = (16, 20, 21, 26, 5, 6, 12, 13, 19, 4, 7, 8, 9, 10, 11, 18, 2, 3)
"""What is left of a Pi's header for desks, in the order of firmware_config/README.md; 14 and 15 stay the UART's."""

_RADAR_EVERY = 3
"""Every third desk has a radar, the others a PIR: four PIR and two radars for six desks (benchmark B6)."""

_SITE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MAX_DESKS, _MAX_ROOMS, _MAX_SITES = 60, 20, 100
"""A demo runs on one machine: beyond this, the file is a mistake."""


class NetworkError(ValueError):
    """A network file cannot be played: one sentence that names the site and the key."""


@dataclass(frozen=True, slots=True)
class Site:
    """One telecentre of the network file; its first `confidential_rooms` rooms are the confidential ones."""

    id: str
    name: str
    code_insee: str
    latitude: float
    longitude: float
    desks: int
    visio_rooms: int
    confidential_rooms: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """A network of telecentres that share a time zone and opening hours (OSM syntax)."""

    id: str
    name: str
    time_zone: str
    opening_hours: str
    sites: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk and its one sensor: a PIR on `pin`, or a radar on a wire when `pin` is empty.

    `loop_pin` is that of the loop through the PIR's plug; empty where no pin is left for it.
    """

    id: str
    pin: int | None
    loop_pin: int | None = None

    @property
    def sensor(self) -> str:
        """The device id of its sensor."""
        return f"{self.id}-radar" if self.pin is None else f"{self.id}-pin"


@dataclass(frozen=True, slots=True)
class Room:
    """A visio room with a radar, a calendar and a display."""

    id: str
    confidential: bool

    @property
    def sensor(self) -> str:
        """The device id of its radar."""
        return f"{self.id}-radar"

    @property
    def display(self) -> str:
        """The device id of its display."""
        return f"{self.id}-display"

    def display_kind(self, site: str) -> Literal["samsung-mdc", "pjlink"]:
        """Return what its display speaks, the same at every call: some of each over the network."""
        return "pjlink" if (len(site) + int(self.id[-2:])) % 2 else "samsung-mdc"


@dataclass(frozen=True, slots=True)
class Equipment:
    """What stands in one site beside its one door (`door-01`) and one reader (`reader-01`)."""

    desks: tuple[Desk, ...]
    rooms: tuple[Room, ...]

    @property
    def radars(self) -> tuple[str, ...]:
        """The device ids of all radars: each has a wire of that name."""
        desks = [desk.sensor for desk in self.desks if desk.pin is None]
        return (*desks, *(room.sensor for room in self.rooms))


def packaged_network() -> Network:
    """Return the network that comes with the simulators: ten telecentres and 47 desks."""
    return read_network(resources.files("simulators").joinpath("cantal.toml").read_text(encoding="utf-8"))


def read_network(text: str, *, most: int = _MAX_SITES) -> Network:
    """Return the network that a TOML text describes, of at most `most` sites.

    Raises:
        NetworkError: it is not TOML, a key is missing or has the wrong type, or a number is out of bounds.
    """
    try:
        content = tomllib.loads(text)
        head = content["network"]
        sites = tuple(_site(table) for table in content["site"])
        network = Network(
            id=_text(head, "id"),
            name=_text(head, "name"),
            time_zone=_text(head, "time_zone"),
            opening_hours=_text(head, "opening_hours"),
            sites=sites,
        )
    except tomllib.TOMLDecodeError as error:
        raise NetworkError(f"the network file is not valid TOML: {error}") from error
    except KeyError as error:
        raise NetworkError(f"the network file lacks the key {error}") from error
    if not 1 <= len(sites) <= most or len({site.id for site in sites}) != len(sites):
        raise NetworkError(f"a network has 1 to {most} sites, each with an id of its own")
    return network


def part_of(network: Network, *, sites: int, opening_hours: str | None = None) -> Network:
    """Return the first `sites` sites of a network, with other opening hours if they are given.

    Raises:
        NetworkError: the network has fewer sites.
    """
    if not 1 <= sites <= len(network.sites):
        raise NetworkError(f"the network has {len(network.sites)} sites: choose from 1 to {len(network.sites)}")
    return replace(
        network,
        sites=network.sites[:sites],
        opening_hours=network.opening_hours if opening_hours is None else opening_hours,
    )


def equipment_of(site: Site) -> Equipment:
    """Return the devices of a site, the same at every call: every third desk has a radar, and all once pins run out.

    The pins that are left over watch the plugs of the PIRs, one by one.
    """
    pins = iter(_DESK_PINS)
    desks = []
    for number in range(1, site.desks + 1):
        pin = None if number % _RADAR_EVERY == 0 else next(pins, None)
        desks.append(Desk(f"desk-{number:02d}", pin))
    desks = [desk if desk.pin is None else replace(desk, loop_pin=next(pins, None)) for desk in desks]
    rooms = [
        Room(f"room-{number:02d}", confidential=number <= site.confidential_rooms)
        for number in range(1, site.visio_rooms + 1)
    ]
    return Equipment(tuple(desks), tuple(rooms))


def _site(table: dict[str, Any]) -> Site:
    site = Site(
        id=_text(table, "id"),
        name=_text(table, "name"),
        code_insee=_text(table, "code_insee"),
        latitude=_degrees(table, "latitude"),
        longitude=_degrees(table, "longitude"),
        desks=_count(table, "desks", _MAX_DESKS),
        visio_rooms=_count(table, "visio_rooms", _MAX_ROOMS),
        confidential_rooms=_count(table, "confidential_rooms", _MAX_ROOMS) if "confidential_rooms" in table else 0,
    )
    if _SITE_ID.fullmatch(site.id) is None:
        raise NetworkError(f"'{site.id}' is no site id: lower-case letters, digits and hyphens, at most 40")
    return site


def _text(table: dict[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise NetworkError(f"the key '{key}' of '{table.get('id', '?')}' must be a text")
    return value


def _degrees(table: dict[str, Any], key: str) -> float:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not -180 <= value <= 180:
        raise NetworkError(f"the key '{key}' of '{table.get('id', '?')}' must be degrees")
    return float(value)


def _count(table: dict[str, Any], key: str, limit: int) -> int:
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise NetworkError(f"the key '{key}' of '{table.get('id', '?')}' must be a whole number from 0 to {limit}")
    return value
