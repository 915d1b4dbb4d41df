"""What every command of `telecentre-edge` shares: its options, and one sentence instead of a traceback."""

from typing import NoReturn

from host import commands
from host.commands import json_option

__all__ = ["config_option", "json_option", "refuse", "settings_errors_exit"]

PROGRAM = "telecentre-edge"

config_option = commands.config_option("The agent's TOML file.")
settings_errors_exit = commands.in_one_sentence(PROGRAM)


def refuse(sentence: str) -> NoReturn:
    """Print one sentence and exit 1."""
    commands.end(PROGRAM, sentence, commands.EXIT_REFUSED)
