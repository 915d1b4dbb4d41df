from pathlib import Path

import pytest

from edge.core.observations import DeviceFailed, DeviceReady, RightsLoaded
from edge.core.rights import Credential, Rights, Window
from edge.devices.rights_file import RightsFile, read_rights
from host.settings import SettingsError
from tests.support.heard import running
from tests.support.moments import wall_ms

HASH = "ab" * 32
BADGE = f'[[credential]]\nid = "alice"\nuid_hash = "{HASH}"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "rights.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_whole_list_is_read(tmp_path: Path) -> None:
    text = f"""
version = 3
issued_at = 2026-11-20T08:00:00+01:00
expires_at = 2026-11-27T08:00:00+01:00
[[credential]]
id = "k7q2m9x4"
uid_hash = "{HASH}"
state = "lost"
valid_from = 2026-01-01T00:00:00+01:00
valid_until = 2027-01-01T00:00:00+01:00
doors = ["door-01"]
windows = [ {{days = "Mo-Fr", from = "08:00", to = "19:00"}}, {{days = "Sa,Su", from = "09:00", to = "24:00"}} ]
emergency = true
"""
    credential = Credential(
        id="k7q2m9x4",
        uid_hash=bytes.fromhex(HASH),
        state="lost",
        valid_from_ms=wall_ms("2026-01-01T00:00:00+01:00"),
        valid_until_ms=wall_ms("2027-01-01T00:00:00+01:00"),
        doors=frozenset({"door-01"}),
        windows=(Window(frozenset({1, 2, 3, 4, 5}), 480, 1140), Window(frozenset({6, 7}), 540, 1440)),
        emergency=True,
    )
    assert read_rights(written(tmp_path, text)) == Rights(
        version=3,
        issued_at_ms=wall_ms("2026-11-20T08:00:00+01:00"),
        expires_at_ms=wall_ms("2026-11-27T08:00:00+01:00"),
        credentials={bytes.fromhex(HASH): credential},
    )


def test_a_badge_needs_no_more_than_its_id_and_its_hash(tmp_path: Path) -> None:
    rights = read_rights(written(tmp_path, "version = 1\n" + BADGE))
    assert rights.credentials == {bytes.fromhex(HASH): Credential("alice", bytes.fromhex(HASH))}


@pytest.mark.parametrize(
    ("extra", "line", "words"),
    [
        ('windows = [ {days = "Mo", from = "19:00", to = "08:00"} ]', 5, "ends at 08:00"),
        ('windows = [ {days = "Mo", from = "08:00", to = "08:00"} ]', 5, "not after its start"),
        ('windows = [ {days = "Mo", from = "8h", to = "19:00"} ]', 5, "'8h' is not a time"),
        ('windows = [ {days = "Mo", from = "24:00", to = "24:00"} ]', 5, "'24:00' is not a time"),
        ('windows = [ {days = "Lu", from = "08:00", to = "19:00"} ]', 5, "'Lu' names no day"),
        ('windows = [ {days = "Fr-Mo", from = "08:00", to = "19:00"} ]', 5, "runs backwards"),
        ("windows = []", 5, "at least 1"),
        ("doors = []", 5, "at least 1"),
        ('state = "sold"', 5, "'active', 'lost', 'stolen' or 'disabled'"),
        ("valid_from = 2026-01-01T00:00:00", 5, "timezone"),
        ("valid_from = 2027-01-01T00:00:00Z\nvalid_until = 2026-01-01T00:00:00Z", 2, "would never open"),
        ("name = 'Alice'", 5, "'credential[1].name' is not known"),
        (BADGE, 1, "two badges have the same id"),
        (BADGE.replace("alice", "bob"), 1, "two badges have the same uid_hash"),
    ],
)
def test_an_impossible_list_is_refused_with_its_line(tmp_path: Path, extra: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_rights(written(tmp_path, f"version = 1\n{BADGE}{extra}\n"))
    assert f"rights.toml, line {line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_changed_list_is_in_force_soon(tmp_path: Path) -> None:
    file = written(tmp_path, "version = 1\n" + BADGE)
    with running(RightsFile(file), "rights") as heard:
        assert heard.hears(RightsLoaded, lambda seen: seen.rights.version == 1)
        written(tmp_path, "version = 2\n")
        assert heard.hears(RightsLoaded, lambda seen: not seen.rights.credentials)


def test_a_bad_list_changes_nothing_and_its_correction_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, "version = 1\n" + BADGE)
    with running(RightsFile(file), "rights") as heard:
        assert heard.hears(RightsLoaded)
        written(tmp_path, "version = two\n")
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "unreadable")
        assert [seen.rights.version for seen in heard.of(RightsLoaded)] == [1]
        written(tmp_path, "version = 3\n")
        assert heard.hears(RightsLoaded, lambda seen: seen.rights.version == 3)


def test_a_number_written_where_its_hash_belongs_is_in_no_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_rights(written(tmp_path, "version = 1\n[[credential]]\nid = 'k7'\nuid_hash = '04a2241b9c5e80'\n"))
    assert "'credential[1].uid_hash' is wrong: 64 hexadecimal digits are needed" in str(caught.value)
    assert "04a2" not in str(caught.value)


def test_a_missing_list_is_absent_and_read_once_it_is_there(tmp_path: Path) -> None:
    with running(RightsFile(tmp_path / "rights.toml"), "rights") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")
        written(tmp_path, "version = 1\n" + BADGE)
        assert heard.hears(DeviceReady)
        assert heard.hears(RightsLoaded)
