import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from host.systemd import notify, watchdog_interval_s


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(20)
        yield end


def test_a_state_reaches_the_service_manager(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    notify("READY=1")
    notify("STATUS=porte fermée")
    assert manager.recv(100) == b"READY=1"
    assert manager.recv(100).decode() == "STATUS=porte fermée"


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"telecentre-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"\0{name}")
        end.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("WATCHDOG=1")
        assert end.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_a_manager_that_does_not_read_does_not_hold_us_up(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(100_000):
                filler.sendto(b"x", manager.getsockname())
    notify("WATCHDOG=1")


@pytest.mark.parametrize(
    ("limit_us", "interval_s"), [("30000000", 15.0), ("1000000", 0.5), ("0", None), ("", None), ("soon", None)]
)
def test_the_watchdog_is_fed_at_half_its_limit(
    monkeypatch: pytest.MonkeyPatch, limit_us: str, interval_s: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit_us)
    assert watchdog_interval_s() == interval_s
