"""The reading connections of a store: each thread that asks has one of its own, closed when the thread ends.

The server's workers come and go with the questions: a connection that outlived its thread would never be closed, until
no file could be opened and no server would take another one. And none is closed under a question: SQLite's would take
the whole process with it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import finalize

from hub.store.connection import Connection


class _Own:
    """A thread's connection, closed as soon as nobody holds this any more: neither the thread nor a question."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        finalize(self, connection.close).atexit = False  # a thread may be reading then; the system closes it


class Readers:
    """The connections of all threads that ask, as many as there are such threads now."""

    def __init__(self, opened: Callable[[], Connection]) -> None:
        """`opened` opens a connection that only reads."""
        self._opened = opened
        self._thread = threading.local()

    @contextmanager
    def own(self) -> Iterator[Connection]:
        """Give this thread's connection for a question; one that broke was closed by what it could not answer.

        Raises:
            StoreDownError: the database cannot be opened.
        """
        thread = self._thread
        own: _Own | None = getattr(thread, "own", None)
        if own is None or not own.connection.is_open:
            own = thread.own = _Own(self._opened())
        yield own.connection

    def close(self) -> None:
        """Let go of the connections of all threads; who has a question under way closes its own after it."""
        self._thread = threading.local()
