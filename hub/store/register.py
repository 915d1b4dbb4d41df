"""The register: which sites, desks, rooms and doors there are, when each is open, and from which day on."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from hub.network import NetworkTable, SiteTable
from hub.store.connection import Connection
from hub.store.rows import Resource, Site
from hub.store.schema import statements
from hub.store.undeclared import first_day

ALWAYS = "0001-01-01"
"""The day from which the first thing known of a site holds: nothing else is known of the days before."""

DOOR = "door"

_SQL = statements("register")
CALENDAR = _SQL["calendar"]
"""What the figures of one site need of the register: its zone, its opening hours, its desks and rooms."""


@dataclass(frozen=True, slots=True)
class Place:
    """A desk or a room, and the local days, half-open, in which it counts."""

    resource: str
    kind: str
    valid_from: str
    valid_until: str | None

    def counts_on(self, day: str) -> bool:
        """Return whether the place is in the register on a local day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the figures of one site need of the register, over all days."""

    site: str
    zone: ZoneInfo
    since: str
    openings: tuple[tuple[str, str], ...]
    """(valid from, opening hours), oldest first."""
    places: tuple[Place, ...]

    def opening_hours(self, day: str) -> str:
        """Return the opening hours that hold on a local day."""
        return next((hours for valid_from, hours in reversed(self.openings) if valid_from <= day), self.openings[0][1])


def read_sites(connection: Connection) -> list[Site]:
    """Return every site as it is today, in order of name."""
    openings = {row[0]: row[2] for row in connection.execute(_SQL["openings"])}
    resources: dict[tuple[str, str], list[Resource]] = {}
    for site, kind, name, confidential in connection.execute(_SQL["resources"]).fetchall():
        resources.setdefault((site, kind), []).append(_resource(name, confidential))
    sites = [_site(row, openings[row[0]], resources) for row in connection.execute(_SQL["sites"]).fetchall()]
    return sorted(sites, key=lambda site: (_spoken(site.name), site.id))


def read_site(connection: Connection, site: str) -> list[Site]:
    """Return one site alone as it is today; none when the register does not hold it."""
    # Whoever asks may name anything, and a server takes no text with a zero in it.
    row = None if "\0" in site else connection.execute(_SQL["site"], {"site": site}).fetchone()
    if row is None:
        return []
    openings = connection.execute(_SQL["openings_of_site"], {"site": site}).fetchall()
    resources: dict[tuple[str, str], list[Resource]] = {}
    for name, _, until, kind, confidential in connection.execute(_SQL["resources_of_site"], {"site": site}):
        if until is None:
            resources.setdefault((site, kind), []).append(_resource(name, confidential))
    return [_site(row, openings[-1][1], resources)]


def _site(row: Sequence[Any], opening_hours: str, resources: Mapping[tuple[str, str], Sequence[Resource]]) -> Site:
    site, network, network_name, name, time_zone, code_insee, latitude, longitude, _ = row
    return Site(
        id=site,
        name=name,
        time_zone=time_zone,
        opening_hours=opening_hours,
        latitude=latitude,
        longitude=longitude,
        code_insee=code_insee,
        network=network,
        network_name=network_name,
        desks=tuple(resources.get((site, "desk"), ())),
        rooms=tuple(resources.get((site, "room"), ())),
        doors=tuple(resources.get((site, "door"), ())),
    )


@lru_cache(maxsize=1024)
def _resource(name: str, confidential: int) -> Resource:
    """Return a desk, room or door: thousands of telecentres have one of each name."""
    return Resource(name, bool(confidential))


@lru_cache(maxsize=8192)
def _spoken(name: str) -> str:
    """Return what a name is sorted by: its letters without accents and capitals, so that É stands with E.

    The four languages of the hub agree on that; the machine's locale, which may not be installed, is not asked.
    """
    plain = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "Oe").replace("ß", "ss"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold()


def read_calendar(connection: Connection, site: str) -> Calendar | None:
    """Return the calendar of a site, or None when the register does not hold it."""
    return calendar_of(site, connection.execute(CALENDAR, {"site": site}).fetchall())


def calendar_of(site: str, rows: Iterable[Sequence[Any]]) -> Calendar | None:
    """Return what the rows of `CALENDAR` say of a site; None when the register does not hold it."""
    told: dict[str, list[Sequence[Any]]] = {"site": [], "opening": [], "place": []}
    for what, *row in rows:
        told[what].append(row)
    if not told["site"]:
        return None
    ((time_zone, since, _, _),) = told["site"]
    openings = sorted((valid_from, hours) for hours, valid_from, _, _ in told["opening"])
    places = sorted(told["place"], key=itemgetter(0, 1))
    return Calendar(
        site,
        ZoneInfo(time_zone),
        since,
        tuple(openings),
        tuple(Place(resource, kind, valid_from, valid_until) for resource, valid_from, valid_until, kind in places),
    )


def read_calendars(connection: Connection) -> dict[str, Calendar]:
    """Return the calendar of every site, in order of id."""
    openings: dict[str, list[tuple[str, str]]] = {}
    for site, *opening in connection.execute(_SQL["openings"]):
        openings.setdefault(site, []).append((opening[0], opening[1]))
    places: dict[str, list[Place]] = {}
    for site, resource, kind, valid_from, valid_until in connection.execute(_SQL["places"]):
        places.setdefault(site, []).append(Place(resource, kind, valid_from, valid_until))
    rows = sorted((row[0], row[4], row[8]) for row in connection.execute(_SQL["sites"]))
    return {
        site: Calendar(site, ZoneInfo(zone), since, tuple(openings.get(site, ())), tuple(places.get(site, ())))
        for site, zone, since in rows
    }


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed of one site."""

    site: str
    changes: tuple[str, ...]
    """One sentence each; none when the file says what is known."""
    figures_from: str | None
    """The local day from which its figures are to be computed again."""
    other_days: bool
    """Whether its days begin and end elsewhere than before: its time zone changed."""
    other_rights: bool = False
    """Whether other badges may enter, or at other times: its network or its time zone changed."""


def import_site(connection: Connection, network: NetworkTable, table: SiteTable, today: str) -> Imported:
    """Make the register say what the file says of a site, from `today` on if the site is known.

    Runs inside the caller's transaction.
    """
    wanted: dict[str, str | float | None] = {
        "site": table.id,
        "network": network.id,
        "network_name": network.name,
        "name": table.name,
        "time_zone": table.time_zone or network.time_zone,
        "code_insee": table.code_insee,
        "latitude": table.latitude,
        "longitude": table.longitude,
    }
    row = connection.execute(_SQL["site"], {"site": table.id}).fetchone()
    known = None if row is None else dict(zip(wanted, row, strict=False))
    connection.execute(_SQL["put_site"], {**wanted, "since": today})
    valid_from = ALWAYS if known is None else today
    zone = ZoneInfo(table.time_zone or network.time_zone)
    opening = _import_opening(connection, table.id, table.opening_hours or network.opening_hours, valid_from)
    resources = _import_resources(connection, table, valid_from, zone)
    changed = opening + sorted(sentence for _, sentence in resources)
    if known is None:
        desks, rooms, doors = table.desks, table.visio_rooms, table.doors
        changes = [f"site {table.id}: new, with {desks} desks, {rooms} visio rooms, {doors} doors"]
        return Imported(table.id, tuple(changes), ALWAYS, other_days=False)
    other = [
        f"site {table.id}: {key} is {wanted[key]!r}, was {was!r}" for key, was in known.items() if was != wanted[key]
    ]
    other_days = known["time_zone"] != wanted["time_zone"]
    from_days = [today] * len(opening) + [day for day, _ in resources if day is not None]
    figures_from = ALWAYS if other_days else min(from_days, default=None)
    other_rights = other_days or known["network"] != wanted["network"]
    return Imported(table.id, (*other, *changed), figures_from, other_days, other_rights)


def _import_opening(connection: Connection, site: str, hours: str, valid_from: str) -> list[str]:
    known = connection.execute(_SQL["openings_of_site"], {"site": site}).fetchall()
    if known and known[-1][1] == hours:
        return []
    connection.execute(_SQL["put_opening"], {"site": site, "valid_from": valid_from, "opening_hours": hours})
    return [f"site {site}: open {hours!r} from {valid_from}"]


def _import_resources(
    connection: Connection, table: SiteTable, valid_from: str, zone: ZoneInfo
) -> list[tuple[str | None, str]]:
    """Make the register hold these resources; return each change: from which local day on, and a sentence.

    What was never in the register counts from the day on which it was first heard of, if that is earlier: it was there.
    What was taken out and comes back counts from `valid_from`: somebody had said that it did not. Doors have no such
    day: what they do is counted anyway, and the register says whether it is told.
    """
    rows = connection.execute(_SQL["resources_of_site"], {"site": table.id}).fetchall()
    known = {row[0]: (row[3], bool(row[4])) for row in rows if row[2] is None}
    ever = {row[0] for row in rows}
    wanted = _resources(table)
    changes: list[tuple[str | None, str]] = []
    for resource in known.keys() - wanted.keys():
        connection.execute(_SQL["end_resource"], {"site": table.id, "resource": resource, "valid_until": valid_from})
        day = None if known[resource][0] == DOOR else valid_from
        changes.append((day, f"site {table.id}: {resource} is gone from {valid_from}"))
    for resource, (kind, confidential) in wanted.items():
        if known.get(resource) == (kind, confidential):
            continue
        if resource in known:
            connection.execute(
                _SQL["end_resource"], {"site": table.id, "resource": resource, "valid_until": valid_from}
            )
        first = valid_from
        if resource not in ever:
            first = ALWAYS if kind == DOOR else _first_heard(connection, table.id, resource, zone, valid_from)
        values = {"site": table.id, "resource": resource, "valid_from": first}
        connection.execute(_SQL["put_resource"], {**values, "kind": kind, "confidential": int(confidential)})
        since = f" from {first}" if first != ALWAYS else ", with all that was heard of it"
        told = f"{resource}{' (confidential)' if confidential else ''}{since}"
        because = ", when it was first heard of" if ALWAYS < first < valid_from else ""
        changes.append((None if kind == DOOR else first, f"site {table.id}: {told}{because}"))
    return changes


def _first_heard(connection: Connection, site: str, resource: str, zone: ZoneInfo, valid_from: str) -> str:
    """Return the local day on which a desk or room was first heard of; `valid_from` if that is earlier, or if never."""
    heard = first_day(connection, site, resource, zone)
    return valid_from if heard is None else min(valid_from, heard)


def _resources(table: SiteTable) -> dict[str, tuple[str, bool]]:
    rooms = {f"room-{n:02d}": ("room", n <= table.confidential_rooms) for n in range(1, table.visio_rooms + 1)}
    desks = {f"desk-{n:02d}": ("desk", False) for n in range(1, table.desks + 1)}
    doors = {f"door-{n:02d}": (DOOR, False) for n in range(1, table.doors + 1)}
    return {**desks, **rooms, **doors}
