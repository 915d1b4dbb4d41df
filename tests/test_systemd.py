"""The units as systemd reads them: no warning, an exposure of 2.0 at most, and the promises of systemd/README.md."""

import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parent.parent / "systemd"
UNITS = ("telecentre-edge", "telecentre-hub")
PROGRAM = re.compile(r"/opt/telecentre/venv/bin/[a-z-]+")


def settings_of(unit: str) -> dict[str, list[str]]:
    """Return the values of every key of a unit, in the order of the file."""
    values: dict[str, list[str]] = {}
    for line in (SYSTEMD / f"{unit}.service").read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            values.setdefault(key, []).append(value)
    return values


@pytest.fixture
def systemd_analyze() -> str:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is missing: 'apt install systemd' brings it")
    return tool


@pytest.fixture(params=UNITS)
def rendered(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of a unit whose programs exist: `verify` looks for them on this machine."""
    text = (SYSTEMD / f"{request.param}.service").read_text(encoding="utf-8")
    copy = tmp_path / f"{request.param}.service"
    copy.write_text(PROGRAM.sub("/bin/true", text), encoding="utf-8")
    return copy


def test_systemd_has_nothing_to_say_about_a_unit(systemd_analyze: str, rendered: Path) -> None:
    # The exit code is 0 even for an unknown key: any output at all is the failure.
    done = subprocess.run(
        [systemd_analyze, "verify", "--man=no", str(rendered)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_verify_does_speak_about_a_unit_with_an_unknown_key(systemd_analyze: str, rendered: Path) -> None:
    rendered.write_text(rendered.read_text(encoding="utf-8").replace("[Service]", "[Service]\nWatchdogSek=30"))
    done = subprocess.run(
        [systemd_analyze, "verify", "--man=no", str(rendered)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "WatchdogSek" in done.stderr


def test_a_unit_exposes_at_most_two_tenths_of_what_it_could(systemd_analyze: str, rendered: Path) -> None:
    done = subprocess.run(
        [systemd_analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", str(rendered)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_supervised_by_progress_and_stopped_only_by_wrong_settings(unit: str) -> None:
    settings = settings_of(unit)
    assert settings["Type"] == ["notify"]
    assert settings["NotifyAccess"] == ["main"]
    assert settings["WatchdogSec"] == ["30"]
    assert settings["Restart"] == ["always"]
    assert settings["RestartPreventExitStatus"] == ["78"]
    assert settings["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_waits_for_the_partition_of_its_data_and_leaves_no_core(unit: str) -> None:
    settings = settings_of(unit)
    assert settings["RequiresMountsFor"] == [f"/var/lib/{unit}"]
    assert settings["StateDirectory"] == [unit]
    assert settings["LimitCORE"] == ["1"]


def dropped_in(unit: Path) -> Path:
    """Put the example for rooms beside a copy of the agent's unit."""
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    shutil.copy(SYSTEMD / "telecentre-edge.service.d" / "rooms.conf", folder)
    return unit


@pytest.mark.parametrize("rendered", ["telecentre-edge"], indirect=True)
def test_the_example_for_rooms_is_taken_by_systemd_and_exposes_no_more(systemd_analyze: str, rendered: Path) -> None:
    unit = str(dropped_in(rendered))
    verified = subprocess.run(
        [systemd_analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.stdout + verified.stderr, verified.returncode) == ("", 0)
    judged = subprocess.run(
        [systemd_analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout.splitlines()[-1]


def test_the_example_for_rooms_allows_single_addresses_and_asks_for_no_file_that_may_be_missing() -> None:
    text = (SYSTEMD / "telecentre-edge.service.d" / "rooms.conf").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "[Service]"
    for line in lines[1:]:
        key, _, value = line.partition("=")
        assert key == "IPAddressAllow"
        assert ip_address(value) in ip_network("192.0.2.0/24"), "of the addresses for documents (RFC 5737)"


def test_the_agent_opens_the_door_without_waiting_for_network_or_time() -> None:
    settings = settings_of("telecentre-edge")
    waits_for = " ".join(settings.get("After", []) + settings.get("Requires", []) + settings.get("BindsTo", []))
    assert "network" not in waits_for
    assert "time" not in waits_for


def test_the_strikes_are_released_however_the_agent_ends() -> None:
    (stop,) = settings_of("telecentre-edge")["ExecStopPost"]
    assert stop.endswith("/telecentre-edge release-strikes --config /etc/telecentre/site.toml")


def test_the_agent_may_open_its_devices_and_no_others() -> None:
    settings = settings_of("telecentre-edge")
    assert settings["DevicePolicy"] == ["closed"]
    assert settings["DeviceAllow"] == [f"char-{name} rw" for name in ("gpiochip", "ttyAMA", "ttyUSB", "ttyACM")]
    assert settings["SupplementaryGroups"] == ["gpio dialout"]


def test_the_agent_can_read_its_boot_id_and_the_model_of_the_pi() -> None:
    assert settings_of("telecentre-edge")["ProcSubset"] == ["all"]


@pytest.mark.parametrize("unit", UNITS)
def test_no_secret_stands_in_a_unit(unit: str) -> None:
    settings = settings_of(unit)
    assert settings.get("Environment", []) in ([], ["GPIOZERO_PIN_FACTORY=lgpio"])
    assert "SetCredential" not in settings
    for value in settings.get("LoadCredential", []):
        assert value.partition(":")[2].startswith("/etc/telecentre/")


@pytest.mark.parametrize("unit", UNITS)
def test_the_installed_files_make_every_account_and_group_of_a_unit(unit: str, tmp_path: Path) -> None:
    tool = shutil.which("systemd-sysusers")
    if tool is None:
        pytest.skip("systemd-sysusers is missing: 'apt install systemd' brings it")
    (tmp_path / "etc").mkdir()
    command = [tool, f"--root={tmp_path}", str(SYSTEMD / "sysusers.d" / "telecentre.conf")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    users = {line.split(":")[0] for line in (tmp_path / "etc" / "passwd").read_text().splitlines()}
    groups = {line.split(":")[0] for line in (tmp_path / "etc" / "group").read_text().splitlines()}
    settings = settings_of(unit)
    assert set(settings["User"]) <= users
    assert set(settings["Group"] + " ".join(settings.get("SupplementaryGroups", [])).split()) <= groups


def test_the_readme_names_every_file_of_the_folder() -> None:
    text = (SYSTEMD / "README.md").read_text(encoding="utf-8")
    files = [path.relative_to(SYSTEMD).as_posix() for path in SYSTEMD.rglob("*") if path.is_file()]
    missing = [name for name in files if name != "README.md" and f"`{name}`" not in text]
    assert missing == []
