import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from contract.events import decode
from contract.identity import bucket_of
from contract.limits import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from contract.messages import Ack, DeskNow, Now, Report, RightsStatus, StreamAck
from contract.topics import hub_topic, topic_for
from edge.config import LinkSettings
from edge.link import Link
from edge.link.link import BATCH_EVERY_S, fitting_count
from tests.support.brokers import RunningBroker, broker
from tests.support.events import PERSON, T0_MS, access, desk
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.ports import free_port
from tests.support.small_hub import SmallHub
from tests.support.waiting import eventually

__all__ = ["agent", "broker", "folder"]  # fixtures

SITE = "murat"


class Linked:
    """An agent with its outbox and its link."""

    def __init__(self, agent: Agent, port: int, *, status_interval_s: float = 60.0) -> None:
        self.agent = agent
        self.as_of = 0
        settings = LinkSettings(port=port, hello_spread_s=0.2, keepalive_s=5, status_interval_s=status_interval_s)
        self.link = Link(
            settings,
            SITE,
            agent.outbox,
            now=self._now,
            report=self._report,
            random=Random(1),
            on_crash=agent.crashes.append,
        )

    def _now(self) -> Now:
        self.as_of += 1
        desks = [DeskNow(id="desk-01", state="vacant", since=T0_MS)]
        return Now(site=SITE, as_of=self.as_of, clock="synced", desks=desks, rooms=[], doors=[])

    def _report(self) -> Report:
        return Report(
            version="0",
            boot="b" * 32,
            started_at=T0_MS,
            at=T0_MS,
            clock="synced",
            outbox=self.agent.outbox.status(),
            rights=RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0),
            devices=[],
        )

    def drained(self) -> bool:
        status = self.agent.outbox.status()
        return self.link.online and status.stream is not None and status.depth == 0


@pytest.fixture
def hub(broker: RunningBroker) -> Iterator[SmallHub]:
    running = SmallHub(broker.port, site=SITE)
    yield running
    running.stop()


@pytest.fixture
def linked(agent: Agent, broker: RunningBroker) -> Iterator[Linked]:
    """Connected when the test starts it; stopped before the outbox."""
    running = Linked(agent, broker.port)
    yield running
    running.link.stop(20)


def test_every_stored_event_reaches_the_hub_byte_for_byte(linked: Linked, hub: SmallHub) -> None:
    linked.agent.store(*[desk(number) for number in range(3000)])
    linked.link.start()
    eventually(linked.drained, what="the backlog drained")
    assert [decode(hub.rows[key]).up for key in sorted(hub.rows)] == list(range(3000))
    linked.agent.store(access(3000))
    eventually(lambda: len(hub.rows) == 3001, what="an event of a running agent")
    assert hub.changed_rows == 0


def test_batches_keep_within_their_limits_and_name_persons_apart(linked: Linked, hub: SmallHub) -> None:
    linked.agent.store(*[access(number) for number in range(450)], person=PERSON)
    linked.link.start()
    eventually(linked.drained, what="the backlog drained")
    assert all(header.n <= MAX_BATCH_EVENTS for header in hub.headers)
    assert all(size <= MAX_BATCH_BYTES for size in hub.sizes)
    assert {seq: person for header in hub.headers for seq, person in header.persons.items()} == dict.fromkeys(
        range(1, 451), PERSON
    )
    assert all(PERSON.encode() not in line for line in hub.rows.values())
    assert {header.boot for header in hub.headers} == {"b" * 32}


def test_a_backlog_leaves_the_door_time_between_two_batches(linked: Linked, hub: SmallHub) -> None:
    linked.agent.store(*[desk(number) for number in range(10 * MAX_BATCH_EVENTS)])
    linked.link.start()
    eventually(linked.drained, what="drained")
    sent_ms = [header.sent_at for header in hub.headers]
    assert len(sent_ms) >= 10
    assert sent_ms[-1] - sent_ms[0] >= (len(sent_ms) - 1) * BATCH_EVERY_S * 1000 - 1


def test_a_connection_says_now_and_status_first_and_keeps_them_retained(
    linked: Linked, hub: SmallHub, broker: RunningBroker
) -> None:
    linked.link.start()
    eventually(lambda: hub.hellos and hub.nows and hub.statuses, what="both lanes spoke")
    assert hub.nows[0][0].as_of == 1
    assert hub.statuses[0][0].online
    late = SmallHub(broker.port, site=SITE)
    eventually(lambda: late.nows and late.statuses, what="what the broker keeps")
    late.stop()
    assert late.nows[0][1]
    assert late.statuses[0] == (hub.statuses[0][0], True)


def test_now_goes_out_once_a_second_at_most(linked: Linked, hub: SmallHub) -> None:
    linked.link.start()
    eventually(lambda: hub.nows, what="the first now")
    begin_s = time.monotonic()
    while time.monotonic() < begin_s + 1.5:
        linked.link.now_changed()
        threading.Event().wait(0.01)
    eventually(lambda: len(hub.nows) >= 2, what="the change")
    assert len(hub.nows) <= 2 + (time.monotonic() - begin_s)


def test_status_goes_out_at_its_interval_and_soon_after_a_change(agent: Agent, broker: RunningBroker) -> None:
    hub = SmallHub(broker.port, site=SITE)
    linked = Linked(agent, broker.port, status_interval_s=0.5)
    linked.link.start()
    eventually(lambda: len(hub.statuses) >= 3, what="the interval")
    linked.link.stop(20)
    linked = Linked(agent, broker.port)
    count = len(hub.statuses)
    linked.link.start()
    eventually(lambda: len(hub.statuses) > count, what="a status on connection")
    count = len(hub.statuses)
    linked.link.report_changed()
    eventually(lambda: len(hub.statuses) > count, what="a status on change")
    linked.link.stop(20)
    hub.stop()


def test_a_stopping_agent_says_that_it_goes_offline(linked: Linked, hub: SmallHub) -> None:
    linked.link.start()
    eventually(lambda: hub.statuses, what="online")
    linked.link.stop(20)
    eventually(lambda: not hub.statuses[-1][0].online, what="offline")
    assert not linked.link.online


def test_a_killed_broker_is_reconnected_and_everything_is_said_again(
    linked: Linked, hub: SmallHub, broker: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="edge.link.link")
    linked.agent.store(*[desk(number) for number in range(100)])
    linked.link.start()
    eventually(linked.drained, what="drained")
    broker.kill()
    eventually(lambda: not linked.link.online, what="the link noticed")
    linked.agent.store(*[desk(100 + number) for number in range(100)])
    broker.start()
    hub.nows.clear()
    eventually(lambda: len(hub.rows) == 200, what="the rest arrived")
    eventually(lambda: hub.nows, what="now again, the broker had forgotten it")
    lines = [record.message.split(" ")[0] for record in caplog.records]
    assert lines == ["link=up", "link=down", "link=up"], "one line when lost, one when back"


def test_a_hub_that_is_away_costs_nothing_but_time(linked: Linked, hub: SmallHub) -> None:
    hub.mute = True
    linked.agent.store(*[desk(number) for number in range(500)])
    linked.link.start()
    eventually(lambda: linked.link.online, what="online without a hub")
    assert linked.agent.outbox.status().depth == 500
    hub.mute = False
    hub.tell_incarnation()
    eventually(linked.drained, what="drained once the hub is there")
    assert len(hub.rows) == 500


def test_a_restored_hub_gets_again_what_it_lost(linked: Linked, hub: SmallHub) -> None:
    linked.agent.store(*[desk(number) for number in range(700)])
    linked.link.start()
    eventually(linked.drained, what="drained")
    hub.restart(lose=450)
    eventually(lambda: len(hub.rows) == 700, what="sent again")
    assert (hub.gaps, hub.changed_rows) == (0, 0)
    eventually(linked.drained, what="acknowledged again")


def test_what_does_not_come_from_our_hub_is_ignored(linked: Linked, hub: SmallHub) -> None:
    linked.agent.store(*[desk(number) for number in range(10)])
    stream = linked.agent.outbox.held()[0].stream
    linked.link.start()
    eventually(linked.drained, what="drained")
    forged = Ack(site="allanche", hub=hub.incarnation, acks=[StreamAck(stream=stream, seq=0)], hello_id="0" * 16)
    for payload in (b"", b"{", b"\xff" * 100, b"x" * 70_000, forged.model_dump_json().encode()):
        hub.publish(topic_for(SITE, "ack"), payload)
        hub.publish(hub_topic(bucket_of(SITE)), payload)
    linked.agent.store(desk(10))
    eventually(linked.drained, what="the conversation goes on")
    assert len(hub.rows) == 11


def test_a_broker_that_is_absent_is_no_error(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge.link.link")
    linked = Linked(agent, free_port())
    linked.link.start()
    eventually(lambda: "link=down" in caplog.text, what="one line in the log")
    assert not linked.link.online
    linked.link.stop(20)
    assert caplog.text.count("link=down") == 1


def test_a_broker_that_accepts_and_stays_silent_is_left(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge.link.link")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        linked = Linked(agent, silent.getsockname()[1])
        linked.link.start()
        eventually(lambda: "link=down" in caplog.text, what="given up", within_s=60)
        linked.link.stop(20)


def test_a_broker_that_talks_nonsense_is_left(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge.link.link")
    with socket.create_server(("127.0.0.1", 0)) as server:
        linked = Linked(agent, server.getsockname()[1])
        linked.link.start()
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            eventually(lambda: "link=down" in caplog.text, what="given up", within_s=60)
        linked.link.stop(20)
    assert agent.crashes == []


def test_a_batch_takes_only_the_rows_that_fit() -> None:
    rows = [(b"x" * 1000, "k" * 32)] * 100
    count = fitting_count(rows, 20_000)
    assert 17 <= count <= 19
    assert fitting_count(rows, 10**6) == 100
    assert fitting_count(rows, 1000) == 0


def test_a_broker_with_small_packets_gets_small_batches(agent: Agent, tmp_path: Path) -> None:
    broker = RunningBroker("mosquitto", tmp_path)
    broker.limit_packets(8_000)
    broker.start()
    hub = SmallHub(broker.port, site=SITE)
    linked = Linked(agent, broker.port)
    agent.store(*[desk(number) for number in range(1000)])
    linked.link.start()
    eventually(linked.drained, what="drained, and no poison message")
    linked.link.stop(20)
    hub.stop()
    broker.kill()
    assert len(hub.rows) == 1000
    assert max(hub.sizes) < 8_000
