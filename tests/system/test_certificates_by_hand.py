"""The commands of firmware_config/mosquitto/README.md, run as they stand: what they make is what the broker takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from contract.topics import topic_for
from tests.support.secure_broker import SHIPPED, SecureBroker
from tests.support.visitor import Visitor
from tests.support.waiting import eventually

README = (SHIPPED / "README.md").read_text(encoding="utf-8")
AUTHORITY, SITE, REVOKE = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def do(folder: Path, commands: str) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", commands], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_site_s_certificate_made_by_hand_counts_until_it_is_revoked(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: 'apt install openssl' brings it")
    broker = SecureBroker(tmp_path)
    shutil.rmtree(broker.authority.folder)
    folder = broker.authority.folder
    folder.mkdir()
    shutil.copy(SHIPPED / "acl", folder)
    settings = (SHIPPED / "authority.cnf").read_text(encoding="utf-8")
    (folder / "authority.cnf").write_text(settings.replace("broker.example.org", "localhost"))
    do(folder, AUTHORITY)
    do(folder, SITE)
    shutil.copy(folder / "mqtt.key", folder / "murat.key")
    broker.start()
    try:
        murat = Visitor(broker, "murat")
        assert murat.outcome(topic_for("murat", "up"), b"mine") == "No matching subscribers"
        assert murat.outcome(topic_for("ydes", "up"), b"not mine") == "Not authorized"
        do(folder, REVOKE)
        broker.read_again()
        again = Visitor(broker, "murat")
        eventually(lambda: again.lost, what="refused")
        assert not again.accepted
        # As the page says: what is open stays open, until the broker is restarted.
        assert murat.outcome(topic_for("murat", "up"), b"still here") == "No matching subscribers"
        murat.leave()
    finally:
        broker.kill()


def test_a_list_of_the_revoked_outlives_every_certificate() -> None:
    settings = dict(re.findall(r"^(default_\w*days) = (\d+)$", (SHIPPED / "authority.cnf").read_text(), re.MULTILINE))
    assert int(settings["default_crl_days"]) > int(settings["default_days"])
