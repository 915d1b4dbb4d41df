"""The fleet's own half of TC1, held against the hub's own receiver, and what its command says of bad input."""

import socket
import subprocess
import tomllib
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from contract.events import BookingJudged, RoomStateChanged
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import Ack, Hello, Now, Status, StreamAck, decode_batch
from hub.network import read_network
from hub.receiver import Batch, receive
from simulators.__main__ import command
from simulators.fleet import Fleet
from simulators.fleet_command import broker_address
from simulators.fleet_days import Furniture, happenings, midnight_ms
from simulators.fleet_expected import Hours, Memory
from simulators.fleet_network import network_toml, synthetic_network
from simulators.fleet_options import FleetError, Options
from simulators.fleet_place import Moment, Place
from simulators.fleet_play import MAX_DAYS, Play, begin_of_play, plan_outages
from simulators.fleet_site import WINDOW_BATCHES, FleetSite, Say
from simulators.fleet_tally import Spread, Tally
from tests.support.demo import program
from tests.support.ports import free_port

HUB, OTHER_HUB = "1" * 32, "2" * 32
ROOM = 128


PARIS = ZoneInfo("Europe/Paris")
BEGIN_MS = 1_795_258_800_000
DAY_MS = 86_400_000


def at(s: float) -> Moment:
    return Moment(s, BEGIN_MS + round(1000 * s))


def a_site(seed: int, *, name: str = "murat", tally: Tally | None = None) -> FleetSite:
    place = Place(name, Furniture(desks=3, rooms=1), PARIS, seed)
    site = FleetSite(name, place, random=Random(seed), tally=tally or Tally(), spread_s=30.0)
    site.start(BEGIN_MS, 0.0)
    return site


class Bench:
    """A site, and a hub that keeps only how far it has come."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.site = a_site(7, tally=self.tally)
        self.heights: dict[str, int] = {}

    def observe(self, count: int, s: float) -> None:
        made = 0
        while made < count:
            made += self.site.observe(s)

    def say(self, s: float, channel: str, room: int = ROOM) -> list[Say]:
        return [say for say in self.site.say(at(s), room) if say.channel == channel]

    def take(self, batches: list[Say]) -> None:
        for say in batches:
            header, lines = decode_batch(say.content_type, say.payload)
            committed = self.heights.get(header.stream, 0)
            receipt = receive(Batch(header, lines), committed, BEGIN_MS + 60 * DAY_MS, None)
            assert receipt.bad == (), "the hub reads every line"
            self.heights[header.stream] = receipt.position

    def height(self) -> int:
        return sum(self.heights.values())

    def answer(self, hello: Say, s: float, hub: str = HUB) -> None:
        asked = Hello.model_validate_json(hello.payload)
        acks = [StreamAck(stream=held.stream, seq=self.heights.get(held.stream, 0)) for held in asked.streams]
        self.site.heard(Ack(site="murat", hub=hub, acks=acks, hello_id=asked.hello_id), s)

    def acknowledge(self, s: float, hub: str = HUB) -> None:
        acks = [StreamAck(stream=stream, seq=seq) for stream, seq in self.heights.items()]
        self.site.heard(Ack(site="murat", hub=hub, acks=acks), s)

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
    assert bench.height() == bench.site.observed == bench.site.committed >= 6 + 58 * 37


def test_at_most_32_batches_are_under_way_and_no_more_than_the_broker_takes() -> None:
    bench = Bench()
    seeds = iter(range(100))
    while len(bench.site.streams) != 1 or bench.site.observed < (WINDOW_BATCHES + 1) * MAX_BATCH_EVENTS:
        bench.site = a_site(next(seeds), tally=bench.tally)
        while len(bench.site.streams) == 1 and bench.site.observed < (WINDOW_BATCHES + 1) * MAX_BATCH_EVENTS:
            bench.observe(1, 0.5)
    bench.greet(1.0)
    assert len(bench.say(2.0, "up", room=5)) == 5
    assert len(bench.say(2.0, "up")) == WINDOW_BATCHES - 5
    assert bench.say(2.0, "up") == []


def test_each_start_of_an_agent_is_a_stream_and_the_next_waits_for_the_older() -> None:
    bench = Bench()
    while len(bench.site.streams) < 3:
        bench.observe(1, 0.5)
    bench.greet(1.0)
    for stream in bench.site.streams:
        while stream.position < stream.last:
            batches = bench.say(2.0, "up")
            assert {decode_batch(say.content_type, say.payload)[0].stream for say in batches} == {stream.name}
            bench.take(batches)
            bench.acknowledge(2.1)
    assert bench.height() == bench.site.observed


def test_what_is_not_acknowledged_is_asked_for_by_the_timer_and_sent_again() -> None:
    bench = Bench()
    bench.greet(1.0)
    assert len(bench.say(2.0, "up")) == 1
    assert bench.say(6.9, "hello") == []
    (hello,) = bench.say(9.0, "hello")
    bench.answer(hello, 9.1)
    bench.take(bench.say(9.2, "up"))
    assert bench.height() == bench.site.observed


def test_an_ack_of_another_hub_raises_a_doubt_and_moves_nothing() -> None:
    bench = Bench()
    bench.greet(1.0)
    bench.take(bench.say(2.0, "up"))
    bench.acknowledge(2.1, OTHER_HUB)
    assert bench.site.committed == 0
    assert len(bench.say(2.2, "hello")) == 1


def test_a_hub_that_went_back_is_believed() -> None:
    bench = Bench()
    bench.greet(1.0)
    bench.take(bench.say(2.0, "up"))
    bench.acknowledge(2.1)
    bench.heights[bench.site.streams[0].name] = 2
    bench.site.lost(3.0)
    bench.greet(4.0)
    assert bench.site.committed == 2
    bench.take(bench.say(5.0, "up"))
    assert bench.height() == bench.site.observed


def test_a_new_hub_is_greeted_after_a_random_wait() -> None:
    due = set()
    for seed in range(20):
        site = a_site(seed)
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
    assert bench.tally.waits.told()["n"] == 0, "whoever is away waits for its own line"
    bench.observe(1, 20.0)
    bench.take(bench.say(20.1, "up"))
    bench.acknowledge(22.0)
    assert bench.tally.waits.told()["max_s"] == 2.0
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


def test_a_working_day_fills_around_nine_and_empties_in_the_evening() -> None:
    monday = date(2026, 11, 23)
    seen = [
        happening
        for seed in range(40)
        for happening in happenings(monday, PARIS, Furniture(desks=5, rooms=1), Random(seed))
        if happening.subject.startswith("desk-")
    ]

    def occupied_at(hour: float) -> int:
        at_ms = midnight_ms(monday, PARIS) + round(hour * 3_600_000)
        states = [each.state for each in seen if each.since_ms <= at_ms]
        return states.count("occupied") - states.count("vacant")

    assert occupied_at(6.0) < 5
    assert occupied_at(7.5) < 20
    assert occupied_at(10.5) > 70
    assert occupied_at(12.8) < occupied_at(10.5)
    assert occupied_at(21.0) < 5


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 23)])
def test_a_day_says_nothing_before_its_midnight_or_after_the_next(day: date) -> None:
    begin, end = midnight_ms(day, PARIS), midnight_ms(day + timedelta(days=1), PARIS)
    seen = happenings(day, PARIS, Furniture(desks=5, rooms=2, confidential=1), Random(1))
    assert seen == sorted(seen)
    assert all(begin <= each.since_ms <= each.seen_ms < end for each in seen)
    assert {each.state for each in seen if each.subject == "room-01"} <= {"free", "occupied"}


def test_a_room_that_is_a_ghost_is_one_to_whose_booking_nobody_came_and_a_blind_agent_does_not_know() -> None:
    begin = midnight_ms(date(2026, 11, 23), PARIS)
    told: set[tuple[bool, str]] = set()
    for seed in range(40):
        place = Place(f"site-{seed}", Furniture(desks=0, rooms=2, confidential=1), PARIS, seed)
        events = [event for event, _ in place.start(begin + 10 * 3_600_000).events]
        while place.next_ms < begin + 86_400_000:
            events += [event for event, _ in place.observe().events]
        states = [event for event in events if isinstance(event, RoomStateChanged)]
        ghosts = {(event.subject, event.t) for event in states if event.value.state == "ghost"}
        judged = [event for event in events if isinstance(event, BookingJudged)]
        told |= {((event.subject, event.t) in ghosts, event.value.outcome) for event in judged}
        assert {event.subject for event in judged} <= {"room-02"}
    assert {(True, "no_show"), (False, "came"), (False, "unknown")} <= told
    assert not told & {(True, "came"), (False, "no_show")}


def test_a_memory_knows_the_time_of_the_worked_examples() -> None:
    begin = midnight_ms(date(2026, 11, 23), PARIS)
    minutes = {"08:00": 480, "08:30": 510, "09:00": 540, "09:30": 570, "10:00": 600}
    at_ms = {text: begin + 60_000 * n for text, n in minutes.items()}
    memory = Memory()
    for text, state in (("08:00", "vacant"), ("08:30", "occupied"), ("09:30", "vacant")):
        memory.hear(at_ms[text], "desk-01", state)
    memory.hear(at_ms["10:00"], "agent", None)
    assert memory.days(Hours("Mo-Fr 08:00-10:00", PARIS)) == {("2026-11-23", "desk"): (120 * 60_000, 60 * 60_000)}
    assert memory.days(Hours("Sa 08:00-10:00", PARIS)) == {}


def test_a_memory_forgets_at_a_restart_what_nobody_saw() -> None:
    begin = midnight_ms(date(2026, 11, 23), PARIS)
    memory = Memory()
    memory.hear(begin, "desk-01", "occupied")
    memory.hear(begin + 1_000, "agent", None)
    memory.hear(begin + 9_000, "agent", None, restarted=True)
    memory.hear(begin + 9_500, "desk-01", "vacant")
    memory.hear(begin + 10_000, "agent", None)
    assert memory.days(Hours("24/7", PARIS)) == {("2026-11-23", "desk"): (1_500, 1_000)}


def test_opening_hours_that_a_fleet_does_not_understand_are_refused() -> None:
    for text in ("Mo-Fr 08:00-19:00; PH off", "Xx 08:00-09:00", ""):
        with pytest.raises(ValueError, match="does not understand"):
            Hours(text, PARIS)


def test_time_passes_as_events_do_and_never_into_the_future() -> None:
    coming = {0: [20, 30], 1: [25, 99]}
    play = Play(10, lambda number: coming[number][0])
    for number, outages in ((0, [(5, 22)]), (1, [])):
        play.add(number, outages)
    taken = []
    while (turn := play.take(50)) is not None:
        taken.append((turn.at_ms, turn.number, turn.what))
        if turn.what == "observe":
            coming[turn.number].pop(0)
            coming[turn.number].append(200)
            play.observe_on(turn.number)
    expected = [(10, 0, "leave"), (20, 0, "observe"), (22, 0, "return"), (25, 1, "observe"), (30, 0, "observe")]
    assert (taken, play.at_ms) == (expected, 30)


@pytest.mark.parametrize("events", [None, 1.0, 180_000.0, 1e9])
def test_a_fleet_begins_on_a_working_day_some_days_ago(events: float | None) -> None:
    today = date(2026, 11, 22)
    begun = datetime.fromtimestamp(begin_of_play(today, PARIS, events, 4_072) / 1000, PARIS)
    assert (begun.hour, begun.minute) == (8, 30)
    assert begun.weekday() < 4
    assert 1 <= (today - begun.date()).days <= MAX_DAYS + 3


def test_outages_last_minutes_to_weeks_and_never_overlap() -> None:
    planned = [plan_outages(BEGIN_MS, Random(seed)) for seed in range(500)]
    lengths = sorted(end - start for outages in planned for start, end in outages)
    assert lengths[0] < 10 * 60_000
    assert lengths[-1] > 7 * DAY_MS
    assert any(outages[0][0] < BEGIN_MS for outages in planned)
    assert all(a[1] <= b[0] for outages in planned for a, b in pairwise(outages))


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


def test_a_wait_that_no_answer_can_end_is_refused() -> None:
    said = CliRunner().invoke(command, ["fleet", "--sites", "1", "--for", "1", "--wait", "0"])
    assert said.exit_code == 2
    assert "'--wait': 0.0 is not in the range 1<=x<=31622400" in " ".join(said.output.split())


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


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "x"])
@pytest.mark.parametrize("option", ["--rate", "--for", "--spread", "--wait"])
def test_what_is_no_number_is_refused(option: str, number: str) -> None:
    said = CliRunner().invoke(command, ["fleet", "--sites", "1", "--for", "1", option, number])
    assert said.exit_code == 2
    assert f"Invalid value for '{option}': " in said.output
    assert said.output.splitlines()[-1].startswith("Error: "), "one sentence, after how it is used"


def test_without_a_broker_it_ends_and_says_what_to_do() -> None:
    port = free_port()
    options = Options(synthetic_network(3, 1), ("127.0.0.1", port), rate=50.0, for_s=None, seed=1, still_s=0.5)
    with pytest.raises(FleetError, match=rf"no broker takes the fleet at 127\.0\.0\.1:{port} \(Connection refused\): "):
        Fleet(replace(options, spread_s=0.1), lambda: False).run()


def test_a_fleet_that_is_stopped_before_it_reached_a_broker_says_so() -> None:
    options = Options(synthetic_network(3, 1), ("::1", 9), rate=50.0, for_s=None, seed=1)
    with pytest.raises(FleetError, match=r"at \[::1\]:9 \("):
        Fleet(options, lambda: True).run()


def test_something_that_listens_and_is_no_broker_is_told_from_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        options = Options(synthetic_network(2, 1), mute.getsockname(), rate=0.0, for_s=None, seed=1, spread_s=0.1)
        with pytest.raises(FleetError, match=r"\(no answer\)"):
            Fleet(replace(options, still_s=1.0), lambda: False).run()
