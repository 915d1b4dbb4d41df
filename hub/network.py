"""The file in which a network of telecentres is written down: `telecentre-hub site import network.toml`.

Every key is documented in docs/operating.md. Resources are numbered: `desks = 3` is desk-01, desk-02, desk-03.
"""

import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from contract.identity import SiteId
from host.settings import Settings, TimeZone, load, wrong_key
from hub.opening import check

MAX_SITES = 10_000
"""France had some 4,000 third places in 2026; a file with more than this is a mistake."""


MAX_ZONES = 2_000
"""As many as France has inter-communal bodies, some 1,250, and valleys; more is a mistake."""

RESERVED = "reseau"
"""No zone's id: networks are zones of this name."""

_CONTROLS = frozenset({"Cc", "Zl", "Zp"})
"""Categories of Unicode: control characters (PostgreSQL keeps no NUL), ends of lines, of paragraphs."""


def _one_line(text: str) -> str:
    if any(unicodedata.category(sign) in _CONTROLS for sign in text):
        raise ValueError("one line of text is needed, without control characters")
    return text


Opening = Annotated[str, AfterValidator(_one_line), AfterValidator(check)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]


class NetworkTable(Settings):
    """What the sites of a network share; a site may say otherwise of its own zone and hours."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    name: Name
    time_zone: TimeZone
    opening_hours: Opening


class SiteTable(Settings):
    """One telecentre."""

    id: SiteId
    name: Name
    code_insee: Annotated[str, Field(pattern=r"^([013-9]\d|2[AB1-9])\d{3}$")] | None = None
    """The commune, by the official code of INSEE."""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    time_zone: TimeZone | None = None
    opening_hours: Opening | None = None
    desks: Annotated[int, Field(ge=0, le=99)]
    visio_rooms: Annotated[int, Field(ge=0, le=99)] = 0
    confidential_rooms: Annotated[int, Field(ge=0, le=99)] = 0
    """The first this many visio rooms never show more than free or occupied (telemedicine)."""
    doors: Annotated[int, Field(ge=0, le=20)] = 1
    rights_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The public key to which its lists of rights are sealed; without it, the one that is registered stays."""

    @model_validator(mode="after")
    def _confidential_rooms_are_rooms(self) -> Self:
        if self.confidential_rooms > self.visio_rooms:
            raise ValueError(
                f"site '{self.id}' has {self.visio_rooms} visio rooms, so at most as many can be confidential"
            )
        return self


class ZoneTable(Settings):
    """Telecentres that are told of together; zones may overlap."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    name: Name
    level: Literal["valley", "territory", "massif"]
    sites: Annotated[list[SiteId], Field(min_length=1, max_length=MAX_SITES)]

    @model_validator(mode="after")
    def _is_one_zone(self) -> Self:
        if self.id == RESERVED:
            raise ValueError(f"the zone id '{RESERVED}' is reserved for networks")
        if len(set(self.sites)) != len(self.sites):
            twice = next(site for site in self.sites if self.sites.count(site) > 1)
            raise ValueError(f"the zone '{self.id}' names the site '{twice}' twice")
        return self


class Network(Settings):
    """The whole file."""

    network: NetworkTable
    site: Annotated[list[SiteTable], Field(min_length=1, max_length=MAX_SITES)]
    zone: list[ZoneTable] = Field(default_factory=list, max_length=MAX_ZONES)

    @model_validator(mode="after")
    def _sites_are_distinct(self) -> Self:
        seen: set[str] = set()
        for site in self.site:
            if site.id in seen:
                raise ValueError(f"the site '{site.id}' is written twice")
            seen.add(site.id)
        return self

    @model_validator(mode="after")
    def _zones_are_distinct(self) -> Self:
        seen: set[str] = set()
        for zone in self.zone:
            if zone.id in seen:
                raise ValueError(f"the zone '{zone.id}' is written twice")
            seen.add(zone.id)
        return self


def read_network(path: Path, registered: Collection[str] = ()) -> Network:
    """Return the network in the TOML file at `path`; its zones may name its sites, and those that are registered.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    network = load(path, Network)
    known = {site.id for site in network.site} | set(registered)
    for number, zone in enumerate(network.zone):
        for site in zone.sites:
            if site not in known:
                why = f"'{site}' is no site of this file or of the register"
                raise wrong_key(path, ["zone", number, "sites"], why)
    return network
