"""The running hub: broker, ingest and web in one process, started in order and stopped in order.

The main thread serves the web; a bug in any other thread ends the process, and the service manager starts it again.
"""

import asyncio
import logging
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import closing

import uvicorn
from fastapi import FastAPI

from host.crashes import end_with_threads, forbid_core_dumps
from host.systemd import notify, watchdog_interval_s
from hub.app import create_app, let_watchers_go
from hub.broker import EmbeddedBroker
from hub.clock import clock_of
from hub.collector import look_seldom
from hub.config import HubSettings, WebSettings
from hub.enrolling import Enrolments
from hub.health import Health
from hub.ingest import Ingest
from hub.issuing import Issuing
from hub.live import LiveBoard
from hub.opening import OpeningError, check
from hub.store import Site, Store
from hub.store.connection import Engine
from hub.store.engine import beside, engine_of

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0
"""For the transaction at hand: the longest, a walk of 20,000 events, takes some 0.3 s."""

CONNECTIONS_TIMEOUT_S = 2
"""For answers under way; live streams are let go at once."""

BROKER_WAIT_S = 3.0
"""The embedded broker answers after some 0.2 s; the hub starts without it, and goes on trying, after this."""

DATABASE_WAIT_S = 600.0
"""A database that has fallen silent may keep the ingest waiting for so long, with the live board there to say so: as
long as any statement may take (hub.store.postgres.WRITE_TIMEOUT_MS). After that, a restart is worth a try."""

PULSE_S = 0.2
"""How often the main thread looks whether the hub has become ready."""


class PortTakenError(Exception):
    """The web address cannot be had; one sentence."""


class WebServer(uvicorn.Server):
    """uvicorn, which would wait for open live streams and then complain of them: they are let go before it stops."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams, then stop as uvicorn does."""
        let_watchers_go(self._app)
        await super().shutdown(sockets)


def serve(settings: HubSettings) -> int:
    """Run the hub until SIGTERM or SIGINT; return the exit code.

    Raises:
        PortTakenError: another program has the web port.
        StoreDownError: the database cannot be used, or another hub uses it.
    """
    forbid_core_dumps()
    asked = _stop_when_asked()
    engine = engine_of(settings.database, makes=True)
    with closing(_listen(settings.web)) as listener, engine.claimed():
        return _run(settings, engine, listener, asked)


def _run(settings: HubSettings, engine: Engine, listener: socket.socket, asked: threading.Event) -> int:
    now_ms = clock_of(settings)
    if settings.simulated_clock is not None:
        log.warning("clock=simulated file=%s now_ms=%d", settings.simulated_clock, now_ms())
    store = Store(engine, now_ms=now_ms)
    sites = store.sites()
    say_wrong_hours(sites)
    board = LiveBoard(sites)
    crashes: list[BaseException] = []
    end_with_threads(crashes.append)
    ingest = Ingest(
        settings.broker, store, board, now_ms=now_ms, new_id=lambda: secrets.token_hex(16), on_crash=crashes.append
    )
    issuers = _issuers(settings, (store, ingest, board), now_ms, crashes.append)
    app = create_app(settings, store, board, ingest.health, now_ms=now_ms, on_crash=crashes.append)
    look_seldom()
    broker = None
    if settings.broker.embedded:
        file = beside(settings.database).with_suffix(".broker.toml")
        broker = EmbeddedBroker(settings.broker.host, settings.broker.port, file, crashes.append)
        broker.start()
        # The first connection then succeeds at once, instead of being tried again a second later.
        broker.wait(BROKER_WAIT_S)
    ingest.start()
    for issuer in issuers:
        issuer.start()
    try:
        web = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=CONNECTIONS_TIMEOUT_S,
        )
        asyncio.run(_serve(WebServer(web, app), listener, ingest.health, lambda: bool(crashes) or asked.is_set()))
    finally:
        notify("STOPPING=1")
        for issuer in issuers:
            issuer.stop(STOP_TIMEOUT_S)
        ingest.stop(STOP_TIMEOUT_S)
        if broker is not None:
            broker.stop()
        store.close()
    if crashes:
        log.critical("hub=stopped reason='a bug of ours'", exc_info=crashes[0])
        return 1
    log.info("hub=stopped")
    return 0


def say_wrong_hours(sites: Iterable[Site]) -> None:
    """Log which opening hours no import would take any more: figures go on, by what the library makes of them."""
    by_hours: dict[str, list[str]] = {}
    for site in sites:
        by_hours.setdefault(site.opening_hours, []).append(site.id)
    for hours, places in by_hours.items():
        try:
            check(hours)
        except OpeningError as error:
            log.warning(
                "sites=%d first=%s opening_hours=%r reason=%r remedy='correct network.toml and import it again'",
                len(places),
                places[0],
                hours,
                str(error),
            )


def _issuers(
    settings: HubSettings,
    parts: tuple[Store, Ingest, LiveBoard],
    now_ms: Callable[[], int],
    on_crash: Callable[[BaseException], None],
) -> list[Issuing | Enrolments]:
    """Return what sends sealed messages: lists of rights and enrolments; nothing does without the keys."""
    if settings.issuing is None:
        return []
    store, ingest, board = parts

    def is_heard(name: str) -> bool:
        return any(site["site_id"] == name and site["online"] for site in board.snapshot(now_ms())["sites"])

    draw = secrets.token_bytes
    return [
        Issuing(settings.issuing, store, ingest, board, now_ms=now_ms, token=draw, on_crash=on_crash),
        Enrolments(settings.issuing, store, ingest, is_heard, now_ms=now_ms, token=draw, on_crash=on_crash),
    ]


def _stop_when_asked() -> threading.Event:
    """Return what SIGTERM and SIGINT set, from here on.

    uvicorn takes them over while it serves, and raises the one that stopped it again before our own stop is done.
    """
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def _listen(web: WebSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host, web.port))
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"{web.host}:{web.port} cannot be had ({error.strerror}): stop the other program, or set web.port"
        ) from error
    return listener


async def _serve(
    server: uvicorn.Server, listener: socket.socket, health: Callable[[], Health], ended: Callable[[], bool]
) -> None:
    watching = asyncio.create_task(_watch(server, health, ended))
    try:
        await server.serve(sockets=[listener])
    finally:
        watching.cancel()


async def _watch(server: uvicorn.Server, health: Callable[[], Health], ended: Callable[[], bool]) -> None:
    """Tell the service manager that the hub is ready and that the ingest makes progress; stop when it is to end.

    An ingest that waits for its database is not stuck: to end the hub would end the live board, and bring nothing back.
    """
    feed_s = watchdog_interval_s()
    loop = asyncio.get_running_loop()
    ready = False
    fed_s = moved_s = loop.time()
    progress = -1
    while not ended():
        now = health()
        if not ready and server.started and now.database_open:
            ready = True
            notify("READY=1")
            log.info("hub=ready url=http://%s:%d/", *server.servers[0].sockets[0].getsockname()[:2])
        now_s = loop.time()
        if feed_s is not None and now_s - fed_s >= feed_s:
            if moves := now.progress != progress:
                moved_s, progress = now_s, now.progress
            if moves or (now.database_away is not None and now_s - moved_s < DATABASE_WAIT_S):
                fed_s = now_s
                notify("WATCHDOG=1")
        await asyncio.sleep(PULSE_S)
    server.should_exit = True
