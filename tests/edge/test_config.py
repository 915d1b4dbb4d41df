from pathlib import Path

import pytest

from edge.config import EdgeSettings, read_settings, read_site_key
from edge.wiring import plan_of, refuse_simulated
from host.settings import SettingsError

SITE = """
site = "murat"
time_zone = "Europe/Paris"

[link]

[outbox]
folder = "outbox"

[rights]
folder = "rights"
hub_key = "abababababababababababababababababababababababababababababababab"
site_key_file = "site.key"
[[door]]
id = "door-01"
strike_pin = 17

[[reader]]
id = "reader-01"
door = "door-01"
port = "/dev/ttyAMA0"

[[desk]]
id = "desk-01"
sensor = [{ id = "desk-01-pin", kind = "pin", pin = 16 }]
"""


def settings(folder: Path, text: str = SITE) -> EdgeSettings:
    (folder / "site.toml").write_text(text, encoding="utf-8")
    return read_settings(folder / "site.toml")


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        settings(folder, text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_small_file_is_enough_and_paths_stand_beside_it(tmp_path: Path) -> None:
    read = settings(tmp_path)
    assert (read.outbox.folder, read.rights.folder) == (tmp_path / "outbox", tmp_path / "rights")
    assert (read.door[0].pulse_s, read.desk[0].hold_s, read.simulated) == (4.0, 300.0, False)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('site = "murat"', 'site = "Murat"', 2, "'site' is wrong"),
        ('site = "murat"', 'site = "hub"', 2, "'hub' is reserved"),
        ("Europe/Paris", "Europe/Murat", 3, "a name such as Europe/Paris"),
        ("[link]", "[link]\nhost = 3", 6, "'link.host' is wrong"),
        ("[link]", "[link]\nnoise = 3", 6, "'link.noise' is not known"),
        ("strike_pin = 17", "strike_pin = 1", 16, "at least 2 is needed"),
        ("strike_pin = 17", "strike_pin = 16", 25, "the pin '16' is used by both 'door-01' and 'desk-01-pin'"),
        ("pin = 16", "pin = 16, loop_pin = 17", 25, "the pin '17' is used by both 'door-01' and 'desk-01-pin'"),
        ("pin = 16", "pin = 16, loop_pin = 16", 25, "the pin '16' is used twice"),
        ("pin = 16", 'pin = 16, type = "camera"', 25, "'pir', 'contact' or 'pressure' is needed"),
        ("pin = 16", "pin = 16, stuck_on_h = 0.1", 25, "at least 0.5 is needed"),
        ('site = "murat"', 'site = "murat"\nopening_hours = "at night"', 3, "opening hours such as 'Mo-Fr 08:00-19:00"),
        ('door = "door-01"', 'door = "door-02"', 20, "names the door 'door-02', which is not in this file"),
        ("/dev/ttyAMA0", "/dev/tty;reboot", 21, "a port is an absolute path"),
        ('kind = "pin"', 'kind = "eye"', 25, "'radar'"),
        ('id = "desk-01"', 'id = "door-01"', 24, "the identity 'door-01' is used twice"),
        ("pin = 16 }]", 'pin = 16 }]\nhold_s = "8"', 26, "'desk[1].hold_s' is wrong: a number is needed (found: '8')"),
        ("strike_pin = 17", "strike_pin = 17.0", 16, "'door[1].strike_pin' is wrong: a whole number is needed"),
        ("strike_pin = 17", "strike_pin = true", 16, "a whole number is needed"),
        ('site = "murat"', 'site = "murat"\nsimulated = "yes"', 3, "true or false is needed"),
        ('site = "murat"', 'site = "murat"\nsimulated = 1', 3, "true or false is needed"),
        ('folder = "outbox"', "folder = 3", 8, "'outbox.folder' is wrong: a path in quotes is needed"),
        ('id = "desk-01"\n', "", 23, "'desk[1].id' is missing"),
        ("[outbox]", "[outbox", 7, "not valid TOML"),
    ],
)
def test_a_mistake_gets_one_sentence_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    sentence = refusal(tmp_path, SITE.replace(old, new))
    assert sentence.startswith(str(tmp_path / "site.toml"))
    assert f"line {line}" in sentence
    assert words in sentence


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.toml")


def test_two_devices_cannot_share_a_port(tmp_path: Path) -> None:
    text = SITE.replace('kind = "pin", pin = 16', 'kind = "radar", port = "/dev/ttyAMA0"')
    assert "the port '/dev/ttyAMA0' is used by both" in refusal(tmp_path, text)


def test_the_site_key_is_64_hexadecimal_digits(tmp_path: Path) -> None:
    read = settings(tmp_path)
    (tmp_path / "site.key").write_text("00ff" * 16 + "\n")
    assert read_site_key(read) == bytes.fromhex("00ff" * 16)


@pytest.mark.parametrize("text", ["", "00ff", "xyz" * 30, "00ff" * 17])
def test_another_site_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    read = settings(tmp_path)
    (tmp_path / "site.key").write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_site_key(read)
    assert "site_key" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_systemd_s_credential_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(tmp_path)
    (tmp_path / "site.key").write_text("00" * 32)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "site_key").write_text("11" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert read_site_key(read) == bytes.fromhex("11" * 32)


def test_simulated_pins_are_refused_unless_the_file_allows_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="simulated = true"):
        refuse_simulated(settings(tmp_path), "telecentre-sim")
    refuse_simulated(settings(tmp_path), "lgpio")
    refuse_simulated(settings(tmp_path, "simulated = true\n" + SITE), "telecentre-sim")


def test_a_pseudo_terminal_is_refused_unless_the_file_allows_it(tmp_path: Path) -> None:
    link = tmp_path / "reader"
    link.symlink_to("/dev/pts/7")
    text = SITE.replace("/dev/ttyAMA0", str(link))
    with pytest.raises(SettingsError, match="'reader-01' is a simulated device"):
        refuse_simulated(settings(tmp_path, text), None)
    refuse_simulated(settings(tmp_path, "simulated = true\n" + text), None)


def test_the_plan_of_the_core_names_every_device_once(tmp_path: Path) -> None:
    plan = plan_of(settings(tmp_path))
    assert plan.devices == {"door-01": "door", "rights": "rights", "reader-01": "reader", "desk-01-pin": "pin"}
    assert plan.desk_of("desk-01-pin") == "desk-01"
    assert plan.doors["door-01"].contact is False
