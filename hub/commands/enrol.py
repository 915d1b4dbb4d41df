"""`telecentre-hub badge enrol`: a new badge, made at the reader of a telecentre while the animator waits."""

import secrets
import sys
import threading
from pathlib import Path
from typing import Any

import click

from host.settings import SettingsError
from hub.commands.options import config_option, in_one_sentence, json_option, store_of, tell
from hub.config import read_settings
from hub.enrolment import SEND_WITHIN_MS, Enrolling, sentence
from hub.store import Store, wall_ms
from hub.store.enrolments import Wish, ask, cancel, end, read

LOOK_S = 0.25
"""How soon the end is told."""

HUB_WITHIN_MS = SEND_WITHIN_MS + 3_000
"""A running hub has sent it or given it up by then."""


@click.command()
@click.argument("pass_id", metavar="PASS")
@click.option("--site", required=True, help="The telecentre.")
@click.option("--reader", required=True, help="Its reader, such as reader-01.")
@click.option("--uid", is_flag=True, help="Keep the next badge by its number, for this site alone.")
@click.option("--resume", is_flag=True, help="Finish the card of this pass whose enrolment was interrupted.")
@config_option
@json_option
@in_one_sentence
def enrol(
    pass_id: str,
    site: str,
    reader: str,
    config: Path,
    *,
    uid: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Make the next card at a reader a badge of PASS; print its label, or why there is none."""
    if uid and resume:
        raise click.UsageError("--resume is of a secured badge; one of the UID class is simply enrolled again")
    settings = read_settings(config)
    if settings.issuing is None:
        raise SettingsError("this hub has no keys: write the section [issuing] first (docs/passes.md)")
    store = store_of(config)
    with store.changed() as connection:
        wish = Wish(pass_id, site, reader, uid=uid, resume=resume)
        one = ask(connection, wish, wall_ms(), secrets.token_bytes)
    click.echo(
        f"Hold the card to {reader} at {site} within {one.window_s} seconds, until the light is green.", err=True
    )
    one = _waited(store, one)
    tell(sentence(one), _answer(one), as_json=as_json)
    sys.exit(0 if one.outcome == "done" and one.label is not None else 1)


def _waited(store: Store, one: Enrolling) -> Enrolling:
    """Return the enrolment as it ended, or as it is when nobody answers; Ctrl-C asks the telecentre to stop."""
    patience = threading.Event()
    while one.outcome is None and not one.is_over(wall_ms()):
        try:
            patience.wait(LOOK_S)
        except KeyboardInterrupt:
            with store.changed() as connection:
                cancel(connection, one, wall_ms())
        if one.sent_at_ms is None and wall_ms() - one.asked_at_ms > HUB_WITHIN_MS:
            with store.changed() as connection:
                now = read(connection, one.site, one.command) or one
                if now.sent_at_ms is None:
                    end(connection, now, "unreached", wall_ms(), secrets.token_bytes)
        with store.seen() as connection:
            one = read(connection, one.site, one.command) or one
    return one


def _answer(one: Enrolling) -> dict[str, Any]:
    return {
        "enrolment": one.command,
        "site": one.site,
        "reader": one.reader,
        "outcome": one.outcome,
        "label": one.label,
        "badge_id": one.badge,
        "sentence": sentence(one),
    }
