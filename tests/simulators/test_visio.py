"""The visio rooms of a simulated site: what people do shows on the display and in the calendar."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import httpx

from simulators.badges import badges_of
from simulators.folder import Folder, open_run, write_settings, write_sites
from simulators.network import packaged_network, part_of
from simulators.site import SimulatedSite

NETWORK = part_of(packaged_network(), sites=10)
SITES = {site.id: site for site in NETWORK.sites}


def rooms_of(folder: Folder, site: str) -> list[dict[str, Any]]:
    rooms: list[dict[str, Any]] = tomllib.loads(folder.site_toml(site).read_text(encoding="utf-8")).get("room", [])
    return rooms


def prepared(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    open_run(folder, tuple(SITES))
    write_settings(folder, NETWORK, web_port=8001, broker_port=1884)
    write_sites(folder, NETWORK, hub_key="ab" * 32, broker_port=1884)
    return folder


def test_every_room_has_a_display_and_a_calendar_and_the_network_some_of_each_kind(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    rooms = [room for site in SITES for room in rooms_of(folder, site)]
    assert {room["display"]["kind"] for room in rooms} == {"samsung-mdc", "pjlink"}
    assert all(room["bookings_url"].startswith("http://127.0.0.1:") for room in rooms)
    ports = [room["display"]["port"] for room in rooms]
    assert len(ports) == len(set(ports))


def test_who_comes_into_a_room_switches_its_display_on_and_a_booking_is_in_its_calendar(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    name = next(site for site in SITES if "samsung-mdc" in [room["display"]["kind"] for room in rooms_of(folder, site)])
    room = next(room for room in rooms_of(folder, name) if room["display"]["kind"] == "samsung-mdc")

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", room["display"]["port"])
        writer.write(bytes.fromhex("aa11000011"))
        try:
            async with asyncio.timeout(10):
                return await reader.read(64)
        except ConnectionResetError:
            return b""  # closed before it had heard us
        finally:
            writer.close()

    async def talk() -> None:
        site = SimulatedSite(SITES[name], folder, badges_of(name, SITES[name].desks, seed=1), seed=1)
        await site.start()
        try:
            assert await ask() == b""
            site.sit(room["id"])
            assert (await ask())[6:7] == b"\x01"
            site.unplug(f"{room['id']}-display")
            assert await ask() == b""
            site.plug(f"{room['id']}-display")
            site.rise(room["id"])
            assert await ask() == b""
            site.book(room["id"], [(1_800_000_000, 1_800_003_600)])
            said = await asyncio.to_thread(httpx.get, room["bookings_url"], timeout=10)
            assert "DTSTART:20270115T080000Z" in said.text
        finally:
            await site.stop()

    asyncio.run(talk())
