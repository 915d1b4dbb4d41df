"""Pins between two processes: an agent with unmodified gpiozero, and the board that drives it."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from gpiozero import LED, Button, Buzzer, DigitalInputDevice, MotionSensor, OutputDevice
from gpiozero.exc import BadPinFactory, GPIOPinInUse, PinPWMUnsupported, PinSetInput

from simulators.pin_factory import SimulatedFactory
from simulators.pins import MAX_CHANGES, PinBoard
from tests.support.bench import Bench, eventually

STRIKE, LIGHT, BUZZER, CONTACT, PIR, EXIT = 17, 22, 23, 27, 24, 5


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


@pytest.fixture
def board(bench: Bench) -> PinBoard:
    return bench.board()


@pytest.fixture
def factory(board: PinBoard, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedFactory]:
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
    with SimulatedFactory() as factory:
        yield factory


AGENT = """
import sys
from gpiozero import Button, Device, OutputDevice
strike = OutputDevice(17, initial_value=False)
contact = Button(27, pull_up=True)
contact.when_pressed = strike.on
contact.when_released = strike.off
print(type(Device.pin_factory).__name__, contact.is_pressed, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def agent(board: PinBoard) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"GPIOZERO_PIN_FACTORY": "telecentre-sim", "TELECENTRE_SIM_PINS": str(board.path)}
    command = [sys.executable, "-W", "error", "-c", AGENT]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
        yield agent
        agent.kill()


def test_an_agent_in_another_process_finds_the_factory_by_its_name_and_its_pins_work(
    bench: Bench, board: PinBoard, agent: subprocess.Popen[str]
) -> None:
    assert agent.stdout is not None
    assert agent.stdout.readline() == "SimulatedFactory False\n"
    assert eventually(lambda: board.is_output(STRIKE))
    assert board.level(CONTACT)
    bench.call(board.drive, CONTACT, False)
    assert eventually(lambda: board.level(STRIKE))
    bench.call(board.drive, CONTACT, True)
    assert eventually(lambda: not board.level(STRIKE))
    assert [level for _, level in board.changes(STRIKE)] == [True, False]


def test_an_agent_killed_while_its_strike_is_energised_releases_it(
    bench: Bench, board: PinBoard, agent: subprocess.Popen[str]
) -> None:
    assert agent.stdout is not None
    agent.stdout.readline()
    bench.call(board.drive, CONTACT, False)
    assert eventually(lambda: board.level(STRIKE))
    agent.kill()
    assert eventually(lambda: not board.level(STRIKE))
    assert not board.is_output(STRIKE)
    assert not board.connected


def test_an_agent_that_ends_releases_its_pins(board: PinBoard, bench: Bench, agent: subprocess.Popen[str]) -> None:
    assert agent.stdout is not None
    agent.stdout.readline()
    bench.call(board.drive, CONTACT, False)
    assert eventually(lambda: board.level(STRIKE))
    agent.communicate("done\n", timeout=20)
    assert agent.returncode == 0
    assert eventually(lambda: not board.level(STRIKE))


def test_an_output_reaches_the_board_within_milliseconds(board: PinBoard, factory: SimulatedFactory) -> None:
    with OutputDevice(STRIKE, pin_factory=factory) as strike:
        latencies_s = []
        for _ in range(50):
            begun_s = time.monotonic()
            strike.on()
            assert eventually(lambda: board.level(STRIKE), every_s=0.0005)
            latencies_s.append(board.changes(STRIKE)[-1][0] - begun_s)
            strike.off()
            assert eventually(lambda: not board.level(STRIKE), every_s=0.0005)
    assert sorted(latencies_s)[25] < 0.005


def test_levels_driven_before_the_agent_came_are_there_from_the_first_moment(
    bench: Bench, board: PinBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.call(board.drive, CONTACT, False)
    bench.call(board.drive, PIR, True)
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
    with SimulatedFactory() as factory:
        assert Button(CONTACT, pin_factory=factory).is_pressed
        assert DigitalInputDevice(PIR, pin_factory=factory).is_active


def test_edges_are_fired_in_a_thread_of_the_factory_none_lost_and_in_order(
    bench: Bench, board: PinBoard, factory: SimulatedFactory
) -> None:
    seen: SimpleQueue[tuple[bool, str]] = SimpleQueue()
    door = Button(CONTACT, pull_up=True, pin_factory=factory)
    door.when_pressed = lambda: seen.put((True, threading.current_thread().name))
    door.when_released = lambda: seen.put((False, threading.current_thread().name))
    for _ in range(200):
        bench.call(board.drive, CONTACT, False)
        bench.call(board.drive, CONTACT, True)
    heard = [seen.get(timeout=10) for _ in range(400)]
    assert [pressed for pressed, _ in heard] == [True, False] * 200
    assert {name for _, name in heard} == {"simulated-pins"}


def test_a_line_that_nobody_drives_follows_its_pull(bench: Bench, board: PinBoard, factory: SimulatedFactory) -> None:
    up = DigitalInputDevice(CONTACT, pull_up=True, pin_factory=factory)
    down = DigitalInputDevice(PIR, pull_up=False, pin_factory=factory)
    assert (up.pin.state, down.pin.state) == (True, False)
    assert eventually(lambda: board.level(CONTACT) and not board.level(PIR))
    bench.call(board.drive, CONTACT, False)
    assert eventually(lambda: up.is_active)
    bench.call(board.release, CONTACT)
    assert eventually(lambda: not up.is_active)


def test_every_kind_of_device_that_the_agent_uses_works(
    bench: Bench, board: PinBoard, factory: SimulatedFactory
) -> None:
    with (
        LED(LIGHT, pin_factory=factory) as light,
        Buzzer(BUZZER, pin_factory=factory) as buzzer,
        MotionSensor(PIR, pin_factory=factory) as motion,
        DigitalInputDevice(EXIT, pull_up=None, active_state=False, bounce_time=0.05, pin_factory=factory) as button,
    ):
        light.blink(on_time=0.01, off_time=0.01, n=3, background=False)
        buzzer.beep(on_time=0.01, off_time=0.01, n=2, background=False)
        assert eventually(lambda: len(board.changes(LIGHT)) == 6 and len(board.changes(BUZZER)) == 4)
        bench.call(board.drive, PIR, True)
        assert motion.wait_for_motion(timeout=10)
        bench.call(board.drive, EXIT, True)
        assert eventually(lambda: not button.is_active)
        bench.call(board.drive, EXIT, False)
        assert button.wait_for_active(timeout=10)


def test_an_active_low_relay_is_off_from_its_first_moment_and_when_it_is_released(
    bench: Bench, board: PinBoard, factory: SimulatedFactory
) -> None:
    bench.call(board.drive, STRIKE, True)  # the pull-up resistor on the relay board
    with OutputDevice(STRIKE, active_high=False, initial_value=False, pin_factory=factory) as relay:
        assert eventually(lambda: board.is_output(STRIKE))
        assert board.level(STRIKE)
        relay.on()
        assert eventually(lambda: not board.level(STRIKE))
    assert eventually(lambda: board.level(STRIKE))
    assert [level for _, level in board.changes(STRIKE)] == [True, False, True]


def test_outputs_are_told_to_whoever_watches_the_board(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    told: SimpleQueue[tuple[int, bool]] = SimpleQueue()
    board = bench.board(lambda pin, level: told.put((pin, level)), name="watched")
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
    with SimulatedFactory() as factory, OutputDevice(STRIKE, pin_factory=factory) as strike:
        bench.call(board.drive, CONTACT, True)
        strike.on()
        assert told.get(timeout=10) == (STRIKE, True)
    assert told.get(timeout=10) == (STRIKE, False)


def test_when_the_board_dies_levels_stay_and_when_it_is_back_both_sides_learn_what_changed(
    bench: Bench, board: PinBoard, factory: SimulatedFactory
) -> None:
    edges: SimpleQueue[bool] = SimpleQueue()
    bench.call(board.drive, CONTACT, False)
    # gpiozero's Button cannot take an edge while it is being made: its hold thread comes last.
    assert eventually(lambda: factory.driven(CONTACT) is False)
    door = Button(CONTACT, pull_up=True, pin_factory=factory)
    door.when_released = lambda: edges.put(True)
    strike = OutputDevice(STRIKE, pin_factory=factory)
    assert eventually(lambda: door.is_pressed)
    bench.run(board.stop())
    assert not board.path.exists()
    strike.on()
    assert door.is_pressed
    assert edges.empty()
    bench.call(board.drive, CONTACT, True)
    bench.run(board.start())
    assert eventually(lambda: board.level(STRIKE))
    assert edges.get(timeout=10)
    assert not door.is_pressed


def test_an_agent_started_before_its_board_finds_it_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PinBoard(bench.folder / "late")
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
    monkeypatch.setattr("simulators.pin_factory.FIRST_ANSWER_S", 0.05)
    with SimulatedFactory() as factory, OutputDevice(STRIKE, initial_value=True, pin_factory=factory):
        bench.run(board.start())
        assert eventually(lambda: board.level(STRIKE))
        bench.run(board.stop())


def test_a_new_agent_keeps_its_pins_when_the_end_of_the_old_one_is_noticed_late(
    bench: Bench, board: PinBoard, factory: SimulatedFactory
) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.connect(str(board.path))
        old.sendall(b"output 17 1\n")
        assert eventually(lambda: board.level(STRIKE))
        with OutputDevice(STRIKE, initial_value=True, pin_factory=factory):
            assert eventually(lambda: len(bench.call(board.changes, STRIKE)) == 1)
            bench.call(board.drive, CONTACT, True)
            old.shutdown(socket.SHUT_RDWR)
            assert eventually(lambda: old.recv(100) == b"")
            assert board.level(STRIKE)


@pytest.mark.parametrize(
    "line", ["output 17 2", "output 28 1", "output -1 1", "input 17 sideways", "hello", "", "x" * 5000]
)
def test_a_client_that_speaks_other_lines_is_dropped(board: PinBoard, line: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(board.path))
        client.sendall(line.encode() + b"\n")
        heard = b""
        while data := _received(client):
            heard += data
        assert heard in (b"", b"ready\n")
    assert not board.level(STRIKE)


def test_an_agent_that_does_not_read_is_dropped(bench: Bench, board: PinBoard) -> None:
    def chatter() -> bool:
        for index in range(1000):
            board.drive(CONTACT, index % 2 == 0)
        return not board.connected

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(board.path))
        assert eventually(lambda: board.connected)
        assert eventually(lambda: bench.call(chatter))


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(100)
    except ConnectionResetError:
        return b""


def test_a_pin_belongs_to_one_device_and_cannot_be_used_against_its_function(factory: SimulatedFactory) -> None:
    with DigitalInputDevice(CONTACT, pin_factory=factory) as contact:
        with pytest.raises(GPIOPinInUse):
            OutputDevice(CONTACT, pin_factory=factory)
        with pytest.raises(PinSetInput):
            contact.pin.state = 1
        with pytest.raises(PinPWMUnsupported):
            contact.pin.frequency = 100


def test_without_the_name_of_a_board_there_are_no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECENTRE_SIM_PINS", raising=False)
    with pytest.raises(BadPinFactory, match="TELECENTRE_SIM_PINS"):
        SimulatedFactory()


def test_a_board_never_takes_the_place_of_another_that_lives(bench: Bench, board: PinBoard) -> None:
    with pytest.raises(FileExistsError, match="another simulator"):
        bench.run(PinBoard(board.path).start())
    assert board.path.is_socket()


def test_a_board_takes_the_place_of_a_socket_left_by_a_killed_one_but_of_nothing_else(
    bench: Bench, tmp_path: Path
) -> None:
    left = tmp_path / "pins"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    board = PinBoard(left)
    bench.run(board.start())
    bench.run(board.stop())
    left.write_text("precious")
    with pytest.raises(FileExistsError, match="not a socket"):
        bench.run(PinBoard(left).start())
    assert left.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_said_to_be(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="107 bytes"):
        bench.run(PinBoard(tmp_path / ("x" * 120)).start())


def test_the_record_of_changes_is_bounded(bench: Bench, board: PinBoard) -> None:
    for index in range(MAX_CHANGES + 100):
        bench.call(board.drive, CONTACT, index % 2 == 0)
    changes = board.changes(CONTACT)
    assert len(changes) == MAX_CHANGES
    assert changes == sorted(changes)


def test_no_thread_is_left_when_the_factory_closes(board: PinBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
    SimulatedFactory().close()
    assert "simulated-pins" not in {thread.name for thread in threading.enumerate()}
