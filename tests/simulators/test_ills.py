"""What somebody can do to the devices of a demo: every plug comes out, every ill is seen on its wire and goes again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from simulators.badges import badges_of
from simulators.folder import Folder, open_run, write_settings, write_sites
from simulators.network import equipment_of, packaged_network, part_of
from simulators.pins import PinBoard
from simulators.site import NoSuchDeviceError, SimulatedSite

NETWORK = part_of(packaged_network(), sites=10)
MURAT = next(site for site in NETWORK.sites if site.id == "murat")
PIR = next(desk for desk in equipment_of(MURAT).desks if desk.pin is not None)


class Demo:
    """One site on its wires, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder)
        open_run(self.folder, tuple(site.id for site in NETWORK.sites))
        write_settings(self.folder, NETWORK, web_port=8001, broker_port=1884)
        write_sites(self.folder, NETWORK, hub_key="ab" * 32, broker_port=1884)
        self.site = SimulatedSite(MURAT, self.folder, badges_of("murat", MURAT.desks, seed=1), seed=1)

    @property
    def pins(self) -> PinBoard:
        return self.site._pins  # the same that an agent sees over the socket

    def play(self, acts: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await self.site.start()
            try:
                await acts()
            finally:
                await self.site.stop()

        asyncio.run(run())


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


def test_the_plug_of_a_pir_opens_its_loop_and_its_line_reads_nobody(demo: Demo) -> None:
    assert PIR.pin is not None
    assert PIR.loop_pin is not None
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((demo.pins.level(PIR.pin or 0), demo.pins.level(PIR.loop_pin or 0)))

    async def acts() -> None:
        demo.site.sit(PIR.id)
        look()
        assert demo.site.unplug(PIR.sensor) == PIR.sensor
        look()
        demo.site.rise(PIR.id)
        demo.site.sit(PIR.id)
        look()
        demo.site.plug(PIR.sensor)
        look()

    demo.play(acts)
    assert seen == [(True, False), (False, True), (False, True), (True, False)]


def test_the_loop_of_a_pir_is_a_pin_of_its_agent(demo: Demo) -> None:
    assert f"loop_pin = {PIR.loop_pin}" in demo.folder.site_toml("murat").read_text(encoding="utf-8")
    used = [pin for desk in equipment_of(MURAT).desks for pin in (desk.pin, desk.loop_pin) if pin is not None]
    assert len(set(used)) == len(used)


def test_a_stuck_pir_sees_somebody_until_it_is_plugged_in_anew(demo: Demo) -> None:
    async def acts() -> None:
        demo.site.spoil(PIR.sensor, "stuck")
        demo.site.rise(PIR.id)
        assert demo.pins.level(PIR.pin or 0)
        demo.site.plug(PIR.sensor)
        assert not demo.pins.level(PIR.pin or 0)

    demo.play(acts)


def test_a_chattering_pir_changes_all_the_time_and_stops_when_it_is_repaired(demo: Demo) -> None:
    async def acts() -> None:
        demo.site.spoil(PIR.sensor, "chattering")
        async with asyncio.timeout(20):
            while len(demo.pins.changes(PIR.pin or 0)) < 6:  # noqa: ASYNC110  # seen from outside
                await asyncio.sleep(0.01)
        demo.site.plug(PIR.sensor)
        count = len(demo.pins.changes(PIR.pin or 0))
        await asyncio.sleep(0.3)
        assert len(demo.pins.changes(PIR.pin or 0)) == count

    demo.play(acts)


def test_a_spoiled_calendar_is_none_until_it_is_repaired_and_keeps_its_bookings(demo: Demo) -> None:
    port = demo.folder.ports_of("murat")["calendar"]

    known: dict[str, str] = {}

    async def asked() -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/room-01.ics", headers=known)
        known["If-None-Match"] = answer.headers.get("ETag", "")
        return answer.text

    async def acts() -> None:
        assert "VCALENDAR" in await asked()
        demo.site.spoil("room-01-bookings", "not_ical")
        assert "VCALENDAR" not in await asked(), "although it is asked for what has changed alone"
        demo.site.book("room-01", [(0, 3600)])
        demo.site.plug("room-01-bookings")
        assert "DTSTART:19700101T000000Z" in await asked()

    demo.play(acts)


def test_what_a_device_cannot_have_is_refused_with_what_it_can(demo: Demo) -> None:
    async def acts() -> None:
        for device, ill, says in [
            (PIR.sensor, "huge", "stuck, chattering"),
            ("room-01-display", "stuck", "hangs, garbage, refuses"),
            ("room-01-bookings", "deaf", "hang, error, huge, not_ical"),
            ("room-01-radar", "hangs", "stuck, deaf"),
            ("window-01", "stuck", "has no device 'window-01'"),
        ]:
            with pytest.raises(NoSuchDeviceError, match=says):
                demo.site.spoil(device, ill)
        with pytest.raises(NoSuchDeviceError, match="to do this to"):
            demo.site.unplug("room-01-bookings")

    demo.play(acts)


@pytest.mark.parametrize("device", ["room-01-display", "room-01-radar", "room-01-bookings", PIR.sensor])
def test_every_ill_of_a_device_can_come_and_go(demo: Demo, device: str) -> None:
    async def acts() -> None:
        ills = demo.site._ills_of(device)  # the list that a refusal names
        assert ills
        for ill in ills:
            assert demo.site.spoil(device, ill) == device
            assert demo.site.plug(device) == device

    demo.play(acts)
