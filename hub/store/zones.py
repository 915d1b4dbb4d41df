"""Zones: valleys, territories and massifs of telecentres, with dates of effect; each network is one, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hub.network import NetworkTable, ZoneTable
from hub.store.connection import Connection
from hub.store.schema import statements

ZONE = "zone:"
"""What the place of a zone begins with; no site's id has a colon."""

NETWORK = "reseau:"
"""What the id of a network begins with as a zone; no zone of a file has a colon either."""

ALWAYS = "0001-01-01"
EVER_AFTER = "9999-12-31"

Level = Literal["valley", "territory", "network", "massif"]

_SQL = statements("zones")


class ZoneTakenError(ValueError):
    """Another network has a zone of this id; one sentence."""

    def __init__(self, zone: str, network: str, name: str) -> None:
        """Say that a network, by its id and name, has the zone."""
        super().__init__(f"the network '{network}' ({name}) has a zone '{zone}': give this one another id")
        self.zone = zone


@dataclass(frozen=True, slots=True)
class Zone:
    """Telecentres that are told of together; zones may overlap."""

    id: str
    name: str
    level: Level
    sites: tuple[str, ...]
    """In order of id."""

    @property
    def place(self) -> str:
        """What stands in the column `site` of its figures."""
        return ZONE + self.id


def read_zones(connection: Connection, day: str = EVER_AFTER) -> list[Zone]:
    """Return every zone with the telecentres that belong to it on a local day (default: now), in order of id.

    A zone that has none that day is left out. A network has the telecentres that it has now.
    """
    found: dict[str, tuple[str, Level, list[str]]] = {}
    for place, name, level, member in connection.execute(_SQL["zones"], {"day": day}):
        found.setdefault(place.removeprefix(ZONE), (name, level, []))[2].append(member)
    for network, name, site in connection.execute(_SQL["networks"]):
        found.setdefault(NETWORK + network, (name, "network", []))[2].append(site)
    return [Zone(zone, name, level, tuple(sites)) for zone, (name, level, sites) in sorted(found.items())]


def import_zones(connection: Connection, network: NetworkTable, tables: Sequence[ZoneTable], today: str) -> list[str]:
    """Make the register hold these zones of a network and no others; return what changed, one sentence each.

    A new zone holds for all days, a change from `today` on. Runs inside the caller's transaction, behind the sites.

    Raises:
        ZoneTakenError: another network has a zone of the same id.
    """
    changes: list[str] = []
    for table in tables:
        changes += _import_zone(connection, network.id, table, today)
    wanted = {ZONE + table.id for table in tables}
    for (place,) in connection.execute(_SQL["zones_of_network"], {"network": network.id}).fetchall():
        if place not in wanted and (members := _members(connection, place)[0]):
            _end(connection, place, members, today)
            changes.append(f"zone {place.removeprefix(ZONE)}: is gone from {today}")
    return changes


def _import_zone(connection: Connection, network: str, table: ZoneTable, today: str) -> list[str]:
    place = ZONE + table.id
    wanted = {"network": network, "name": table.name, "level": table.level}
    row = connection.execute(_SQL["zone"], {"site": place}).fetchone()
    members, is_new = _members(connection, place)
    # A network that has no telecentre any more has another id now, and what it has let go of may be taken up.
    if row is not None and row[0] != network and members:
        (name,) = connection.execute(_SQL["network_name"], {"network": row[0]}).fetchone()
        if name is not None:
            raise ZoneTakenError(table.id, row[0], name)
    connection.execute(_SQL["put_zone"], {"site": place, **wanted})
    valid_from = ALWAYS if is_new else today
    added = sorted(set(table.sites) - members)
    for member in added:
        connection.execute(_SQL["put_member"], {"site": place, "member": member, "valid_from": valid_from})
    if is_new:
        return [f"zone {table.id}: new, a {table.level} of {len(table.sites)} telecentres"]
    _end(connection, place, members - set(table.sites), today)
    known = dict(zip(wanted, row, strict=True))
    other = [
        f"zone {table.id}: {key} is {wanted[key]!r}, was {known[key]!r}" for key in wanted if known[key] != wanted[key]
    ]
    other += [f"zone {table.id}: {member} belongs to it from {today}" for member in added]
    return other + [
        f"zone {table.id}: {member} is out of it from {today}" for member in sorted(members - set(table.sites))
    ]


def _members(connection: Connection, place: str) -> tuple[set[str], bool]:
    """Return which telecentres belong to a zone now, and whether none ever did."""
    rows = connection.execute(_SQL["members"], {"site": place}).fetchall()
    return {member for member, valid_until in rows if valid_until is None}, not rows


def _end(connection: Connection, place: str, members: set[str], today: str) -> None:
    for member in sorted(members):
        connection.execute(_SQL["end_member"], {"site": place, "member": member, "valid_until": today})
