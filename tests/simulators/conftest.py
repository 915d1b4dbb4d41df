"""Run folders that a long path puts elsewhere are put into a folder that goes with the test."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_run_folders(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tmp_path_factory.getbasetemp()  # pytest's own folder is made at its first use, and must not lie in ours
    with tempfile.TemporaryDirectory(prefix="tc-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
