"""The file in which a network of telecentres is written down: `telecentre-hub site import network.toml`.

Every key is documented in docs/operating.md. Resources are numbered: `desks = 3` is desk-01, desk-02, desk-03.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from contract.identity import SiteId
from host.settings import Settings, TimeZone, load
from hub.opening import check

MAX_SITES = 10_000
"""France had some 4,000 third places in 2026; a file with more than this is a mistake."""


Opening = Annotated[str, AfterValidator(check)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


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


class Network(Settings):
    """The whole file."""

    network: NetworkTable
    site: Annotated[list[SiteTable], Field(min_length=1, max_length=MAX_SITES)]

    @model_validator(mode="after")
    def _sites_are_distinct(self) -> Self:
        seen: set[str] = set()
        for site in self.site:
            if site.id in seen:
                raise ValueError(f"the site '{site.id}' is written twice")
            seen.add(site.id)
        return self


def read_network(path: Path) -> Network:
    """Return the network in the TOML file at `path`.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    return load(path, Network)
