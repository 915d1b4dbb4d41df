"""The parts of a long computation, two at a time, each in a process that ends with this one, however that ends."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.resource_tracker import ensure_running
from typing import Any, TypeVar

from hub.cells import TableError
from hub.release import ReleaseError

P = TypeVar("P")
R = TypeVar("R")

NICE = 10
"""Behind a hub that runs on the same machine: its telecentres wait for answers, nobody waits for a release."""

AT_A_TIME = 2
"""A month of 4,072 telecentres takes up to 800 MB for a subject: three at once would need 2.5 GB."""

END_TIMEOUT_S = 5.0
"""For a process that was told to end; it holds nothing."""


def at_once(work: Callable[[P], R], parts: Sequence[P], done: Callable[[P], None]) -> list[R]:
    """Return what a work makes of each part, in their order; `done` is called when it has done one.

    Raises:
        TableError: the work refuses a part.
        ReleaseError: a process ended before its part was done.
    """
    context = get_context("spawn")  # a fork would inherit the database's connections
    found: dict[int, R] = {}
    waiting: dict[Connection, int] = {}
    processes = []
    try:
        for number, part in enumerate(parts):
            while len(waiting) >= AT_A_TIME:
                _take(waiting, parts, found, done)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_child, args=(theirs, work, part), daemon=True)
            with _interrupts_held_back():
                process.start()
                processes.append(process)
            theirs.close()
            waiting[ours] = number
        while waiting:
            _take(waiting, parts, found, done)
        return [found[number] for number in range(len(parts))]
    finally:
        for process in processes:
            process.terminate()
            process.join(END_TIMEOUT_S)


def _take(waiting: dict[Connection, int], parts: Sequence[P], found: dict[int, R], done: Callable[[P], None]) -> None:
    """Wait until some part is done, and take what came of it."""
    ready = wait(list(waiting))
    for ours in [one for one in waiting if one in ready]:
        number = waiting.pop(ours)
        found[number] = _received(ours)
        done(parts[number])


def _received(ours: Connection) -> Any:  # noqa: ANN401 - what the work returns
    try:
        answer = ours.recv()
    except EOFError as error:
        raise ReleaseError("a part of the computation was ended from outside: is there enough memory?") from error
    finally:
        ours.close()
    if isinstance(answer, TableError):
        raise answer
    return answer


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold back a Ctrl-C to the end of the block, and from processes begun within it for good: we end them."""
    ensure_running()  # it would let interrupts through when the first process begins
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _child(theirs: Connection, work: Callable[[P], R], part: P) -> None:
    gc.disable()  # it would walk through millions of rows that stay to the end
    os.nice(NICE)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    try:
        answer: R | TableError = work(part)
    except TableError as error:
        answer = error
    theirs.send(answer)


def _end_with_parent() -> None:
    """End this process when the one that began it is gone."""
    parent = parent_process()
    if parent is None:
        sys.exit("not a process of ours")
    parent.join()
    os._exit(1)
