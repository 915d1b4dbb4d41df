"""`telecentre-hub member`: who the members of the network are."""

import json
import secrets
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from hub.commands.options import config_option, in_one_sentence, json_option, now_of, store_of, tell
from hub.commands.show import badge_answer, badge_line, member_answer, member_line, pass_answer, pass_line
from hub.member_file import MAX_FILE_BYTES
from hub.passes import PassError, Person, is_over
from hub.store import wall_ms
from hub.store.erasures import is_reason
from hub.store.member_import import import_members
from hub.store.pass_changes import add_member, change_member, remove_member
from hub.store.passes import credentials_of, read_member, read_members, read_register

MAX_PRINTED = 200
"""Bad lines that are printed: whoever has more corrects these first."""


@click.group()
def member() -> None:
    """Keep the members of the network."""


@member.command()
@click.argument("name")
@click.option("--organisation", default="", help="Where the member works.")
@click.option("--email", default="", help="Where the member can be reached.")
@click.option("--network", default=None, help="Which network, when the hub has several.")
@config_option
@json_option
@in_one_sentence
def add(name: str, organisation: str, email: str, network: str | None, config: Path, *, as_json: bool) -> None:
    """Add a member called NAME; print the id."""
    with store_of(config).changed() as connection:
        made = add_member(connection, network, Person(name, organisation, email), now_of(config), secrets.token_bytes)
    tell(f"Member {made}. Next: telecentre-hub pass add {made} …", {"member": made}, as_json=as_json)


@member.command("list")
@click.option("--search", default="", help="Only those in whose name, organisation or e-mail this text is.")
@click.option("--over", is_flag=True, help="Only those whose passes are all over: whose names are needed no more.")
@config_option
@json_option
@in_one_sentence
def list_members(search: str, over: bool, config: Path, *, as_json: bool) -> None:
    """Print the members, by name."""
    yesterday = datetime.fromtimestamp(wall_ms() / 1000, UTC).replace(tzinfo=None) - timedelta(days=1)
    with store_of(config).seen() as connection:
        members, passes = read_members(connection), read_register(connection).passes.values()
    members = [one for one in members if search.lower() in member_line(one).lower()]
    if over:
        holders = {one.member for one in passes if not is_over(one, yesterday)}
        members = [one for one in members if one.person is not None and one.id not in holders]
    tell("\n".join(map(member_line, members)), {"members": list(map(member_answer, members))}, as_json=as_json)


@member.command()
@click.argument("member_id", metavar="MEMBER")
@config_option
@json_option
@in_one_sentence
def show(member_id: str, config: Path, *, as_json: bool) -> None:
    """Print a member with all passes and badges."""
    with store_of(config).seen() as connection:
        found, register = read_member(connection, member_id), read_register(connection)
    passes = [one for one in register.passes.values() if one.member == member_id]
    badges = [badge for badge in register.badges if badge.pass_id in {one.id for one in passes}]
    answer = {
        **member_answer(found),
        "passes": list(map(pass_answer, passes)),
        "badges": list(map(badge_answer, badges)),
    }
    lines = [member_line(found)]
    for one in passes:
        lines.append(f"  {pass_line(one)}")
        lines += [f"    {badge_line(badge)}" for badge in badges if badge.pass_id == one.id]
    tell("\n".join(lines), answer, as_json=as_json)


@member.command()
@click.argument("member_id", metavar="MEMBER")
@click.option("--name", default=None)
@click.option("--organisation", default=None)
@click.option("--email", default=None)
@config_option
@json_option
@in_one_sentence
def change(
    member_id: str, name: str | None, organisation: str | None, email: str | None, config: Path, *, as_json: bool
) -> None:
    """Correct what is known of MEMBER."""
    with store_of(config).changed() as connection:
        known = read_member(connection, member_id).person or Person("")
        wanted = Person(
            known.name if name is None else name,
            known.organisation if organisation is None else organisation,
            known.email if email is None else email,
        )
        change_member(connection, member_id, wanted)
    tell("Corrected.", {"member": member_id}, as_json=as_json)


@member.command()
@click.argument("member_id", metavar="MEMBER")
@click.option("--reason", required=True, help="Why, in one line, without a name: it is kept.")
@config_option
@json_option
@in_one_sentence
def remove(member_id: str, reason: str, config: Path, *, as_json: bool) -> None:
    """End MEMBER's passes, forget the name, and make the journal name none of the badges any more."""
    if not is_reason(reason):
        raise click.BadParameter("one line of 1 to 200 characters", param_hint="--reason")
    store = store_of(config)
    with store.changed() as connection:
        credentials = remove_member(connection, member_id, now_of(config))
        # What was the member's and is somebody else's now names the member too, in the journal of that time.
        named_by = credentials_of(connection, member_id)
    # The member's own id is erased like a badge's, so that a restored copy forgets the name again.
    erased = sum(store.erase(one, reason) for one in (member_id, *named_by))
    sentence = (
        f"The name is forgotten, {len(credentials)} badges open nothing any more, and {erased} access events no longer "
        "name them. Older copies of the database do."
    )
    tell(sentence, {"member": member_id, "badges": len(credentials), "erased": erased}, as_json=as_json)


@member.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong and what would be done.")
@click.option("--network", default=None, help="Which network, when the hub has several.")
@config_option
@json_option
@in_one_sentence
def import_file(file: Path, check: bool, network: str | None, config: Path, *, as_json: bool) -> None:
    """Add the members and passes of FILE (CSV), all of them or, with one bad line, none; print every bad line."""
    content = _read(file)
    with store_of(config).changed() as connection:
        done = import_members(connection, content, network, now_of(config), secrets.token_bytes, check=check)
    if as_json:
        click.echo(json.dumps({**asdict(done), "imported": not (check or done.bad)}, ensure_ascii=False))
    else:
        for bad in done.bad[:MAX_PRINTED]:
            click.echo(f"line {bad.number}: {bad.reason}")
        counts = f"{done.members} members, {done.passes} passes, {done.badges} badges"
        if done.bad:
            click.echo(f"{len(done.bad)} bad lines: nothing was imported.")
        else:
            click.echo(f"{counts} would be added." if check else f"{counts} added.")
    sys.exit(1 if done.bad else 0)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PassError(f"{file}: cannot be read ({error.strerror})") from error
