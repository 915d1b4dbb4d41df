"""The embedded MQTT broker: one child process on loopback, started again when it dies, gone when the hub is gone.

For the demo, the tests and one-machine trials: it has no access control and keeps nothing on disk, so it is refused on
any other address; TC1 needs nothing that a broker remembers. This module is the child too: `python -m hub.broker FILE`.
"""

import ipaddress
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from contract.limits import MAX_RIGHTS_BYTES

log = logging.getLogger(__name__)

MAX_PACKET_BYTES = MAX_RIGHTS_BYTES + 65_536
"""Above the largest message of the contract: a publisher of more is disconnected, and would come back with it."""

MAX_IN_FLIGHT = 200
"""Messages on their way to one client without its PUBACK; the hub's queue holds more."""

SEGMENT_BYTES, SEGMENT_COUNT = 8_388_608, 4
"""What the broker keeps in memory of each subscription: 32 MiB at most; what falls out, the edges send again."""

READY_TIMEOUT_S = 10.0
"""It answers after some 0.2 s; a loaded machine gets fifty times that."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
"""Before it is started again: at once after a kill, slowly when it cannot live (its port is taken)."""

STOP_TIMEOUT_S = 5.0


def render_settings(host: str, port: int) -> str:
    """Return the broker's own TOML: one MQTT 5 listener on a loopback address.

    Raises:
        ValueError: the address is not loopback.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the embedded broker has no access control: {host} is refused, only loopback is allowed")
    listen = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    return f"""id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = {MAX_IN_FLIGHT}
max_segment_size = {SEGMENT_BYTES}
max_segment_count = {SEGMENT_COUNT}

[v5.1]
name = "telecentre"
listen = "{listen}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {MAX_PACKET_BYTES}
max_inflight_count = {MAX_IN_FLIGHT}
dynamic_filters = true
"""


class EmbeddedBroker:
    """The child process and the thread that keeps it alive."""

    def __init__(self, host: str, port: int, settings_file: Path, on_crash: Callable[[BaseException], None]) -> None:
        self.address = ("127.0.0.1" if host == "localhost" else host, port)
        """Where it answers: host and port."""
        self._settings_file = settings_file
        self._settings = render_settings(host, port)
        self._on_crash = on_crash
        self._stopping = threading.Event()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._child: subprocess.Popen[bytes] | None = None
        self.starts = 0
        """How often the child was started: more than once means that it died."""

    @property
    def pid(self) -> int | None:
        """The process id of the child, or None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def start(self) -> None:
        """Begin to keep the broker alive; clients try until it answers."""
        self._settings_file.parent.mkdir(parents=True, exist_ok=True)
        self._settings_file.write_text(self._settings, encoding="utf-8")
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the broker has answered once; return whether it has."""
        return self._running.wait(timeout_s)

    def stop(self) -> None:
        """End the child and the thread; the port is free afterwards."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(READY_TIMEOUT_S + STOP_TIMEOUT_S)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        told = False
        try:
            while not self._stopping.is_set():
                if _answers(self.address):
                    if not told:
                        log.warning("broker=waiting address=%s:%d reason='another program has the port'", *self.address)
                    told = True
                else:
                    told = False
                    wait_s = FIRST_WAIT_S if self._live() else wait_s
                self._stopping.wait(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        except BaseException as error:  # noqa: BLE001 - the top of this thread: main decides, and the process ends
            self._on_crash(error)

    def _live(self) -> bool:
        """Run one child until it dies or the hub stops; return whether it ever answered."""
        command = [sys.executable, "-P", "-m", "hub.broker", str(self._settings_file)]
        # A session of its own: Ctrl-C in the hub's terminal is the hub's business, which then stops the child in order.
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as child:
            self._child = child
            self.starts += 1
            try:
                answered = self._wait_until_it_answers(child)
                if answered:
                    self._running.set()
                    log.info("broker=running address=%s:%d pid=%d", *self.address, child.pid)
                while answered and child.poll() is None and not self._stopping.wait(0.1):
                    pass
            finally:
                self._child = None
                _end(child)
        if not self._stopping.is_set():
            log.warning("broker=died code=%s", child.returncode)
        return answered

    def _wait_until_it_answers(self, child: subprocess.Popen[bytes]) -> bool:
        turns = int(READY_TIMEOUT_S / 0.05)
        for _ in range(turns):
            if child.poll() is not None or self._stopping.wait(0.05):
                return False
            if _answers(self.address):
                return True
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_TIMEOUT_S)


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=0.5):
            return True
    except OSError:
        return False


def _die_with(parent: IO[bytes]) -> None:
    """End this process when the other end of its standard input closes: the hub is gone, however it went."""
    parent.read()
    os._exit(0)


def main(settings_file: str) -> None:
    """Be the child: run the broker until the hub is gone."""
    from iotcore import IotCoreBroker  # noqa: PLC0415 - only the child needs the broker's machine code in memory

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s broker %(message)s")
    # Each packet is logged as an error by a library inside it.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    threading.Thread(target=_die_with, args=(sys.stdin.buffer,), daemon=True).start()
    IotCoreBroker(config_path=settings_file).run_forever()


if __name__ == "__main__":
    main(sys.argv[1])
