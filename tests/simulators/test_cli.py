from pathlib import Path

import pytest
from click.testing import CliRunner

from simulators.__main__ import command


def test_a_folder_that_cannot_be_used_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = CliRunner().invoke(command, ["demo", "--state", str(tmp_path / "file" / "demo"), "--for", "1"])
    assert said.exit_code == 1
    assert said.output.strip().endswith("cannot be used (Not a directory): choose another folder with --state.")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("options", [["demo", "--for"], ["demo", "--speed"], ["site", "--speed"]])
def test_a_number_that_is_none_is_refused(options: list[str], number: str) -> None:
    said = CliRunner().invoke(command, [*options, number])
    assert said.exit_code == 2
    assert said.output.splitlines()[-1].startswith(f"Error: Invalid value for '{options[1]}': ")
