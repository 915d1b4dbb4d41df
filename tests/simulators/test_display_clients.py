"""Independent clients, python-samsung-mdc and aiopjlink2, against the simulated displays: they read what we meant."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from aiopjlink import PJLink, PJLinkConnectionClosed, PJLinkException, PJLinkPassword, Power
from samsung_mdc import MDC
from samsung_mdc.exceptions import MDCReadTimeoutError, NAKError

from simulators.displays import DisplayServer, Manners, Screen, pjlink, samsung

PATIENCE_S = 10.0
GOOD_LINES = {"whole": Manners(), "byte-at-a-time": Manners(one_byte=True), "slow": Manners(slow_s=0.2)}


def converse(server: DisplayServer, talk: Callable[[int], Awaitable[None]]) -> None:
    async def session() -> None:
        await server.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await talk(server.port)
        finally:
            await server.stop()

    asyncio.run(session())


@pytest.mark.parametrize("line", GOOD_LINES)
def test_python_samsung_mdc_reads_and_switches_the_simulated_display(line: str) -> None:
    screen = Screen()

    async def talk(port: int) -> None:
        async with MDC(f"127.0.0.1:{port}") as mdc:
            assert [int(state) for state in await mdc.power(7)] == [0]
            await mdc.power(7, [MDC.power.POWER_STATE.ON])
            assert screen.power == "on"
            assert [int(state) for state in await mdc.power(7)] == [1]

    converse(samsung(screen, display_id=7, random=Random(1), manners=GOOD_LINES[line]), talk)


def test_python_samsung_mdc_is_refused_as_a_real_display_refuses() -> None:
    async def talk(port: int) -> None:
        async with MDC(f"127.0.0.1:{port}") as mdc:
            with pytest.raises(NAKError):
                await mdc.power(0)

    converse(samsung(Screen(), random=Random(1), manners=Manners(refuses=True)), talk)


def test_python_samsung_mdc_waits_for_a_display_that_hangs() -> None:
    async def talk(port: int) -> None:
        async with MDC(f"127.0.0.1:{port}", timeout=0.2) as mdc:
            with pytest.raises(MDCReadTimeoutError):
                await mdc.power(0)

    converse(samsung(Screen(), random=Random(1), manners=Manners(hangs=True)), talk)


@pytest.mark.parametrize("pjlink_class", [1, 2])
@pytest.mark.parametrize("password", ["", "JBMIAProjectorLink"])
@pytest.mark.parametrize("line", GOOD_LINES)
def test_aiopjlink2_reads_and_switches_the_simulated_projector(line: str, password: str, pjlink_class: int) -> None:
    screen = Screen(warming_s=100.0)

    async def talk(port: int) -> None:
        client = PJLink("127.0.0.1", port, password or None)
        assert await client.power.get() == Power.State.OFF
        await client.power.turn_on()
        assert await client.power.get() == Power.State.WARMING

    server = pjlink(screen, password=password, pjlink_class=pjlink_class, random=Random(1), manners=GOOD_LINES[line])
    converse(server, talk)


def test_aiopjlink2_is_refused_with_a_wrong_password() -> None:
    async def talk(port: int) -> None:
        with pytest.raises(PJLinkPassword):
            await PJLink("127.0.0.1", port, "wrong").power.get()

    converse(pjlink(Screen(), password="right", random=Random(1)), talk)


@pytest.mark.parametrize(
    ("manners", "error"),
    [
        (Manners(closes_in_standby=True), PJLinkConnectionClosed),
        (Manners(half=True), PJLinkConnectionClosed),
        (Manners(garbage=True), PJLinkException),
        (Manners(hangs=True), PJLinkException),
    ],
    ids=["closes in standby", "half", "garbage", "hangs"],
)
def test_aiopjlink2_sees_what_the_simulated_projector_does_wrong(
    manners: Manners, error: type[PJLinkException]
) -> None:
    async def talk(port: int) -> None:
        with pytest.raises(error):
            # Only one that hangs is given up: what the others do wrong is seen, however busy the machine.
            await PJLink("127.0.0.1", port, timeout=0.3 if manners.hangs else 30).power.get()

    converse(pjlink(Screen(), random=Random(1), manners=manners), talk)
