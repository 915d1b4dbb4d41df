"""Which telecentres a question is about: one, those of a zone, or all of them. Pure."""

from collections.abc import Sequence
from typing import Literal
from zoneinfo import ZoneInfo

from hub.routes.context import QueryError
from hub.store import Site, Zone
from hub.store.rows import Asked

By = Literal["resource", "site", "zone"]
"""How figures are told apart: each desk, room or door, each telecentre, or each zone."""


def sites_asked(registered: Sequence[Site], asked: str) -> list[Site]:
    """Return the one telecentre that is asked for, or all of them when none is.

    Raises:
        QueryError: the register does not hold it.
    """
    found = [site for site in registered if asked in ("", site.id)]
    if asked and not found:
        raise QueryError("site", "'site' must be the id of a telecentre in the register: see /api/v1/sites.")
    return found


def zone_asked(zones: Sequence[Zone], zone: str, site: str) -> Zone | None:
    """Return the zone that is asked for, None when none is.

    Raises:
        QueryError: there is no such zone, or a telecentre is asked for as well.
    """
    if not zone:
        return None
    if site:
        raise QueryError("zone", "'zone' and 'site' exclude one another: leave one of them out.")
    found = next((one for one in zones if one.id == zone), None)
    if found is None:
        raise QueryError("zone", "'zone' must be the id of a zone in the register: see /api/v1/sites.")
    return found


def places_asked(
    registered: Sequence[Site], zones: Sequence[Zone], *, site: str, zone: str, by: By | None
) -> list[Asked]:
    """Return the places of which figures are asked: telecentres (also for what is in them, one by one), or zones.

    Raises:
        QueryError: for `site`, `zone` or `by`.
    """
    named = zone_asked(zones, zone, site)
    if by == "zone" and site:
        raise QueryError("by", "'by' cannot be zone for one telecentre: name a 'zone' instead, or leave 'by' out.")
    if by == "zone" or (by is None and named is not None):
        return [Asked(one.id, "zone", one.sites) for one in (zones if named is None else [named])]
    sites = sites_asked(registered, site)
    return [Asked(one.id, "site", (one.id,)) for one in sites if named is None or one.id in named.sites]


def sites_read(places: Sequence[Asked], registered: Sequence[Site]) -> list[Site]:
    """Return the telecentres of places, each as often as it is read: once for every zone that it belongs to."""
    known = {site.id: site for site in registered}
    return [known[name] for place in places for name in place.sites if name in known]


def times_of(places: Sequence[Asked], sites: Sequence[Site]) -> dict[str, ZoneInfo]:
    """Return in which time zone the days of each place are: a zone's are those of its first telecentre."""
    own = {site.id: site.zone for site in sites}
    return {place.place: own[place.sites[0]] for place in places if place.sites}
