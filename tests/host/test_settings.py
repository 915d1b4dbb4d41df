from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from host.settings import MAX_SETTINGS_BYTES, Settings, SettingsError, TimeZone, line_of, load, secret


class Lamp(Settings):
    id: str
    watts: Annotated[int, Field(ge=1, le=100)] = 40


class Hall(Settings):
    name: str
    mode: Literal["day", "night"] = "day"
    lamp: Annotated[list[Lamp], Field(max_length=9)] = Field(default_factory=list)


class House(Settings):
    version: int
    hall: Hall


GOOD = """version = 1

[hall]
name = "entrance"

[[hall.lamp]]
id = "left"

[[hall.lamp]]
id = "right"
watts = 60
"""


def sentence(tmp_path: Path, text: str) -> str:
    """The sentence that a settings file earns, with the folder taken off."""
    path = tmp_path / "house.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load(path, House)
    assert "\n" not in str(error.value), "one sentence, one line"
    return str(error.value).removeprefix(f"{tmp_path}/")


def test_a_good_file_becomes_frozen_settings(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(GOOD)
    house = load(path, House)
    assert [lamp.watts for lamp in house.hall.lamp] == [40, 60]
    with pytest.raises(ValueError, match="frozen"):
        house.version = 2


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ('name = "entrance"', 'nam = "entrance"', "house.toml, line 3: the key 'hall.name' is missing"),
        (
            "watts = 60",
            "wats = 60",
            "house.toml, line 11: the key 'hall.lamp[2].wats' is not known; allowed there: id, watts",
        ),
        (
            "watts = 60",
            "watts = 600",
            "house.toml, line 11: 'hall.lamp[2].watts' is wrong: at most 100 is allowed (found: '600')",
        ),
        (
            'name = "entrance"',
            'name = "entrance"\nmode = "dawn"',
            "house.toml, line 5: 'hall.mode' is wrong: 'day' or 'night' is needed (found: 'dawn')",
        ),
        ("version = 1", "", "house.toml, line 1: the key 'version' is missing"),
    ],
)
def test_a_wrong_file_earns_one_sentence_with_line_key_and_what_is_allowed(
    tmp_path: Path, found: str, wanted: str, said: str
) -> None:
    assert sentence(tmp_path, GOOD.replace(found, wanted)) == said


class Pin(Settings):
    kind: Literal["pin"]
    pin: int


class Radar(Settings):
    kind: Literal["radar"]
    port: str


class Desk(Settings):
    sensor: list[Annotated[Pin | Radar, Field(discriminator="kind")]]


@pytest.mark.parametrize(
    ("sensor", "said"),
    [
        (
            "kind = 'pin'\npin = 'x'",
            "desk.toml, line 3: 'sensor[1].pin' is wrong: a whole number is needed (found: 'x')",
        ),
        (
            "kind = 'pin'\npin = 4\nport = 'x'",
            "desk.toml, line 4: the key 'sensor[1].port' is not known; allowed there: kind, pin",
        ),
        ("kind = 'radar'", "desk.toml, line 1: the key 'sensor[1].port' is missing"),
        ("pin = 4", "desk.toml, line 1: the key 'sensor[1].kind' is missing"),
        ("kind = 'laser'", "desk.toml, line 1: 'sensor[1]' is wrong: its kind must be one of 'pin', 'radar'"),
    ],
)
def test_of_several_kinds_of_a_section_the_one_in_the_file_is_spoken_of(tmp_path: Path, sensor: str, said: str) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(f"[[sensor]]\n{sensor}\n")
    with pytest.raises(SettingsError) as error:
        load(path, Desk)
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(said)


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    said = sentence(tmp_path, "version = 1\n[hall\n")
    assert said.startswith("house.toml: not valid TOML:")
    assert "line 2" in said


def test_a_file_that_is_absent_binary_or_huge_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    with pytest.raises(SettingsError, match="cannot be read"):
        load(path, House)
    path.write_bytes(b"version = \xff")
    with pytest.raises(SettingsError, match=r"not UTF-8 text \(byte 10\)"):
        load(path, House)
    path.write_bytes(b"#" * (MAX_SETTINGS_BYTES + 1))
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        load(path, House)
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, House)


@given(st.binary(max_size=200))
def test_no_content_ends_in_anything_but_settings_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError):
        load(path, House)


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (["version"], 1),
        (["hall"], 3),
        (["hall", "name"], 4),
        (["hall", "mode"], 3),
        (["hall", "lamp", 0], 6),
        (["hall", "lamp", 0, "id"], 7),
        (["hall", "lamp", 0, "watts"], 6),
        (["hall", "lamp", 1, "watts"], 11),
        (["hall", "lamp", 7], 3),
        (["garden"], 1),
        ([], 1),
    ],
)
def test_the_line_is_that_of_the_deepest_part_that_is_written_down(location: list[int | str], line: int) -> None:
    assert line_of(GOOD, location) == line


def test_tables_within_arrays_of_tables_are_told_apart() -> None:
    first = '[[desk]]\nid = "a"\n[[desk.sensor]]\npin = 1\n[[desk.sensor]]\npin = 2\n'
    text = first + '[[desk]]\nid = "b"\n[[desk.sensor]]\npin = 3\n'
    assert line_of(text, ["desk", 0, "sensor", 1, "pin"]) == 6
    assert line_of(text, ["desk", 1, "id"]) == 8
    assert line_of(text, ["desk", 1, "sensor", 0, "pin"]) == 10


def test_a_key_inside_a_multiline_text_or_comment_is_no_key() -> None:
    assert line_of("# name = 1\nversion = 1\nname = 2\n", ["name"]) == 3


def test_a_dotted_key_is_found() -> None:
    assert line_of('version = 1\nhall.name = "x"\n', ["hall", "name"]) == 2


# --- Credentials --------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_the_file_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "key").write_text("00ff\n")
    assert secret("site_key", tmp_path / "key") == b"00ff"


def test_systemds_credential_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "site_key").write_text("from systemd")
    (tmp_path / "key").write_text("from the file")
    assert secret("site_key", tmp_path / "key") == b"from systemd"
    assert secret("other", tmp_path / "key") == b"from the file"


def test_a_missing_unreadable_or_empty_secret_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SettingsError, match="the credential 'site_key' is missing: name its file"):
        secret("site_key", None)
    with pytest.raises(SettingsError, match="the credential 'site_key' cannot be read"):
        secret("site_key", tmp_path / "nowhere")
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(SettingsError, match="the credential 'site_key' is empty"):
        secret("site_key", tmp_path / "empty")


class Place(Settings):
    time_zone: TimeZone


@pytest.mark.parametrize("name", ["Europe/Paris", "America/Argentina/Ushuaia", "Indian/Reunion", "Etc/UTC", "UTC"])
def test_a_time_zone_is_an_area_and_a_location_or_utc(name: str) -> None:
    assert Place(time_zone=name).time_zone == name


@pytest.mark.parametrize(
    "name", ["posixrules", "localtime", "CET", "Factory", "posix/Europe/Paris", "right/Europe/Paris", "../etc", "", "/"]
)
def test_no_other_file_of_the_database_is_a_time_zone(name: str, tmp_path: Path) -> None:
    file = tmp_path / "place.toml"
    file.write_text(f'time_zone = "{name}"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="line 1: 'time_zone' is wrong: a time zone is UTC or a name such as"):
        load(file, Place)
