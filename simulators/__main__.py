"""`telecentre-sim`: the demo, the simulated devices, and commands that act on a running demo."""

import asyncio
import json
import logging
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from simulators.badges_file import BadgesFileError
from simulators.control import ControlError, Reply, ask, tap_report
from simulators.demo import DemoError, Options, run_demo
from simulators.devices import run_devices
from simulators.fleet_options import FleetError
from simulators.fleet_options import Options as FleetOptions
from simulators.folder import DEFAULT_STATE, Folder
from simulators.hub_page import Why, read_why
from simulators.network import ALWAYS_OPEN, NetworkError, packaged_network, part_of, read_network

DEFAULT_SEED = 1
EXIT_CODES = {"equal": 0, "different": 1, "behind": 3}
"""Of a fleet; 2 is click's own, for a command line that it does not understand."""

DEFAULT_SPEED = 240.0
"""Seconds of the play in a second: a day of work lasts about three minutes."""

MAX_S = 366 * 86_400
"""Of a duration: a year. Longer, nobody would see the end."""


class Number(click.FloatRange):
    """A number in a range. `nan`, which click lets through each, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's own types
        """Return the number, or end with what is wrong with it."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


state_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STATE,
    show_default=True,
    help="Folder of the demo, seen from the current folder.",
)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(stream=sys.stderr, level="INFO", format="%(levelname)s %(name)s %(message)s")
    command(prog_name="telecentre-sim")


@click.group()
def command() -> None:
    """Simulated telecentres: devices on the wire, the people who use them, and a demo of everything."""


@command.command()
@click.option("--sites", type=click.IntRange(1), help="Play the first N telecentres only.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Port of the board.")
@state_option
@click.option("--for", "for_s", type=Number(1, MAX_S), help="Stop after so many seconds, and compare both ends.")
@click.option("--fixture-hours", is_flag=True, help="Count the network's real opening hours; without it, always open.")
@click.option("--seed", type=click.IntRange(0), default=DEFAULT_SEED, show_default=True, help="Another play.")
@click.option("--speed", type=Number(0, 2_000), default=DEFAULT_SPEED, show_default=True, help="Pace; 0: nobody comes.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning"]), default="info", help="Of hub and agents.")
def demo(**given: Any) -> None:  # noqa: ANN401 - click gives each option its declared type
    """Run a hub, its broker and ten telecentres with real agents on simulated devices.

    The last line compares the events committed at the edges with those at the hub; the exit code is 1 if they differ.
    """
    network = packaged_network()
    hours = None if given["fixture_hours"] else ALWAYS_OPEN
    try:
        played = part_of(network, sites=given["sites"] or len(network.sites), opening_hours=hours)
    except NetworkError as error:
        raise click.UsageError(str(error)) from error
    folder = Folder(given["state"].absolute())
    options = Options(played, folder, given["port"], given["seed"], given["speed"], given["for_s"], given["log_level"])
    try:
        code = asyncio.run(run_demo(options))
    except (DemoError, OSError) as error:
        click.echo(_in_words(error, folder), err=True)
        code = 1
    sys.exit(code)


@command.command()
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@state_option
@click.option(
    "--seed", type=click.IntRange(0), default=DEFAULT_SEED, show_default=True, help="Which badges and people."
)
@click.option("--speed", type=Number(0, 2_000), default=0.0, show_default=True, help="Pace; 0: nobody comes.")
def site(sites: tuple[str, ...], state: Path, seed: int, speed: float) -> None:
    """Run the devices of some sites (all, if none is named) until SIGTERM; a demo's folder says which there are."""
    folder = Folder(state.absolute())
    try:
        network = read_network(folder.network_toml.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _fail(f"{folder.root} holds no network: `telecentre-sim demo --state {state}` makes one")
    except NetworkError as error:
        _fail(str(error))
    unknown = set(sites) - {each.id for each in network.sites}
    if unknown:
        raise click.UsageError(f"no site '{min(unknown)}'; there are {', '.join(each.id for each in network.sites)}")
    if sites:
        network = replace(network, sites=tuple(each for each in network.sites if each.id in sites))
    try:
        asyncio.run(run_devices(folder, network, seed=seed, speed=speed))
    except BadgesFileError as error:
        _fail(str(error))


@command.command()
@click.argument("site", metavar="SITE")
@click.option(
    "--badge", help="Whose badge; a member's by default. `unknown`, `expired`, `lost`, `phone`... stay outside."
)
@click.option("--clone", is_flag=True, help="Show a copy of it: same number, same name, not its key.")
@state_option
def tap(site: str, badge: str | None, *, clone: bool, state: Path) -> None:
    """Show a badge at a telecentre of the running demo; the exit code is 0 if the door opened, 1 if not."""
    folder = Folder(state.absolute())
    seen = _asked(folder, {"do": "tap", "site": site, "badge": badge, "clone": clone})
    why = _why(folder, site, seen["shown_at_ms"]) if seen["answered"] else None
    for line in tap_report(seen, site, why, clone=clone):
        click.echo(line)
    sys.exit(0 if seen["pulsed"] else 1)


@command.command()
@click.argument("site", metavar="SITE")
@click.argument("device", metavar="DEVICE")
@state_option
def unplug(site: str, device: str, state: Path) -> None:
    """Pull a plug: `reader`, `desk-01-pin` (a PIR), `desk-03-radar`, `room-01-radar`, `room-01-display`..."""
    seen = _asked(Folder(state.absolute()), {"do": "unplug", "site": site, "device": device})
    click.echo(f"{site}: {seen['device']} is unplugged")


@command.command()
@click.argument("site", metavar="SITE")
@click.argument("device", metavar="DEVICE")
@state_option
def plug(site: str, device: str, state: Path) -> None:
    """Put the plug back, and repair what `spoil` has done."""
    seen = _asked(Folder(state.absolute()), {"do": "plug", "site": site, "device": device})
    click.echo(f"{site}: {seen['device']} is plugged in")


@command.command()
@click.argument("site", metavar="SITE")
@click.argument("device", metavar="DEVICE")
@click.argument("ill", metavar="ILL")
@state_option
def spoil(site: str, device: str, ill: str, state: Path) -> None:
    """Let something be wrong with a device until `plug` repairs it.

    A PIR is `stuck` or `chattering`; a radar `stuck` or `deaf`; a display `hangs`, says `garbage` or `refuses`; a
    calendar (room-01-bookings) does `hang`, answers an `error`, is `huge` or `not_ical`.
    """
    seen = _asked(Folder(state.absolute()), {"do": "spoil", "site": site, "device": device, "ill": ill})
    click.echo(f"{site}: {seen['device']} has '{ill}' until it is plugged in anew")


@command.command()
@click.option(
    "--sites", type=click.IntRange(1, 10_000), help="How many telecentres; 4,072, or all of the network file."
)
@click.option("--rate", type=Number(0, 10_000), default=300.0, show_default=True, help="Events a second, all.")
@click.option("--for", "for_s", type=Number(1, MAX_S), help="Observe for so many seconds; else until SIGTERM.")
@click.option("--broker", default="127.0.0.1:1883", show_default=True, help="A broker of this machine, host:port.")
@click.option("--seed", type=click.IntRange(0), default=DEFAULT_SEED, show_default=True, help="Another play.")
@click.option(
    "--spread",
    "spread_s",
    type=Number(0, 300),
    default=30.0,
    show_default=True,
    help="`hello_spread_s` of all.",
)
@click.option(
    "--wait",
    "most_s",
    type=Number(1, MAX_S),
    help="Seconds to wait at most for a hub that comes on; 3,600, after SIGTERM 50.",
)
@click.option("--network", type=click.Path(path_type=Path, dir_okay=False), help="Play the telecentres of this file.")
@click.option(
    "--write-network", type=click.Path(path_type=Path, dir_okay=False), help="Write the network for the hub, and end."
)
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), help="Write there what the hub must have.")
@click.option("--calm", is_flag=True, help="No site goes offline, no message is lost or repeated by itself.")
def fleet(**given: Any) -> None:  # noqa: ANN401 - click gives each option its declared type
    """Speak as thousands of telecentres, each on its own connection; no devices, no agents.

    The last line says what the hub must have, what it says that it has, and how long sites were without it. Exit code
    1: it has something else; 3: it has not caught up.
    """
    # Imported here: of all commands only this one speaks MQTT.
    from simulators.fleet_command import (  # noqa: PLC0415
        broker_address,
        played_sites,
        run_fleet,
        write_network,
    )

    try:
        network = played_sites(given.pop("network"), given.pop("sites"), given["seed"])
        if (file := given.pop("write_network")) is not None:
            write_network(network, file)
            click.echo(f"{file}: {len(network.sites)} sites; for the hub: telecentre-hub site import {file}")
            return
        outcome = run_fleet(FleetOptions(network, broker_address(given.pop("broker")), **given))
    except (FleetError, NetworkError) as error:
        _fail(str(error))
    click.echo(json.dumps(outcome))
    click.echo(outcome["said"], err=True)
    sys.exit(EXIT_CODES[str(outcome["verdict"])])


@command.command()
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Another year.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day; 1 January by default.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="The day after the last one.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="A new folder for the hub, kept.")
def year(seed: int, first: datetime | None, last: datetime | None, state: Path | None) -> None:
    """Play the year 2026 of ten telecentres against a hub in minutes, and compare every figure with the truth.

    The last line is the outcome as JSON; the exit code is 1 if any figure differs.
    """
    # Imported here: it speaks MQTT, as the fleet does.
    from simulators.year_command import YearError, run_year  # noqa: PLC0415

    try:
        outcome = run_year(seed, first and first.date(), last and last.date(), state, click.echo)
    except YearError as error:
        _fail(str(error))
    click.echo(json.dumps(outcome))
    sys.exit(0 if outcome["equal"] else 1)


def _in_words(error: DemoError | OSError, folder: Folder) -> str:
    """Return our own sentence, or what the system says with where and what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    return f"{error.filename or folder.root} cannot be used ({error.strerror}): choose another folder with --state."


def _asked(folder: Folder, request: dict[str, Any]) -> Reply:
    try:
        return ask(folder.control, request)
    except ControlError as error:
        _fail(str(error))


def _why(folder: Folder, site: str, since_ms: int) -> Why | None:
    try:
        url = str(json.loads(folder.demo_json.read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return None  # the devices run without a hub
    return read_why(url, site, since_ms)


def _fail(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
