"""The fleet's own half of TC1, held against the hub's own receiver, and what its command says of bad input."""

import subprocess
import tomllib
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from contract.messages import Ack, Hello, Now, Status, StreamAck, decode_batch
from hub.network import read_network
from hub.receiver import Batch, receive
from simulators.__main__ import command
from simulators.fleet import Fleet, Options
from simulators.fleet_command import broker_address
from simulators.fleet_network import network_toml, synthetic_network
from simulators.fleet_place import Moment
from simulators.fleet_site import WINDOW_BATCHES, FleetSite, Say
from simulators.fleet_tally import Spread, Tally
from tests.support.demo import free_port, program

HUB, OTHER_HUB = "1" * 32, "2" * 32
ROOM = 128


def at(s: float) -> Moment:
    return Moment(s, 1_795_258_800_000 + round(1000 * s), round(1000 * s))


class Bench:
    """A site, and a hub that keeps only how far it has come."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.site = FleetSite("murat", desks=3, rooms=1, random=Random(7), tally=self.tally, spread_s=30.0)
        self.site.start(at(0.0))
        self.height = 0

    def observe(self, count: int, s: float) -> None:
        for _ in range(count):
            self.site.observe(at(s))

    def say(self, s: float, channel: str, room: int = ROOM) -> list[Say]:
        return [say for say in self.site.say(at(s), room) if say.channel == channel]

    def take(self, batches: list[Say]) -> None:
        for say in batches:
            header, lines = decode_batch(say.content_type, say.payload)
            receipt = receive(Batch(header, lines), self.height, 1_795_258_900_000, None)
            assert receipt.bad == (), "the hub reads every line"
            self.height = receipt.position

    def answer(self, hello: Say, s: float, hub: str = HUB) -> None:
        asked = Hello.model_validate_json(hello.payload)
        ack = StreamAck(stream=asked.streams[0].stream, seq=self.height)
        self.site.heard(Ack(site="murat", hub=hub, acks=[ack], hello_id=asked.hello_id), s)

    def acknowledge(self, s: float, hub: str = HUB) -> None:
        self.site.heard(Ack(site="murat", hub=hub, acks=[StreamAck(stream=self.site.stream, seq=self.height)]), s)

    def greet(self, s: float) -> None:
        self.site.connected(s)
        (hello,) = self.say(s, "hello")
        self.answer(hello, s)


def test_nothing_is_sent_before_a_hello_is_answered() -> None:
    bench = Bench()
    assert list(bench.site.say(at(0.0), ROOM)) == []
    bench.site.connected(1.0)
    assert [say.channel for say in bench.site.say(at(1.0), ROOM)] == ["now", "status", "hello"]
    assert bench.say(2.0, "up") == []


def test_both_documents_are_what_the_contract_says() -> None:
    bench = Bench()
    bench.site.connected(1.0)
    now, status = list(bench.site.say(at(1.0), ROOM))[:2]
    assert len(Now.model_validate_json(now.payload).desks) == 3
    told = Status.model_validate_json(status.payload).report
    assert told is not None
    assert told.outbox.depth == 6, "the start, three desks, a room, a door"
    assert not Status.model_validate_json(bench.site.farewell().payload).online


def test_the_hub_gets_every_event_once_in_order() -> None:
    bench = Bench()
    bench.greet(1.0)
    for second in range(2, 60):
        bench.observe(37, second)
        bench.take(bench.say(second, "up"))
        bench.acknowledge(second + 0.5)
    assert bench.height == bench.site.last == bench.site.position == 6 + 58 * 37


def test_at_most_32_batches_are_under_way_and_no_more_than_the_broker_takes() -> None:
    bench = Bench()
    bench.observe(20_000, 0.5)
    bench.greet(1.0)
    assert len(bench.say(2.0, "up", room=5)) == 5
    assert len(bench.say(2.0, "up")) == WINDOW_BATCHES - 5
    assert bench.say(2.0, "up") == []


def test_what_is_not_acknowledged_is_asked_for_by_the_timer_and_sent_again() -> None:
    bench = Bench()
    bench.greet(1.0)
    assert len(bench.say(2.0, "up")) == 1
    assert bench.say(6.9, "hello") == []
    (hello,) = bench.say(9.0, "hello")
    bench.answer(hello, 9.1)
    bench.take(bench.say(9.2, "up"))
    assert bench.height == bench.site.last


def test_an_ack_of_another_hub_raises_a_doubt_and_moves_nothing() -> None:
    bench = Bench()
    bench.greet(1.0)
    bench.take(bench.say(2.0, "up"))
    bench.acknowledge(2.1, OTHER_HUB)
    assert bench.site.position == 0
    assert len(bench.say(2.2, "hello")) == 1


def test_a_hub_that_went_back_is_believed() -> None:
    bench = Bench()
    bench.greet(1.0)
    bench.take(bench.say(2.0, "up"))
    bench.acknowledge(2.1)
    bench.height = 2
    bench.site.lost(3.0)
    bench.greet(4.0)
    assert bench.site.position == 2
    bench.take(bench.say(5.0, "up"))
    assert bench.height == bench.site.last


def test_a_new_hub_is_greeted_after_a_random_wait() -> None:
    due = set()
    for seed in range(20):
        site = FleetSite("murat", desks=1, rooms=0, random=Random(seed), tally=Tally(), spread_s=30.0)
        site.start(at(0.0))
        site.connected(0.0)
        list(site.say(at(0.0), ROOM))
        site.hub_seen(OTHER_HUB, 1.0)
        due.add(round(site.due_s()))
    assert len(due) > 3


def test_absence_and_catching_up_are_measured_from_the_loss() -> None:
    bench = Bench()
    bench.tally.began("murat", 0.0)
    bench.greet(1.0)
    bench.take(bench.say(2.0, "up"))
    bench.acknowledge(2.5)
    bench.site.lost(10.0)
    bench.observe(3, 11.0)
    bench.greet(14.0)
    bench.take(bench.say(14.5, "up"))
    bench.acknowledge(16.0)
    told = {name: getattr(bench.tally, name).told()["max_s"] for name in ("first", "away", "caught_up")}
    assert told == {"first": 1.0, "away": 4.0, "caught_up": 6.0}
    assert bench.tally.waits.told()["max_s"] == 5.0
    assert bench.tally.longest_absence_s(20.0) == 4.0


def test_a_site_that_is_still_away_counts() -> None:
    tally = Tally()
    tally.began("murat", 0.0)
    tally.answered("murat", 1.0, held_up_to=1)
    tally.left("murat", 5.0)
    tally.left("murat", 7.0)
    assert tally.longest_absence_s(65.0) == 60.0


def test_a_spread_says_within_what_most_durations_kept() -> None:
    spread = Spread()
    for n in range(1, 101):
        spread.add(n / 10)
    assert spread.told() == {"n": 100, "p50_s": 5.0, "p90_s": 9.0, "p99_s": 9.9, "max_s": 10.0}


def test_the_hub_imports_the_network_of_the_fleet(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(network_toml(synthetic_network(4_072, 1)), encoding="utf-8")
    network = read_network(file)
    assert len({site.code_insee for site in network.site}) == len(network.site) == 4_072
    assert 19_000 <= sum(site.desks for site in network.site) <= 21_000


def test_a_larger_fleet_begins_with_the_smaller_one() -> None:
    assert synthetic_network(30, 5).sites[:10] == synthetic_network(10, 5).sites
    assert synthetic_network(10, 6).sites != synthetic_network(10, 5).sites


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--broker", "example.org:1883"], "is not an address: write 127.0.0.1:1883"),
        (["--broker", "192.0.2.1:1883"], "only to a broker of this machine"),
        (["--broker", "127.0.0.1:0"], "only to a broker of this machine"),
        (["--broker", "127.0.0.1"], "is not an address"),
        (["--network", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    said = CliRunner().invoke(command, ["fleet", "--sites", "1", "--for", "1", *arguments])
    assert said.exit_code == 1
    assert sentence in said.output
    assert said.output.count("\n") == 1


def test_a_network_is_never_written_over_another_file(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    first = CliRunner().invoke(command, ["fleet", "--sites", "3", "--write-network", str(file)])
    assert (first.exit_code, len(tomllib.loads(file.read_text(encoding="utf-8"))["site"])) == (0, 3)
    again = CliRunner().invoke(command, ["fleet", "--sites", "3", "--write-network", str(file)])
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_loopback_has_several_names() -> None:
    assert broker_address("localhost:1883") == ("127.0.0.1", 1883)
    assert broker_address("[::1]:1884") == ("::1", 1884)


def test_too_few_open_files_are_said_with_the_remedy() -> None:
    shell = 'ulimit -n 200; exec "$0" fleet --sites 4072 --for 1'
    said = subprocess.run(["sh", "-c", shell, program("telecentre-sim")], capture_output=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "this system allows 200: raise the hard limit" in said.stderr.decode()
    assert "at most 136 sites" in said.stderr.decode()


def test_without_a_broker_it_ends_and_says_that_the_hub_has_nothing() -> None:
    sites = synthetic_network(3, 1).sites
    options = Options(sites, ("127.0.0.1", free_port()), rate=50.0, for_s=0.5, seed=1, spread_s=0.1, drain_s=0.5)
    told = Fleet(options, lambda: False).run()
    assert (told["sites"], told["committed"], told["equal"], told["connections"]) == (3, 0, False, 0)
    assert told["different"] == [site.id for site in sites]
