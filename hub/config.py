"""The hub's settings: the only reader of its TOML file and of its credentials.

Every key is documented in docs/operating.md (a test compares). Paths are relative to the folder of the file.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from host.settings import Settings, load


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return Path(folder) / path if folder else path


def _is_loopback(host: str) -> str:
    if host == "localhost":
        return host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError("only a loopback address (127.0.0.1, ::1, localhost) is allowed until accounts exist")
    return host


File = Annotated[Path, AfterValidator(_in_folder)]
LoopbackHost = Annotated[str, AfterValidator(_is_loopback)]
TcpPort = Annotated[int, Field(ge=1, le=65_535)]


class WebSettings(Settings):
    """Where pages and API are served."""

    host: LoopbackHost = "127.0.0.1"
    port: TcpPort = 8000


class DatabaseSettings(Settings):
    """Where events and figures are kept."""

    file: File


class BrokerSettings(Settings):
    """The MQTT broker: an embedded one that the hub starts and restarts, or one that is already there."""

    embedded: bool = False
    host: LoopbackHost = "127.0.0.1"
    """Loopback only: the embedded broker has no access control, and TLS to a remote one is not there yet."""
    port: TcpPort = 1883


class HubSettings(Settings):
    """The whole file."""

    log_level: Literal["debug", "info", "warning"] = "info"
    web: WebSettings = WebSettings()
    database: DatabaseSettings
    broker: BrokerSettings = BrokerSettings()


def read_settings(path: Path) -> HubSettings:
    """Return the hub's settings.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    return load(path, HubSettings)
