"""`telecentre-hub badge`: what is presented at a reader, by the label that people know it by."""

import secrets
from pathlib import Path

import click

from contract.rights import CredentialState
from hub.commands.enrol import enrol
from hub.commands.options import config_option, in_one_sentence, issuing_settings, json_option, store_of, tell
from hub.commands.show import badge_answer, badge_line, moment, pass_line
from hub.keys import read_keys, write_secret
from hub.passes import STATES, NewBadge, read_badge_id
from hub.store import wall_ms
from hub.store.pass_changes import add_badge, change_badge
from hub.store.passes import read_badge, read_pass, read_register


@click.group()
def badge() -> None:
    """Keep the badges. BADGE is a label such as K7-Q2M, or a credential id."""


@badge.command()
@click.argument("pass_id", metavar="PASS")
@click.option("--badge-id", default=None, help="Of a card that arrived personalised; else one is drawn.")
@click.option("--uid-site", default=None, help="A badge known by its number, at this site alone.")
@click.option("--state", type=click.Choice(STATES), default="active", help="How it begins.")
@click.option("--emergency", is_flag=True, help="It opens also when a site's list has expired.")
@config_option
@json_option
@in_one_sentence
def add(
    pass_id: str,
    badge_id: str | None,
    uid_site: str | None,
    state: CredentialState,
    emergency: bool,
    config: Path,
    *,
    as_json: bool,
) -> None:
    """Give PASS a badge; print its label."""
    if badge_id and uid_site:
        raise click.UsageError("--badge-id is of a secured badge, --uid-site of one that is known by its number")
    new = NewBadge(read_badge_id(badge_id) if badge_id else None, uid_site, state, emergency)
    with store_of(config).changed() as connection:
        made = add_badge(connection, pass_id, new, wall_ms(), secrets.token_bytes)
    tell(f"Badge {made.label}.", badge_answer(made), as_json=as_json)


@badge.command("list")
@click.option("--state", type=click.Choice(STATES), default=None, help="Only those in this state.")
@config_option
@json_option
@in_one_sentence
def list_badges(state: str | None, config: Path, *, as_json: bool) -> None:
    """Print the badges, by label."""
    with store_of(config).seen() as connection:
        every = read_register(connection).badges
    badges = [one for one in every if not one.removed and state in (None, one.state)]
    tell("\n".join(map(badge_line, badges)), {"badges": list(map(badge_answer, badges))}, as_json=as_json)


@badge.command("export-keys")
@click.option("--to", "file", required=True, type=click.Path(path_type=Path), help="A file that is not there yet.")
@config_option
@json_option
@in_one_sentence
def export_keys(file: Path, config: Path, *, as_json: bool) -> None:
    """Write the keys of all secured badges to a file, for who personalises cards. Whoever has it can copy them all."""
    keys = read_keys(issuing_settings(config))
    with store_of(config).seen() as connection:
        register = read_register(connection)
    lines = ["# Whoever has this file can copy every badge in it: delete it as soon as the cards are made."]
    secured = [one for one in register.badges if one.badge is not None and not one.removed]
    for one in secured:
        key = keys.badge_key(one.badge or "", register.passes[one.pass_id].network)
        lines += ["", "[[badge]]", f'label = "{one.label}"', f'badge_id = "{one.badge}"', f'key = "{key}"']
    write_secret(file, "\n".join([*lines, ""]))
    sentence = (
        f"{file}: the keys of {len(secured)} badges. Whoever has this file can copy them: delete it after the cards."
    )
    tell(sentence, {"file": str(file), "badges": len(secured)}, as_json=as_json)


@badge.command()
@click.argument("name", metavar="BADGE")
@config_option
@json_option
@in_one_sentence
def show(name: str, config: Path, *, as_json: bool) -> None:
    """Print BADGE, its pass, and what both were in the last 90 days: why a door opened or stayed shut."""
    with store_of(config).seen() as connection:
        history = read_badge(connection, name)
        passes = {one.pass_id: read_pass(connection, one.pass_id) for one in history}
    lines = [f"since {moment(one.since_ms)}  {badge_line(one)}" for one in reversed(history)]
    for versions in passes.values():
        lines += [f"  since {moment(one.since_ms)}  {pass_line(one)}" for one in reversed(versions)]
    answer = {**badge_answer(history[-1]), "history": list(map(badge_answer, history))}
    tell("\n".join(lines), answer, as_json=as_json)


def _state_command(name: str, state: CredentialState, what: str) -> None:
    """Make the command that puts a badge in one state."""

    @badge.command(name, help=what)
    @click.argument("badge_name", metavar="BADGE")
    @config_option
    @json_option
    @in_one_sentence
    def put(badge_name: str, config: Path, *, as_json: bool) -> None:
        with store_of(config).changed() as connection:
            changed = change_badge(connection, badge_name, wall_ms(), state=state)
        tell(badge_line(changed), badge_answer(changed), as_json=as_json)


_state_command("lost", "lost", "BADGE was lost: it opens nothing, and the door says why.")
_state_command("stolen", "stolen", "BADGE was stolen: it opens nothing, and the door says why.")
_state_command("disable", "disabled", "BADGE opens nothing until it is enabled again.")
_state_command("enable", "active", "BADGE opens again what its pass allows.")


@badge.command()
@click.argument("name", metavar="BADGE")
@click.option("--on/--off", required=True, help="Whether it opens also when a site's list has expired.")
@config_option
@json_option
@in_one_sentence
def emergency(name: str, on: bool, config: Path, *, as_json: bool) -> None:
    """Say whether BADGE is one for emergencies: the fire brigade, the town hall."""
    with store_of(config).changed() as connection:
        changed = change_badge(connection, name, wall_ms(), emergency=on)
    tell(badge_line(changed), badge_answer(changed), as_json=as_json)


@badge.command()
@click.argument("name", metavar="BADGE")
@click.option("--pass", "pass_id", required=True, help="The pass that it belongs to from now on.")
@config_option
@json_option
@in_one_sentence
def change(name: str, pass_id: str, config: Path, *, as_json: bool) -> None:
    """Give BADGE to another pass, such as next year's."""
    with store_of(config).changed() as connection:
        changed = change_badge(connection, name, wall_ms(), pass_id=pass_id)
    tell(badge_line(changed), badge_answer(changed), as_json=as_json)


@badge.command()
@click.argument("name", metavar="BADGE")
@config_option
@json_option
@in_one_sentence
def remove(name: str, config: Path, *, as_json: bool) -> None:
    """Take BADGE out of the register for good: it opens nothing any more."""
    with store_of(config).changed() as connection:
        removed = change_badge(connection, name, wall_ms(), removed=True)
    tell(badge_line(removed), badge_answer(removed), as_json=as_json)


badge.add_command(enrol)
