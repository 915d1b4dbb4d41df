"""One demo of ten sites for a whole module, for starting it is what takes the time; and `rebuild` after every test."""

from collections.abc import Iterator

import pytest

from tests.support.demo import RunningDemo
from tests.support.rebuilt import hubs_beneath, rebuilt


@pytest.fixture(scope="module", autouse=True)
def rebuild_prints_nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold that every hub of a module, once all have stopped or were killed, has the figures that its events say.

    The file that is named lies in the folder of the test whose hub it was.
    """
    base = tmp_path_factory.getbasetemp()
    before = set(hubs_beneath(base))
    yield
    for file in hubs_beneath(base):
        if file not in before:
            found = rebuilt(file)
            print(f"rebuild: {found.events} events, {len(found.differences)} differences in {file}")  # noqa: T201 -- shown when it fails
            assert found.differences == [], f"{file}: {found.differences[:5]}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo.start(tmp_path_factory.mktemp("demo"))
    try:
        running.comes_up()
        yield running
    finally:
        running.give_up()
