"""A new badge, from the animator's command to the open door: hub and agent as programs, and a card at the reader.

Beside it: a hub that dies while the reader waits, an agent that is killed while it makes a badge, a telecentre that is
not there.
"""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from contract.sealing import public_key_of, verify_key_of
from simulators.cards import Ntag21x
from simulators.ntag424 import Ntag424
from tests.support.bench import eventually
from tests.support.edge_site import GREEN, RED, STRIKE, SimulatedTelecentre, telecentre
from tests.support.ports import free_port
from tests.support.rights import PRIVATE_KEY, SIGNING_KEY
from tests.support.telecentres import CANTAL

STOP_S = 30.0
PATIENCE_S = 60.0
BIN = Path(sys.executable).parent

HUB = """
[web]
port = {web_port}
[database]
file = "hub.db"
[broker]
port = {broker_port}
embedded = true
[issuing]
signing_key_file = "signing.key"
master_key_file = "master.key"
"""


class Network:
    """One hub, one telecentre, and what an animator types."""

    def __init__(self, place: SimulatedTelecentre, folder: Path, toml: Path) -> None:
        self.place, self.folder, self.toml = place, folder, toml
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def start(self, name: str) -> None:
        command = {
            "hub": [str(BIN / "telecentre-hub"), "serve", "--config", str(self.toml)],
            "edge": [str(BIN / "telecentre-edge"), "run", "--config", str(self.place.toml)],
        }[name]
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self._programs[name] = subprocess.Popen(
                command, env=self.place.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self, name: str) -> None:
        self._programs[name].kill()
        self._programs.pop(name).wait(STOP_S)

    def stop(self) -> None:
        for program in self._programs.values():
            program.terminate()
        for program in self._programs.values():
            program.wait(STOP_S)

    def hub(self, *words: str) -> str:
        command = [str(BIN / "telecentre-hub"), *words, "--config", str(self.toml)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=STOP_S).stdout

    def new_pass(self) -> str:
        member = json.loads(self.hub("member", "add", "Ada Canary", "--json"))["member"]
        words = ("--category", "visitor", "--from", "2020-01-01", "--everywhere", "--any-time", "--json")
        made: str = json.loads(self.hub("pass", "add", member, *words))["pass"]
        return made

    @contextmanager
    def enrolling(self, pass_id: str, *words: str) -> Iterator[subprocess.Popen[str]]:
        command = [str(BIN / "telecentre-hub"), "badge", "enrol", pass_id, "--site", "murat", "--reader", "reader-01"]
        command += [*words, "--json", "--config", str(self.toml)]
        asked = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            yield asked
        finally:
            asked.kill()
            asked.communicate(timeout=STOP_S)

    def somebody_else_is_refused(self) -> None:
        """Take the card away for so long that the reader notices: until it has seen another one."""
        self.place.bench.call(self.place.chip.remove)
        refused = self.said("edge").count("DENIED_")
        self.place.bench.call(self.place.chip.present, Ntag21x(bytes.fromhex("04feedfeedfeed")))
        assert eventually(lambda: self.said("edge").count("DENIED_") > refused, PATIENCE_S)
        self.place.bench.call(self.place.chip.remove)

    def is_waiting(self) -> bool:
        """Whether the light beside the reader says so: both pins blink together."""
        return self.place.level(GREEN) and self.place.level(RED)


def outcome_of(asked: subprocess.Popen[str]) -> dict[str, str | None]:
    said, _ = asked.communicate(timeout=120)
    answer: dict[str, str | None] = json.loads(said)
    return answer


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    broker_port, web_port = free_port(), free_port()
    (tmp_path / "signing.key").write_text(SIGNING_KEY.hex())
    (tmp_path / "master.key").write_text(bytes(range(16)).hex())
    toml = tmp_path / "hub.toml"
    toml.write_text(HUB.format(broker_port=broker_port, web_port=web_port))
    with ExitStack() as stack:
        place = stack.enter_context(telecentre(broker_port))
        # Nothing was ever issued to it: its first list is the hub's.
        (place.toml.parent / "rights" / "rights.sealed").unlink()
        made = Network(place, tmp_path, toml)
        stack.callback(made.stop)
        made.hub("site", "import", str(CANTAL))
        made.hub("site", "key", "murat", public_key_of(PRIVATE_KEY).hex())
        assert verify_key_of(SIGNING_KEY).hex() in place.toml.read_text()
        made.start("hub")
        assert eventually(lambda: "hub=ready" in made.said("hub"), PATIENCE_S)
        made.start("edge")
        assert eventually(lambda: "rights_applied" in made.said("edge"), PATIENCE_S)
        yield made


def blank() -> Ntag424:
    return Ntag424(bytes.fromhex("04c0ffee000001"), Random(1))


def test_a_blank_card_becomes_a_badge_and_opens_the_door(network: Network) -> None:
    card, pass_id = blank(), network.new_pass()
    with network.enrolling(pass_id) as asked:
        assert eventually(network.is_waiting, PATIENCE_S)
        network.place.bench.call(network.place.chip.present, card)
        answer = outcome_of(asked)
    assert (answer["outcome"], asked.returncode) == ("done", 0)
    assert answer["sentence"] == f"Badge {answer['label']}."
    assert network.place.pulses(STRIKE) == 0
    network.somebody_else_is_refused()
    # The badge is in the next list, which is in force some seconds later.
    assert eventually(lambda: re.search("rights_applied.* badges=1", network.said("edge")) is not None, PATIENCE_S)
    network.place.bench.call(network.place.chip.present, card)
    assert eventually(lambda: network.place.pulses(STRIKE) == 1, PATIENCE_S)
    listed = json.loads(network.hub("badge", "list", "--json"))["badges"]
    assert [badge["label"] for badge in listed] == [answer["label"]]
    key = card.application.keys[0].value.hex()
    assert key not in network.said("hub") + network.said("edge")
    assert key.encode() not in b"".join(path.read_bytes() for path in network.folder.glob("hub.db*"))


def test_a_card_with_a_fixed_number_becomes_a_badge_of_this_site_alone(network: Network) -> None:
    card, pass_id = Ntag21x(bytes.fromhex("04a0a0a0a0a0a0")), network.new_pass()
    with network.enrolling(pass_id, "--uid") as asked:
        assert eventually(network.is_waiting, PATIENCE_S)
        network.place.bench.call(network.place.chip.present, card)
        assert outcome_of(asked)["outcome"] == "done"
    network.somebody_else_is_refused()
    assert eventually(lambda: re.search("rights_applied.* badges=1", network.said("edge")) is not None, PATIENCE_S)
    network.place.bench.call(network.place.chip.present, card)
    assert eventually(lambda: network.place.pulses(STRIKE) == 1, PATIENCE_S)
    # Which card it is, the telecentre alone knows.
    (kept,) = json.loads((network.place.toml.parent / "rights" / "uid-badges.json").read_text()).keys() - {"alice"}
    assert kept == json.loads(network.hub("badge", "list", "--json"))["badges"][0]["credential"]


def test_a_hub_that_dies_while_the_reader_waits_still_hears_that_the_badge_is_made(network: Network) -> None:
    pass_id = network.new_pass()
    with network.enrolling(pass_id) as asked:
        assert eventually(network.is_waiting, PATIENCE_S)
        network.kill("hub")
        network.place.bench.call(network.place.chip.present, blank())
        assert eventually(lambda: "outcome=done" in network.said("edge"), PATIENCE_S)
        network.start("hub")
        assert outcome_of(asked)["outcome"] == "done"


def test_a_card_in_doubt_is_finished_after_the_agent_was_killed(network: Network) -> None:
    card, pass_id = blank(), network.new_pass()
    with network.enrolling(pass_id):
        assert eventually(network.is_waiting, PATIENCE_S)
        network.place.bench.call(network.place.chip.present, card)
        # Its key is changed, and nobody will hear of it.
        assert eventually(lambda: bytes(card.application.keys[0].value) != bytes(16), PATIENCE_S, every_s=0.0005)
        network.kill("edge")
    network.place.bench.call(network.place.chip.remove)
    said = network.said("edge")
    network.start("edge")
    assert eventually(lambda: network.said("edge")[len(said) :].count("link=up") > 0, PATIENCE_S)
    if "outcome=done" in said:
        return  # it was told just before: nothing is in doubt
    assert "outcome=failed" not in said
    its_time_passes(network)
    with network.enrolling(pass_id, "--resume") as asked:
        assert eventually(network.is_waiting, PATIENCE_S)
        network.place.bench.call(network.place.chip.present, card)
        assert outcome_of(asked)["outcome"] == "done"


def its_time_passes(network: Network) -> None:
    """Let the first command be ten minutes old at the hub, without waiting for it."""
    with closing(sqlite3.connect(network.folder / "hub.db", timeout=30)) as connection, connection:
        connection.execute("update enrolment set sent_at = sent_at - 600000, asked_at = asked_at - 600000")


def test_a_telecentre_that_is_not_there_is_not_waited_for(network: Network) -> None:
    pass_id = network.new_pass()
    network.kill("edge")
    with network.enrolling(pass_id) as asked:
        answer = outcome_of(asked)
    assert (answer["outcome"], answer["label"], asked.returncode) == ("unreached", None, 1)
    assert json.loads(network.hub("badge", "list", "--json"))["badges"] == []
