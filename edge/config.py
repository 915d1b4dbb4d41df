"""The agent's settings: the only reader of its TOML file and of its credentials.

Every key is documented in docs/operating.md (a test compares). Paths are relative to the folder of the file.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from contract.credentials import SITE_KEY_BYTES
from contract.identity import ResourceId, SiteId
from edge.core.opening import parse_opening
from edge.core.reader import ReaderRules
from edge.room_settings import PjlinkDisplay, RoomSettings, bookings_of, display_of
from edge.sensor_settings import Pin, PinSensor, Port, RadarSensor, Seconds, Sensor
from host import tls
from host.settings import File, Settings, SettingsError, TimeZone, load, secret, wrong_key


class LinkSettings(tls.BrokerAddress):
    """Where the broker is, and the paces of the link."""

    keepalive_s: Annotated[int, Field(ge=5, le=120)] = 30
    hello_spread_s: Annotated[float, Field(ge=0, le=300)] = 30.0
    """A new hub incarnation is greeted after a random wait up to this, so that 4,000 sites do not come at once."""
    status_interval_s: Seconds = 60.0


class OutboxSettings(Settings):
    """Where events are kept until the hub has them, and how many."""

    folder: File
    quota_mb: Annotated[int, Field(ge=1, le=100_000)] = 200


class RightsSettings(Settings):
    """Where the site's list of rights is kept, whom it believes, and the key of its badge hashes."""

    folder: File
    hub_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The public key by which the hub signs: `telecentre-hub keys show` prints it."""
    private_key_file: File | None = None
    site_key_file: File | None = None
    uid_badges: bool = False
    """Whether badges known by their number alone may open here: the lower class, which a site must choose."""


class DoorSettings(Settings):
    """A door: its strike, its contact and its exit button."""

    id: ResourceId
    strike_pin: Pin
    strike_active_high: bool = True
    pulse_s: Annotated[float, Field(ge=0.5, le=30)] = 4.0
    contact_pin: Pin | None = None
    exit_button_pin: Pin | None = None
    held_open_s: Seconds = 30.0


class ReaderSettings(Settings):
    """A PN532 badge reader, and the lights and buzzer beside it."""

    id: ResourceId
    door: ResourceId
    port: Port
    granted_pin: Pin | None = None
    refused_pin: Pin | None = None
    buzzer_pin: Pin | None = None
    relay_limit_ms: Annotated[int, Field(ge=20, le=1_000)] = 150
    """How late a badge may answer the step that only it can answer: later, it may be elsewhere (ADR 0017)."""


_READERS = ReaderRules()


class AccessSettings(Settings):
    """How readers take failed attempts, and when a badge that comes again is worth telling."""

    max_attempts: Annotated[int, Field(ge=3, le=10_000)] = _READERS.max_attempts
    """Below three, one visitor with the wrong card in hand would shut everybody out."""
    attempts_within_s: Seconds = _READERS.attempts_within_s
    lockout_s: Annotated[float, Field(ge=1, le=3_600)] = _READERS.lockout_s
    passback_s: Annotated[float, Field(ge=0, le=86_400)] = _READERS.passback_s


class DeskSettings(Settings):
    """A desk and the sensors that watch it: occupied when any of them sees somebody."""

    id: ResourceId
    sensor: Annotated[list[Sensor], Field(min_length=1, max_length=4)]
    settle_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    """Presence must last this long before the desk counts as occupied: a passer-by is not a guest."""
    hold_s: Seconds = 300.0
    """Absence must last this long before the desk counts as vacant; the end is then backdated to the last detection."""
    out_of_service: bool = False
    """Whether the desk is taken out of the figures, whatever its sensors say."""


class EdgeSettings(Settings):
    """The whole file."""

    site: SiteId
    time_zone: TimeZone
    simulated: bool = False
    """Whether simulated devices are allowed: without it the agent refuses ptys and the simulated pins."""
    log_level: Literal["debug", "info", "warning"] = "info"
    alive_interval_s: Seconds = 300.0
    """How often `edge_alive` is stored: what may be missing at the end of an unchanged state."""
    opening_hours: str | None = None
    """When the site is open, as in the register: only to judge what a sensor says."""
    link: LinkSettings
    outbox: OutboxSettings
    rights: RightsSettings
    access: AccessSettings = Field(default_factory=AccessSettings)
    door: Annotated[list[DoorSettings], Field(max_length=20)] = Field(default_factory=list)
    reader: Annotated[list[ReaderSettings], Field(max_length=20)] = Field(default_factory=list)
    desk: Annotated[list[DeskSettings], Field(max_length=200)] = Field(default_factory=list)
    room: Annotated[list[RoomSettings], Field(max_length=50)] = Field(default_factory=list)

    @field_validator("opening_hours")
    @classmethod
    def _opening_is_read(cls, text: str | None) -> str | None:
        if text is not None:
            parse_opening(text, ZoneInfo("UTC"))
        return text

    @model_validator(mode="after")
    def _wired_without_conflict(self) -> Self:
        doors = {door.id for door in self.door}
        for reader in self.reader:
            if reader.door not in doors:
                raise ValueError(f"reader '{reader.id}' names the door '{reader.door}', which is not in this file")
        _refuse_twice("identity", self._identities())
        _refuse_twice("pin", self._pins())
        _refuse_twice("port", self._ports())
        _refuse_twice("network address", self._addresses())
        return self

    def sensors(self) -> list[PinSensor | RadarSensor]:
        """Return every presence sensor, of desks and rooms."""
        places: list[DeskSettings | RoomSettings] = [*self.desk, *self.room]
        return [sensor for place in places for sensor in place.sensor]

    def _addresses(self) -> list[tuple[str, str]]:
        shown = [(room.display, display_of(room.id)) for room in self.room]
        return [(f"{display.host} port {display.port}", owner) for display, owner in shown if display is not None]

    def _identities(self) -> list[tuple[str, str]]:
        things = [*self.door, *self.reader, *self.desk, *self.room, *self.sensors()]
        names = [thing.id for thing in things]
        names += [bookings_of(room.id) for room in self.room if room.bookable]
        names += [display_of(room.id) for room in self.room if room.display is not None]
        return [(name, name) for name in names]

    def _pins(self) -> list[tuple[str, str]]:
        used: list[tuple[int | None, str]] = []
        for door in self.door:
            used += [(door.strike_pin, door.id), (door.contact_pin, door.id), (door.exit_button_pin, door.id)]
        for reader in self.reader:
            used += [(reader.granted_pin, reader.id), (reader.refused_pin, reader.id), (reader.buzzer_pin, reader.id)]
        for sensor in self.sensors():
            if isinstance(sensor, PinSensor):
                used += [(sensor.pin, sensor.id), (sensor.loop_pin, sensor.id)]
        return [(str(pin), owner) for pin, owner in used if pin is not None]

    def _ports(self) -> list[tuple[str, str]]:
        radars = [(sensor.port, sensor.id) for sensor in self.sensors() if isinstance(sensor, RadarSensor)]
        return [(reader.port, reader.id) for reader in self.reader] + radars


def _refuse_twice(what: str, used: list[tuple[str, str]]) -> None:
    owners: dict[str, str] = {}
    for value, owner in used:
        if value in owners:
            by = "twice" if owners[value] == owner else f"by both '{owners[value]}' and '{owner}'"
            raise ValueError(f"the {what} '{value}' is used {by}")
        owners[value] = owner


def read_settings(path: Path) -> EdgeSettings:
    """Return the agent's settings.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    return load(path, EdgeSettings)


def check_certificates(path: Path, settings: EdgeSettings) -> None:
    """Refuse certificates that the link could not use. A running agent goes on without: its door needs no network.

    Raises:
        SettingsError: one sentence with file, line and key.
    """
    try:
        tls.client_context(settings.link)
    except tls.CertificateError as error:
        raise wrong_key(path, ["link", error.key], str(error)) from error


def read_site_key(settings: EdgeSettings) -> bytes:
    """Return the 32-byte site key: systemd's credential `site_key`, else the file that the settings name.

    Raises:
        SettingsError: it is missing, or not 64 hexadecimal digits.
    """
    return _read_key("site_key", "rights.site_key_file", settings.rights.site_key_file)


def read_rights_key(settings: EdgeSettings) -> bytes:
    """Return the 32-byte X25519 private key of the site: systemd's credential `rights_key`, else the file named.

    Raises:
        SettingsError: it is missing, or not 64 hexadecimal digits.
    """
    return _read_key("rights_key", "rights.private_key_file", settings.rights.private_key_file)


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """The two secrets of a site, 32 bytes each: of its badge hashes, and what opens its lists of rights."""

    rights_key: bytes = field(repr=False)
    site_key: bytes | None = field(default=None, repr=False)


def read_keys(settings: EdgeSettings) -> SiteKeys:
    """Return the secrets that the settings need.

    Raises:
        SettingsError: one is missing, or not 64 hexadecimal digits.
    """
    return SiteKeys(
        site_key=read_site_key(settings) if settings.reader else None,
        rights_key=read_rights_key(settings),
    )


def _read_key(credential: str, setting: str, file: Path | None) -> bytes:
    text = secret(credential, file)
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != SITE_KEY_BYTES:
        # Without a cause: the text of a decoder's error shows a part of the key.
        raise SettingsError(
            f"the credential '{credential}' ({setting}, or systemd's LoadCredential=) must be 64 hexadecimal digits"
        ) from None
    return key


def check_room_secrets(settings: EdgeSettings) -> None:
    """Refuse secrets of rooms that cannot be read. A running agent goes on without: a calendar is no door.

    Raises:
        SettingsError: one sentence.
    """
    for room in settings.room:
        read_display_password(room)
        if room.bookings_login is not None:
            read_bookings_secret(room)


def read_bookings_secret(room: RoomSettings) -> bytes:
    """Return what opens a room's calendar: `name:password` for a basic login, a token for a bearer.

    Raises:
        SettingsError: it is missing or empty.
    """
    return secret(bookings_of(room.id), room.bookings_secret_file)


def read_display_password(room: RoomSettings) -> bytes:
    """Return the PJLink password of a room's display; empty for one that has none.

    Raises:
        SettingsError: the file that the settings name is missing or empty.
    """
    if not isinstance(room.display, PjlinkDisplay) or room.display.password_file is None:
        return b""
    return secret(display_of(room.id), room.display.password_file)
