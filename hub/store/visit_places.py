"""The places for which persons are counted: each site, and each zone with the local days on which sites are part of it.

A visitor of a zone came in at a site that belonged to it on that day; a network has the sites that it has now.
"""

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from hub.store.connection import Connection
from hub.store.schema import statements
from hub.store.zones import NETWORK, ZONE

Days = tuple[tuple[str, str | None], ...]
"""Local days, half-open; without an end, until further notice."""

Members = dict[str, Days]
"""When each site belongs to a place."""

ALL_DAYS: Days = (("0001-01-01", None),)

FEW_SITES = 50
"""Up to so many are looked up one by one; beyond, the whole register is read at once."""

_SQL = statements("visits")


def zones_with_members(connection: Connection) -> dict[str, Members]:
    """Return the sites of each zone, by the place under which it is counted; a site that left is still there."""
    found: dict[str, Members] = {}
    for place, site, valid_from, valid_until in connection.execute(_SQL["members_of_zones"]):
        members = found.setdefault(place, {})
        members[site] = (*members.get(site, ()), (valid_from, valid_until))
    for site, network, _ in connection.execute(_SQL["sites"]):
        found.setdefault(ZONE + NETWORK + network, {})[site] = ALL_DAYS
    return found


def members_of(zones: dict[str, Members], place: str) -> Members:
    """Return the sites of a place; none of a zone that is not known."""
    return zones.get(place, {}) if place.startswith(ZONE) else {place: ALL_DAYS}


def within(members: Members, first: date, end: date) -> Members:
    """Return the sites that belong to a place on any of the local days from `first` to before `end`."""
    start_day, end_day = first.isoformat(), end.isoformat()
    return {
        site: days
        for site, days in members.items()
        if any(since < end_day and (until is None or until > start_day) for since, until in days)
    }


def belongs(days: Days, day: str) -> bool:
    """Return whether a local day is one of these."""
    return any(since <= day and (until is None or day < until) for since, until in days)


def time_zones(connection: Connection, sites: Iterable[str]) -> dict[str, ZoneInfo]:
    """Return the time zone of each of these sites that the register holds."""
    wanted = set(sites)
    if len(wanted) > FEW_SITES:
        return {site: ZoneInfo(zone) for site, _, zone in connection.execute(_SQL["sites"]) if site in wanted}
    rows = ((site, connection.execute(_SQL["time_zone"], {"site": site}).fetchone()) for site in wanted)
    return {site: ZoneInfo(row[0]) for site, row in rows if row is not None}
