"""One demo of ten sites for a whole module: starting it is what takes the time."""

from collections.abc import Iterator

import pytest

from tests.support.demo import RunningDemo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo.start(tmp_path_factory.mktemp("demo"))
    try:
        running.comes_up()
        yield running
    finally:
        running.give_up()
