"""`telecentre-hub keys`, `site key` and `rights`: what signs and seals the lists, and which ones are out."""

import secrets
from dataclasses import asdict
from pathlib import Path

import click

from hub.commands.options import config_option, in_one_sentence, issuing_settings, json_option, store_of, tell
from hub.commands.show import moment
from hub.keys import make_keys, read_keys
from hub.passes import PassError
from hub.rights import standing
from hub.store import wall_ms
from hub.store.issues import has_leapt, held_since, put_site_key, read_issued, read_sealed, resume


@click.group()
def keys() -> None:
    """Make and show the keys of this hub."""


@keys.command()
@config_option
@json_option
@in_one_sentence
def init(config: Path, *, as_json: bool) -> None:
    """Make the signing key and the master key of the badges, once; print what the telecentres know this hub by."""
    settings = issuing_settings(config)
    make_keys(settings, secrets.token_bytes)
    key = read_keys(settings).verify_key
    sentence = f'hub_key = "{key}"\nWrite this line into [rights] of every site.toml. Keep a copy of both key files.'
    tell(sentence, {"hub_key": key}, as_json=as_json)


@keys.command("show")
@config_option
@json_option
@in_one_sentence
def show_keys(config: Path, *, as_json: bool) -> None:
    """Print what the telecentres know this hub by: no secret."""
    key = read_keys(issuing_settings(config)).verify_key
    tell(f'hub_key = "{key}"', {"hub_key": key}, as_json=as_json)


@click.command("key")
@click.argument("site")
@click.argument("public_key", metavar="HEX")
@config_option
@json_option
@in_one_sentence
def site_key(site: str, public_key: str, config: Path, *, as_json: bool) -> None:
    """Seal the lists of SITE to its public key, as `telecentre-edge` prints it."""
    key = public_key.strip().lower()
    if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
        raise PassError("a public key has 64 hexadecimal digits")
    with store_of(config).changed() as connection:
        changed = put_site_key(connection, site, key, wall_ms())
    tell("Registered." if changed else "It is the one in use.", {"site": site, "changed": changed}, as_json=as_json)


@click.group()
def rights() -> None:
    """Look at the lists of rights that this hub issues."""


@rights.command()
@config_option
@json_option
@in_one_sentence
def status(config: Path, *, as_json: bool) -> None:
    """Print the last list of every site, and for how long a revoked badge could still open as far as history tells."""
    with store_of(config).seen() as connection:
        issued, held_ms, leapt = read_issued(connection), held_since(connection), has_leapt(connection, wall_ms())
    answer = [{**asdict(one), "may_open_s": standing(None, one).may_open_s} for one in issued]
    lines = []
    if held_ms is not None:
        lines.append(
            f"Nothing is issued since the restore of {moment(held_ms)}: look at the register, then rights resume."
        )
    if leapt:
        lines.append("Nothing is issued: the clock is far past the last list and event. If it is right: rights resume.")
    for one, told in zip(issued, answer, strict=True):
        if one.version is None or one.issued_at_ms is None:
            lines.append(f"{one.site}  no list yet")
            continue
        open_s = told["may_open_s"]
        bound = "no known bound" if open_s is None else f"{open_s} s"
        lines.append(
            f"{one.site}  {moment(one.issued_at_ms)}  {one.badges} badges, {one.size_bytes} bytes; "
            f"a revoked badge may open for {bound}"
        )
    tell("\n".join(lines), {"held": held_ms is not None, "leapt": leapt, "sites": answer}, as_json=as_json)


@rights.command()
@click.argument("site")
@click.option("--to", "file", required=True, type=click.Path(path_type=Path), help="A file that is not there yet.")
@config_option
@json_option
@in_one_sentence
def export(site: str, file: Path, config: Path, *, as_json: bool) -> None:
    """Write the last list of SITE to a file, to be carried there: only that site can open it."""
    with store_of(config).seen() as connection:
        sealed = read_sealed(connection, site)
    if sealed is None:
        raise PassError(f"no list was issued for '{site[:40]}' yet")
    try:
        with file.open("xb") as stream:
            stream.write(sealed)
    except OSError as error:
        raise PassError(f"{file}: cannot be written ({error.strerror})") from error
    answer = {"site": site, "file": str(file), "size_bytes": len(sealed)}
    tell(f"{file}: {len(sealed)} bytes. At {site}: telecentre-edge rights load", answer, as_json=as_json)


@rights.command("resume")
@config_option
@json_option
@in_one_sentence
def resume_issuing(config: Path, *, as_json: bool) -> None:
    """Issue lists again: after a restore the badges revoked since were revoked again; a doubted clock is right."""
    with store_of(config).changed() as connection:
        now_ms = wall_ms()
        was_held = held_since(connection) is not None or has_leapt(connection, now_ms)
        resume(connection, now_ms)
    tell("Lists are issued again." if was_held else "Lists were issued all along.", {"held": was_held}, as_json=as_json)
