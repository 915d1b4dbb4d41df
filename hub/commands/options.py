"""What the commands of `telecentre-hub` share: their options, and one sentence for whatever stops them."""

import json
from pathlib import Path

import click

from host import commands
from host.commands import json_option
from host.settings import SettingsError
from hub.clock import ClockFileError, clock_of
from hub.config import IssuingSettings, read_settings
from hub.keys import KeysError
from hub.passes import PassError
from hub.release import ReleaseError
from hub.store import Store, StoreDownError, StoreRefusedError
from hub.store.backup import BackupError
from hub.store.engine import engine_of
from hub.store.erasures import ErasureError
from hub.store.journal import JournalError

__all__ = ["config_option", "in_one_sentence", "issuing_settings", "json_option", "now_of", "store_of", "tell"]

config_option = commands.config_option("The hub's TOML file.")

REFUSALS: dict[type[Exception], str] = {
    StoreDownError: "the database: ",
    StoreRefusedError: "the database: ",
    BackupError: "",
    ClockFileError: "",
    ErasureError: "",
    JournalError: "",
    KeysError: "",
    PassError: "",
    ReleaseError: "",
}
"""Errors that are one sentence, and what stands before it."""

in_one_sentence = commands.in_one_sentence("telecentre-hub", REFUSALS)


def store_of(config: Path, *, makes: bool = False) -> Store:
    """Return the database that the settings name; it is closed when the command ends.

    Only a command that begins a network `makes` the file where there is none: from any other one, an empty database
    would hide that the right one is away.
    """
    settings = read_settings(config)
    store = Store(engine_of(settings.database, makes=makes), now_ms=clock_of(settings))
    click.get_current_context().call_on_close(store.close)
    return store


def now_of(config: Path) -> int:
    """Return UTC in milliseconds, by the clock that the settings name."""
    return clock_of(read_settings(config))()


def issuing_settings(config: Path) -> IssuingSettings:
    """Return what the settings say of issuing lists.

    Raises:
        SettingsError: they say nothing of it.
    """
    settings = read_settings(config).issuing
    if settings is None:
        raise SettingsError(f"{config}: the section [issuing] is missing: without it this hub issues no lists")
    return settings


def tell(sentence: str, answer: object, *, as_json: bool) -> None:
    """Print a sentence, or the same as JSON."""
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else sentence)
