"""The control: an edge that deletes an event once the broker has confirmed it, as nearly every system does."""

import secrets
import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.events import encode
from contract.messages import BatchHeader, Held, Hello, encode_batch
from contract.topics import topic_for
from tests.support.events import T0_MS, desk
from tests.support.leaving import leave

BATCH_EVENTS = 50
CONFIRMED_S = 30.0


class PubackEdge:
    """Its events are numbered from 1 in one stream; what is confirmed it no longer holds."""

    def __init__(self, site: str, port: int) -> None:
        self.stream = secrets.token_hex(16)
        self.confirmed = 0
        """Up to where the broker has said that it has the events."""
        self._site = site
        self._port = port

    def send(self, batches: int) -> None:
        """Connect, say what is still held, publish new batches and delete what is confirmed."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._site, protocol=MQTTProtocolVersion.MQTTv5)
        connected = threading.Event()
        client.on_connect = lambda *_: connected.set()
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        assert connected.wait(CONFIRMED_S)
        held = Held(stream=self.stream, first=self.confirmed + 1, last=self.confirmed + batches * BATCH_EVENTS)
        hello = Hello(site=self._site, hello_id=secrets.token_hex(8), streams=[held])
        client.publish(topic_for(self._site, "hello"), hello.model_dump_json(), qos=1)
        for _ in range(batches):
            content_type, payload = self._batch()
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.ContentType = content_type
            said = client.publish(topic_for(self._site, "up"), payload, qos=1, properties=properties)
            said.wait_for_publish(CONFIRMED_S)
            assert said.is_published(), "the broker confirmed it"
            self.confirmed += BATCH_EVENTS
        leave(client)

    def _batch(self) -> tuple[str, bytes]:
        first = self.confirmed + 1
        lines = [encode(desk(number)) for number in range(first, first + BATCH_EVENTS)]
        header = BatchHeader(
            site=self._site,
            stream=self.stream,
            boot="b" * 32,
            first=first,
            n=len(lines),
            sent_at=T0_MS,
            persons={},
        )
        return encode_batch(header, lines)
