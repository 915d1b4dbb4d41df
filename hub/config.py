"""The hub's settings: the only reader of its TOML file and of its credentials.

Every key is documented in docs/operating.md (a test compares). Paths are relative to the folder of the file.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

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
    """Where events and figures are kept."""

    file: File


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


class HubSettings(Settings):
    """The whole file."""

    log_level: Literal["debug", "info", "warning"] = "info"
    web: WebSettings = WebSettings()
    database: DatabaseSettings
    broker: BrokerSettings = BrokerSettings()
    issuing: IssuingSettings | None = None
    """Without it this hub issues no lists of rights."""
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
