"""Run folders that a long path puts elsewhere are put into a folder that goes with the test."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_run_folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="tc-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
