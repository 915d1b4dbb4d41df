"""When a fleet ends its wait for a hub, and what it then says of it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.limits import MAX_BATCH_EVENTS
from contract.messages import Ack, Hello, StreamAck, decode_batch
from hub import receiver
from hub.network import Network, NetworkTable, SiteTable
from hub.store import Store
from simulators.fleet import Fleet
from simulators.fleet_days import Furniture
from simulators.fleet_network import synthetic_network
from simulators.fleet_options import Options
from simulators.fleet_patience import MOST_S, STILL_S, STOPPED_MOST_S, STOPPED_STILL_S, Patience, patience
from simulators.fleet_place import Moment, Place
from simulators.fleet_site import KEPT_ACKNOWLEDGED, TIMER_MAX_S, FleetSite
from simulators.fleet_tally import Tally
from simulators.fleet_verdict import MAX_TOLD, judged
from tests.support.brokers import RunningBroker, mosquitto_path
from tests.support.small_hub import SmallHub

BEGIN_MS = 1_795_258_800_000
RECEIVED_MS = BEGIN_MS + 60 * 86_400_000
HUB = "1" * 32
PARIS = ZoneInfo("Europe/Paris")


def a_site(name: str = "murat", tally: Tally | None = None, events: int = 0) -> FleetSite:
    """Return a site that is connected, with one stream and at least so many events."""
    seed = 7
    while True:
        place = Place(name, Furniture(desks=3, rooms=1), PARIS, seed)
        site = FleetSite(name, place, random=Random(seed), tally=tally or Tally(), spread_s=30.0)
        site.start(BEGIN_MS, 0.0)
        while site.observed < events and len(site.streams) == 1:
            site.observe(0.0)
        if len(site.streams) == 1:
            site.connected(0.0)
            return site
        seed += 1


def hello(site: FleetSite, s: float) -> Hello | None:
    """Return the question that it asks now."""
    for say in site.say(Moment(s, BEGIN_MS), 100):
        if say.channel == "hello":
            return Hello.model_validate_json(say.payload)
    return None


def answer(site: FleetSite, s: float, position: int) -> None:
    """Let it ask, and answer as a hub does that has its newest stream up to a position."""
    asked = hello(site, s)
    assert asked is not None
    acks = [StreamAck(stream=asked.streams[-1].stream, seq=receiver.answer(asked.streams[-1], position).position)]
    site.heard(Ack(site=site.name, hub=HUB, acks=acks, hello_id=asked.hello_id), s)


class Hub:
    """A hub of one site, with a store of its own."""

    def __init__(self, store: Store) -> None:
        self.batches: list[receiver.Batch] = []
        self._store = store
        self._writer = store.writer()

    def receive(self, batch: receiver.Batch) -> StreamAck:
        """Store a batch; return what is acknowledged."""
        with self._writer.transaction():
            position, _ = self._writer.receive(batch, RECEIVED_MS)
        self.batches.append(batch)
        return StreamAck(stream=batch.header.stream, seq=position)

    def play(self, site: FleetSite, s: float) -> None:
        """Hear what a site says, and answer it, until it has no more to say."""
        for second in range(10):
            for say in site.say(Moment(s + second, BEGIN_MS), 100):
                if say.channel == "hello":
                    asked = Hello.model_validate_json(say.payload)
                    with self._writer.transaction():
                        acks = self._writer.greet(asked, RECEIVED_MS)
                    site.heard(Ack(site=site.name, hub=HUB, acks=acks, hello_id=asked.hello_id), s + second)
                elif say.channel == "up":
                    ack = self.receive(receiver.Batch(*decode_batch(say.content_type, say.payload)))
                    site.heard(Ack(site=site.name, hub=HUB, acks=[ack]), s + second)

    def events(self) -> int:
        """Return how many events are stored."""
        return sum(total.events for total in self._store.totals().streams)

    def close(self) -> None:
        """Close the store."""
        self._writer.close()
        self._store.close()


@contextmanager
def hubs(*files: Path) -> Iterator[list[Hub]]:
    """Run hubs that know `murat` and nothing else."""
    table = NetworkTable(id="fleet", name="Fleet", time_zone="Europe/Paris", opening_hours="24/7")
    network = Network(network=table, site=[SiteTable(id="murat", name="Murat", desks=3, visio_rooms=1)])
    with ExitStack() as stack:
        running = []
        for file in files:
            store = Store(file, now_ms=lambda: RECEIVED_MS)
            store.import_network(network)
            running.append(Hub(store))
            stack.callback(running[-1].close)
        yield running


def test_a_hub_that_comes_on_is_waited_for_and_one_that_stands_still_is_not() -> None:
    waits = Patience(0.0, still_s=10.0, until_s=1_000.0)
    for second in range(0, 90, 9):
        waits.saw(float(second), committed=second, answered=3)
        assert not waits.is_over(second + 9.9)
    waits.saw(90.0, committed=81, answered=3)
    assert waits.is_over(91.0)


def test_a_hub_that_answers_for_ever_and_commits_nothing_is_not_waited_for() -> None:
    waits = Patience(0.0, still_s=10.0, until_s=1_000.0)
    for second in range(12):
        waits.saw(float(second), committed=5, answered=second % 3)
    assert waits.is_over(12.0)


def test_a_hub_that_comes_on_for_ever_is_not_waited_for_longer_than_was_said() -> None:
    waits = Patience(0.0, still_s=10.0, until_s=30.0)
    for second in range(31):
        assert not waits.is_over(float(second)) or second == 30
        waits.saw(float(second), committed=second, answered=0)
    assert waits.is_over(30.0)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 50), st.integers(0, 9)), max_size=30),
    st.floats(0.1, 20),
    st.floats(0.1, 200),
)
def test_the_wait_ends_at_the_last_new_height_and_a_while_or_at_its_bound(
    looks: list[tuple[float, int, int]], still_s: float, until_s: float
) -> None:
    waits = Patience(0.0, still_s, until_s)
    now_s, seen = 0.0, [(0.0, -1, -1)]
    for after_s, committed, answered in looks:
        now_s += after_s
        waits.saw(now_s, committed, answered)
        seen.append((now_s, committed, answered))
    steps = [
        at_s
        for number, (at_s, committed, answered) in enumerate(seen)
        if number == 0
        or committed > max(c for _, c, _ in seen[:number])
        or answered > max(a for *_, a in seen[:number])
    ]
    ends_s = min(steps[-1] + still_s, until_s)
    assert waits.is_over(ends_s)
    assert not waits.is_over(ends_s - 0.01)


@pytest.mark.parametrize(
    ("most_s", "stopped", "still_s", "until_s"),
    [
        (None, False, STILL_S, 100.0 + MOST_S),
        (None, True, STOPPED_STILL_S, 130.0 + STOPPED_MOST_S),
        (700.0, False, STILL_S, 800.0),
        (700.0, True, STILL_S, 800.0),
    ],
)
def test_who_stops_a_fleet_waits_less_unless_the_wait_was_said(
    most_s: float | None, stopped: bool, still_s: float, until_s: float
) -> None:
    waits = patience(130.0, 100.0, STILL_S, most_s, stopped=stopped)
    assert (waits.stepped_s, waits.still_s, waits.until_s) == (130.0, still_s, until_s)


def test_each_event_committed_and_every_site_answered_is_equal() -> None:
    site = a_site()
    answer(site, 1.0, site.observed)
    told = judged([site], 3.0)
    assert (told["verdict"], told["equal"], told["different"]) == ("equal", True, [])
    assert told["said"] == "the hub has each event that it must have"


def test_what_is_not_committed_yet_is_behind_and_not_different() -> None:
    sites = [a_site(f"commune-{number:04d}") for number in range(12)]
    for site in sites:
        answer(site, 1.0, site.observed - 2)
    told = judged(sites, 213.4)
    assert (told["verdict"], told["equal"], told["different"]) == ("behind", False, [])
    first = [site.name for site in sites][:MAX_TOLD]
    assert told["behind"] == {"events": 24, "sites": 12, "silent": 0, "first": first}
    assert told["said"] == (
        "the hub had not caught up after 213 s: 24 events of 12 sites behind,"
        " 0 of which got no answer to their last question"
    )


def test_a_site_whose_last_question_has_no_answer_is_behind_although_all_of_it_is_committed() -> None:
    site = a_site()
    answer(site, 1.0, site.observed)
    site.ask(2.0)
    told = judged([site, a_site("vic", events=3)], 60.0)
    assert (told["verdict"], told["different"]) == ("behind", [])
    assert told["behind"] == {"events": 6, "sites": 2, "silent": 2, "first": ["murat", "vic"]}


def test_a_hub_that_has_more_than_was_made_is_different_and_named() -> None:
    site = a_site()
    answer(site, 1.0, site.observed + 9)
    told = judged([site, a_site("vic")], 3.0)
    stream = site.streams[0].name
    assert (told["verdict"], told["equal"]) == ("different", False)
    assert told["different"] == [{"site": "murat", "stream": stream, "expected": 6, "found": 15}]
    assert told["said"] == f"the hub has something else: murat, stream {stream}: 15 events instead of 6"


@pytest.mark.parametrize("batches", range(4))
def test_a_hub_that_is_restored_has_lost_what_no_site_holds_and_only_that(tmp_path: Path, batches: int) -> None:
    tally = Tally()
    site = a_site(tally=tally, events=3 * MAX_BATCH_EVENTS + 90)
    with hubs(tmp_path / "hub.db", tmp_path / "older.db") as (hub, older):
        hub.play(site, 0.0)
        site.ask(20.0)
        hub.play(site, 20.0)
        assert (judged([site], 1.0)["verdict"], hub.events()) == ("equal", site.observed)
        for batch in hub.batches[:batches]:
            older.receive(batch)
        site.ask(40.0)
        older.play(site, 40.0)
        site.ask(60.0)
        older.play(site, 60.0)
        stored = older.events()
    told, stream = judged([site], 1.0), site.streams[0]
    gone = max(0, stream.first - 1 - batches * MAX_BATCH_EVENTS)
    assert (site.committed, stored, tally.taken_back > 0) == (site.observed, site.observed - gone, True)
    assert told["verdict"] == ("different" if gone else "equal")
    if gone:
        found = site.observed - 1
        named = {"site": "murat", "stream": stream.name, "expected": site.observed, "found": found}
        assert told["different"] == [named]
        assert str(told["said"]).endswith(f"stream {stream.name}: at most {found} events instead of {site.observed}")


def test_a_hub_that_lost_a_stream_which_its_site_holds_from_the_first_event_gets_it_again(tmp_path: Path) -> None:
    site = a_site(events=KEPT_ACKNOWLEDGED - 100)
    with hubs(tmp_path / "hub.db", tmp_path / "empty.db") as (hub, empty):
        hub.play(site, 0.0)
        site.ask(20.0)
        empty.play(site, 20.0)
        assert (judged([site], 1.0)["verdict"], empty.events()) == ("equal", site.observed)


def test_what_a_hub_takes_back_is_counted_and_different_where_nobody_holds_it_any_more() -> None:
    tally = Tally()
    site = a_site(tally=tally, events=KEPT_ACKNOWLEDGED + 50)
    all_of_it = site.observed
    answer(site, 1.0, all_of_it)
    site.ask(2.0)
    answer(site, 2.0, all_of_it - 20)
    assert (tally.taken_back, judged([site], 3.0)["verdict"]) == (20, "behind")
    site.ask(4.0)
    answer(site, 4.0, all_of_it)
    assert judged([site], 5.0)["verdict"] == "equal", "it was sent again"
    site.ask(6.0)
    answer(site, 6.0, site.streams[0].first)
    site.ask(7.0)
    answer(site, 7.0, all_of_it)
    assert judged([site], 8.0)["verdict"] == "equal", "all that it went back is held"
    site.ask(9.0)
    answer(site, 9.0, 3)
    site.ask(10.0)
    answer(site, 10.0, all_of_it)
    expected = {"site": "murat", "stream": site.streams[0].name, "expected": all_of_it, "found": all_of_it - 1}
    told = judged([site], 11.0)
    assert (told["verdict"], told["different"]) == ("different", [expected])


def test_a_hub_that_refuses_to_note_a_loss_is_different_by_all_of_it() -> None:
    site = a_site(events=KEPT_ACKNOWLEDGED + 50)
    answer(site, 1.0, site.observed)
    site.ask(2.0)
    asked = hello(site, 2.0)
    assert asked is not None
    acks = [StreamAck(stream=site.streams[0].name, seq=0)]
    site.heard(Ack(site=site.name, hub=HUB, acks=acks, hello_id=asked.hello_id), 2.0)
    stream = site.streams[0]
    found = site.observed - (stream.first - 1)
    named = {"site": "murat", "stream": stream.name, "expected": site.observed, "found": found}
    assert judged([site], 3.0)["different"] == [named]


def test_a_fleet_that_is_stopped_during_its_last_question_waits_for_the_answer(tmp_path: Path) -> None:
    mosquitto_path()
    network = synthetic_network(1, 1)
    broker = RunningBroker("mosquitto", tmp_path)
    with ExitStack() as stack:
        broker.start()
        stack.callback(broker.kill)
        hub = SmallHub(broker.port, site=network.sites[0].id)
        stack.callback(hub.stop)
        began_s = time.monotonic()

        def stopped() -> bool:
            """Let the hub fall silent before the last question, and speak again when the fleet is stopped."""
            elapsed_s = time.monotonic() - began_s
            hub.mute = 1.0 < elapsed_s < 3.0 and bool(hub.headers)
            return elapsed_s > 3.0

        options = Options(network, ("127.0.0.1", broker.port), rate=0.0, for_s=1.5, seed=1, spread_s=0.1, calm=True)
        told = Fleet(options, stopped).run()
    assert (told["verdict"], told["behind"]["silent"]) == ("equal", 0)  # type: ignore[index]  # plain values


def test_the_last_question_is_repeated_soon_however_long_the_waits_before_it_were() -> None:
    site = a_site()
    asked_s = [second for second in range(400) if hello(site, second) is not None]
    assert asked_s[-1] - asked_s[-2] >= TIMER_MAX_S, "a site that gets no answer asks once a minute"
    site.ask(400.0)
    assert len([second for second in range(400, 460) if hello(site, second) is not None]) >= 3
    answer(site, 600.0, site.observed)
    site.ask(1_000.0)
    assert len([second for second in range(1_000, 1_060) if hello(site, second) is not None]) >= 3
