"""One demo of ten sites for a whole module: starting it is what takes the time."""

from collections.abc import Iterator

import pytest

from tests.support.demo import RunningDemo, until


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo.start(tmp_path_factory.mktemp("demo"))
    try:
        until(running.is_up, within_s=90, what="the demo tells its address")
        yield running
    finally:
        running.give_up()
