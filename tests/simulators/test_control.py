"""Acting on a simulated site from outside: what is asked over the socket happens on the wires and pins."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from simulators.badges import badges_of
from simulators.control import MAX_LINE_BYTES, Control, ControlError, ask, tap_report
from simulators.folder import Folder, leftovers, open_run, write_settings
from simulators.hub_page import Why
from simulators.network import (
    BUZZER_PIN,
    CONTACT_PIN,
    GRANTED_PIN,
    REFUSED_PIN,
    STRIKE_PIN,
    Site,
    packaged_network,
    part_of,
)
from simulators.site import SimulatedSite

NETWORK = part_of(packaged_network(), sites=3)
MURAT: Site = next(site for site in NETWORK.sites if site.id == "murat")


async def _nobody() -> None:
    """Nobody plays here."""


@asynccontextmanager
async def _bench(tmp_path: Path) -> AsyncIterator[tuple[Folder, SimulatedSite]]:
    folder = Folder(tmp_path)
    open_run(folder, tuple(site.id for site in NETWORK.sites))
    write_settings(folder, NETWORK, web_port=8001, broker_port=1884)
    site = SimulatedSite(MURAT, folder, badges_of("murat", MURAT.desks, seed=1), seed=1)
    control = Control(folder.control, {"murat": site}, _nobody)
    await site.start()
    await control.start()
    try:
        yield folder, site
    finally:
        await control.stop()
        await site.stop()


def _on_bench(tmp_path: Path, use: Callable[[Folder, SimulatedSite], Any]) -> Any:  # noqa: ANN401 - what `use` returns
    async def run() -> Any:  # noqa: ANN401
        async with _bench(tmp_path) as (folder, site):
            return await use(folder, site)

    return asyncio.run(run())


async def _asked(folder: Folder, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return await asyncio.to_thread(ask, folder.control, request)


async def _agent_that_drives(folder: Folder, site: SimulatedSite, *lines: str) -> asyncio.Task[None]:
    """Connect to the pins as an agent would, make outputs of them, and say `lines` once a card is there."""
    _, writer = await asyncio.open_unix_connection(folder.pins("murat"))
    pins = (STRIKE_PIN, GRANTED_PIN, REFUSED_PIN, BUZZER_PIN)
    writer.write("".join(f"output {pin} 0\n" for pin in pins).encode())
    await _until(lambda: all(site._pins.is_output(pin) for pin in pins))

    async def later() -> None:
        await _until(lambda: site._reader.cards != ())
        for line in lines:
            writer.write(f"{line}\n".encode())
            await asyncio.sleep(0.02)
        await _until(lambda: site._reader.cards == ())
        writer.close()

    return asyncio.get_running_loop().create_task(later())


async def _until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not seen():  # noqa: ASYNC110 - pins and cards are looked at, they do not notify
            await asyncio.sleep(0.002)


def test_a_tap_reports_the_pulse_seen_on_the_strikes_pin(tmp_path: Path) -> None:
    async def use(folder: Folder, site: SimulatedSite) -> dict[str, Any]:
        lines = [f"output {pin} 1" for pin in (STRIKE_PIN, GRANTED_PIN, BUZZER_PIN)]
        agent = await _agent_that_drives(folder, site, *lines)
        seen = await _asked(folder, do="tap", site="murat")
        await agent
        return seen

    seen = _on_bench(tmp_path, use)
    assert seen["pulsed"]
    assert 0 < seen["pulse_after_ms"] < 1_000
    assert (seen["granted_lit"], seen["refused_lit"], seen["beeps"]) == (True, False, 1)


def test_a_refused_tap_reports_the_red_light_and_a_shut_door(tmp_path: Path) -> None:
    flashes = [f"output {pin} {level}" for level in (1, 0, 1, 0, 1) for pin in (REFUSED_PIN, BUZZER_PIN)]

    async def use(folder: Folder, site: SimulatedSite) -> dict[str, Any]:
        agent = await _agent_that_drives(folder, site, *flashes)
        seen = await _asked(folder, do="tap", site="murat", badge="unknown")
        await agent
        return seen

    seen = _on_bench(tmp_path, use)
    assert not seen["pulsed"]
    assert seen["beeps"] == 3
    why = Why("DENIED_UNKNOWN_CREDENTIAL", "Ce badge est inconnu ici.", "Faites-le enregistrer.")
    assert tap_report(seen, "murat", why, clone=False) == [
        "murat: the door stayed shut (DENIED_UNKNOWN_CREDENTIAL)",
        "the hub says: Ce badge est inconnu ici. Faites-le enregistrer.",
        "at the reader: red light, 3 beeps",
    ]


def test_without_an_agent_a_tap_says_that_nothing_reacts(tmp_path: Path) -> None:
    seen = _on_bench(tmp_path, lambda folder, _: _asked(folder, do="tap", site="murat"))
    assert not seen["answered"]
    assert "did not react" in tap_report(seen, "murat", None, clone=False)[0]


def test_a_copied_badge_that_opens_is_reported_as_what_it_is() -> None:
    seen = {
        "pulsed": True,
        "answered": True,
        "pulse_after_ms": 40.0,
        "granted_lit": True,
        "refused_lit": False,
        "beeps": 1,
    }
    told = " ".join(tap_report(seen, "murat", Why("GRANTED", "La porte s'ouvre.", "Entrez."), clone=True))
    assert "copied number" in told


def test_a_refused_copy_of_a_secured_badge_is_reported_as_what_it_is() -> None:
    seen = {
        "pulsed": False,
        "answered": True,
        "secured": True,
        "granted_lit": False,
        "refused_lit": True,
        "beeps": 3,
    }
    why = Why("DENIED_VERIFICATION_FAILED", "Ce badge n'a pas pu prouver son identité.", "Présentez-le à nouveau.")
    assert tap_report(seen, "murat", why, clone=True) == [
        "murat: the door stayed shut (DENIED_VERIFICATION_FAILED)",
        "the hub says: Ce badge n'a pas pu prouver son identité. Présentez-le à nouveau.",
        "at the reader: red light, 3 beeps",
        "This was a copy of a secured badge: the same number and the same name, but not its key.",
    ]


def test_a_copy_of_a_classic_can_be_shown(tmp_path: Path) -> None:
    seen = _on_bench(tmp_path, lambda folder, _: _asked(folder, do="tap", site="murat", badge="classic", clone=True))
    assert seen["badge"] == "classic"


def test_an_unplugged_reader_has_no_port_until_it_is_plugged_in_again(tmp_path: Path) -> None:
    async def use(folder: Folder, _site: SimulatedSite) -> list[bool]:
        port = folder.port("murat", "reader-01")
        seen = [port.exists()]
        assert (await _asked(folder, do="unplug", site="murat", device="reader"))["device"] == "reader-01"
        seen.append(port.is_symlink())
        await _asked(folder, do="plug", site="murat", device="reader-01")
        return [*seen, port.exists()]

    assert _on_bench(tmp_path, use) == [True, False, True]


def test_each_radar_has_a_plug_of_its_own(tmp_path: Path) -> None:
    async def use(folder: Folder, _site: SimulatedSite) -> list[bool]:
        await _asked(folder, do="unplug", site="murat", device="desk-03-radar")
        return [folder.port("murat", name).exists() for name in ("desk-03-radar", "desk-06-radar", "room-01-radar")]

    assert _on_bench(tmp_path, use) == [False, True, True]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"do": "tap", "site": "paris"}, "no site 'paris' here; there are murat"),
        ({"do": "tap", "site": "murat", "badge": "nobody"}, "nobody at murat has a badge 'nobody'; there are jeanne"),
        ({"do": "tap", "site": "murat", "badge": "phone", "clone": True}, "nothing to copy"),
        (
            {"do": "unplug", "site": "murat", "device": "window-01"},
            "no device 'window-01' to do this to; it has reader-01",
        ),
        ({"do": "explode", "site": "murat"}, "'explode' cannot be done"),
        ({}, "no site 'None'"),
    ],
)
def test_what_cannot_be_done_gets_one_sentence(tmp_path: Path, request_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ControlError, match=sentence):
        _on_bench(tmp_path, lambda folder, _: _asked(folder, **request_))


@pytest.mark.parametrize(
    "line", [b"[1]\n", b"nonsense\n", b"\xff\xfe\n", b"x" * (MAX_LINE_BYTES + 1000) + b"\n", b"\n"]
)
def test_a_line_that_is_no_request_is_answered_and_the_next_caller_served(tmp_path: Path, line: bytes) -> None:
    def say(path: Path) -> bytes:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(10)
            caller.connect(str(path))
            caller.sendall(line)
            return caller.recv(MAX_LINE_BYTES)

    async def use(folder: Folder, _site: SimulatedSite) -> bytes:
        answer = await asyncio.to_thread(say, folder.control)
        await _asked(folder, do="hush")
        return answer

    assert json.loads(_on_bench(tmp_path, use))["ok"] is False


def test_where_no_demo_runs_one_sentence_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no demo runs there: start one with"):
        ask(tmp_path / "control", {"do": "hush"})


def test_a_killed_demo_is_told_from_none(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="has been killed"):
        ask(path, {"do": "hush"})


def test_nothing_is_left_behind_when_the_devices_stop(tmp_path: Path) -> None:
    async def use(folder: Folder, _site: SimulatedSite) -> int:
        return len(list(leftovers(folder)))

    assert _on_bench(tmp_path, use) == 6  # reader, three radars, pins, control
    assert list(leftovers(Folder(tmp_path))) == []


def test_people_who_are_sent_home_in_the_doorway_let_the_door_close(tmp_path: Path) -> None:
    async def use(folder: Folder, site: SimulatedSite) -> list[bytes]:
        reader, writer = await asyncio.open_unix_connection(folder.pins("murat"))
        leaving = asyncio.create_task(site.leave())
        opened = f"drive {CONTACT_PIN} 1\n".encode()
        async with asyncio.timeout(10):
            while await reader.readline() != opened:
                pass
        leaving.cancel()
        async with asyncio.timeout(10):
            closed = await reader.readline()
        writer.close()
        return [opened, closed]

    assert _on_bench(tmp_path, use)[1] == f"drive {CONTACT_PIN} 0\n".encode()


def test_the_sockets_of_the_longest_site_fit_into_a_socket_address(tmp_path: Path) -> None:
    assert len(os.fsencode(Folder(tmp_path / ("d" * 200)).pins("x" * 40))) <= 107
