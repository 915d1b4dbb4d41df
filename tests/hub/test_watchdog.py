"""What the hub tells the service manager's watchdog: an ingest that is stuck is ended, one that waits is not."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import uvicorn

import hub.serve
from hub.health import Away, Health
from hub.serve import _watch
from tests.support.telecentres import HEALTHY, NOON_MS

AWAY = replace(HEALTHY, database_open=False, database_away=Away(NOON_MS))
LOOKS = 8
"""Linux keeps ten datagrams for whoever does not read them yet."""


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager whose watchdog is fed at each look."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setattr(hub.serve, "PULSE_S", 0.001)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
        end.bind(str(tmp_path / "notify"))
        yield end


def fed(manager: socket.socket, healths: Iterator[Health]) -> int:
    """Return how often the watchdog is fed in so many looks."""
    looks = count()
    server = uvicorn.Server(uvicorn.Config("hub"))
    asyncio.run(_watch(server, lambda: next(healths), lambda: next(looks) >= LOOKS))
    assert server.should_exit
    heard = 0
    try:
        while manager.recv(100) == b"WATCHDOG=1":
            heard += 1
    except BlockingIOError:
        return heard
    return -1


def test_an_ingest_that_moves_feeds_the_watchdog(manager: socket.socket) -> None:
    assert fed(manager, (replace(HEALTHY, progress=n) for n in count())) == LOOKS


def test_an_ingest_that_is_stuck_does_not(manager: socket.socket) -> None:
    assert fed(manager, (HEALTHY for _ in count())) == 1


def test_an_ingest_that_waits_for_a_silent_database_does_and_not_for_ever(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fed(manager, (AWAY for _ in count())) == LOOKS
    monkeypatch.setattr(hub.serve, "DATABASE_WAIT_S", 0.0)
    assert fed(manager, (AWAY for _ in count())) == 1
