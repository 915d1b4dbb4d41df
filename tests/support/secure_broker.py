"""Mosquitto with the files of firmware_config/mosquitto, on a free port: what is shipped is what is tested.

Only what belongs to the machine is changed: the port and its address, the folder of the files, the user, and the log,
which goes to a file.
"""

import getpass
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import LinkSettings
from hub.config import BrokerSettings
from tests.support.authority import Authority
from tests.support.brokers import mosquitto_path
from tests.support.ports import free_port
from tests.support.waiting import eventually

SHIPPED = Path(__file__).parents[2] / "firmware_config" / "mosquitto"
START_S = 20.0
SITES = ("murat", "ydes")
READ_THE_LIST = "ACL pattern 'tc/v1/+/hub' does not contain"
"""What Mosquitto says each time it reads the access list: the one sign that it has taken a SIGHUP."""


def rendered(folder: Path, port: int) -> str:
    """Return the shipped settings for this machine."""
    text = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
    text, ports = re.subn(r"^listener 8883$", f"listener {port} 127.0.0.1", text, flags=re.MULTILINE)
    text, paths = re.subn(r"^(\w+) /etc/mosquitto/telecentre/", rf"\1 {folder}/", text, flags=re.MULTILINE)
    assert (ports, paths) == (1, 5)
    # Started as root, Mosquitto would go on as a user who may not enter the test's folder.
    return f"{text}\nuser {getpass.getuser()}\n"


class SecureBroker:
    """The broker's process and its authority, with certificates for two sites and a hub."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.authority = Authority(folder / "authority")
        self.authority.server()
        for name in (*SITES, "hub"):
            self.authority.client(name)
        shutil.copy(SHIPPED / "acl", self.authority.folder / "acl")
        self._config = folder / "mosquitto.conf"
        self._config.write_text(rendered(self.authority.folder, self.port), encoding="utf-8")
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker and wait until it serves: it listens a moment before it can take a SIGHUP."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [mosquitto_path(), "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=log
            )
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            assert self._process.poll() is None, self.log()
            if self._serves():
                return
            time.sleep(0.02)
        pytest.fail(f"mosquitto does not listen: {self.log()}")

    def _serves(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.authority.ca_file))
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End the broker without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def read_again(self) -> None:
        """Make the broker read its certificates, revocations and access list again."""
        assert self._process is not None
        before = self.log().count(READ_THE_LIST)
        self._process.send_signal(signal.SIGHUP)
        eventually(lambda: self.log().count(READ_THE_LIST) > before, what="read again")

    def log(self) -> str:
        """Return what the broker said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def link_settings(self, name: str, *, authority: Authority | None = None) -> LinkSettings:
        """Return the settings of an agent that shows the certificate `name`; `authority` is another one's."""
        of = authority or self.authority
        return LinkSettings(
            ca_file=self.authority.ca_file,
            certificate_file=of.folder / f"{name}.crt",
            key_file=of.folder / f"{name}.key",
            host="localhost",
            port=self.port,
            keepalive_s=5,
            hello_spread_s=0.2,
        )

    def hub_settings(self, name: str = "hub") -> BrokerSettings:
        """Return the settings of a hub that shows the certificate `name`."""
        return BrokerSettings(
            ca_file=self.authority.ca_file,
            certificate_file=self.authority.folder / f"{name}.crt",
            key_file=self.authority.folder / f"{name}.key",
            host="localhost",
            port=self.port,
        )


@pytest.fixture
def secure_broker(tmp_path: Path) -> Iterator[SecureBroker]:
    """A started broker; import this fixture where it is used."""
    running = SecureBroker(tmp_path)
    running.start()
    yield running
    running.kill()
