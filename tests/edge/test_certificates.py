"""The agent's commands, and certificates of its link that cannot be used."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.__main__ import main
from tests.support.authority import Authority

SITE = """site = "murat"
time_zone = "Europe/Paris"
[link]
host = "broker.example.org"
port = 8883
ca_file = "ca.crt"
certificate_file = "murat.crt"
key_file = "murat.key"
[outbox]
folder = "outbox"
[rights]
folder = "rights"
hub_key = "abababababababababababababababababababababababababababababababab"
private_key_file = "rights.key"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Authority(tmp_path).client("murat")
    (tmp_path / "rights.key").write_text("cd" * 32)
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path


def run(folder: Path, command: str = "check-config") -> Result:
    return CliRunner().invoke(main, [command, "--config", str(folder / "site.toml")])


def test_good_certificates_pass_the_check_and_their_key_is_not_shown(folder: Path) -> None:
    result = run(folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f'link.ca_file = "{folder / "ca.crt"}"' in result.output
    assert "PRIVATE KEY" not in result.output


@pytest.mark.parametrize(
    ("name", "line", "key"),
    [("ca.crt", 6, "ca_file"), ("murat.crt", 7, "certificate_file"), ("murat.key", 8, "key_file")],
)
def test_a_missing_file_is_one_sentence_with_file_line_and_key(folder: Path, name: str, line: int, key: str) -> None:
    (folder / name).unlink()
    result = run(folder)
    assert result.exit_code == 78
    assert f"site.toml, line {line}: 'link.{key}' is wrong: {folder / name} cannot be read" in result.stderr
    assert result.stderr.count("\n") == 1


def test_strikes_are_released_whatever_became_of_the_certificates(folder: Path) -> None:
    (folder / "murat.crt").unlink()
    assert run(folder, "release-strikes").exit_code == 0


@pytest.mark.parametrize("command", ["run", "check-config"])
def test_plaintext_to_another_machine_is_refused_with_78(folder: Path, command: str) -> None:
    plain = "".join(line for line in SITE.splitlines(keepends=True) if "_file" not in line)
    (folder / "site.toml").write_text(plain)
    result = run(folder, command)
    assert result.exit_code == 78
    assert "line 4: 'link.host' is wrong: without encryption only a broker on this machine" in result.stderr
    assert result.stderr.count("\n") == 1
