"""What every command of `telecentre-edge` shares: its options, and one sentence instead of a traceback."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import click

from host.settings import EXIT_CONFIGURATION, SettingsError

P = ParamSpec("P")
R = TypeVar("R")

config_option = click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path), help="The agent's TOML file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def settings_errors_exit(command: Callable[P, R]) -> Callable[P, R]:
    """Print a configuration error as its one sentence, and exit 78."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            click.echo(f"telecentre-edge: {error}", err=True)
            sys.exit(EXIT_CONFIGURATION)

    return wrapped


def refuse(sentence: str) -> NoReturn:
    """Print one sentence and exit 1."""
    click.echo(f"telecentre-edge: {sentence}", err=True)
    sys.exit(1)
