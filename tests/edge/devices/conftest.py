from collections.abc import Iterator

import pytest

from tests.support.pins import Pins, wired


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pins]:
    with wired(monkeypatch) as board:
        yield board
