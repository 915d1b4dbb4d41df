"""One demo of ten sites for a whole module, for starting it is what takes the time; and `rebuild` after every test."""

from collections.abc import Generator, Iterator

import pytest

from tests.support.demo import RunningDemo
from tests.support.rebuilt import HubsOfModule, Looks

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note of each test whether it passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="module", autouse=True)
def hubs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubsOfModule]:
    """The hubs of a module; those that its tests share are looked at once more when they have stopped."""
    found = HubsOfModule(Looks(tmp_path_factory.getbasetemp()), request.module)
    yield found
    found.look("at the end of the module")
    chosen = request.config.option
    if not (chosen.keyword or chosen.deselect or any("::" in argument for argument in request.config.args)):
        found.check()


@pytest.fixture(autouse=True)
def rebuild_prints_nothing(hubs: HubsOfModule, request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold, after every test, that `rebuild` finds no difference in any hub that it has run, stopped or not.

    The file that is named lies in the folder of the test whose hub it was.
    """
    yield
    hubs.look(f"after {request.node.name}")
    if request.node.stash.get(PASSED, False):
        hubs.ran(request.function.__name__)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo.start(tmp_path_factory.mktemp("demo"))
    try:
        running.comes_up()
        yield running
    finally:
        running.give_up()
