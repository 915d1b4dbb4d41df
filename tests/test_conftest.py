import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def outcome_of(test: str, folder: Path, ci: str) -> str:
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (folder / "test_sample.py").write_text(f"import pytest\n{test}\n")
    environment = {**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.stdout.splitlines()[-1]


def test_a_skip_is_a_failure_in_ci(tmp_path: Path) -> None:
    test = 'def test_it() -> None:\n    pytest.skip("no broker")'
    assert "1 failed" in outcome_of(test, tmp_path, ci="true")


def test_a_skip_is_a_skip_on_a_laptop(tmp_path: Path) -> None:
    test = 'def test_it() -> None:\n    pytest.skip("no broker")'
    assert "1 skipped" in outcome_of(test, tmp_path, ci="")


def test_what_the_kernel_refuses_may_skip_in_ci(tmp_path: Path) -> None:
    test = '@pytest.mark.needs_ptrace\ndef test_it() -> None:\n    pytest.skip("no ptrace")'
    assert "1 skipped" in outcome_of(test, tmp_path, ci="true")
