"""After PostgreSQL was brought back by its own tools: the hub is told, which could not know."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from hub.commands.options import config_option, in_one_sentence, json_option
from hub.config import read_settings
from hub.store import wall_ms
from hub.store.backup import BackupError, note_restored
from hub.store.engine import engine_of


@click.command()
@click.option("--copy-of", required=True, help="When the copy was made: 2026-11-20T03:00+01:00.")
@config_option
@json_option
@in_one_sentence
def restored(copy_of: str, config: Path, *, as_json: bool) -> None:
    """Note that the PostgreSQL database went back to an earlier copy; the hub must be stopped."""
    settings = read_settings(config).database
    if settings.file is not None:
        raise BackupError("this database is a file: `telecentre-hub restore` brings it back, and notes it by itself")
    done = note_restored(engine_of(settings), _instant(copy_of), wall_ms())
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(f"Noted: {done.events} events, as of {copy_of}.")
    click.echo(f"{done.forgotten} access events no longer name a credential: they are older than 90 days.")
    click.echo(f"{done.erasures} erasures replayed: {done.erased} access events no longer name an erased credential.")
    click.echo("Start the hub: every telecentre sends again what came since, as far as it still holds it.")


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter("an instant with its offset, such as 2026-11-20T03:00+01:00", param_hint="--copy-of")
    return round(moment.timestamp() * 1_000)
