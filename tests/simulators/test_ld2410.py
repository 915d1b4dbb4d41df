"""The radar without a wire: bytes and moments in, bytes out."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ld2410 import RESTART_S, Dropouts, Ld2410
from simulators.ld2410_frames import CommandFinder, Report, reply_frame

VECTORS_FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: list[dict[str, Any]] = tomllib.loads((VECTORS_FOLDER / "ld2410.toml").read_text(encoding="utf-8"))["frame"]


def _vectors(kind: str) -> list[Any]:
    return [pytest.param(v, id=v["name"]) for v in VECTORS if v["fields"]["kind"] == kind]


def _command(code: int, value: str = "") -> bytes:
    body = bytes((code, 0)) + bytes.fromhex(value)
    return bytes.fromhex("fdfcfbfa") + len(body).to_bytes(2, "little") + body + bytes.fromhex("04030201")


class Host:
    """Reads reports and sends commands, in a time of its own."""

    def __init__(self, radar: Ld2410) -> None:
        self.radar = radar
        self.speed_baud = 256_000
        self.now_s = 100.0
        radar.power_on(self.now_s)

    def ask(self, code: int, value: str = "") -> str | None:
        """The data of the reply to a command, in hex; None when the command failed."""
        said = self.radar.receive(_command(code, value), self.speed_baud, self.now_s)
        failed = said == reply_frame(code, well=False)
        assert failed or said[4:-4][2:6] == bytes((code, 1, 0, 0))
        return None if failed else said[10:-4].hex()

    def reports(self, for_s: float) -> Iterator[bytes]:
        end_s = self.now_s + for_s
        while (due_s := self.radar.due_s()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            if said := self.radar.speak(self.now_s):
                yield said
        self.now_s = end_s

    def states(self, for_s: float) -> list[int]:
        return [report[8] for report in self.reports(for_s)]


@pytest.fixture
def host() -> Host:
    return Host(Ld2410(Random(1)))


@pytest.fixture
def configuring(host: Host) -> Host:
    assert host.ask(0xFF, "0100") == "01004000"
    return host


@pytest.mark.parametrize("vector", _vectors("report"))
def test_reports_are_those_of_the_protocol(vector: dict[str, Any]) -> None:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in vector["fields"].items()}
    engineering = bool(fields.pop("engineering"))
    fields.pop("kind")
    assert Report(**fields).frame(engineering=engineering).hex() == vector["hex"]


@pytest.mark.parametrize("vector", _vectors("reply"))
def test_replies_are_those_of_the_protocol(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    assert reply_frame(fields["code"], bytes.fromhex(fields["value"])).hex() == vector["hex"]


@pytest.mark.parametrize("vector", _vectors("command"))
def test_commands_of_the_protocol_are_understood(configuring: Host, vector: dict[str, Any]) -> None:
    said = configuring.radar.receive(bytes.fromhex(vector["hex"]), 256_000, configuring.now_s)
    code = vector["fields"]["code"]
    assert said[6:10] == bytes((code, 1, 0, 0))


@given(st.lists(st.binary(min_size=2, max_size=64), min_size=1, max_size=5), st.integers())
def test_commands_are_found_however_the_bytes_are_cut_and_among_noise(bodies: list[bytes], seed: int) -> None:
    random = Random(seed)
    stream = b""
    for body in bodies:
        frame = bytes.fromhex("fdfcfbfa") + len(body).to_bytes(2, "little") + body + bytes.fromhex("04030201")
        # Noise without the first byte of a header, which the standard finder below could take for one.
        stream += bytes(random.choice(b"\x00\x04\xf4\xff") for _ in range(random.randrange(9))) + frame
    finder, found = CommandFinder(), []
    while stream:
        cut = random.randint(1, 30)
        found += finder.feed(stream[:cut])
        stream = stream[cut:]
    assert found == bodies


def test_ten_basic_reports_come_each_second(host: Host) -> None:
    reports = list(host.reports(10.0))
    assert 98 <= len(reports) <= 101
    assert {len(report) for report in reports} == {23}


def test_an_empty_room_is_empty_in_every_report(host: Host) -> None:
    assert set(host.states(600.0)) == {0}
    assert not host.radar.out


@pytest.mark.parametrize("distance_cm", [40, 90, 160, 240, 390, 560])
def test_a_still_person_is_seen_still_at_their_distance(host: Host, distance_cm: int) -> None:
    host.radar.person(distance_cm=distance_cm, moving=False)
    reports = list(host.reports(60.0))
    assert {report[8] & 2 for report in reports} == {2}
    assert all(abs(int.from_bytes(report[15:17], "little") - distance_cm) <= 5 for report in reports)
    assert host.radar.out


@pytest.mark.parametrize("distance_cm", [40, 160, 390])
def test_a_moving_person_is_seen_moving(host: Host, distance_cm: int) -> None:
    host.radar.person(distance_cm=distance_cm, moving=True)
    states = host.states(60.0)
    assert sum(state & 1 for state in states) > 0.95 * len(states)


def test_somebody_beyond_the_farthest_gate_is_not_seen(configuring: Host) -> None:
    assert configuring.ask(0x60, "000002000000010002000000020005000000") == ""
    configuring.ask(0xFE)
    configuring.radar.person(distance_cm=400, moving=True)
    assert set(configuring.states(60.0)) == {0}


def test_after_somebody_left_the_module_reports_them_for_its_no_one_duration(host: Host) -> None:
    host.radar.person(distance_cm=90, moving=False)
    host.states(1.0)
    host.radar.empty()
    states = host.states(10.0)
    assert 4.8 <= states.index(0) / 10 <= 5.2
    assert set(states[states.index(0) :]) == {0}


def test_dropouts_lose_a_still_person_for_a_while_and_never_one_who_moves() -> None:
    host = Host(Ld2410(Random(4), dropouts=Dropouts(per_hour=60, shortest_s=10, longest_s=20)))
    host.radar.person(distance_cm=90, moving=False)
    states = host.states(1800.0)
    assert 0.02 < states.count(0) / len(states) < 0.3
    assert states[-1] in (0, 2, 3)
    host.radar.person(distance_cm=90, moving=True)
    host.states(30.0)
    assert 0 not in host.states(600.0)


def test_the_same_seed_gives_the_same_reports() -> None:
    hosts = [Host(Ld2410(Random(9))) for _ in range(2)]
    for host in hosts:
        host.radar.person(distance_cm=120, moving=True)
    first, second = [list(host.reports(5.0)) for host in hosts]
    assert first == second


def test_commands_fail_outside_configuration_mode(host: Host) -> None:
    for code, value in ((0x61, ""), (0x62, ""), (0xA0, ""), (0xA3, ""), (0xFE, "")):
        assert host.ask(code, value) is None
    assert host.states(1.0)


def test_no_report_is_sent_in_configuration_mode(configuring: Host) -> None:
    assert configuring.states(5.0) == []
    configuring.ask(0xFE)
    assert len(configuring.states(1.0)) >= 9


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (0xFF, "0200"),
        (0x60, "00"),
        (0x60, "000009000000010008000000020005000000"),
        (0x60, "000001000000010008000000020005000000"),
        (0x60, "010008000000010008000000020005000000"),
        (0x61, "00"),
        (0x64, "000009000000010028000000020028000000"),
        (0x64, "000003000000010065000000020028000000"),
        (0xA1, "0900"),
        (0xA5, ""),
        (0xAA, "0200"),
        (0xAD, "03000000"),
        (0x99, ""),
    ],
)
def test_wrong_values_and_unknown_commands_fail_and_change_nothing(configuring: Host, code: int, value: str) -> None:
    before = configuring.radar.settings
    assert configuring.ask(code, value) is None
    assert configuring.radar.settings == before


def test_settings_are_read_back_as_written_and_survive_a_power_cut(configuring: Host) -> None:
    assert configuring.ask(0x60, "00000600000001000400000002001e000000") == ""
    assert configuring.ask(0x64, "0000ffff0000010028000000020032000000") == ""
    assert configuring.ask(0x64, "000003000000010029000000020033000000") == ""
    configuring.radar.power_on(configuring.now_s)
    assert configuring.ask(0xFF, "0100") is not None
    thresholds = "28282829" + "28" * 5 + "32323233" + "32" * 5
    assert configuring.ask(0x61) == "aa080604" + thresholds + "1e00"


def test_engineering_reports_come_until_the_power_is_cut(configuring: Host) -> None:
    assert configuring.ask(0x62) == ""
    configuring.ask(0xFE)
    configuring.radar.person(distance_cm=160, moving=False)
    reports = list(configuring.reports(2.0))
    assert {len(report) for report in reports} == {45}
    static = reports[-1][28:37]
    assert max(static) == static[160 // 75]
    configuring.radar.power_on(configuring.now_s)
    assert {len(report) for report in configuring.reports(2.0)} == {23}


def test_finer_gates_count_after_a_restart(configuring: Host) -> None:
    assert configuring.ask(0xAA, "0100") == ""
    assert configuring.ask(0xAB) == "0100"
    assert configuring.ask(0xA3) == ""
    list(configuring.reports(RESTART_S))
    configuring.ask(0xFF, "0100")
    configuring.ask(0x62)
    configuring.ask(0xFE)
    configuring.radar.person(distance_cm=110, moving=False)
    static = list(configuring.reports(2.0))[-1][28:37]
    assert max(static) == static[110 // 20]


def test_a_restart_is_silent_for_a_second_and_brings_the_new_speed(configuring: Host) -> None:
    assert configuring.ask(0xA1, "0500") == ""
    assert configuring.radar.speed_baud == 256_000
    assert configuring.ask(0xA3) == ""
    assert configuring.radar.receive(_command(0xFF, "0100"), 256_000, configuring.now_s) == b""
    assert list(configuring.reports(RESTART_S - 0.01)) == []
    assert configuring.states(1.0)
    assert configuring.radar.speed_baud == 115_200
    configuring.speed_baud = 115_200
    assert configuring.ask(0xFF, "0100") == "01004000"


def test_the_factory_settings_come_back(configuring: Host) -> None:
    before = configuring.radar.settings
    configuring.ask(0x60, "00000600000001000400000002001e000000")
    assert configuring.ask(0xA2) == ""
    assert configuring.radar.settings == before


def test_a_host_at_another_speed_is_not_heard(host: Host) -> None:
    assert host.radar.receive(_command(0xFF, "0100"), 115_200, host.now_s) == b""


def test_light_settings_and_mac_can_be_asked(configuring: Host) -> None:
    assert configuring.ask(0xAD, "01600000") == ""
    assert configuring.ask(0xAE) == "01600000"
    assert configuring.ask(0xA5, "0100") == "8f272eb80f65"
