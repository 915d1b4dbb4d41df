import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from simulators.wire import NO_FAULTS, UNREAD_LIMIT_BYTES, Faults, Wire
from tests.support.bench import FOUR_WIRES, Bench, eventually


class Echo:
    """A device at 115200 baud that says what it hears, and after `due` something of its own."""

    speed_baud = 115_200

    def __init__(self, *, later_s: float = 0.02) -> None:
        self._later_s = later_s
        self.heard = b""
        self.pieces: list[bytes] = []
        self.powered_at_s: list[float] = []
        self.due: float | None = None

    def power_on(self, now_s: float) -> None:
        self.powered_at_s.append(now_s)
        self.due = None

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
        if speed_baud != self.speed_baud:
            return b""
        self.heard += data
        self.pieces.append(data)
        if self.heard.endswith(b"go!"):
            self.due = now_s + self._later_s
        return data

    def due_s(self) -> float | None:
        return self.due

    def speak(self, now_s: float) -> bytes:
        assert self.due is not None
        assert now_s >= self.due
        self.due = None
        return b"later"


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


@pytest.mark.parametrize("name", ["whole", "byte-at-a-time", "delayed"])
def test_bytes_cross_the_wire_in_order_and_complete(bench: Bench, name: str) -> None:
    port = bench.wire(Echo(), FOUR_WIRES[name])
    said = bytes(range(256)) * 2
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(said)
        assert host.read(len(said)) == said


def test_a_byte_at_a_time_reaches_the_device_byte_by_byte(bench: Bench) -> None:
    echo = Echo()
    port = bench.wire(echo, Faults(one_byte=True))
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(b"abc")
        assert host.read(3) == b"abc"
    assert echo.pieces == [b"a", b"b", b"c"]


def test_a_delayed_wire_takes_its_time_both_ways(bench: Bench) -> None:
    port = bench.wire(Echo(), Faults(delay_s=0.05))
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        said_s = time.monotonic()
        host.write(b"x")
        assert host.read(1) == b"x"
        assert time.monotonic() - said_s >= 2 * 0.05


def test_a_lossy_wire_loses_the_same_bytes_for_the_same_seed(bench: Bench) -> None:
    heard = []
    for index in range(2):
        echo = Echo()
        port = bench.wire(echo, Faults(loss=0.1), name=f"lossy-{index}", seed=7)
        with serial.Serial(str(port), 115_200) as host:
            host.write(bytes(range(250)))
            assert eventually(lambda echo=echo: len(echo.heard) > 200)  # type: ignore[misc]
        heard.append(echo.heard)
    assert heard[0] == heard[1] != bytes(range(250))


def test_noise_can_precede_what_the_device_says_and_be_put_on_the_wire(bench: Bench) -> None:
    port = bench.wire(Echo(), Faults(garbage=1.0))
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(b"word")
        heard = host.read_until(b"word")
        assert heard.endswith(b"word")
        assert 5 <= len(heard) <= 12
        bench.set_faults(port, NO_FAULTS)
        bench.inject(port, b"\xff\xfe")
        assert host.read(2) == b"\xff\xfe"


def test_a_device_speaks_by_itself_when_its_moment_comes(bench: Bench) -> None:
    port = bench.wire(Echo())
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(b"go!")
        assert host.read(8) == b"go!later"


def test_a_host_at_another_speed_is_not_understood_and_understands_nothing(bench: Bench) -> None:
    echo = Echo(later_s=1.0)  # the host has changed its speed by then
    port = bench.wire(echo)
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(b"hear me, go!")
        assert host.read(12) == b"hear me, go!"
        host.baudrate = 256_000
        later = host.read(5)
        assert len(later) == 5
        assert later != b"later"
        host.write(b"and now?")
        host.timeout = 0.05
        assert host.read(1) == b""
    assert echo.heard == b"hear me, go!"


def test_unplugging_fails_the_host_and_removes_the_link_and_plugging_gives_a_new_port(bench: Bench) -> None:
    echo = Echo()
    port = bench.wire(echo)
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        bench.unplug(port)
        assert not port.is_symlink()
        with pytest.raises((OSError, termios.error)):
            host.read(1)
        bench.plug(port)
    with serial.Serial(str(port), 115_200, timeout=5) as host:
        host.write(b"again")
        assert host.read(5) == b"again"
    assert len(echo.powered_at_s) == 2


def test_a_host_may_close_and_open_the_port_as_often_as_it_likes(bench: Bench) -> None:
    port = bench.wire(Echo())
    for _ in range(20):
        with serial.Serial(str(port), 115_200, timeout=5) as host:
            host.write(b"hello")
            assert host.read(5) == b"hello"


def test_nothing_that_exists_is_ever_replaced_by_a_link(bench: Bench, tmp_path: Path) -> None:
    node = tmp_path / "ttyUSB0"
    node.write_text("a real device node")
    before = _open_descriptors()
    with pytest.raises(FileExistsError):
        bench.run(Wire(node, Echo()).start())
    assert node.read_text() == "a real device node"
    assert _open_descriptors() == before


def test_a_link_that_somebody_else_has_made_meanwhile_stays(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "reader"
    wire = Wire(link, Echo())
    bench.run(wire.start())
    link.unlink()
    link.symlink_to("/dev/null")
    bench.run(wire.stop())
    assert link.readlink() == Path("/dev/null")


def test_what_nobody_reads_is_lost_and_not_kept(bench: Bench, tmp_path: Path) -> None:
    wire = Wire(tmp_path / "port", Echo())
    bench.run(wire.start())

    def lost() -> bool:
        bench.call(wire.inject, bytes(1000))
        return wire.dropped_bytes > 5 * UNREAD_LIMIT_BYTES

    assert eventually(lost)
    with serial.Serial(str(wire.link), 115_200, timeout=5) as host:
        host.write(b"fresh")
        assert host.read(5) == b"fresh"
    bench.run(wire.stop())


def test_no_descriptor_is_left_behind_by_plugging_and_unplugging(bench: Bench) -> None:
    port = bench.wire(Echo())
    before = _open_descriptors()
    for _ in range(50):
        bench.unplug(port)
        bench.plug(port)
    assert _open_descriptors() == before


def test_stopping_twice_or_before_starting_harms_nothing(bench: Bench, tmp_path: Path) -> None:
    wire = Wire(tmp_path / "port", Echo())
    bench.run(wire.stop())
    bench.run(wire.start())
    bench.run(wire.stop())
    bench.run(wire.stop())
    assert not wire.plugged


def test_a_device_that_pulls_its_own_plug_leaves_no_timer_and_no_answer(bench: Bench, tmp_path: Path) -> None:
    class Fuse(Echo):
        def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
            self.due = now_s + 0.01
            wire.unplug()
            return super().receive(data, speed_baud, now_s)

    wire = Wire(tmp_path / "port", Fuse())
    bench.run(wire.start())
    with serial.Serial(str(wire.link), 115_200, timeout=5) as host:
        host.write(b"x")
        with pytest.raises((OSError, termios.error)):
            host.read(1)
    assert eventually(lambda: not wire.plugged and wire.dropped_bytes == 1)


def test_an_unplugged_device_has_no_power_to_cycle(bench: Bench) -> None:
    echo = Echo()
    port = bench.wire(echo)
    bench.unplug(port)
    bench.power_cycle(port)
    assert len(echo.powered_at_s) == 1


def test_a_model_that_raises_fails_the_test_that_uses_it() -> None:
    class Broken(Echo):
        def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
            raise ValueError(f"a bug in a model: {data!r} at {speed_baud} baud, {now_s} s")

    def use() -> None:
        with Bench() as bench:
            port = bench.wire(Broken())
            with serial.Serial(str(port), 115_200, timeout=0.2) as host:
                host.write(b"x")
                assert host.read(1) == b""

    with pytest.raises(RuntimeError) as failure:
        use()
    assert isinstance(failure.value.__cause__, ValueError)
