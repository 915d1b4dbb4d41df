"""The zones of the year: telecentres that are told of together, with the days on which they belong to it. Pure.

Zones overlap, Montmurat joins two of them when it opens, and Murat leaves a valley within one month and comes back
within another.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

OPENS = date(2026, 3, 16)
LEAVES = date(2026, 6, 15)
RETURNS = date(2026, 10, 12)

Level = Literal["valley", "territory", "network", "massif"]


@dataclass(frozen=True, slots=True)
class Belonging:
    """On which local days a telecentre is part of a zone, half-open; None: from the beginning, until further notice."""

    site: str
    begin: date | None = None
    end: date | None = None

    def holds(self, day: date) -> bool:
        """Return whether it is part of the zone on a day."""
        return (self.begin is None or self.begin <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone; a network is one of all its telecentres."""

    id: str
    """As the API names it: a network's begins with `reseau:`."""
    name: str
    level: Level
    members: tuple[Belonging, ...]

    def sites(self, day: date) -> frozenset[str]:
        """Return the telecentres that are part of it on a day."""
        return frozenset(one.site for one in self.members if one.holds(day))

    def sites_within(self, days: Iterable[date]) -> frozenset[str]:
        """Return the telecentres that are part of it on any of these days."""
        return frozenset().union(*(self.sites(day) for day in days))

    def changes(self) -> Iterator[date]:
        """Yield the days from which it has other telecentres."""
        for one in self.members:
            yield from (day for day in (one.begin, one.end) if day is not None)


def _of(*sites: str) -> tuple[Belonging, ...]:
    return tuple(Belonging(site) for site in sites)


ZONES = (
    Zone("haute-auvergne", "Haute-Auvergne", "territory", _of("mauriac", "riom-es-montagnes", "ydes")),
    Zone("est-cantal", "Est Cantal", "territory", _of("saint-flour", "murat", "allanche", "chaudes-aigues")),
    Zone("monts-du-cantal", "Monts du Cantal", "valley", _of("murat", "vic-sur-cere", "riom-es-montagnes", "allanche")),
    Zone(
        "cere",
        "Vallée de la Cère",
        "valley",
        (
            *_of("aurillac", "vic-sur-cere", "chaudes-aigues"),
            Belonging("murat", None, LEAVES),
            Belonging("murat", RETURNS),
        ),
    ),
    Zone(
        "sud-cantal",
        "Sud Cantal",
        "territory",
        (*_of("aurillac", "vic-sur-cere", "chaudes-aigues"), Belonging("montmurat", OPENS)),
    ),
    Zone(
        "massif-central",
        "Massif central",
        "massif",
        (
            *_of("aurillac", "saint-flour", "murat", "mauriac", "allanche", "chaudes-aigues"),
            *_of("riom-es-montagnes", "ydes", "vic-sur-cere"),
            Belonging("montmurat", OPENS),
        ),
    ),
)


def zones_from(first: date) -> tuple[Zone, ...]:
    """Return the zones as a hub knows them that begins on a day: whoever belongs to one on that day always has."""
    return tuple(replace(zone, members=tuple(_from(first, zone.members))) for zone in ZONES)


def _from(first: date, members: Iterable[Belonging]) -> Iterator[Belonging]:
    for one in members:
        if one.end is None or one.end > first:
            yield replace(one, begin=None) if one.begin is not None and one.begin <= first else one


def network_zone(network: str, name: str, sites: Iterable[str]) -> Zone:
    """Return a network as a zone: on every day it has the telecentres that it has now."""
    return Zone(f"reseau:{network}", name, "network", _of(*sites))


def toml_of(zones: Iterable[Zone], day: date) -> list[str]:
    """Write each zone of a day for the file of a network."""
    return [
        f'[[zone]]\nid = "{zone.id}"\nname = "{zone.name}"\nlevel = "{zone.level}"\n'
        f"sites = {json.dumps(sorted(zone.sites(day)))}\n"
        for zone in zones
    ]


def days_between(first: date, last: date) -> list[date]:
    """Return the days from the first to before the last."""
    return [first + timedelta(days=number) for number in range((last - first).days)]
