import json
import logging
from collections.abc import Iterator
from pathlib import Path

import gpiozero
import pytest
from click.testing import CliRunner, Result

from edge.__main__ import main
from tests.support.bench import eventually
from tests.support.edge_site import KEY, STRIKE, SimulatedTelecentre, telecentre
from tests.support.events import desk
from tests.support.outbox_agent import Agent as OutboxAgent
from tests.support.outbox_agent import statement

NOBODY_LISTENS = 9


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a command sets up for a process of its own."""
    loggers = [logging.getLogger(name) for name in (None, "nfc")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)


@pytest.mark.parametrize("command", [["run"], ["check-config"], ["outbox", "status"], ["release-strikes"], ["doctor"]])
def test_every_command_answers_a_wrong_file_with_one_sentence_and_78(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "site.toml").write_text('site = "murat"\nnoise = 3\n')
    result = run(*command, "--config", tmp_path / "site.toml")
    assert result.exit_code == 78
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_a_command_without_its_file_is_a_mistake_of_usage() -> None:
    assert run("run").exit_code == 2


def test_the_checked_settings_are_shown_with_their_defaults_and_without_secrets() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        result = run("check-config", "--config", place.toml)
    assert result.exit_code == 0
    assert 'site = "murat"' in result.output
    assert "door[1].held_open_s = 30.0" in result.output
    assert "2 badges in the list of rights" in result.output
    assert KEY.hex() not in result.output


def test_the_checked_settings_are_json_when_asked_for() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        result = run("check-config", "--json", "--config", place.toml)
    assert json.loads(result.output)["door"][0]["strike_pin"] == STRIKE


def test_a_list_of_rights_that_would_be_refused_fails_the_check() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        (place.toml.parent / "rights/rights.sealed").write_bytes(b"TCS1")
        result = run("check-config", "--config", place.toml)
    assert result.exit_code == 1
    assert "would be refused (form)" in result.stderr


def test_a_site_without_a_list_of_rights_yet_passes_the_check() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        (place.toml.parent / "rights/rights.sealed").unlink()
        result = run("check-config", "--config", place.toml)
    assert (result.exit_code, "no list of rights yet" in result.output) == (0, True)


def test_simulated_devices_are_refused_in_a_real_installation() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        place.toml.write_text(place.toml.read_text().replace("simulated = true", ""))
        result = run("run", "--config", place.toml)
        assert result.exit_code == 78
        assert "simulated device" in result.stderr
        result = run("run", "--config", place.toml, env={"GPIOZERO_PIN_FACTORY": "telecentre-sim"})
        assert result.exit_code == 78
        assert "simulates the pins" in result.stderr


def test_a_missing_site_key_is_told_before_anything_starts() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        (place.toml.parent / "site.key").unlink()
        result = run("run", "--config", place.toml)
    assert result.exit_code == 78
    assert "site_key" in result.stderr


def test_the_outbox_tells_what_it_holds_without_an_agent() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        assert run("outbox", "init", "--config", place.toml).exit_code == 0
        result = run("outbox", "status", "--json", "--config", place.toml)
        assert json.loads(result.output)["events"] == 0
        assert "0 events ever stored" in run("outbox", "status", "--config", place.toml).output


def test_an_instant_that_no_calendar_has_is_told_and_not_a_traceback() -> None:
    with telecentre(NOBODY_LISTENS) as place:
        folder = place.toml.parent / "outbox"
        assert run("outbox", "init", "--config", place.toml).exit_code == 0
        agent = OutboxAgent(folder).start()
        agent.store(desk(1))
        agent.stop()
        statement(folder, "UPDATE outbox SET stored_ms = 1 << 53")
        result = run("outbox", "status", "--config", place.toml)
        assert result.exit_code == 0
        assert "oldest of these: at an instant that no calendar has (9007199254740992 ms)" in result.output


def pinned(place: SimulatedTelecentre, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wire gpiozero of this process to the board, for the length of the test."""
    monkeypatch.setenv("TELECENTRE_SIM_PINS", str(place.board.path))
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "telecentre-sim")
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)


def test_the_strikes_are_put_to_rest_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place:
        place.drive(STRIKE, high=True)  # what is left on when nobody drives the pin
        pinned(place, monkeypatch)
        result = run("release-strikes", "--config", place.toml)
        assert result.exit_code == 0
        assert eventually(lambda: False in [high for _, high in place.bench.call(place.board.changes, STRIKE)])
        gpiozero.Device.pin_factory.close()


def test_the_doctor_finds_every_device_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with telecentre(NOBODY_LISTENS) as place:
        pinned(place, monkeypatch)
        result = run("doctor", "--json", "--config", place.toml)
        assert {finding["device"]: finding["fault"] for finding in json.loads(result.stdout)} == {
            "door-01": None,
            "rights": None,
            "reader-01": None,
            "reader-01-light": None,
            "desk-01-pin": None,
            "desk-02-radar": None,
        }
        assert result.exit_code == 0
        place.bench.unplug(place.radar_port)
        result = run("doctor", "--config", place.toml)
        assert result.exit_code == 1
        assert "desk-02-radar" in result.output
        assert "check the cable" in result.output
        gpiozero.Device.pin_factory.close()
