"""What every command of both programs shares: where its settings are, and one sentence for whatever stops it."""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import click

from host.settings import EXIT_CONFIGURATION, SettingsError

P = ParamSpec("P")
R = TypeVar("R")

EXIT_REFUSED = 1

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def config_option(file: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the option that names the settings; `file` is what its help says they are."""
    return click.option("--config", "config", required=True, type=click.Path(path_type=Path), help=file)


def in_one_sentence(
    program: str, refusals: Mapping[type[Exception], str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return what lets a command end with one sentence: exit 78 for wrong settings, 1 for a refusal.

    `refusals` are the errors that are one, each with what stands before its sentence.
    """
    known = dict(refusals or {})

    def told(command: Callable[P, R]) -> Callable[P, R]:
        @wraps(command)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return command(*args, **kwargs)
            except SettingsError as error:
                end(program, str(error), EXIT_CONFIGURATION)
            except tuple(known) as error:
                before = next(text for kind, text in known.items() if isinstance(error, kind))
                end(program, f"{before}{error}", EXIT_REFUSED)

        return wrapped

    return told


def end(program: str, sentence: str, code: int) -> NoReturn:
    """Print one sentence and exit."""
    click.echo(f"{program}: {sentence}", err=True)
    sys.exit(code)
