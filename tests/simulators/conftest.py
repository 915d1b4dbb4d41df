"""What the tests of the simulators have in common: folders that go with the test, a bench and a reader on it."""

import logging
import tempfile
from collections.abc import Iterator
from random import Random

import pytest

from simulators.pn532 import Pn532
from tests.support.bench import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


@pytest.fixture
def chip() -> Pn532:
    return Pn532(Random(1), rf_s=0.001)


@pytest.fixture
def quiet_nfcpy(caplog: pytest.LogCaptureFixture) -> None:
    """Keep nfcpy's own words about lost cards out of a test's report."""
    caplog.set_level(logging.CRITICAL, "nfc")


@pytest.fixture(autouse=True)
def _own_run_folders(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tmp_path_factory.getbasetemp()  # pytest's own folder is made at its first use, and must not lie in ours
    with tempfile.TemporaryDirectory(prefix="tc-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
