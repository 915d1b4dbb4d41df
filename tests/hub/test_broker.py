"""The embedded broker: on loopback, started again when it dies, gone when its hub is gone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hub.broker import EmbeddedBroker, render_settings
from tests.support.ports import free_port
from tests.support.waiting import eventually


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    crashes: list[BaseException] = []
    running = EmbeddedBroker("127.0.0.1", free_port(), tmp_path / "broker.toml", crashes.append)
    yield running
    running.stop()
    assert crashes == []


def port_of(broker: EmbeddedBroker) -> int:
    return broker.address[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "2001:db8::1"])
def test_any_address_but_loopback_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="only loopback is allowed"):
        render_settings(host, 1883)


def test_it_listens_on_loopback_alone(broker: EmbeddedBroker) -> None:
    broker.start()
    eventually(lambda: answers(port_of(broker)), what="the broker answers")
    eventually(lambda: broker.pid is not None, what="there is a child")
    listening = [c.laddr for c in psutil.Process(broker.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", port_of(broker))]


def test_it_is_started_again_when_it_is_killed(broker: EmbeddedBroker) -> None:
    broker.start()
    eventually(lambda: answers(port_of(broker)), what="the broker answers")
    first = broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: broker.pid not in (None, first) and answers(port_of(broker)), what="another answers")
    assert broker.starts == 2


def test_stopping_it_frees_the_port(broker: EmbeddedBroker) -> None:
    broker.start()
    eventually(lambda: answers(port_of(broker)), what="the broker answers")
    broker.stop()
    assert not answers(port_of(broker))


def test_while_another_program_has_the_port_it_waits_and_says_so_once(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", port_of(broker))):
        broker.start()
        eventually(lambda: "another program has the port" in caplog.text, what="the line in the log")
        assert broker.starts == 0
    eventually(lambda: broker.starts == 1 and answers(port_of(broker)), what="it starts when the port is free")
    assert caplog.text.count("another program has the port") == 1


def test_it_dies_with_a_hub_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import sys, threading; from pathlib import Path; from hub.broker import EmbeddedBroker\n"
        f"EmbeddedBroker('127.0.0.1', {port}, Path({str(tmp_path / 'b.toml')!r}), print).start()\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as hub:
        eventually(lambda: answers(port), what="the broker answers")
        hub.kill()
    eventually(lambda: not answers(port), what="the port is free")
