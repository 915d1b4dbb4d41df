"""The `telecentre-hub` command. Exit codes: 0 well, 1 a difference or a refusal, 2 usage, 78 configuration."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from host.crashes import forbid_core_dumps
from host.journal import log_to_stderr
from host.settings import wrong_key
from hub.commands.badges import badge
from hub.commands.export import export
from hub.commands.journal import journal
from hub.commands.keys import keys, rights, site_key
from hub.commands.members import member
from hub.commands.options import config_option, in_one_sentence, json_option, store_of
from hub.commands.passes import free_access, pass_
from hub.commands.restored import restored
from hub.config import check_certificates, read_settings
from hub.network import read_network
from hub.store import CountDifference, Difference, wall_ms
from hub.store.backup import back_up
from hub.store.backup import restore as restore_copy
from hub.store.engine import file_of
from hub.store.erasures import is_credential, is_reason
from hub.store.zones import ZoneTakenError


@click.group()
def main() -> None:
    """Run and inspect the hub of a network of telecentres."""
    # Here and not in `serve` alone: other commands hold the keys too.
    forbid_core_dumps()


@main.command()
@config_option
@in_one_sentence
def serve(config: Path) -> None:
    """Run the hub until SIGTERM or SIGINT."""
    settings = read_settings(config)
    check_certificates(config, settings)
    log_to_stderr(settings.log_level)
    # Imported here: the web takes a second, which the other commands need not wait.
    from hub.serve import PortTakenError  # noqa: PLC0415
    from hub.serve import serve as serve_hub  # noqa: PLC0415

    try:
        sys.exit(serve_hub(settings))
    except PortTakenError as error:
        click.echo(f"telecentre-hub: {error}", err=True)
        sys.exit(1)


@main.group()
def site() -> None:
    """Keep the register of telecentres."""


@site.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@in_one_sentence
def import_file(file: Path, config: Path, *, as_json: bool) -> None:
    """Make the register say what FILE (network.toml) says, from today on; print what changed."""
    store = store_of(config, makes=True)
    network = read_network(file, {site.id for site in store.sites()})
    try:
        changes = store.import_network(network)
    except ZoneTakenError as error:
        number = [zone.id for zone in network.zone].index(error.zone)
        raise wrong_key(file, ["zone", number, "id"], str(error)) from error
    if as_json:
        click.echo(json.dumps({"changes": changes}, ensure_ascii=False))
        return
    for change in changes:
        click.echo(change)
    click.echo(f"{len(network.site)} sites, {len(changes)} changes.")


site.add_command(site_key)
main.add_command(export)
main.add_command(restored)
for group in (member, pass_, badge, free_access, keys, rights, journal):
    main.add_command(group)


@main.command()
@config_option
@json_option
@in_one_sentence
def rebuild(config: Path, *, as_json: bool) -> None:
    """Compute every instant and figure anew from the events; print each that was different, and exit 1 if any was."""
    told: list[dict[str, object]] = []
    differences = 0
    for found in store_of(config).rebuild_each():
        differences += len(found)
        for difference in found:
            if as_json:
                told.append(asdict(difference))
            else:
                click.echo(_sentence(difference))
    if as_json:
        click.echo(json.dumps({"differences": differences, "found": told}, default=repr))
    else:
        click.echo(f"{differences} differences between what was stored and what the events say.")
    sys.exit(1 if differences else 0)


@main.command()
@config_option
@json_option
@in_one_sentence
def status(config: Path, *, as_json: bool) -> None:
    """Print what the database holds."""
    totals = store_of(config).totals()
    if as_json:
        counts = {"events": totals.events, "quarantined": totals.quarantined, "refused": totals.refused}
        click.echo(json.dumps({**counts, **asdict(totals)}))
        return
    click.echo(f"{totals.events} events of {len({stream.site for stream in totals.streams})} sites")
    click.echo(f"{totals.quarantined} lines set aside, {totals.refused} messages refused, {len(totals.gaps)} gaps")
    click.echo(f"{totals.dirty} figures pending, {totals.journal} access events name a credential")
    for row in totals.restores:
        click.echo(f"restored {_moment(row.restored_at_ms)} to the copy of {_moment(row.backup_at_ms)}")
    for stream in totals.streams:
        click.echo(f"  {stream.site} {stream.stream}: up to {stream.position}, {stream.events} events")
    for alarm in totals.alarms:
        click.echo(f"  alarm {alarm.reason} at {alarm.site or 'an unknown site'}: {alarm.times} times")


@main.command()
@config_option
@json_option
@in_one_sentence
def purge(config: Path, *, as_json: bool) -> None:
    """Forget who badged more than 90 days ago; print how many access events that was."""
    count = store_of(config).purge()
    click.echo(json.dumps({"purged": count}) if as_json else f"{count} access events no longer name a credential.")


@main.command()
@click.argument("credential")
@click.option("--reason", required=True, help="Why, in one line, without a name: it is kept.")
@config_option
@json_option
@in_one_sentence
def erase(credential: str, reason: str, config: Path, *, as_json: bool) -> None:
    """Forget which access events were CREDENTIAL's, whether the hub runs or not; print how many that was."""
    if not is_credential(credential):
        raise click.BadParameter("not the id of a credential (a-z, 0-9 and -)", param_hint="CREDENTIAL")
    if not is_reason(reason):
        raise click.BadParameter("one line of 1 to 200 characters", param_hint="--reason")
    if credential in reason:
        raise click.BadParameter("it is kept, so it must not say whose events are forgotten", param_hint="--reason")
    count = store_of(config).erase(credential, reason)
    if as_json:
        click.echo(json.dumps({"erased": count}))
        return
    click.echo(f"{count} access events no longer name this credential. The events stay: they say nothing of a person.")
    click.echo("What telecentres still send of before now will not name it. Older copies of the database do.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@in_one_sentence
def backup(file: Path, config: Path, *, as_json: bool) -> None:
    """Copy the database to FILE, whether the hub runs or not; never over a file that is there."""
    copy = back_up(file_of(read_settings(config).database), file, wall_ms())
    if as_json:
        click.echo(json.dumps(asdict(copy), default=str))
        return
    click.echo(
        f"{copy.file}: {copy.events} events, {copy.size_bytes} bytes, checked. It names who badged: keep it safe."
    )


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@in_one_sentence
def restore(file: Path, config: Path, *, as_json: bool) -> None:
    """Put the copy FILE in the place of the database, which is moved aside; the hub must be stopped."""
    done = restore_copy(file_of(read_settings(config).database), file, wall_ms())
    if as_json:
        click.echo(json.dumps(asdict(done), default=str))
        return
    click.echo(f"{done.file}: {done.events} events, as of {_moment(done.backup_at_ms)}.")
    click.echo(f"{done.forgotten} access events no longer name a credential: they are older than 90 days.")
    click.echo(f"{done.erasures} erasures replayed: {done.erased} access events no longer name an erased credential.")
    if done.aside is not None:
        click.echo(f"The database that was there is kept as {done.aside}.")
    click.echo("Start the hub: every telecentre sends again what came since, as far as it still holds it.")


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _sentence(difference: Difference | CountDifference) -> str:
    if isinstance(difference, CountDifference):
        where = f"{difference.site} {difference.what} {difference.step} of {difference.day}"
        return f"{where}: stored {difference.stored}, computed {difference.computed}"
    where = f"{difference.site} {difference.resource} {difference.step} of {difference.day} at {difference.start_ms}"
    return f"{where}: stored {difference.stored}, computed {difference.computed}"


if __name__ == "__main__":
    main()
