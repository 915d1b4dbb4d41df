"""`telecentre-edge keys` and `rights`: the site's private key, and the list of rights that decides at its doors."""

import fcntl
import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from contract.limits import MAX_RIGHTS_BYTES
from contract.rights import RightsList
from contract.sealing import public_key_of
from edge.clock import SystemClock
from edge.config import EdgeSettings, read_rights_key, read_settings
from edge.devices.rights_list import ListRefusedError, RightsKeys, open_list, stored_list
from edge.devices.rights_store import Mark, RightsStore
from edge.options import config_option, json_option, refuse, settings_errors_exit

PRIVATE_KEY_BYTES = 32

RESET = """\
It forgets the list of rights, and how much time is known to have passed: nobody enters until the hub's list has come
again, and any list that the hub ever signed for this site and that has not expired is then taken, also one by which a
badge opens that was revoked since. Do it only if every list is refused since the hub's clock was wrong: say --yes."""


@click.group()
def keys() -> None:
    """Make and show the key to which this site's lists of rights are sealed."""


@keys.command()
@config_option
@json_option
@settings_errors_exit
def init(config: Path, *, as_json: bool) -> None:
    """Make the site's private key, once, for its owner alone; print the public half."""
    settings = read_settings(config)
    file = settings.rights.private_key_file
    if file is None:
        refuse("name private_key_file in the section [rights] first: there the key is written")
    private = secrets.token_bytes(PRIVATE_KEY_BYTES)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(f"{private.hex()}\n")
            stream.flush()
            os.fsync(handle)
    except FileExistsError:
        refuse(f"{file} is there already: a key is made once, and nothing was changed")
    except OSError as error:
        refuse(f"{file}: cannot be written ({error.strerror})")
    _tell_key(settings, private, as_json=as_json)


@keys.command()
@config_option
@json_option
@settings_errors_exit
def show(config: Path, *, as_json: bool) -> None:
    """Print the public half of the site's key: no secret."""
    settings = read_settings(config)
    _tell_key(settings, read_rights_key(settings), as_json=as_json)


def _tell_key(settings: EdgeSettings, private: bytes, *, as_json: bool) -> None:
    public = public_key_of(private).hex()
    if as_json:
        click.echo(json.dumps({"site": settings.site, "public_key": public}))
    else:
        click.echo(f"{public}\nOn the hub: telecentre-hub site key {settings.site} {public}")


@click.group()
def rights() -> None:
    """Look at the list of rights in force, bring one by hand, or begin anew."""


@rights.command("show")
@config_option
@json_option
@settings_errors_exit
def show_rights(config: Path, *, as_json: bool) -> None:
    """Print which list is in force, its age and its end, by the clock and by trusted time; names no badge."""
    settings = read_settings(config)
    store = RightsStore(settings.rights.folder)
    try:
        in_force = stored_list(settings.site, settings.rights.folder, _believed(settings))
    except ListRefusedError as error:
        refuse(f"the list of rights in {settings.rights.folder} would be refused ({error.reason})")
    if in_force is None:
        refuse("no list of rights yet: nobody enters. It comes from the hub once the link is up")
    trusted_ms = max(in_force.issued_at, _trusted_ms(store.mark()))
    answer = _standing(in_force, trusted_ms, time.time_ns() // 1_000_000)
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"version {in_force.version}: {answer['badges']} badges, issued {_moment(in_force.issued_at)}")
    click.echo(f"expires {_moment(in_force.expires_at)}{', which is over' if answer['expired'] else ''}")
    click.echo(f"trusted time at least {_moment(trusted_ms)}; {answer['age_s']} s old by the clock")


def _trusted_ms(mark: Mark | None) -> int:
    if mark is None:
        return 0
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    at = SystemClock(lambda: "unsynced").now()
    return mark.trusted(boot, at).now_ms(at)


def _standing(in_force: RightsList, trusted_ms: int, wall_ms: int) -> dict[str, int | bool]:
    return {
        "version": in_force.version,
        "issued_at": in_force.issued_at,
        "expires_at": in_force.expires_at,
        "age_s": (wall_ms - in_force.issued_at) // 1000,
        "trusted_at": trusted_ms,
        "expired": trusted_ms >= in_force.expires_at,
        "badges": len(in_force.badges),
    }


@rights.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@settings_errors_exit
def load(file: Path, config: Path) -> None:
    """Give the agent a sealed list that was brought by hand; a running agent takes it within seconds."""
    settings = read_settings(config)
    try:
        with file.open("rb") as stream:
            sealed = stream.read(MAX_RIGHTS_BYTES + 1)
    except OSError as error:
        refuse(f"{file}: cannot be read ({error.strerror})")
    store = RightsStore(settings.rights.folder)
    mark = store.mark()
    try:
        oldest = 1 if mark is None else mark.version + 1
        brought = open_list(settings.site, sealed, _believed(settings), oldest=oldest, alive_at_ms=_trusted_ms(mark))
    except ListRefusedError as error:
        refuse(f"{file}: this list would be refused ({error.reason}); nothing was changed")
    try:
        store.bring(sealed)
    except OSError as error:
        refuse(f"{settings.rights.folder}: cannot be written ({error.strerror})")
    click.echo(f"version {brought.version} with {len(brought.badges)} badges is handed to the agent.")


@rights.command()
@click.option("--yes", is_flag=True, help="Do it; without this, only say what it would do.")
@config_option
@settings_errors_exit
def reset(config: Path, *, yes: bool) -> None:
    """Forget the list of rights and its time, after a hub whose clock went wrong; the agent must be stopped."""
    # Imported here: what the outbox imports may start threads, and `run` must block its signals before any.
    from edge.outbox.schema import MARKER_NAME  # noqa: PLC0415

    settings = read_settings(config)
    if not yes:
        refuse(RESET)
    if _agent_runs(settings.outbox.folder / MARKER_NAME):
        refuse("the agent runs, and would write down again what it knows: stop it first")
    try:
        RightsStore(settings.rights.folder).forget()
    except OSError as error:
        refuse(f"{settings.rights.folder}: cannot be changed ({error.strerror})")
    click.echo("Forgotten. Start the agent: nobody enters until the hub's list has come.")


def _agent_runs(marker: Path) -> bool:
    """Return whether an agent holds its outbox."""
    try:
        with marker.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _believed(settings: EdgeSettings) -> RightsKeys:
    return RightsKeys(bytes.fromhex(settings.rights.hub_key), read_rights_key(settings))


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
