"""The hub's web application: pages and API over the store and the live board.

Without accounts there is one guard: the hub listens on loopback (hub/config.py) and answers only requests that name
a loopback host, so that no page elsewhere can reach it through a name of its own (DNS rebinding).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.config import HubSettings
from hub.health import Health
from hub.live import LiveBoard
from hub.routes import (
    alarms,
    decisions,
    devices,
    docs,
    doors,
    health,
    indicators,
    live,
    occupancy,
    pages,
    statistics,
    visits,
)
from hub.routes.context import Context, QueryError
from hub.routes.stream import Stream
from hub.store import Store, StoreDownError

logger = logging.getLogger(__name__)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every answer, errors too: nothing inline, nothing framed, nothing from elsewhere."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

DESCRIPTION = (
    "Occupancy of rural telecentres: what is true now, and figures with their coverage. "
    "Times are ISO 8601; periods are half-open; what was not measured is null, never 0."
)


class Guarded:
    """Adds the security headers to every answer, and revalidation unless the answer says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; see the answer's head on its way out."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self.app(scope, receive, send_guarded if scope["type"] == "http" else send)


def wall_ms() -> int:
    """Return UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def refresh_board(board: LiveBoard, store: Store, now_ms: Callable[[], int] = wall_ms) -> None:
    """Tell the board what the database holds now; while it is away, the board says so and keeps what it knew.

    The board lives from the now lane: a database that is away must not end it.
    """
    try:
        board.take_register(await asyncio.to_thread(store.sites))
        board.take_recorded(await asyncio.to_thread(store.recorded))
        board.take_database(None)
    except StoreDownError as error:
        board.take_database(now_ms())
        logger.warning("board=kept_as_it_was reason=%r", str(error))


def create_app(
    settings: HubSettings,
    store: Store,
    board: LiveBoard,
    health_of: Callable[[], Health],
    *,
    now_ms: Callable[[], int] = wall_ms,
    on_crash: Callable[[BaseException], None] | None = None,
) -> FastAPI:
    """Return the application. `on_crash` is told when the live stream dies of a mistake of ours."""
    board.take_register(store.sites())
    board.take_recorded(store.recorded())

    def look() -> bool:
        return board.take_unwritten(health_of().database_away)

    stream = Stream(board, now_ms, look, lambda: refresh_board(board, store, now_ms))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beating = asyncio.create_task(stream.run(), name="live-stream")
        beating.add_done_callback(lambda task: _report(task, on_crash))
        yield
        stream.close()
        beating.cancel()
        await asyncio.wait([beating])

    app = FastAPI(
        title="telecentre",
        version=version("telecentre"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.context = Context(store, board, stream, health_of, now_ms, settings.simulated_clock is not None)
    questions = (occupancy, indicators, visits, doors, decisions)
    for module in (pages, statistics, live, devices, alarms, *questions, health, docs):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(QueryError, _query_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(StoreDownError, _store_down)
    app.add_exception_handler(HTTPException, _http_error)
    hosts = [*LOOPBACK_HOSTS, settings.web.host]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(Guarded)
    return app


def let_watchers_go(app: FastAPI) -> None:
    """End the live streams, so that a server that stops need not wait for them; call it on the server's event loop."""
    context: Context = app.state.context
    context.stream.close()


def _report(task: asyncio.Task[None], on_crash: Callable[[BaseException], None] | None) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        return
    logger.critical("live_stream=dead", exc_info=error)
    if on_crash is not None:
        on_crash(error)


def _wrong_field(request: Request, field: str, message: str) -> Response:
    return _refusal(request, 422, field, message, "page.bad_address")


def _refusal(request: Request, status: int, field: str, message: str, text: str) -> Response:
    """Return one sentence: `message` with its field for programs, and for people `text` in their language."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"field": field, "message": message}, status)
    reader = pages.reader_of(request)
    return pages.page("error.html", reader, status, here="", message=reader.words(text, field=field))


async def _query_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, QueryError):
        raise error
    return _refusal(request, 422, error.field, error.message, error.text)


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    field = str(first["loc"][-1])
    if first["type"] == "missing":
        return _wrong_field(request, field, f"'{field}' is missing.")
    if first["type"] == "extra_forbidden":
        return _wrong_field(request, field, f"'{field}' is not a field of this question: see /docs.")
    if first["type"] == "remedy":
        return _wrong_field(request, field, first["msg"])
    if first["type"] == "literal_error":
        return _wrong_field(request, field, f"'{field}' must be {first['ctx']['expected']}.")
    return _wrong_field(request, field, f"'{field}' is wrong: {first['msg']}.")


async def _store_down(request: Request, error: Exception) -> Response:
    logger.error("database=down path=%s reason=%s", request.url.path, error)
    context: Context = request.app.state.context
    context.board.take_database(context.wall_ms())
    sentence = "The database does not answer: try again in a minute; /api/v1/live still tells what is true now."
    answer = _refusal(request, 503, "", sentence, "page.store_down")
    answer.headers["Retry-After"] = "60"
    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "The hub made a mistake."
    if request.url.path.startswith(("/api/", "/static/")):
        if detail == "Not Found":
            detail = "There is nothing at this address: see /docs."
        return JSONResponse({"field": "", "message": detail}, status)
    reader = pages.reader_of(request)
    spoken = reader.words("page.not_found") if detail == "Not Found" else detail
    return pages.page("error.html", reader, status, here="", message=spoken)
