"""The hub's settings: the only reader of its TOML file and of its credentials.

Every key is documented in docs/operating.md (a test compares). Paths are relative to the folder of the file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from host import tls
from host.settings import File, Settings, load, wrong_key


def _is_loopback(host: str) -> str:
    if not tls.is_loopback(host):
        raise ValueError("only a loopback address (127.0.0.1, ::1, localhost) is allowed until accounts exist")
    return host


LoopbackHost = Annotated[str, AfterValidator(_is_loopback)]
TcpPort = Annotated[int, Field(ge=1, le=65_535)]


class WebSettings(Settings):
    """Where pages and API are served."""

    host: LoopbackHost = "127.0.0.1"
    port: TcpPort = 8000


class DatabaseSettings(Settings):
    """Where events and figures are kept: in one file, or on a PostgreSQL server."""

    file: File | None = None
    url: str | None = None
    """`postgresql://USER@HOST/NAME`, or `postgresql://USER@/NAME?host=/FOLDER` for a socket; never with a password."""
    password_file: File | None = None
    ca_file: File | None = None
    """The authority that the server's certificate must come from."""
    erasures_file: File | None = None
    """The ledger of erasures, which is no part of the database; beside it when that is a file."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None:
            server_of(url)
        return url

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("either file (SQLite) or url (PostgreSQL) says where the database is")
        server_only = (self.password_file, self.ca_file, self.erasures_file)
        if self.url is None:
            if any(file is not None for file in server_only):
                raise ValueError("password_file, ca_file and erasures_file go with a url")
            return self
        if self.erasures_file is None:
            raise ValueError("with a url, erasures_file says where the ledger of erasures is kept")
        host = server_of(self.url).host
        if self.ca_file is None and not host.startswith("/") and not tls.is_loopback(host):
            raise ValueError("without encryption only a server on this machine is allowed: set ca_file")
        return self


@dataclass(frozen=True, slots=True)
class Server:
    """What an address of PostgreSQL says. A host that begins with / is the folder of a socket."""

    host: str
    port: int
    name: str
    user: str | None


def server_of(url: str) -> Server:
    """Return what `postgresql://USER@HOST:PORT/NAME` says.

    Raises:
        ValueError: it is no such address, or holds a password; the sentence does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("an address is postgresql://USER@HOST:PORT/NAME") from error
    asked = parse_qs(parts.query, keep_blank_values=True)
    if parts.password is not None or "password" in asked:
        raise ValueError("no password belongs into the settings: use password_file or the credential database_password")
    socket = asked.pop("host", [""])[0]
    name = parts.path.removeprefix("/")
    is_address = parts.scheme in ("postgresql", "postgres") and name and "/" not in name
    if not is_address or asked or parts.fragment or bool(host) == socket.startswith("/"):
        raise ValueError("an address is postgresql://USER@HOST:PORT/NAME, or postgresql://USER@/NAME?host=/FOLDER")
    return Server(host or socket, port or 5432, unquote(name), parts.username and unquote(parts.username))


class BrokerSettings(tls.BrokerAddress):
    """The MQTT broker: an embedded one that the hub starts and restarts, or one that is already there."""

    embedded: bool = False

    @field_validator("embedded")
    @classmethod
    def _embedded_on_this_machine_only(cls, embedded: bool, info: ValidationInfo) -> bool:
        if embedded and (info.data.get("ca_file") is not None or not tls.is_loopback(info.data.get("host", ""))):
            raise ValueError("the embedded broker has no access control and no TLS: only a loopback host, no ca_file")
        return embedded


class IssuingSettings(Settings):
    """What signs the lists of rights, what the badges' keys are derived from, and how long a list holds."""

    signing_key_file: File | None = None
    master_key_file: File | None = None
    life_hours: Annotated[int, Field(ge=2, le=720)] = 168
    renew_hours: Annotated[int, Field(ge=1, le=168)] = 24

    @model_validator(mode="after")
    def _renews_in_time(self) -> Self:
        if self.renew_hours * 2 > self.life_hours:
            raise ValueError("life_hours is at least twice renew_hours: a site that misses one list must not expire")
        return self


Line = Annotated[str, Field(min_length=1, max_length=200)]


class ReleaseSettings(Settings):
    """What stands in the `METHODE.md` of a release about its use."""

    licence: Line = "Licence Ouverte 2.0 (etalab-2.0)"
    """What the public may do with it."""
    contact: Line | None = None
    """Whom to ask about it."""


class HubSettings(Settings):
    """The whole file."""

    log_level: Literal["debug", "info", "warning"] = "info"
    web: WebSettings = WebSettings()
    database: DatabaseSettings
    broker: BrokerSettings = BrokerSettings()
    issuing: IssuingSettings | None = None
    """Without it this hub issues no lists of rights."""
    release: ReleaseSettings = ReleaseSettings()
    simulated_clock: File | None = None
    """A file that holds the time, UTC ms, read for each look at the clock; for plays on one machine alone."""

    @model_validator(mode="after")
    def _simulated_clock_on_this_machine_only(self) -> Self:
        if self.simulated_clock is not None and not tls.is_loopback(self.broker.host):
            raise ValueError("a simulated clock is for plays on one machine: the broker must be on loopback")
        return self


def read_settings(path: Path) -> HubSettings:
    """Return the hub's settings.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    return load(path, HubSettings)


def check_certificates(path: Path, settings: HubSettings) -> None:
    """Refuse certificates with which the broker could not be reached.

    Raises:
        SettingsError: one sentence with file, line and key.
    """
    try:
        tls.client_context(settings.broker)
    except tls.CertificateError as error:
        raise wrong_key(path, ["broker", error.key], str(error)) from error
