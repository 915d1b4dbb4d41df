"""Which telecentres a question is about: one, those of a zone, or all of them. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from hub.routes.context import QueryError
from hub.routes.period import bound_ms
from hub.store import Site, Zone


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


def by_time_zone(
    sites: Sequence[Site], start: date | datetime, end: date | datetime
) -> list[tuple[ZoneInfo, list[Site], tuple[int, int]]]:
    """Return the sites of each time zone, and the period as it is there; a date begins at its local midnight."""
    groups: dict[str, list[Site]] = {}
    for site in sites:
        groups.setdefault(site.time_zone, []).append(site)
    return [
        (zone, members, (bound_ms(start, zone), bound_ms(end, zone)))
        for zone, members in ((members[0].zone, members) for members in groups.values())
    ]
