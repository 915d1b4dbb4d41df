"""`telecentre-hub pass` and `telecentre-hub free-access`: who may enter where, and when."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from contract.rights import FreeAccess
from hub.commands.options import config_option, in_one_sentence, json_option, store_of, tell
from hub.commands.show import moment, pass_answer, pass_line
from hub.passes import (
    CATEGORIES,
    MAX_FREE_ACCESS,
    PassError,
    Terms,
    instant_ms,
    read_category,
    read_moment,
    read_windows,
)
from hub.store import Store, wall_ms
from hub.store.pass_changes import add_free_access, add_pass, change_pass, end_pass, remove_free_access
from hub.store.passes import read_pass, read_register


@click.group("pass")
def pass_() -> None:
    """Keep the passes: from when to when, at which sites, in which windows."""


def terms_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a pass allows."""
    for option in reversed(
        (
            click.option("--category", default=None, help=f"One of: {', '.join(CATEGORIES)}."),
            click.option("--from", "valid_from", default=None, help="First day, or time: local at every site."),
            click.option("--until", "valid_until", default=None, help="First day, or time, at which it is over."),
            click.option("--site", "sites", multiple=True, help="A site; once for each."),
            click.option("--everywhere", is_flag=True, help="At every site of the network."),
            click.option("--window", "windows", multiple=True, help="Such as 'Mo-Fr 08:00-12:00,14:00-18:30'."),
            click.option("--any-time", is_flag=True, help="In no window: day and night."),
            click.option("--holidays/--no-holidays", default=None, help="Whether it opens on public holidays."),
        )
    ):
        command = option(command)
    return command


@pass_.command()
@click.argument("member")
@terms_options
@config_option
@json_option
@in_one_sentence
def add(member: str, config: Path, *, as_json: bool, **asked: object) -> None:
    """Give MEMBER a pass; print its id. Name sites or say --everywhere, windows or --any-time."""
    if not (asked["category"] and asked["valid_from"]):
        raise click.UsageError("a pass needs --category and --from")
    if not (asked["sites"] or asked["everywhere"]):
        raise click.UsageError("name a --site, or say --everywhere")
    if not (asked["windows"] or asked["any_time"]):
        raise click.UsageError("give a --window, or say --any-time")
    blank = Terms("visitor", read_moment("2000-01-01"))
    with store_of(config).changed() as connection:
        made = add_pass(connection, member, _terms(blank, asked), wall_ms(), secrets.token_bytes)
    tell(f"Pass {made}. Next: telecentre-hub badge add {made} …", {"pass": made}, as_json=as_json)


@pass_.command()
@click.argument("pass_id", metavar="PASS")
@terms_options
@click.option("--no-end", is_flag=True, help="It is valid until somebody ends it.")
@config_option
@json_option
@in_one_sentence
def change(pass_id: str, no_end: bool, config: Path, *, as_json: bool, **asked: object) -> None:
    """Change what PASS allows, from now on; what is not named stays."""
    with store_of(config).changed() as connection:
        terms = _terms(read_pass(connection, pass_id)[-1].terms, asked)
        change_pass(connection, pass_id, replace(terms, valid_until=None) if no_end else terms, wall_ms())
        changed = read_pass(connection, pass_id)[-1]
    tell(pass_line(changed), pass_answer(changed), as_json=as_json)


def _terms(known: Terms, asked: dict[str, object]) -> Terms:
    """Return the known terms with what was asked for in their place."""
    if asked["sites"] and asked["everywhere"]:
        raise click.UsageError("--site and --everywhere exclude one another")
    if asked["windows"] and asked["any_time"]:
        raise click.UsageError("--window and --any-time exclude one another")
    terms = known
    if asked["category"]:
        terms = replace(terms, category=read_category(str(asked["category"])))
    if asked["valid_from"]:
        terms = replace(terms, valid_from=read_moment(str(asked["valid_from"])))
    if asked["valid_until"]:
        terms = replace(terms, valid_until=read_moment(str(asked["valid_until"])))
    if asked["everywhere"] or asked["sites"]:
        terms = replace(terms, sites=tuple(dict.fromkeys(_texts(asked["sites"]))))
    if asked["any_time"] or asked["windows"]:
        terms = replace(terms, windows=read_windows(" | ".join(_texts(asked["windows"]))))
    if asked["holidays"] is not None:
        terms = replace(terms, holidays=bool(asked["holidays"]))
    return terms


def _texts(asked: object) -> tuple[str, ...]:
    return tuple(map(str, asked)) if isinstance(asked, tuple) else ()


@pass_.command("list")
@click.option("--site", default=None, help="Only those that are valid at this site.")
@config_option
@json_option
@in_one_sentence
def list_passes(site: str | None, config: Path, *, as_json: bool) -> None:
    """Print the passes that were not ended."""
    with store_of(config).seen() as connection:
        every = read_register(connection).passes.values()
    passes = [
        one for one in every if not one.ended and (site is None or not one.terms.sites or site in one.terms.sites)
    ]
    tell("\n".join(map(pass_line, passes)), {"passes": list(map(pass_answer, passes))}, as_json=as_json)


@pass_.command()
@click.argument("pass_id", metavar="PASS")
@config_option
@json_option
@in_one_sentence
def show(pass_id: str, config: Path, *, as_json: bool) -> None:
    """Print what PASS allows, and what it allowed before in the last 90 days."""
    with store_of(config).seen() as connection:
        history = read_pass(connection, pass_id)
    lines = [f"since {moment(one.since_ms)}  {pass_line(one)}" for one in reversed(history)]
    answer = {**pass_answer(history[-1]), "history": list(map(pass_answer, history))}
    tell("\n".join(lines), answer, as_json=as_json)


@pass_.command()
@click.argument("pass_id", metavar="PASS")
@config_option
@json_option
@in_one_sentence
def remove(pass_id: str, config: Path, *, as_json: bool) -> None:
    """End PASS now: its badges open nothing any more."""
    with store_of(config).changed() as connection:
        end_pass(connection, pass_id, wall_ms())
    tell("The pass is ended.", {"pass": pass_id}, as_json=as_json)


@click.group("free-access")
def free_access() -> None:
    """Keep event days: a door that is open to everyone for some hours."""


@free_access.command("add")
@click.argument("site")
@click.argument("door")
@click.option("--from", "begin", required=True, help="Local time at the site, such as 2026-12-05T09:00.")
@click.option("--until", "end", required=True, help="Local time at which it is over.")
@config_option
@json_option
@in_one_sentence
def add_event(site: str, door: str, begin: str, end: str, config: Path, *, as_json: bool) -> None:
    """Let everyone in at DOOR of SITE for an event of at most 36 hours."""
    first, last = read_moment(begin), read_moment(end)
    if not first < last <= first + MAX_FREE_ACCESS:
        raise PassError("an event ends after it begins, and lasts at most 36 hours")
    store = store_of(config)
    zone = _zone(store, site)
    free = FreeAccess(door=door, start=instant_ms(first, zone), end=instant_ms(last, zone))
    with store.changed() as connection:
        add_free_access(connection, site, free, wall_ms())
    tell(f"{door} of {site} is open to everyone from {begin} until {end}.", free.model_dump(), as_json=as_json)


@free_access.command("list")
@config_option
@json_option
@in_one_sentence
def list_events(config: Path, *, as_json: bool) -> None:
    """Print the event days that are not over."""
    now_ms = wall_ms()
    with store_of(config).seen() as connection:
        every = read_register(connection).free_access.items()
    events = [(site, free) for site, listed in every for free in listed if free.end > now_ms]
    lines = [f"{site}  {free.door}  {moment(free.start)} until {moment(free.end)}" for site, free in events]
    answer = [{"site": site, **free.model_dump()} for site, free in events]
    tell("\n".join(lines), {"free_access": answer}, as_json=as_json)


@free_access.command("remove")
@click.argument("site")
@click.argument("door")
@click.option("--from", "begin", required=True, help="When the event begins, as it was given.")
@config_option
@json_option
@in_one_sentence
def remove_event(site: str, door: str, begin: str, config: Path, *, as_json: bool) -> None:
    """Call the event off that begins then."""
    store = store_of(config)
    start_ms = instant_ms(read_moment(begin), _zone(store, site))
    with store.changed() as connection:
        remove_free_access(connection, site, door, start_ms, wall_ms())
    tell("The event is called off.", {"site": site, "door": door}, as_json=as_json)


def _zone(store: Store, site: str) -> ZoneInfo:
    for known in store.sites():
        if known.id == site:
            return known.zone
    raise PassError(f"the site '{site[:40]}' is not in the register")
