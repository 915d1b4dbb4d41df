"""`telecentre-edge sensors` with real drivers against simulated devices."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import gpiozero
import pytest
import serial
from click.testing import CliRunner, Result

from edge.__main__ import main
from edge.config import read_keys, read_settings
from edge.doctor import Finding, examine
from edge.radar_file import read_radar_file
from simulators.ld2410 import Ld2410
from simulators.pin_factory import SimulatedFactory
from tests.support.bench import FOUR_WIRES, Bench

SITE = """
site = "murat"
time_zone = "Europe/Paris"
simulated = true
[link]
[outbox]
folder = "outbox"
[rights]
folder = "rights"
hub_key = "abababababababababababababababababababababababababababababababab"
private_key_file = "rights.key"
[[desk]]
id = "desk-01"
sensor = [{{ id = "desk-01-radar", kind = "radar", port = "{port}", settings_file = "radar.toml" }}]
[[desk]]
id = "desk-02"
sensor = [{{ id = "desk-02-pin", kind = "pin", pin = 16 }}]
"""
DESK = (Path(__file__).parents[2] / "firmware_config" / "sensors" / "ld2410-desk.toml").read_text(encoding="utf-8")


@dataclass
class Place:
    bench: Bench
    radar: Ld2410
    port: Path
    toml: Path

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["sensors", *arguments, "--config", str(self.toml)])


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with Bench() as bench:
        radar, board = Ld2410(Random(3)), bench.board()
        bench.call(board.drive, 16, False)
        port = bench.wire(radar)
        monkeypatch.setenv("TELECENTRE_SIM_PINS", str(board.path))
        factory = SimulatedFactory()
        monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
        (bench.folder / "radar.toml").write_text(DESK, encoding="utf-8")
        (bench.folder / "site.toml").write_text(SITE.format(port=port), encoding="utf-8")
        yield Place(bench, radar, port, bench.folder / "site.toml")
        factory.close()


def test_each_sensor_says_what_it_is_and_what_it_sees(place: Place) -> None:
    place.bench.call(place.radar.person, distance_cm=90, moving=True)
    result = place.run("list", "--json")
    radar, pin = json.loads(result.output)
    assert (radar["firmware"], radar["state"], radar["matches"]) == ("1.02.22062416", "somebody", False)
    assert radar["settings"] == "8/8 5s 50 50 40 30 20 15 15 15 15 / 0 0 40 40 30 30 20 20 20"
    assert (pin["kind"], pin["where"], pin["state"]) == ("pir", "GPIO 16", "nobody")
    assert result.exit_code == 1, "it is not set as its file says"


@pytest.mark.parametrize("wire", FOUR_WIRES)
def test_settings_are_written_and_read_back(place: Place, wire: str) -> None:
    place.bench.set_faults(place.port, FOUR_WIRES[wire])
    result = place.run("configure")
    assert result.exit_code == 0, result.output
    assert "written and read back: 2/2 5s 50 50 40 100" in result.output
    assert place.bench.call(lambda: place.radar.settings.max_static_gate) == 2
    again = place.run("configure", "--sensor", "desk-01-radar")
    assert "already set as its file says" in again.output
    assert place.run("list").exit_code == 0


def test_a_module_that_forgets_its_settings_is_refused_with_the_difference(place: Place) -> None:
    place.radar.ills.forgets = True
    result = place.run("configure")
    assert result.exit_code == 1
    assert "did not take its settings: max_moving_gate is 8, wanted 2" in result.stderr
    assert "static_threshold_pct of gate 3 is 40, wanted 100" in result.stderr


def test_a_module_that_refuses_a_gate_reports_again_afterwards(place: Place) -> None:
    place.radar.ills.refuses = frozenset({0x64})
    result = place.run("configure")
    assert (result.exit_code, "refuses command 64" in result.stderr) == (1, True)
    place.radar.ills.refuses = frozenset()
    assert json.loads(place.run("list", "--json").output)[0]["state"] == "nobody"


def test_a_module_that_hears_nothing_is_told_in_one_sentence(place: Place) -> None:
    place.radar.ills.deaf = True
    result = place.run("configure")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "does not answer command ff" in result.stderr


@pytest.mark.parametrize("command", [["list"], ["configure"], ["watch", "--sensor", "desk-01-radar", "--for", "1"]])
def test_a_port_that_the_agent_holds_is_told_with_its_remedy(place: Place, command: list[str]) -> None:
    with serial.Serial(str(place.port), 256_000, exclusive=True):
        result = place.run(*command)
    assert result.exit_code == 1
    assert "probably by the agent: stop it first (systemctl stop telecentre-edge)" in result.output + result.stderr


def test_an_unplugged_radar_does_not_hide_the_other_sensors(place: Place) -> None:
    place.bench.unplug(place.port)
    found = json.loads(place.run("list", "--json").output)
    assert "does not exist" in found[0]["state"]
    assert found[1]["state"] == "nobody"


def test_the_energies_of_each_gate_are_shown_for_so_long(place: Place) -> None:
    place.bench.call(place.radar.person, distance_cm=160, moving=False)
    result = place.run("watch", "--sensor", "desk-01-radar", "--for", "1.5")
    assert result.exit_code == 0, result.output
    assert "gate  moving" in result.output
    assert "  2  " in result.output
    assert "still, " in result.output
    after = json.loads(place.run("list", "--json").output)
    assert after[0]["state"] == "somebody"


def test_a_sensor_that_is_no_radar_of_the_site_is_told_with_those_that_are(place: Place) -> None:
    result = place.run("watch", "--sensor", "desk-02-pin")
    assert result.exit_code == 1
    assert "no radar 'desk-02-pin' in the settings; there are: desk-01-radar" in result.stderr


def test_a_wrong_radar_file_is_one_sentence_and_78(place: Place) -> None:
    (place.bench.folder / "radar.toml").write_text(DESK.replace("max_static_gate = 2", "max_static_gate = 1"))
    (place.bench.folder / "rights.key").write_text("cd" * 32)
    whole = CliRunner().invoke(main, ["check-config", "--config", str(place.toml)])
    for result in (place.run("configure"), whole):
        assert result.exit_code == 78
        assert "'max_static_gate' is wrong: at least 2 is needed" in result.stderr


def calibrate(place: Place, *, somebody: bool, write: Path) -> tuple[int, str]:
    """Run the command as a technician does, who sits down between the two questions."""
    arguments = ["--sensor", "desk-01-radar", "--seconds", "1.5", "--write", str(write)]
    command = [sys.executable, "-m", "edge", "sensors", "calibrate", "--config", str(place.toml), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        said = _until(running, "empty: ")
        running.stdin.write("\n")
        running.stdin.flush()
        said += _until(running, "sit: ")
        if somebody:
            place.bench.call(place.radar.person, distance_cm=160, moving=False)
        running.stdin.write("\n")
        running.stdin.flush()
        said += running.stdout.read()
    return running.returncode, said


def _until(running: "subprocess.Popen[str]", mark: str) -> str:
    assert running.stdout is not None
    said = ""
    while not said.endswith(mark):
        piece = running.stdout.read(1)
        assert piece, said
        said += piece
    return said


def test_a_proposal_tells_the_occupied_place_from_the_empty_one_and_can_be_configured(place: Place) -> None:
    code, said = calibrate(place, somebody=True, write=place.bench.folder / "radar.toml")
    assert code == 0, said
    proposal = read_radar_file(place.bench.folder / "radar.toml")
    assert proposal.max_static_gate in (2, 3)
    assert 14 <= proposal.static_threshold_pct[2] <= 70
    assert proposal.static_threshold_pct[8] == 100
    assert place.run("configure").exit_code == 0
    assert json.loads(place.run("list", "--json").output)[0]["state"] == "somebody"


def test_a_place_that_cannot_be_told_from_an_empty_one_writes_nothing(place: Place) -> None:
    code, said = calibrate(place, somebody=False, write=place.bench.folder / "new.toml")
    assert code == 1
    assert "cannot tell an occupied place from an empty one" in said
    assert not (place.bench.folder / "new.toml").exists()


def test_the_doctor_says_what_a_radar_is_and_that_it_drifted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "telecentre-sim")
    (place.bench.folder / "rights.key").write_text("cd" * 32)
    settings = read_settings(place.toml)
    for expected in ("drifted", None):
        found = {finding.device: finding for finding in examine(settings, read_keys(settings))}
        assert found["desk-01-radar"].fault == expected
        assert (found["desk-01-radar"].said or "").startswith("firmware 1.02.22062416, settings ")
        assert found["desk-02-pin"] == Finding("desk-02-pin", None, None)
        assert place.run("configure").exit_code == 0
