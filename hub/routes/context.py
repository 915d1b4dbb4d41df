"""What every route stands on: store, board, stream and the health of the ingest, given once by the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hub.health import Health
from hub.live import LiveBoard
from hub.routes.stream import Stream
from hub.store import Store


@dataclass(frozen=True)
class Context:
    """The parts of the running hub that routes read."""

    store: Store
    board: LiveBoard
    stream: Stream
    health: Callable[[], Health]
    wall_ms: Callable[[], int]
    simulated: bool
    """Whether `wall_ms` is played: every page says so."""


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Hub = Annotated[Context, Depends(_context)]
"""How a route asks for the parts."""


class QueryError(ValueError):
    """A question cannot be answered: which field is wrong, and one sentence that says what is allowed.

    `text` is the key of what a page says of it, in its reader's language.
    """

    def __init__(self, field: str, message: str, text: str = "page.bad_address") -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.text = text


def asks_only(*fields: str) -> Callable[[Request], None]:
    """Return what refuses any other field in a question: an answer that ignores one would answer another question."""

    def refuse_others(request: Request) -> None:
        for field in request.query_params:
            if field not in fields:
                raise QueryError(field, f"'{field}' is not a field of this question: see /docs.")

    return refuse_others
