"""The two programs as they are installed, over TLS: settings from files, keys as credentials of systemd."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.outbox import prepare_folder
from simulators.cards import Ntag21x
from tests.support.edge_site import STRIKE, UID, SimulatedTelecentre, telecentre
from tests.support.ports import free_port
from tests.support.secure_broker import SecureBroker, secure_broker
from tests.support.telecentres import cantal
from tests.support.waiting import eventually

__all__ = ["secure_broker"]  # a fixture

ADDRESS = """host = "localhost"
port = {port}
ca_file = "{folder}/ca.crt"
certificate_file = "{certificate}"
"""


def credentials(folder: Path, key: Path) -> dict[str, str]:
    """Return what systemd puts into the environment of a program to which it hands `key` as `mqtt_key`."""
    folder.mkdir()
    shutil.copy(key, folder / "mqtt_key")
    return {"CREDENTIALS_DIRECTORY": str(folder)}


@contextmanager
def running(program: str, command: str, settings: Path, environment: dict[str, str]) -> Iterator[Path]:
    """Run a program until the end of the block, and yield its log; it must stop when asked, and well."""
    log = settings.with_suffix(".log")
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", program, command, "--config", str(settings)], env=environment, stderr=said
        )
    try:
        yield log
        process.terminate()
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
    assert "Traceback" not in log.read_text()


def hub_settings(folder: Path, broker: SecureBroker) -> Path:
    of = broker.authority.folder
    file = folder / "hub.toml"
    address = ADDRESS.format(port=broker.port, folder=of, certificate=of / "hub.crt")
    file.write_text(f'[web]\nport = {free_port()}\n[database]\nfile = "hub.db"\n[broker]\n{address}')
    return file


def link_to(place: SimulatedTelecentre, broker: SecureBroker, certificate: Path) -> None:
    """Give the agent of a telecentre this broker."""
    text = place.toml.read_text()
    plain = f"[link]\nport = {broker.port}\n"
    assert plain in text
    address = ADDRESS.format(port=broker.port, folder=broker.authority.folder, certificate=certificate)
    place.toml.write_text(text.replace(plain, f"[link]\n{address}"))
    prepare_folder(place.toml.parent / "outbox")


def test_a_door_opens_without_a_certificate_and_the_hub_hears_of_it_when_there_is_one(
    secure_broker: SecureBroker, tmp_path: Path
) -> None:
    of = secure_broker.authority.folder
    store = cantal(tmp_path)
    hub = os.environ | credentials(tmp_path / "of-the-hub", of / "hub.key")
    with (
        running("hub", "serve", hub_settings(tmp_path, secure_broker), hub) as hub_log,
        telecentre(secure_broker.port) as place,
    ):
        certificate = tmp_path / "not-there-yet.crt"
        link_to(place, secure_broker, certificate)
        site = place.environment | credentials(tmp_path / "of-the-site", of / "murat.key")
        with running("edge", "run", place.toml, site) as log:
            eventually(lambda: "link=down" in log.read_text(), what="the missing certificate is said")
            eventually(lambda: place.bench.call(lambda: place.chip.speed_baud) == 921_600, what="the reader looks")
            place.bench.call(place.chip.present, Ntag21x(UID))
            eventually(lambda: place.pulses(STRIKE) == 1, what="the door opens")
            assert store.totals().events == 0
            shutil.copy(of / "murat.crt", certificate)
            eventually(lambda: store.totals().journal == 1, what="the hub has the badge's event")
        assert "reason=certificate_file: " in log.read_text()
        assert log.read_text().count("link=down") == 1
        assert "broker=lost" not in hub_log.read_text()
    store.close()
