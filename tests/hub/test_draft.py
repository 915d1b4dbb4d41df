"""A release that is stopped, has no room, or is not alone: all of it is there, or nothing and one sentence."""

import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.cells import TableError
from hub.commands.at_once import at_once
from hub.commands.draft import drafted, stoppable, unstoppable
from hub.release import METHOD, ReleaseError

FILES = {METHOD: b"what it means"}


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def write_and(then: Callable[[], None], folder: Path) -> None:
    """Write a release, do something, and publish it."""
    with stoppable(), drafted(folder) as draft:
        draft.write(FILES)
        then()
        draft.publish()


def test_a_folder_is_there_when_it_is_published_and_not_before(tmp_path: Path) -> None:
    with drafted(tmp_path / "out") as draft:
        draft.write(FILES)
        assert not (tmp_path / "out").exists()
        draft.publish()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / METHOD).read_bytes() == FILES[METHOD]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_finds_one_sentence_and_nothing_else(tmp_path: Path, number: signal.Signals) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores Ctrl-C
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ReleaseError, match="stopped: nothing was frozen, and nothing written"):
        write_and(lambda: signal.raise_signal(number), tmp_path / "out")
    assert names(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_last_step_is_gone_through_whoever_stops_it(tmp_path: Path) -> None:
    with stoppable(), drafted(tmp_path / "out") as draft, unstoppable():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        draft.publish()
    assert names(tmp_path) == ["out"]


def test_a_disk_without_room_is_said_in_a_sentence_and_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"out cannot be written: File too large"), files_of_at_most(5):
        write_and(lambda: None, tmp_path / "out")
    assert names(tmp_path) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_made_by_somebody_else_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    def somebody() -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").touch()

    with pytest.raises(ReleaseError, match="is there already"):
        write_and(somebody, tmp_path / "out")
    assert names(tmp_path / "out") == ["theirs"]
    assert names(tmp_path) == ["out"]


def test_what_is_not_of_a_release_is_neither_taken_away_nor_published(tmp_path: Path) -> None:
    (tmp_path / ".out.draft").mkdir()
    (tmp_path / ".out.draft" / "theirs").touch()
    with pytest.raises(ReleaseError, match=r"\.out\.draft is in the way: it holds theirs"):
        write_and(lambda: None, tmp_path / "out")
    assert names(tmp_path / ".out.draft") == ["theirs"]


# Parts in processes of their own.


def halved(number: int) -> float:
    """Do the work of the tests below: refuse, die, or halve; the first takes longest."""
    if number == REFUSED:
        raise TableError("not this one")
    if number == KILLED:
        signal.raise_signal(signal.SIGKILL)
    if number == ENDLESS:
        time.sleep(3_600)
    return number / 2


REFUSED, KILLED, ENDLESS = 13, 14, 15


def test_parts_come_back_in_their_order_and_each_is_told_of_when_it_is_done() -> None:
    done: list[int] = []
    assert at_once(halved, [2, 4, 6], done.append) == [1.0, 2.0, 3.0]
    assert sorted(done) == [2, 4, 6]


def test_a_part_that_is_refused_or_killed_ends_all_of_them_in_one_sentence() -> None:
    with pytest.raises(TableError, match="not this one"):
        at_once(halved, [ENDLESS, REFUSED], lambda _: None)
    with pytest.raises(ReleaseError, match="is there enough memory"):
        at_once(halved, [ENDLESS, KILLED], lambda _: None)
