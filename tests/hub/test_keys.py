"""`telecentre-hub keys`: made once, readable by their owner alone, and never printed."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contract.sealing import verify_key_of
from hub.__main__ import main
from hub.config import read_settings
from hub.keys import read_keys
from hub.store.issues import NewIssue, put_issue, put_site_key
from tests.support.telecentres import cantal

ISSUING = '[issuing]\nsigning_key_file = "signing.key"\nmaster_key_file = "master.key"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "hub.toml"
    file.write_text('[database]\nfile = "hub.db"\n' + ISSUING)
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_keys_are_made_for_their_owner_alone_and_the_public_half_is_printed(config: Path) -> None:
    made = run("keys", "init", "--config", config)
    assert made.exit_code == 0
    signing, master = config.with_name("signing.key"), config.with_name("master.key")
    for file, digits in ((signing, 64), (master, 32)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(file.read_text().strip()) == digits
        assert file.read_text().strip() not in made.output
    public = verify_key_of(bytes.fromhex(signing.read_text())).hex()
    assert f'hub_key = "{public}"' in made.output
    assert json.loads(run("keys", "show", "--config", config, "--json").output) == {"hub_key": public}


@pytest.mark.parametrize("there", ["signing.key", "master.key"])
def test_a_key_is_never_overwritten(config: Path, there: str) -> None:
    config.with_name(there).write_text("precious")
    result = run("keys", "init", "--config", config)
    assert (result.exit_code, f"{there} is there already" in result.output) == (1, True)
    assert config.with_name(there).read_text() == "precious"
    assert len(list(config.parent.glob("*.key"))) == 1


def test_both_keys_are_made_or_none(config: Path) -> None:
    config.write_text(config.read_text().replace("master.key", "missing/master.key"))
    result = run("keys", "init", "--config", config)
    assert (result.exit_code, "cannot be written" in result.output) == (1, True)
    assert list(config.parent.glob("*.key")) == []
    config.with_name("missing").mkdir()
    assert run("keys", "init", "--config", config).exit_code == 0


def test_a_hub_without_the_section_issues_nothing_and_says_so(config: Path) -> None:
    config.write_text('[database]\nfile = "hub.db"\n')
    result = run("keys", "init", "--config", config)
    assert (result.exit_code, "the section [issuing] is missing" in result.output) == (78, True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("zz" * 32, "'signing_key' is not 64 hexadecimal digits"),
        ("ab" * 31, "'signing_key' is not 64 hexadecimal digits"),
        ("", "the credential 'signing_key' is empty"),
    ],
)
def test_what_is_no_key_is_one_sentence_without_it_and_exit_78(config: Path, content: str, sentence: str) -> None:
    assert run("keys", "init", "--config", config).exit_code == 0
    config.with_name("signing.key").write_text(content)
    result = run("keys", "show", "--config", config)
    assert (result.exit_code, sentence in result.output) == (78, True)
    assert not content or content not in result.output


def test_a_hub_that_is_to_issue_lists_does_not_start_without_its_keys(config: Path) -> None:
    result = run("serve", "--config", config)
    assert (result.exit_code, "'signing_key' cannot be read" in result.output) == (78, True)


def test_a_life_that_ends_before_the_second_renewal_is_refused(config: Path) -> None:
    config.write_text(config.read_text() + "life_hours = 40\n")
    result = run("keys", "show", "--config", config)
    assert (result.exit_code, "life_hours is at least twice renew_hours" in result.output) == (78, True)


def test_the_keys_of_badges_are_exported_for_their_owner_alone_and_never_over_a_file(config: Path) -> None:
    cantal(config.parent).close()
    assert run("keys", "init", "--config", config).exit_code == 0
    members, exported = config.with_name("members.csv"), config.with_name("badges.toml")
    members.write_text("name,category,valid_from,sites,badge\nAda,staff,2026-01-01,*," + "ab" * 16 + "\n")
    assert run("member", "import", members, "--config", config).exit_code == 0
    said = run("badge", "export-keys", "--to", exported, "--config", config)
    assert (said.exit_code, "the keys of 1 badges. Whoever has this file can copy them" in said.output) == (0, True)
    (badge,) = tomllib.loads(exported.read_text())["badge"]
    settings = read_settings(config).issuing
    assert settings is not None
    assert (badge["badge_id"], badge["key"]) == ("ab" * 16, read_keys(settings).badge_key("ab" * 16, "cantal"))
    assert len(badge["label"]) == 6
    assert badge["key"] not in said.output
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    again = run("badge", "export-keys", "--to", exported, "--config", config)
    assert (again.exit_code, "File exists" in again.output) == (1, True)


def test_neither_key_is_in_the_text_of_the_object(config: Path) -> None:
    assert run("keys", "init", "--config", config).exit_code == 0
    settings = read_settings(config).issuing
    assert settings is not None
    assert repr(read_keys(settings)) == "Keys()"


def test_the_lists_that_are_out_are_told_by_site(config: Path) -> None:
    cantal(config.parent).close()
    assert run("site", "key", "murat", "ab" * 32, "--config", config).output == "Registered.\n"
    assert run("site", "key", "murat", "AB" * 32, "--config", config).output == "It is the one in use.\n"
    assert run("rights", "status", "--config", config).output == "murat  no list yet\n"
    assert run("rights", "resume", "--config", config).output == "Lists were issued all along.\n"


def test_a_clock_that_is_doubted_is_told_until_somebody_says_that_it_is_right(config: Path) -> None:
    store = cantal(config.parent)
    with store.changed() as connection:
        put_site_key(connection, "murat", "ab" * 32, 1)
        put_issue(connection, NewIssue("murat", 7, 1, 7, 8, badges=0, sealed=b"TCS1 sealed"))
    store.close()
    doubt = "Nothing is issued: the clock is far past the last list and event."
    assert doubt in run("rights", "status", "--config", config).output
    assert run("rights", "resume", "--config", config).output == "Lists are issued again.\n"
    assert doubt not in run("rights", "status", "--config", config).output


def test_a_list_is_written_to_a_file_to_be_carried_to_its_site(config: Path) -> None:
    store, file = cantal(config.parent), config.with_name("murat.sealed")
    export = ("rights", "export", "murat", "--to", file, "--config", config)
    none = run(*export)
    assert (none.exit_code, "no list was issued for 'murat' yet" in none.output) == (1, True)
    with store.changed() as connection:
        put_issue(connection, NewIssue("murat", 7, 1, 7, 8, badges=0, sealed=b"TCS1 sealed"))
    store.close()
    assert run(*export).output == f"{file}: 11 bytes. At murat: telecentre-edge rights load\n"
    assert file.read_bytes() == b"TCS1 sealed"
    again = run(*export)
    assert (again.exit_code, "File exists" in again.output) == (1, True)
