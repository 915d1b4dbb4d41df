"""The devices process: the simulated devices of several sites, the people among them, and the socket to act on them."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from simulators.badges import badges_of, members_of, secured
from simulators.badges_file import read_secrets
from simulators.control import Control
from simulators.folder import Folder, close_run, open_run
from simulators.network import Network, Site, equipment_of
from simulators.people import Clock, People
from simulators.scenario import Step, day_of
from simulators.site import SimulatedSite

log = logging.getLogger(__name__)

HUSH_WITHIN_S = 10.0
"""Whoever stands in the doorway is let through; nobody takes longer."""


async def run_devices(folder: Folder, network: Network, *, seed: int, speed: float) -> None:
    """Run the devices of a network until SIGTERM or SIGINT; nobody plays when `speed` is 0."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    open_run(folder, tuple(site.id for site in network.sites))
    async with AsyncExitStack() as opened:
        opened.callback(close_run, folder)
        sites, secrets = {}, read_secrets(folder.badges)
        for site in network.sites:
            badges = secured(badges_of(site.id, site.desks, seed), secrets.get(site.id, {}))
            sites[site.id] = SimulatedSite(site, folder, badges, seed=seed)
            opened.push_async_callback(sites[site.id].stop)
            await sites[site.id].start()
        hush = _begin_to_play(network, sites, stopping, seed=seed, speed=speed) if speed > 0 else _nothing
        control = Control(folder.control, sites, hush)
        opened.push_async_callback(control.stop)
        await control.start()
        log.info("sites=%d event=devices_ready", len(sites))
        await stopping.wait()
        await hush()
    log.info("sites=%d event=devices_gone", len(sites))


def _begin_to_play(
    network: Network, sites: dict[str, SimulatedSite], stopping: asyncio.Event, *, seed: int, speed: float
) -> Callable[[], Awaitable[None]]:
    """Let people come to every site, and return what sends them home."""
    clock = Clock(time.monotonic, time.time, asyncio.sleep)
    loop = asyncio.get_running_loop()

    async def play(site: Site) -> None:
        simulated = sites[site.id]
        await simulated.opened()
        await People(simulated, _script_of(site, simulated, seed), speed, clock).play()

    plays = [loop.create_task(play(site), name=f"people of {site.id}") for site in network.sites]

    def ended(play: asyncio.Task[None]) -> None:
        if not play.cancelled():  # a play ends by a bug only: the process must end with it
            stopping.set()

    for each in plays:
        each.add_done_callback(ended)

    async def hush() -> None:
        for each in plays:
            each.cancel()
        await asyncio.wait(plays, timeout=HUSH_WITHIN_S)
        for each in plays:
            if each.done() and not each.cancelled() and (error := each.exception()) is not None:
                raise error

    return hush


def _script_of(site: Site, simulated: SimulatedSite, seed: int) -> Callable[[int], tuple[Step, ...]]:
    members = tuple(badge.name for badge in members_of(simulated.badges))
    equipment = equipment_of(site)
    return lambda day: day_of(site.id, equipment, members, seed=seed, day=day)


async def _nothing() -> None:
    """Nobody plays: nobody needs to go home."""
