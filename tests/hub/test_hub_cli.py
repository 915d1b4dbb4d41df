"""The `telecentre-hub` command: what it prints, what it exits with, and how it starts and stops."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.__main__ import main
from hub.store import Store
from tests.hub.test_receiver import NOW, access, batch, desk
from tests.support.ports import free_port
from tests.support.telecentres import CANTAL
from tests.support.waiting import eventually


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "hub.toml"
    file.write_text(
        f'[web]\nport = {free_port()}\n[database]\nfile = "hub.db"\n[broker]\nembedded = true\nport = {free_port()}\n'
    )
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def imported(config: Path) -> Store:
    assert run("site", "import", CANTAL, "--config", config).exit_code == 0
    return Store(config.parent / "hub.db", now_ms=lambda: NOW)


def test_an_import_prints_what_changed_and_nothing_the_second_time(config: Path) -> None:
    first, second = (run("site", "import", CANTAL, "--config", config) for _ in range(2))
    assert "site murat: new, with 6 desks, 1 visio rooms, 1 doors" in first.output
    assert second.output == "10 sites, 0 changes.\n"
    assert (first.exit_code, second.exit_code) == (0, 0)


def test_a_network_file_may_bring_the_keys_to_which_lists_are_sealed(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    text = CANTAL.read_text(encoding="utf-8").replace('id = "murat"', f'id = "murat"\nrights_key = "{"ab" * 32}"')
    file.write_text(text, encoding="utf-8")
    first, second = (run("site", "import", file, "--config", config) for _ in range(2))
    assert "site murat: its lists of rights are sealed to the key of the file from now on" in first.output
    assert second.output == "10 sites, 0 changes.\n"
    assert run("site", "import", CANTAL, "--config", config).output == "10 sites, 0 changes.\n", "the key stays"
    assert run("rights", "status", "--config", config).output == "murat  no list yet\n"


@pytest.mark.parametrize(
    ("wrong", "right", "sentence"),
    [
        ("desks = 8", 'desks = 8\nrights_key = "04A2"', "'site[1].rights_key' is wrong"),
        ("desks = 8", "desks = -8", "'site[1].desks' is wrong"),
        ("visio_rooms = 2", "visio_room = 2", "the key 'site[1].visio_room' is not known"),
        ('"Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off"', '"when we like"', "not opening hours such as"),
        ('id = "murat"', 'id = "aurillac"', "the site 'aurillac' is written twice"),
        ('id = "murat"', 'id = "hub"', "'hub' is reserved"),
        ('"Europe/Paris"', '"Europe/Parys"', "a time zone is UTC or a name such as Europe/Paris"),
        ('"Europe/Paris"', '"posixrules"', "a time zone is UTC or a name such as Europe/Paris"),
        ('name = "Murat"', r'name = "Mu\u0000rat"', "one line of text is needed, without control characters"),
        ('name = "CyberCantal Télécentres"', r'name = "Cyber\nCantal"', "'network.name' is wrong: one line of text"),
        (
            '"Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off"',
            r'"24/7 \"\u0000\""',
            "'network.opening_hours' is wrong: one line",
        ),
        ("confidential_rooms = 1", "confidential_rooms = 2", "at most as many can be confidential"),
    ],
)
def test_a_wrong_network_file_is_one_sentence_and_exit_78(
    config: Path, tmp_path: Path, wrong: str, right: str, sentence: str
) -> None:
    file = tmp_path / "network.toml"
    file.write_text(CANTAL.read_text(encoding="utf-8").replace(wrong, right, 1), encoding="utf-8")
    result = run("site", "import", file, "--config", config)
    assert result.exit_code == 78
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [["status"], ["rebuild"], ["purge"], ["serve"]])
def test_wrong_settings_are_one_sentence_and_exit_78(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('[web]\nhost = "0.0.0.0"\n[database]\nfile = "hub.db"\n')
    result = run(*command, "--config", file)
    assert result.exit_code == 78
    assert "line 2: 'web.host' is wrong: only a loopback address" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_database_that_cannot_be_opened_is_one_sentence_and_exit_1(config: Path) -> None:
    (config.parent / "hub.db").write_bytes(b"this is no database, but long enough to be read as one" * 20)
    result = run("status", "--config", config)
    assert result.exit_code == 1
    assert "file is not a database" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_status_counts_what_is_stored(config: Path) -> None:
    writer = imported(config).writer()
    with writer.transaction():
        writer.receive(batch(access(), desk(), b"bad", persons={1: "k7q2m9x4"}), NOW)
        writer.settle_sites({"murat"})
        while writer.settle_visits() or writer.settle_zone():
            pass
    found = json.loads(run("status", "--config", config, "--json").output)
    assert (found["events"], found["quarantined"], found["refused"], found["journal"]) == (2, 1, 0, 1)
    assert (found["streams"][0]["position"], found["streams"][0]["events"], found["dirty"]) == (3, 2, 0)
    assert "2 events of 1 sites" in run("status", "--config", config).output
    writer.close()


def test_rebuild_exits_1_when_a_stored_figure_was_not_what_the_events_say(config: Path) -> None:
    writer = imported(config).writer()
    with writer.transaction():
        writer.receive(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 3_600_000)), NOW)
        writer.settle_sites({"murat"})
    writer.close()
    assert run("rebuild", "--config", config).exit_code == 0
    with sqlite3.connect(config.parent / "hub.db") as connection:
        connection.execute("update day_figure set observed_ms = 5 where resource = 'desk-01'")
    connection.close()
    broken = run("rebuild", "--config", config, "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.output)["differences"] == 1
    assert run("rebuild", "--config", config).exit_code == 0


def test_rebuild_prints_each_difference_however_many_they_are(config: Path) -> None:
    writer = imported(config).writer()
    with writer.transaction():
        for first in range(1, 2_000, 200):
            lines = [desk(t=NOW - 3_600_000 + n) for n in range(first, first + 200)]
            writer.receive(batch(*lines, first=first), NOW)
    writer.close()
    assert run("rebuild", "--config", config).exit_code == 0
    for shown in ([], ["--json"]):
        with sqlite3.connect(config.parent / "hub.db") as connection:
            connection.execute("update event set at_ms = at_ms + 1")
        connection.close()
        output = run("rebuild", "--config", config, *shown).output
        if shown:
            told = json.loads(output)
            assert told["differences"] == len(told["found"]) == 2_000
            assert sorted(one["computed"][0] - one["stored"][0] for one in told["found"]) == [-1] * 2_000
        else:
            *each, last = output.splitlines()
            assert len({line for line in each if "instant of" in line}) == len(each) == 2_000
            assert last == "2000 differences between what was stored and what the events say."


def test_purge_by_a_clock_that_has_leapt_refuses_until_somebody_says_that_it_is_right(config: Path) -> None:
    long_ago = NOW - 400 * 86_400_000
    writer = imported(config).writer()
    with writer.transaction():
        line = access().replace(b"%d" % NOW, b"%d" % long_ago)
        writer.receive(batch(line, persons={1: "k7q2m9x4"}), long_ago)
        writer.settle_sites({"murat"})
    writer.close()
    refused = run("purge", "--config", config)
    assert refused.exit_code == 1
    assert refused.output.strip().endswith("say so with: telecentre-hub rights resume")
    assert len(refused.output.strip().splitlines()) == 1
    assert run("rights", "resume", "--config", config).exit_code == 0
    assert run("purge", "--config", config).output == "1 access events no longer name a credential.\n"


def test_purge_prints_how_many_names_were_forgotten(config: Path) -> None:
    long_ago = NOW - 400 * 86_400_000
    writer = imported(config).writer()
    with writer.transaction():
        writer.receive(batch(access().replace(b"%d" % NOW, b"%d" % long_ago), persons={1: "k7q2m9x4"}), long_ago)
    writer.close()
    assert run("purge", "--config", config).output == "1 access events no longer name a credential.\n"


class Hub:
    """`telecentre-hub serve` as a process, with a service manager that listens."""

    def __init__(self, config: Path) -> None:
        self.port = int(config.read_text().split("port = ")[1].split("\n")[0])
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(config.parent / "notify"))
        self.manager.settimeout(30)
        self._environment = {**os.environ, "NOTIFY_SOCKET": str(config.parent / "notify"), "WATCHDOG_USEC": "1000000"}
        self._command = [sys.executable, "-m", "hub", "serve", "--config", str(config)]
        self.log = (config.parent / "log").open("w+")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, env=self._environment, stdout=self.log, stderr=self.log)

    def heard(self, state: bytes) -> bool:
        while self.manager.recv(200) != state:
            pass
        return True

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code


@pytest.fixture
def hub(config: Path) -> Iterator[Hub]:
    imported(config).close()
    running = Hub(config)
    yield running
    running.process.kill()
    running.process.wait(10)
    running.manager.close()
    running.log.close()


def test_the_hub_says_when_it_is_ready_feeds_the_watchdog_and_stops_cleanly(hub: Hub) -> None:
    assert hub.heard(b"READY=1")
    eventually(lambda: hub.get("/healthz") == 200, what="the web answers")
    assert hub.heard(b"WATCHDOG=1")
    hub.process.send_signal(signal.SIGTERM)
    assert hub.heard(b"STOPPING=1")
    assert hub.process.wait(30) == 0, hub.said()
    assert "Traceback" not in hub.said()


def test_a_second_hub_on_the_same_port_says_so_in_one_line(hub: Hub, config: Path) -> None:
    assert hub.heard(b"READY=1")
    command = [sys.executable, "-m", "hub", "serve", "--config", str(config)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert f"127.0.0.1:{hub.port} cannot be had" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_killed_hub_starts_again_on_the_same_ports(hub: Hub) -> None:
    assert hub.heard(b"READY=1")
    hub.process.kill()
    hub.process.wait(10)
    hub.start()
    assert hub.heard(b"READY=1")
    eventually(lambda: hub.get("/readyz") == 200, what="broker and database are back")
    hub.process.terminate()
    assert hub.process.wait(30) == 0, hub.said()
