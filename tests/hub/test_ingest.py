"""The ingest against a real broker and a real database: a promise only after the commit, and nothing that stops it."""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.identity import BUCKET_COUNT
from contract.messages import PLAIN, Ack, Held, Hello, HubState, Now, Status, encode_batch
from contract.topics import topic_for
from hub.config import BrokerSettings
from hub.ingest import Ingest
from hub.receiver import Batch
from hub.store import Store, StoreDownError, Writer
from tests.hub.test_receiver import NOW, STREAM, batch, desk
from tests.support.brokers import RunningBroker, broker
from tests.support.leaving import leave
from tests.support.telecentres import cantal, now_of
from tests.support.waiting import PATIENCE_S, eventually

__all__ = ["broker"]


class Shown:
    """A board that remembers what it was given."""

    def __init__(self) -> None:
        self.nows: list[Now] = []
        self.statuses: list[Status] = []

    def take_now(self, message: Now, received_at_ms: int, *, retained: bool = False) -> None:
        assert received_at_ms == NOW
        assert retained in (True, False)
        self.nows.append(message)

    def take_status(self, message: Status, received_at_ms: int, *, retained: bool = False) -> None:
        assert received_at_ms == NOW
        assert retained in (True, False)
        self.statuses.append(message)


class Edge:
    """A site's end of the wire."""

    def __init__(self, port: int) -> None:
        self.acks: list[Ack] = []
        self.hubs: dict[str, str] = {}
        self.published: set[int] = set()
        self.hearing = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge", protocol=mqtt.MQTTv5)
        self._client.on_message = self._heard
        self._client.on_publish = lambda _, __, mid, ___, ____: self.published.add(mid)
        self._client.on_connect = lambda client, *_: client.subscribe([("tc/v1/+/+/ack", 1), ("tc/v1/+/hub", 1)])
        self._client.on_subscribe = lambda *_: self.hearing.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/hub"):
            self.hubs[message.topic] = HubState.model_validate_json(bytes(message.payload)).hub
        else:
            self.acks.append(Ack.model_validate_json(bytes(message.payload)))

    def publish(self, topic: str, payload: bytes, content_type: str | None = None, *, retain: bool = False) -> int:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves this one untyped
        if content_type is not None:
            properties.ContentType = content_type
        return self._client.publish(topic, payload, qos=1, properties=properties, retain=retain).mid

    def send(self, sent: Batch) -> None:
        content_type, payload = encode_batch(sent.header, sent.lines)
        self.publish(topic_for(sent.header.site, "up"), payload, content_type)

    def greet(self, hello_id: str, *held: Held) -> None:
        hello = Hello(site="murat", hello_id=hello_id, streams=list(held))
        self.publish(topic_for("murat", "hello"), hello.model_dump_json().encode())

    def position(self) -> int:
        return max((ack.seq for message in self.acks for ack in message.acks if ack.stream == STREAM), default=0)

    def stop(self) -> None:
        leave(self._client)


class Fickle(Store):
    """A real store whose database can be away."""

    away = False

    def writer(self) -> Writer:
        if self.away:
            raise StoreDownError("the disk is not there")
        return super().writer()


class Bench:
    def __init__(self, running: RunningBroker, folder: Path) -> None:
        cantal(folder).close()
        self.broker = running
        self.store = Fickle(folder / "hub.db", now_ms=lambda: NOW)
        self.board = Shown()
        self.crashes: list[BaseException] = []
        ids = itertools.count(1)
        self.ingest = Ingest(
            BrokerSettings(port=running.port),
            self.store,
            self.board,
            now_ms=lambda: NOW,
            new_id=lambda: f"{next(ids):032x}",
            on_crash=self.crashes.append,
        )
        self.edge = Edge(running.port)

    def start(self) -> None:
        assert self.edge.hearing.wait(PATIENCE_S)
        self.ingest.start()
        eventually(lambda: self.ingest.health().ready, what="the ingest is ready")

    def alarms(self) -> dict[tuple[str, str], int]:
        return {(alarm.site, alarm.reason): alarm.times for alarm in self.store.totals().alarms}


@pytest.fixture
def bench(broker: RunningBroker, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(broker, tmp_path)
    yield made
    made.edge.stop()
    made.ingest.stop(20)
    made.store.close()
    assert made.crashes == []


def test_events_are_acknowledged_after_they_are_stored(bench: Bench) -> None:
    bench.start()
    bench.edge.send(batch(desk(), desk("vacant")))
    eventually(lambda: bench.edge.position() == 2, what="the acknowledgement")
    assert bench.store.totals().events == 2
    assert bench.edge.acks[-1].hub == bench.ingest.health().incarnation


def test_a_hello_is_answered_with_the_truth(bench: Bench) -> None:
    bench.start()
    bench.edge.send(batch(desk(), desk()))
    eventually(lambda: bench.edge.position() == 2, what="the acknowledgement")
    bench.edge.greet("0123456789abcdef", Held(stream=STREAM, first=1, last=5), Held(stream="e" * 32, first=4, last=5))
    eventually(lambda: bench.edge.acks[-1].hello_id == "0123456789abcdef", what="the answer")
    assert [(ack.stream, ack.seq) for ack in bench.edge.acks[-1].acks] == [(STREAM, 2), ("e" * 32, 3)]


def test_every_bucket_is_told_which_hub_serves_it(bench: Bench) -> None:
    bench.start()
    eventually(lambda: len(bench.edge.hubs) == BUCKET_COUNT, what="an incarnation in each bucket")
    assert set(bench.edge.hubs.values()) == {bench.ingest.health().incarnation}


def test_a_new_connection_to_the_database_is_a_new_incarnation(bench: Bench) -> None:
    bench.start()
    before = bench.ingest.health().incarnation
    blocker = sqlite3.connect(bench.store.file)
    blocker.execute("alter table event rename to mislaid")
    bench.edge.send(batch(desk()))
    eventually(lambda: bench.ingest.health().database_failures > 0, what="the failure")
    assert bench.edge.position() == 0
    blocker.execute("alter table mislaid rename to event")
    blocker.close()
    eventually(lambda: bench.edge.position() == 1, what="the acknowledgement, without another send")
    assert bench.ingest.health().incarnation != before
    eventually(lambda: set(bench.edge.hubs.values()) == {bench.ingest.health().incarnation}, what="the announcement")


def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_is_lost(bench: Bench) -> None:
    bench.store.away = True
    bench.ingest.start()
    eventually(lambda: bench.ingest.health().broker_connected, what="the broker")
    eventually(lambda: bench.ingest.health().database_failures > 0, what="the failure")
    bench.edge.send(batch(desk()))
    bench.edge.publish(topic_for("murat", "now"), now_of("murat", "ov").model_dump_json().encode())
    eventually(lambda: bench.board.nows, what="the live board goes on")
    eventually(lambda: bench.ingest.health().queue_depth == 1, what="the batch waits")
    assert bench.edge.acks == []
    bench.store.away = False
    eventually(lambda: bench.edge.position() == 1, what="the acknowledgement")


def test_an_event_that_the_database_refuses_is_set_aside_and_its_neighbours_are_stored(bench: Bench) -> None:
    with sqlite3.connect(bench.store.file) as connection:
        connection.execute(
            "create trigger poison before insert on event when new.up = 666 begin select raise(abort, 'poison'); end"
        )
    connection.close()
    bench.start()
    bench.edge.send(batch(desk(), desk(up=666), desk()))
    eventually(lambda: bench.edge.position() == 3, what="the acknowledgement")
    totals = bench.store.totals()
    assert (totals.events, totals.quarantined) == (2, 1)


def test_a_damaged_database_takes_nothing_and_acknowledges_nothing(bench: Bench) -> None:
    content = bytearray(bench.store.file.read_bytes())
    content[8_192:24_576] = bytes(16_384)
    bench.store.file.write_bytes(content)
    bench.ingest.start()
    eventually(lambda: bench.ingest.health().broker_connected, what="the broker")
    bench.edge.send(batch(desk()))
    eventually(lambda: bench.ingest.health().database_failures > 1, what="it looks again")
    eventually(lambda: bench.ingest.health().queue_depth == 1, what="the batch waits")
    assert bench.edge.acks == []
    assert not bench.ingest.health().ready


def test_the_database_is_checked_once_with_a_sign_of_life(tmp_path: Path) -> None:
    beats = itertools.count()
    with closing(cantal(tmp_path)) as store:
        for _ in range(2):
            store.checked_writer(lambda: next(beats) < 0).close()
    assert next(beats) == 1


def test_a_check_that_lasts_is_left_when_the_hub_ends(tmp_path: Path) -> None:
    with closing(cantal(tmp_path)) as store, closing(sqlite3.connect(store.file)) as greedy:
        greedy.execute("pragma locking_mode = exclusive")
        greedy.execute("create table mine (all_mine integer)")
        with pytest.raises(StoreDownError, match="was left"):
            store.checked_writer(lambda: True)


def test_malformed_messages_are_counted_and_the_next_good_one_is_stored(bench: Bench) -> None:
    bench.start()
    murat = topic_for("murat", "up")
    sent = [
        bench.edge.publish(murat, b"garbage", PLAIN),
        bench.edge.publish(murat, b"garbage"),
        bench.edge.publish(murat, b"\x00" * 70_000, PLAIN),
        bench.edge.publish(topic_for("murat", "hello"), b"[]"),
        bench.edge.publish(topic_for("murat", "now"), b"{}"),
        bench.edge.publish(topic_for("ydes", "up"), encode_batch(batch(desk()).header, [desk()])[1], PLAIN),
        bench.edge.publish("tc/v1/00/murat/up", b"in a bucket that is not its own", PLAIN),
    ]
    bench.edge.send(batch(desk()))
    eventually(lambda: bench.edge.position() == 1, what="the good one")
    eventually(lambda: set(sent) <= bench.edge.published, what="each has its PUBACK")
    eventually(lambda: bench.store.totals().refused == 7, what="each is counted")
    assert bench.alarms() == {
        ("murat", "refused_header"): 1,
        ("murat", "refused_content_type"): 1,
        ("murat", "refused_size"): 1,
        ("murat", "refused_hello"): 1,
        ("murat", "refused_now"): 1,
        ("ydes", "refused_site"): 1,
        ("", "refused_topic"): 1,
    }
    assert bench.ingest.health().broker_reconnections == 0


def test_the_present_goes_to_the_board_and_never_to_the_database(bench: Bench) -> None:
    bench.start()
    bench.edge.publish(topic_for("murat", "now"), now_of("murat", "ov").model_dump_json().encode(), retain=True)
    bench.edge.publish(topic_for("murat", "status"), Status(site="murat", online=False).model_dump_json().encode())
    eventually(lambda: bench.board.nows and bench.board.statuses, what="the board is fed")
    assert bench.store.totals().events == 0


def test_a_broker_that_forgot_everything_is_told_again_which_hub_it_is(bench: Bench) -> None:
    bench.start()
    bench.broker.kill()
    eventually(lambda: not bench.ingest.health().broker_connected, what="the loss is noticed")
    bench.edge.hubs.clear()
    bench.broker.start()
    eventually(lambda: bench.ingest.health().broker_connected, what="the ingest is back")
    eventually(lambda: len(bench.edge.hubs) == BUCKET_COUNT, what="each bucket is told")
    bench.edge.send(batch(desk()))
    eventually(lambda: bench.edge.position() == 1, what="history flows")


def test_figures_follow_at_once(bench: Bench) -> None:
    bench.start()
    bench.edge.send(batch(desk(t=NOW - 3 * 3_600_000), desk("vacant", t=NOW - 3_600_000)))
    eventually(lambda: bench.edge.position() == 2, what="the acknowledgement")
    rows = bench.store.occupancy("murat", "desk", "hour", NOW - 86_400_000, NOW)
    assert sum(row.occupied_ms for row in rows) == 2 * 3_600_000


def test_thousands_of_single_messages_are_taken_without_a_stall(bench: Bench) -> None:
    bench.start()
    count = 2_000
    for seq in range(1, count + 1):
        bench.edge.send(batch(desk("vacant" if seq % 2 else "occupied", t=NOW - count + seq), first=seq))
        if seq % 100 == 0:
            eventually(lambda: bench.edge.position() >= seq - 50, what=f"position {seq}")  # noqa: B023 - used at once
    eventually(lambda: bench.edge.position() == count, what="the last")
    assert bench.store.totals().events == count
