"""An independent client of the radar, aio-ld2410, against the simulated one through a real pseudo-terminal."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random

import pytest
from aio_ld2410 import LD2410, ReportStatus, TargetStatus

from simulators.ld2410 import Ld2410
from tests.support.bench import FOUR_WIRES, Bench

PATIENCE_S = 10.0


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


@pytest.fixture
def radar() -> Ld2410:
    return Ld2410(Random(1))


def _converse(bench: Bench, radar: Ld2410, wire: str, talk: Callable[[LD2410], Awaitable[None]]) -> None:
    async def session() -> None:
        async with asyncio.timeout(PATIENCE_S), LD2410(str(port)) as client:
            await talk(client)

    port = bench.wire(radar, FOUR_WIRES[wire], seed=5)
    asyncio.run(session())


async def _report(client: LD2410, fits: Callable[[ReportStatus], bool]) -> ReportStatus:
    while not fits(report := await client.get_next_report()):
        pass
    return report


@pytest.mark.parametrize("wire", ["whole", "byte-at-a-time", "delayed"])
def test_the_client_configures_the_radar_and_reads_back(bench: Bench, radar: Ld2410, wire: str) -> None:
    async def talk(client: LD2410) -> None:
        async with client.configure() as session:
            assert (session.protocol_version, session.buffer_size) == (1, 64)
            assert str(await client.get_firmware_version()) == "1.02.22062416"
            await client.set_parameters(moving_max_distance_gate=6, static_max_distance_gate=5, presence_timeout=30)
            await client.set_gate_sensitivity(distance_gate=4, moving_threshold=25, static_threshold=20)
            parameters = await client.get_parameters()
            assert await client.get_distance_resolution() == 75
            assert (await client.get_light_control()).threshold == 128
        assert parameters.moving_max_distance_gate == 6
        assert parameters.static_max_distance_gate == 5
        assert parameters.presence_timeout == 30
        assert parameters.moving_threshold == [50, 50, 40, 30, 25, 15, 15, 15, 15]
        assert parameters.static_threshold == [0, 0, 40, 40, 20, 30, 20, 20, 20]

    _converse(bench, radar, wire, talk)


@pytest.mark.parametrize("wire", list(FOUR_WIRES))
def test_the_client_sees_who_is_there(bench: Bench, radar: Ld2410, wire: str) -> None:
    async def talk(client: LD2410) -> None:
        await _report(client, lambda report: report.basic.target_status == TargetStatus.NO_TARGET)
        bench.call(radar.person, distance_cm=160, moving=False)
        still = await _report(client, lambda report: report.basic.target_status == TargetStatus.STATIC)
        assert abs(still.basic.static_distance - 160) <= 5
        bench.call(radar.person, distance_cm=200, moving=True)
        await _report(client, lambda report: bool(report.basic.target_status & 1))

    _converse(bench, radar, wire, talk)


def test_the_client_reads_the_energy_of_each_gate(bench: Bench, radar: Ld2410) -> None:
    async def talk(client: LD2410) -> None:
        async with client.configure():
            await client.set_engineering_mode(True)
        bench.call(radar.person, distance_cm=160, moving=False)
        report = await _report(client, lambda report: report.basic.target_status == TargetStatus.STATIC)
        assert report.engineering is not None
        assert len(report.engineering.moving_gate_energy) == len(report.engineering.static_gate_energy) == 9
        assert max(report.engineering.static_gate_energy) == report.engineering.static_gate_energy[2]
        assert report.engineering.out_pin_status == 1

    _converse(bench, radar, "whole", talk)
