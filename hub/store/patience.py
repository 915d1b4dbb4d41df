"""A connection to PostgreSQL on which an answer is not waited for without end."""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from hub.store.connection import StoreDownError

Answer = TypeVar("Answer")

LOOK_S = 0.1
"""How often it is looked whether the time is up."""

ANSWER_TIMEOUT_S = 35.0
"""A little longer than the server allows (hub.store.postgres.READ_TIMEOUT_MS). One that stands still, as on a disk that
answers no more, ends nothing by itself, and each question would keep a thread of the pages."""


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has not answered a question in time."""

    def wait(self, gen: PQGen[Answer], interval: float = LOOK_S, *others: Any, **named: Any) -> Answer:  # noqa: ANN401
        """Run what psycopg does on the connection, for a bounded time.

        Raises:
            StoreDownError: there was no answer. None of psycopg's: after those of a connection that broke, the same is
                asked on a new one.
        """
        return super().wait(self._in_time(gen), interval, *others, **named)

    def _in_time(self, gen: PQGen[Answer]) -> PQGen[Answer]:
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                if not ready and time.monotonic() > until_s:
                    self.close()
                    raise StoreDownError("the server has not answered in time")
                awaited = gen.send(ready)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
