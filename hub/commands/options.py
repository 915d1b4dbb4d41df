"""What the commands of `telecentre-hub` share: their options, and one sentence for whatever stops them."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from host.settings import EXIT_CONFIGURATION, SettingsError
from hub.config import IssuingSettings, read_settings
from hub.keys import KeysError
from hub.passes import PassError
from hub.store import Store, StoreDownError, StoreRefusedError
from hub.store.backup import BackupError
from hub.store.erasures import ErasureError
from hub.store.journal import JournalError

P = ParamSpec("P")
R = TypeVar("R")

config_option = click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path), help="The hub's TOML file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def in_one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Print what stops a command as one sentence: exit 78 for the settings, 1 for a refusal or the database."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            click.echo(f"telecentre-hub: {error}", err=True)
            sys.exit(EXIT_CONFIGURATION)
        except (StoreDownError, StoreRefusedError) as error:
            click.echo(f"telecentre-hub: the database: {error}", err=True)
            sys.exit(1)
        except (BackupError, ErasureError, JournalError, KeysError, PassError) as error:
            click.echo(f"telecentre-hub: {error}", err=True)
            sys.exit(1)

    return wrapped


def store_of(config: Path) -> Store:
    """Return the database that the settings name; it is closed when the command ends."""
    store = Store(read_settings(config).database.file)
    click.get_current_context().call_on_close(store.close)
    return store


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
