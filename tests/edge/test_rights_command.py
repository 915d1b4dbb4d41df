"""`telecentre-edge keys` and `rights`: the site's own key, and a list that is looked at, brought by hand, forgotten."""

import fcntl
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contract.sealing import public_key_of
from edge.__main__ import main
from edge.outbox import prepare_folder
from tests.support.rights import ISSUED_MS, PRIVATE_KEY, SETTINGS, WEEK_MS, a_list, install, sealed, secured

BADGE, KEY = bytes(range(16)), bytes(range(50, 66))
SITE = f'site = "murat"\ntime_zone = "Europe/Paris"\n[link]\n[outbox]\nfolder = "outbox"\n{SETTINGS}'
MARK = {"mark_ms": ISSUED_MS + 5_000, "boot": "b" * 32, "mono_s": 1.0, "version": ISSUED_MS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path


def run(folder: Path, *arguments: str | Path) -> Result:
    command = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, [*command, "--config", str(folder / "site.toml")])


def test_a_key_is_made_once_for_its_owner_alone_and_its_public_half_is_printed(folder: Path) -> None:
    made = run(folder, "keys", "init")
    file = folder / "rights.key"
    private = file.read_text().strip()
    public = public_key_of(bytes.fromhex(private)).hex()
    assert (made.exit_code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert f"telecentre-hub site key murat {public}" in made.output
    assert private not in made.output
    assert json.loads(run(folder, "keys", "show", "--json").output) == {"site": "murat", "public_key": public}
    again = run(folder, "keys", "init")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert file.read_text().strip() == private


def test_a_site_that_names_no_file_is_told_to(folder: Path) -> None:
    (folder / "site.toml").write_text(SITE.replace('private_key_file = "rights.key"\n', ""))
    result = run(folder, "keys", "init")
    assert (result.exit_code, "name private_key_file in the section [rights] first" in result.stderr) == (1, True)


def test_a_list_is_shown_by_its_version_its_times_and_its_size_alone(folder: Path) -> None:
    install(folder, a_list(secured("carol", BADGE, KEY)))
    (folder / "rights" / "trusted-time.json").write_text(json.dumps(MARK))
    shown = run(folder, "rights", "show", "--json")
    answer = json.loads(shown.output)
    assert answer.pop("age_s") > 0
    assert answer == {
        "version": ISSUED_MS,
        "issued_at": ISSUED_MS,
        "expires_at": ISSUED_MS + WEEK_MS,
        "trusted_at": ISSUED_MS + 5_000,
        "expired": False,
        "badges": 1,
    }
    said = run(folder, "rights", "show").output
    assert f"version {ISSUED_MS}: 1 badges" in said
    for never in ("carol", BADGE.hex(), KEY.hex(), PRIVATE_KEY.hex()):
        assert never not in shown.output + said


def test_a_list_that_is_over_by_trusted_time_is_said_to_be(folder: Path) -> None:
    install(folder, a_list(secured("carol", BADGE, KEY)))
    (folder / "rights" / "trusted-time.json").write_text(json.dumps(MARK | {"mark_ms": ISSUED_MS + WEEK_MS}))
    assert "which is over" in run(folder, "rights", "show").output


def test_without_a_list_nobody_enters_and_that_is_said(folder: Path) -> None:
    run(folder, "keys", "init")
    (folder / "rights").mkdir()
    result = run(folder, "rights", "show")
    assert (result.exit_code, "no list of rights yet: nobody enters" in result.stderr) == (1, True)


def test_a_list_brought_by_hand_waits_for_the_agent(folder: Path) -> None:
    install(folder, a_list(secured("carol", BADGE, KEY)))
    (folder / "rights" / "trusted-time.json").write_text(json.dumps(MARK))
    brought = folder / "brought"
    brought.write_bytes(sealed(a_list(secured("carol", BADGE, KEY), version=ISSUED_MS + 1)))
    result = run(folder, "rights", "load", brought)
    assert (result.exit_code, f"version {ISSUED_MS + 1} with 1 badges" in result.output) == (0, True)
    waiting = folder / "rights" / "incoming.sealed"
    assert waiting.read_bytes() == brought.read_bytes()
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "form"),
        (b"TCS1" + bytes(200), "seal"),
        (sealed(a_list(), signing_key=bytes(32)), "signature"),
        (sealed(a_list(site="ydes")), "seal"),
        (sealed(a_list(version=ISSUED_MS)), "older"),
        (sealed(a_list(version=ISSUED_MS + 1, life_ms=1_000)), "expired"),
        (bytes(1_048_577), "size"),
    ],
    ids=["empty", "garbage", "another-hub", "another-site", "the-same-again", "expired", "oversized"],
)
def test_a_list_that_the_agent_would_refuse_is_not_brought(folder: Path, content: bytes, reason: str) -> None:
    install(folder, a_list(secured("carol", BADGE, KEY)))
    (folder / "rights" / "trusted-time.json").write_text(json.dumps(MARK))
    (folder / "brought").write_bytes(content)
    result = run(folder, "rights", "load", folder / "brought")
    assert result.exit_code == 1
    assert f"this list would be refused ({reason}); nothing was changed" in result.stderr
    assert not (folder / "rights" / "incoming.sealed").exists()


def test_a_file_that_is_not_there_is_one_sentence(folder: Path) -> None:
    result = run(folder, "rights", "load", folder / "absent")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_a_reset_says_what_it_does_and_does_it_only_when_asked(folder: Path) -> None:
    install(folder, a_list(secured("carol", BADGE, KEY)), {"alice": bytes(32)})
    (folder / "rights" / "trusted-time.json").write_text(json.dumps(MARK))
    refused = run(folder, "rights", "reset")
    assert (refused.exit_code, "nobody enters until the hub's list has come" in refused.stderr) == (1, True)
    assert len(list((folder / "rights").iterdir())) == 3
    assert run(folder, "rights", "reset", "--yes").exit_code == 0
    assert [left.name for left in (folder / "rights").iterdir()] == ["uid-badges.json"]


def test_beside_a_running_agent_nothing_is_forgotten(folder: Path) -> None:
    install(folder, a_list())
    (folder / "outbox").mkdir()
    prepare_folder(folder / "outbox")
    with (folder / "outbox" / "telecentre-outbox").open("rb") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        result = run(folder, "rights", "reset", "--yes")
    assert (result.exit_code, "stop it first" in result.stderr) == (1, True)
    assert (folder / "rights" / "rights.sealed").exists()
