"""A hub reduced to TC1: it keeps batches in memory and answers, so that the link can be tested without the real one."""

import threading
import uuid
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from contract.identity import bucket_of
from contract.messages import Ack, BatchHeader, Hello, HubState, Now, Status, StreamAck, decode_batch
from contract.topics import all_sites, hub_topic, parse_topic, topic_for
from tests.support.leaving import leave


class SmallHub:
    """Positions and rows per stream, under one lock; `mute` makes it hear and say nothing."""

    def __init__(self, port: int, *, site: str) -> None:
        self.rows: dict[tuple[str, int], bytes] = {}
        self.headers: list[BatchHeader] = []
        self.sizes: list[int] = []
        self.hellos: list[Hello] = []
        self.nows: list[tuple[Now, bool]] = []
        self.statuses: list[tuple[Status, bool]] = []
        self.changed_rows = 0
        self.gaps = 0
        self.mute = False
        self.incarnation = uuid.uuid4().hex
        self._site = site
        self._heights: dict[str, int] = {}
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        client_id = f"hub-{self.incarnation[:8]}"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(0)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(20)

    def stop(self) -> None:
        """Leave the broker."""
        leave(self._client)

    def restart(self, *, lose: int = 0) -> None:
        """Be a new incarnation; `lose` rows of the end of each stream are gone, as after restoring a backup."""
        with self._lock:
            self.incarnation = uuid.uuid4().hex
            self._heights = {stream: max(0, height - lose) for stream, height in self._heights.items()}
            self.rows = {key: line for key, line in self.rows.items() if key[1] <= self._heights[key[0]]}
        self.tell_incarnation()

    def tell_incarnation(self) -> None:
        """Publish the retained hint of this bucket."""
        topic = hub_topic(bucket_of(self._site))
        self._client.publish(topic, HubState(hub=self.incarnation).model_dump_json(), qos=1, retain=True)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish anything, as a hub gone wrong would."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_connect(self, *_: Any) -> None:  # noqa: ANN401 -- paho's five arguments, none of which is needed
        self._client.subscribe([(all_sites(channel), 1) for channel in ("up", "hello", "now", "status")])

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        site, channel = parse_topic(message.topic)
        payload = bytes(message.payload)
        if channel == "now":
            self.nows.append((Now.model_validate_json(payload), message.retain))
        elif channel == "status":
            self.statuses.append((Status.model_validate_json(payload), message.retain))
        elif not self.mute:
            with self._lock:
                ack = self._hello(payload) if channel == "hello" else self._batch(message, payload)
            self._client.publish(topic_for(site, "ack"), ack.model_dump_json(), qos=1)

    def _hello(self, payload: bytes) -> Ack:
        hello = Hello.model_validate_json(payload)
        self.hellos.append(hello)
        for held in hello.streams:
            if held.first > self._heights.get(held.stream, 0) + 1:
                self.gaps += 1
                self._heights[held.stream] = held.first - 1
        return self._ack([held.stream for held in hello.streams], hello.hello_id)

    def _batch(self, message: MQTTMessage, payload: bytes) -> Ack:
        content_type: str = message.properties.ContentType  # type: ignore[union-attr]  # MQTT 5 always has properties
        header, lines = decode_batch(content_type, payload)
        self.headers.append(header)
        self.sizes.append(len(payload))
        height = self._heights.get(header.stream, 0)
        if header.first <= height + 1:
            for seq, line in enumerate(lines, start=header.first):
                self.changed_rows += self.rows.setdefault((header.stream, seq), line) != line
            self._heights[header.stream] = max(height, header.last)
        return self._ack([header.stream], None)

    def _ack(self, streams: list[str], hello_id: str | None) -> Ack:
        acks = [StreamAck(stream=stream, seq=self._heights.get(stream, 0)) for stream in streams]
        return Ack(site=self._site, hub=self.incarnation, acks=acks, hello_id=hello_id)
