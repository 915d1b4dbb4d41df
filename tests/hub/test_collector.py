"""How seldom Python looks for rings of objects in a hub."""

import gc
from collections.abc import Iterator

import pytest

from hub.collector import look_seldom


@pytest.fixture
def collector() -> Iterator[None]:
    """As it was, in the end: the tests have one process."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_an_answer_about_thousands_of_telecentres_is_not_looked_through() -> None:
    look_seldom()
    before = [generation["collections"] for generation in gc.get_stats()]
    answer = [[number] for number in range(30_000)]
    assert [generation["collections"] for generation in gc.get_stats()] == before
    assert len(answer) == 30_000


@pytest.mark.usefixtures("collector")
def test_rings_are_found_all_the_same() -> None:
    look_seldom()
    before = gc.get_stats()[0]["collected"]
    for _ in range(60_000):
        ring: list[object] = []
        ring.append(ring)
    assert gc.get_stats()[0]["collected"] > before
