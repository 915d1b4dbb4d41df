"""The visio rooms of a settings file, their calendars and displays: sections of edge.config, which reads the file."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from contract.identity import ResourceId
from edge.sensor_settings import Seconds, Sensor
from host.settings import File, Settings

TcpPort = Annotated[int, Field(ge=1, le=65_535)]
PollSeconds = Annotated[float, Field(ge=2, le=300)]
"""Oftener would not be seen on a board; seldomer, a call would not be either."""


def _is_address(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError as error:
        raise ValueError("an IP address is needed: give the display a fixed one") from error


class SamsungDisplay(Settings):
    """A display that speaks Samsung MDC over TCP."""

    kind: Literal["samsung-mdc"]
    host: Annotated[str, AfterValidator(_is_address)]
    port: TcpPort = 1515
    display_id: Annotated[int, Field(ge=0, le=255)] = 0
    poll_s: PollSeconds = 10.0


class PjlinkDisplay(Settings):
    """A display or projector that speaks PJLink over TCP."""

    kind: Literal["pjlink"]
    host: Annotated[str, AfterValidator(_is_address)]
    port: TcpPort = 4352
    password_file: File | None = None
    poll_s: PollSeconds = 10.0


def _is_calendar_address(url: SecretStr) -> SecretStr:
    # A calendar says who meets whom: it travels encrypted, or stays on this machine.
    parts = urlsplit(url.get_secret_value())
    if parts.hostname and parts.username is None and not parts.fragment:
        loopback = parts.hostname == "localhost" or parts.hostname.startswith("127.")
        if parts.scheme == "https" or (parts.scheme == "http" and loopback):
            return url
    raise ValueError("an https:// address is needed, without a name or password in it; http:// on loopback only")


class RoomSettings(Settings):
    """A visio room: presence, bookings and display."""

    id: ResourceId
    sensor: Annotated[list[Sensor], Field(min_length=1, max_length=4)]
    settle_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    hold_s: Seconds = 300.0
    bookings_file: File | None = None
    bookings_url: Annotated[SecretStr, AfterValidator(_is_calendar_address)] | None = None
    """Such addresses are often secrets themselves: never printed."""
    bookings_login: Literal["basic", "bearer"] | None = None
    bookings_secret_file: File | None = None
    bookings_ca_file: File | None = None
    bookings_every_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    bookings_kept_s: Seconds = 21_600.0
    """Bookings that could not be read for so long are not known any more."""
    ghost_after_s: Seconds = 600.0
    """A booked room in which nobody was seen for this long is released: nobody came, or they have left."""
    display: Annotated[SamsungDisplay | PjlinkDisplay, Field(discriminator="kind")] | None = None
    confidential: bool = False
    """Never shows more than free or occupied (telemedicine)."""
    out_of_service: bool = False
    """Whether the room is taken out of the figures, whatever its sensors say."""

    @property
    def bookable(self) -> bool:
        """Whether the room has a calendar."""
        return self.bookings_file is not None or self.bookings_url is not None

    @model_validator(mode="after")
    def _has_one_calendar(self) -> Self:
        if self.bookings_file is not None and self.bookings_url is not None:
            raise ValueError(f"room '{self.id}' has two calendars: choose bookings_file or bookings_url")
        if self.bookings_url is None and (self.bookings_login or self.bookings_secret_file or self.bookings_ca_file):
            raise ValueError(f"room '{self.id}' has a login or an authority for its calendar, and no bookings_url")
        if self.bookings_secret_file is not None and self.bookings_login is None:
            raise ValueError(f"room '{self.id}' has a bookings_secret_file: say in bookings_login what it is for")
        return self


def bookings_of(room: str) -> str:
    """Return the device id of a room's bookings; also the name of the credential with their secret."""
    return f"{room}-bookings"


def display_of(room: str) -> str:
    """Return the device id of a room's display; also the name of the credential with its password."""
    return f"{room}-display"
