"""The hub's command, and a broker that is not on this machine."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main
from hub.config import read_settings
from tests.support.authority import Authority

HUB = """[database]
file = "hub.db"
[broker]
host = "broker.example.org"
port = 8883
ca_file = "ca.crt"
certificate_file = "hub.crt"
key_file = "hub.key"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Authority(tmp_path).client("hub")
    (tmp_path / "hub.toml").write_text(HUB)
    return tmp_path


def serve(folder: Path) -> Result:
    """Start a hub whose settings are refused."""
    result = CliRunner().invoke(main, ["serve", "--config", str(folder / "hub.toml")])
    assert result.exit_code == 78
    assert len(result.output.strip().splitlines()) == 1
    return result


def test_with_certificates_the_broker_may_be_anywhere(folder: Path) -> None:
    assert read_settings(folder / "hub.toml").broker.host == "broker.example.org"


def test_plaintext_to_another_machine_is_refused_with_78(folder: Path) -> None:
    (folder / "hub.toml").write_text("".join(line for line in HUB.splitlines(keepends=True) if "_file" not in line))
    assert "line 4: 'broker.host' is wrong: without encryption only" in serve(folder).output


@pytest.mark.parametrize(
    ("name", "line", "key"),
    [("ca.crt", 6, "ca_file"), ("hub.crt", 7, "certificate_file"), ("hub.key", 8, "key_file")],
)
def test_a_missing_file_is_one_sentence_with_file_line_and_key(folder: Path, name: str, line: int, key: str) -> None:
    (folder / name).unlink()
    assert f"hub.toml, line {line}: 'broker.{key}' is wrong: {folder / name} cannot be read" in serve(folder).output


@pytest.mark.parametrize("host", ["broker.example.org", "127.0.0.1"])
def test_the_embedded_broker_has_no_tls(folder: Path, host: str) -> None:
    text = HUB.replace("broker.example.org", host).replace("[broker]", "[broker]\nembedded = true")
    (folder / "hub.toml").write_text(text)
    assert "'broker.embedded' is wrong: the embedded broker has no access control and no TLS" in serve(folder).output
