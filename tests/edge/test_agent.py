import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gpiozero
import pytest

from contract.events import EdgeAlive, Event, Nothing, decode
from edge.agent import STUCK_AFTER_S, Agent, Inbox, run
from edge.clock import SystemClock
from edge.config import OutboxSettings, read_settings
from edge.core.effects import Effect, Publish
from edge.core.observations import ClockJudged, Observation, RightsLoaded, Stop
from edge.core.rights import NOBODY
from edge.core.site import Site, begin
from edge.devices.device import DeviceThread
from edge.devices.presence_pin import PresencePin
from edge.outbox import Outbox, StorageError, read_status
from edge.outbox.read import read_rows
from host.crashes import end_with_threads
from simulators.cards import Ntag21x
from simulators.pin_factory import SimulatedFactory
from tests.support.bench import eventually
from tests.support.edge_site import GREEN, KEYS, PIR, RED, STRIKE, UID, SimulatedTelecentre, telecentre
from tests.support.moments import at
from tests.support.plan import PLAN

NOBODY_LISTENS = 9
"""The discard port: no broker."""


def test_the_loop_takes_observations_in_order_and_ends_with_stop() -> None:
    inbox: Inbox = queue.Queue()
    for version in (1, 2):
        inbox.put(RightsLoaded(at(1), replace(NOBODY, version=version)))
    inbox.put(Stop(at(2)))
    clock = SystemClock(lambda: "synced", lambda: 0.0, lambda: 0)
    site = run(begin(PLAN, at(0), "1.0")[0], inbox, lambda *_: None, clock, lambda: None)
    assert site.rights.version == 2


def test_the_loop_ticks_when_something_is_due() -> None:
    inbox: Inbox = queue.Queue()
    passed_s = iter(range(0, 100_000, 100))
    clock = SystemClock(lambda: "synced", lambda: float(next(passed_s)), lambda: 0)
    kinds: list[str] = []

    def perform(site: Site, effects: tuple[Effect, ...]) -> None:
        kinds.extend(effect.event.kind for effect in effects if isinstance(effect, Publish))
        if kinds:
            inbox.put(Stop(site.at))

    run(begin(PLAN, at(0), "1.0")[0], inbox, perform, clock, lambda: None)
    assert kinds == ["edge_alive"]


def test_what_the_loop_itself_has_seen_is_decided_on() -> None:
    inbox: Inbox = queue.Queue()
    clock = SystemClock(lambda: "synced", lambda: 0.0, lambda: 0)
    seen: list[Observation | None] = [ClockJudged(at(1), 60_000), Stop(at(2))]
    kinds: list[str] = []

    def perform(_: Site, effects: tuple[Effect, ...]) -> None:
        kinds.extend(effect.event.kind for effect in effects if isinstance(effect, Publish))

    run(begin(PLAN, at(0), "1.0")[0], inbox, perform, clock, lambda: seen.pop(0))
    assert kinds == ["clock_set"]


@contextmanager
def agent_of(place: SimulatedTelecentre, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Agent, list[int]]]:
    """Run an agent in this process; at its end the list holds its exit code."""
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(place.board.path))
    factory = SimulatedFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    agent, codes = Agent(read_settings(place.toml), KEYS), list[int]()
    thread = threading.Thread(target=lambda: codes.append(agent.run()), name="agent")
    thread.start()
    try:
        yield agent, codes
    finally:
        agent.stop()
        thread.join(30.0)
        factory.close()


def test_a_badge_in_the_field_opens_the_door_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place:
        with agent_of(place, monkeypatch) as (_, codes):
            assert eventually(lambda: ready(place))
            place.bench.call(place.chip.present, Ntag21x(UID))
            assert eventually(lambda: place.pulses(STRIKE) == 1)
            assert eventually(lambda: place.level(GREEN))
            assert eventually(lambda: not place.level(STRIKE))
        assert codes == [0]
        assert read_status(read_settings(place.toml).outbox).depth >= 3


def test_an_unknown_badge_does_not_open_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place, agent_of(place, monkeypatch):
        assert eventually(lambda: ready(place))
        place.bench.call(place.chip.present, Ntag21x(bytes.fromhex("04ffffffffffff")))
        assert eventually(lambda: place.level(RED))
        assert place.pulses(STRIKE) == 0


def test_a_bug_in_a_device_thread_ends_the_agent_with_its_strikes_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def session(_: PresencePin, device: DeviceThread) -> None:
        asked.wait(30.0)
        raise ZeroDivisionError(device.id)

    monkeypatch.setattr(PresencePin, "session", session)
    with telecentre(NOBODY_LISTENS) as place:
        with agent_of(place, monkeypatch) as (_, codes):
            assert eventually(lambda: ready(place))
            place.bench.call(place.chip.present, Ntag21x(UID))
            assert eventually(lambda: place.level(STRIKE))
            asked.set()
            assert eventually(lambda: bool(codes))
        assert codes == [1]
        assert eventually(lambda: not place.level(STRIKE))


def test_a_bug_in_a_thread_of_a_library_ends_the_agent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def fail() -> None:
        raise ZeroDivisionError("in a callback of a library")

    with telecentre(NOBODY_LISTENS) as place:
        with agent_of(place, monkeypatch) as (agent, codes):
            end_with_threads(agent.crash)
            assert eventually(lambda: ready(place))
            place.bench.call(place.chip.present, Ntag21x(UID))
            assert eventually(lambda: place.level(STRIKE))
            threading.Thread(target=fail).start()
            assert eventually(lambda: bool(codes))
        assert codes == [1]
        assert eventually(lambda: not place.level(STRIKE))


def ready(place: SimulatedTelecentre) -> bool:
    """Whether the reader is looking: the chip has been brought to its high speed."""
    return place.bench.call(lambda: place.chip.speed_baud) == 921_600


def test_systemd_is_told_of_start_progress_and_stop() -> None:
    with telecentre(NOBODY_LISTENS) as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.bench.folder / "notify"))
        manager.settimeout(30.0)
        environment = {
            **place.environment,
            "NOTIFY_SOCKET": str(place.bench.folder / "notify"),
            "WATCHDOG_USEC": "2000000",
        }
        command = [sys.executable, "-m", "edge", "run", "--config", str(place.toml)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as agent:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            agent.terminate()
            while (state := manager.recv(100)) == b"WATCHDOG=1":
                pass
            assert state == b"STOPPING=1"
            _, logs = agent.communicate(timeout=30)
        assert agent.returncode == 0
        assert b"Traceback" not in logs


def test_a_killed_agent_leaves_a_reader_that_the_next_one_recovers_and_a_locked_strike() -> None:
    command = [sys.executable, "-m", "edge", "run", "--config"]
    with telecentre(NOBODY_LISTENS) as place:
        with subprocess.Popen([*command, str(place.toml)], env=place.environment) as first:
            assert eventually(lambda: ready(place), 30.0)
            place.bench.call(place.chip.present, Ntag21x(UID))
            assert eventually(lambda: place.pulses(STRIKE) == 1)
            first.kill()
        assert eventually(lambda: not place.level(STRIKE))
        place.bench.call(place.chip.remove)
        with subprocess.Popen([*command, str(place.toml)], env=place.environment) as second:
            assert eventually(lambda: place.bench.call(lambda: place.board.connected), 30.0)
            place.bench.call(place.chip.present, Ntag21x(UID))
            assert eventually(lambda: place.pulses(STRIKE) == 2, 30.0)
            second.terminate()
            assert second.wait(30) == 0


def test_a_desk_is_occupied_and_vacated(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place:
        with agent_of(place, monkeypatch):
            assert eventually(lambda: ready(place))
            place.drive(PIR, high=True)
            assert eventually(lambda: told(place)[-1:] == ["occupied"], 30.0)
            place.drive(PIR, high=False)
            assert eventually(lambda: told(place)[-1:] == ["vacant"], 30.0)
        assert told(place)[-2:] == ["occupied", "vacant"]


def told(place: SimulatedTelecentre) -> list[str]:
    """Return the states of `desk-01` in the outbox."""
    return [event.value.state for event in stored(place) if event.kind == "desk_state_changed"]


def stored(place: SimulatedTelecentre) -> list[Event]:
    """Return the events of `desk-01` in the outbox, none before its first commit."""
    settings = read_settings(place.toml).outbox
    try:
        streams = read_status(settings).streams
    except StorageError:
        return []  # its file is being made
    if not streams:
        return []
    (stream,) = streams
    found = read_rows(settings.folder, stream.stream, stream.first, stream.last)
    assert found is not None
    events = [decode(line) for _, line, _ in found[1] if line is not None]
    return [event for event in events if event.subject == "desk-01"]


def test_the_watchdog_is_not_fed_while_the_outbox_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.bench.folder / "notify"))
        manager.settimeout(4.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place.bench.folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        monkeypatch.setattr(Outbox, "stuck_s", lambda _: STUCK_AFTER_S + 1)
        with agent_of(place, monkeypatch):
            assert manager.recv(100) == b"READY=1"
            with pytest.raises(TimeoutError):
                manager.recv(100)


def test_an_outbox_hangs_when_events_wait_and_nobody_stores_them(tmp_path: Path) -> None:
    settings = OutboxSettings(folder=tmp_path)
    outbox = Outbox(
        settings,
        boot="0" * 32,
        new_id=lambda: "0" * 32,
        wall_ms=lambda: 0,
        on_new_stream=lambda: None,
        on_crash=lambda _: None,
    )
    assert outbox.stuck_s() == 0
    outbox.put(EdgeAlive(subject="agent", value=Nothing(), t=0, clock="synced", up=0), None)
    assert eventually(lambda: outbox.stuck_s() > 0.05)
