"""Real brokers on free loopback ports: the embedded one (iotcore) and Mosquitto, each in its own process.

Mosquitto is a Debian package: without it the tests that need it are skipped with a reason, or fail where CI is set.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.ports import free_port

Kind = Literal["iotcore", "mosquitto"]
KINDS: tuple[Kind, ...] = ("iotcore", "mosquitto")
START_S = 20.0

# rumqttd's MQTT 5 listener is only reached by a configuration file; the limits are those of the embedded broker's own
# defaults, but for the payload, which must carry the largest list of rights.
_RUMQTTD = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1114112
max_inflight_count = 100
"""

_MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_packet_size 1114112
max_queued_messages 10000
log_type error
"""


def mosquitto_path() -> str:
    """Return where Mosquitto is, or skip the test; in CI its absence is a failure."""
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        reason = "mosquitto is not installed (apt install mosquitto): the real broker is not tested"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class RunningBroker:
    """A broker process that can be killed and started again on the same port; it remembers nothing."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.port = free_port()
        self._config = folder / f"{kind}.toml"
        template = _RUMQTTD if kind == "iotcore" else _MOSQUITTO
        self._config.write_text(template.format(port=self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def limit_packets(self, size_bytes: int) -> None:
        """Make Mosquitto, before its start, refuse packets larger than this."""
        text = self._config.read_text()
        self._config.write_text(text.replace("max_packet_size 1114112", f"max_packet_size {size_bytes}"))

    def limit(self, lines: list[str]) -> None:
        """Give Mosquitto, before its start, these limits in place of the test's."""
        kept = [line for line in self._config.read_text().splitlines() if not line.startswith("max_")]
        self._config.write_text("\n".join([*kept, *lines, ""]))

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        if self.kind == "iotcore":
            program = f"from iotcore.iotcore import IotCoreBroker; IotCoreBroker({str(self._config)!r}).run_forever()"
            command = [sys.executable, "-c", program]
        else:
            command = [mosquitto_path(), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            assert self._process.poll() is None, f"{self.kind} ended with code {self._process.returncode}"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        pytest.fail(f"{self.kind} does not listen on port {self.port}")

    def send(self, number: int) -> None:
        """Send the broker a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the broker without a word: whatever it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    """Each broker in turn, started; import this fixture where it is used."""
    running = RunningBroker(request.param, tmp_path)
    running.start()
    yield running
    running.kill()
