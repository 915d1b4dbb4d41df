"""Somebody else on the broker repeats, reorders, forges and floods: nothing of it is stored, and nothing stops."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.limits import MAX_MESSAGE_BYTES
from contract.messages import PLAIN, Ack, StreamAck, decode_batch
from contract.topics import all_sites, topic_for
from tests.support.leaving import leave
from tests.support.waiting import eventually
from tests.system.campaign.campaign import committed, drain
from tests.system.campaign.oracle import verdict_on
from tests.system.campaign.world import World

SITE, OTHER = "murat", "aurillac"
HEARD_BATCHES = 12


class Hostile:
    """A client that hears every batch and publishes what it likes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.heard: list[MQTTMessage] = []
        client.on_connect = self._listen
        client.on_message = lambda _client, _userdata, message: self.heard.append(message)

    def _listen(self, *_: object) -> None:
        self._client.subscribe(all_sites("up"), qos=1)

    def say(self, topic: str, payload: bytes, content_type: str = "", *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        if content_type:
            properties.ContentType = content_type
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).wait_for_publish(30)

    def repeat(self, messages: list[MQTTMessage], *, site: str = SITE) -> None:
        """Publish again what was heard, as it was, on the topic of a site."""
        for message in messages:
            self.say(topic_for(site, "up"), bytes(message.payload), content_type_of(message))


def content_type_of(message: MQTTMessage) -> str:
    return str(getattr(message.properties, "ContentType", ""))


@contextmanager
def hostile_client(port: int) -> Iterator[Hostile]:
    client = Client(CallbackAPIVersion.VERSION2, client_id="hostile", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(0)
    hostile = Hostile(client)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield hostile
    leave(client)


@pytest.mark.timeout(300)
def test_what_a_hostile_client_says_is_refused_counted_and_changes_nothing(tmp_path: Path) -> None:
    with World(tmp_path, "iotcore", (SITE,), seed=2, events_per_s=200.0) as world:
        world.start()
        with hostile_client(world.broker.port) as hostile:
            eventually(lambda: len(hostile.heard) >= HEARD_BATCHES, what="batches are heard", within_s=60)
            first = list(hostile.heard[:HEARD_BATCHES])
            hostile.repeat(first)
            hostile.repeat(first[::-1])
            hostile.repeat(first, site=OTHER)
            header, lines = decode_batch(content_type_of(first[0]), bytes(first[0].payload))
            next_version = header.model_dump_json().replace('"v":1', '"v":2').encode()
            future = b"\n".join([next_version, *lines])
            assert future != b"\n".join([header.model_dump_json().encode(), *lines])
            for payload in (b"", b"\xff" * 40, b"{}\n", future, b"x" * (MAX_MESSAGE_BYTES + 1), b"\n" * 3_000):
                hostile.say(topic_for(SITE, "up"), payload, PLAIN)
                hostile.say(topic_for(SITE, "hello"), payload)
            hostile.say("tc/v1/zz/hub/up", b"{}")
            # An old answer, kept by the broker for every later connection: everything is acknowledged, it says.
            stale = Ack(site=SITE, hub="0" * 32, acks=[StreamAck(stream=header.stream, seq=10**6)])
            hostile.say(topic_for(SITE, "ack"), stale.model_dump_json().encode(), retain=True)
            hostile.say(topic_for(SITE, "ack"), stale.model_dump_json().encode())
            world.kill(SITE)
            world.revive(SITE, rebooted=False)
            threading.Event().wait(2.0)
            drain(world)
        assert world.hub.said().count("broker=connected") == 1, "no poison message, no reconnect loop"
        eventually(world.figures_are_settled, what="settled", within_s=60)
        world.hub.stop()
        verdict = verdict_on(committed(world), world.database)
        assert verdict.is_right, verdict
        refused = {reason for reason in verdict.alarms if reason.startswith("refused")}
        assert len(refused) >= 4, verdict
        assert sum(verdict.alarms[reason] for reason in refused) >= HEARD_BATCHES + 10
        assert verdict.alarms.keys() - refused <= {"quarantined"}, "nothing of it conflicts with what is stored"
        assert '"differences": 0' in world.ask_hub("rebuild", "--json").stdout
