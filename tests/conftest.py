"""In CI a missing component is a failure: only what a kernel refuses may skip, by a named marker, and it is listed."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "loaded", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("loaded")
"""How long an example takes on a machine that does other things is no property of ours (`make bench` measures)."""

KERNEL_MARKERS = {"needs_ptrace", "needs_mount", "needs_netns"}


LONGEST_FIRST = ("tests/system/", "tests/hub/")
"""A file that takes minutes and begins last keeps one core busy alone (`--no-loadscope-reorder` in the Makefile)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that take longest first, each whole."""
    items.sort(key=lambda item: [not item.nodeid.startswith(room) for room in LONGEST_FIRST])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip that no kernel marker excuses into a failure, when the environment says CI."""
    report = yield
    excused = KERNEL_MARKERS & {marker.name for marker in item.iter_markers()}
    if report.skipped and os.environ.get("CI") and not excused:
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Generator[None, None, None]:
    """Keep a command that was called here from blocking or taking signals of later tests and what they start."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
