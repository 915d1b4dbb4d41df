"""A client of the secure broker that may be anybody: it shows any certificate and tries any topic."""

import ssl
import threading
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.support.leaving import leave
from tests.support.secure_broker import SecureBroker
from tests.support.waiting import PATIENCE_S, eventually


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that reached the visitor."""

    topic: str
    payload: bytes


class Visitor:
    """Connected until it is lost; it does not come back by itself."""

    def __init__(self, broker: SecureBroker, name: str | None, *, will: str | None = None, client_id: str = "") -> None:
        """Show the certificate `name`, or none; leave a Will on a topic."""
        self.accepted = False
        self.lost = ""
        self.heard: list[Heard] = []
        self.outcomes: dict[int, str] = {}
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        context = ssl.create_default_context(cafile=str(broker.authority.ca_file))
        if name is not None:
            folder = broker.authority.folder
            context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        self._client.tls_set_context(context)
        if will is not None:
            self._client.will_set(will, b"will", qos=1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_log = self._on_log
        self._why = ""
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def _on_connect(self, _: mqtt.Client, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        self.accepted = not reason.is_failure

    def _on_disconnect(self, _: mqtt.Client, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        self.lost = self._why or str(reason)

    def _on_message(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, bytes(message.payload)))

    def _on_publish(self, _: mqtt.Client, __: object, mid: int, reason: ReasonCode, ___: object) -> None:
        self.outcomes[mid] = str(reason)

    def _on_log(self, _: mqtt.Client, __: object, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._why = self._why or text

    def listen(self, topics: list[str]) -> "Visitor":
        """Subscribe; the broker grants any subscription, and delivers what the access list lets through."""
        eventually(lambda: self.accepted, what="accepted")
        self._subscribed.clear()
        self._client.subscribe([(topic, 1) for topic in topics])
        assert self._subscribed.wait(PATIENCE_S)
        return self

    def publish(self, topic: str, payload: bytes, *, content_type: str = "", retain: bool = False) -> int:
        """Publish with QoS 1 and return the number under which `outcomes` will have the broker's answer."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        if content_type:
            properties.ContentType = content_type
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid

    def outcome(self, topic: str, payload: bytes) -> str:
        """Publish and return what the broker answered."""
        eventually(lambda: self.accepted, what="accepted")
        mid = self.publish(topic, payload)
        eventually(lambda: mid in self.outcomes, what="the broker's answer")
        return self.outcomes[mid]

    def vanish(self) -> None:
        """Cut the connection without a word, so that the broker publishes the Will."""
        connection = self._client.socket()
        self._client.loop_stop()
        if isinstance(connection, ssl.SSLSocket):
            connection.close()

    def leave(self) -> None:
        """Disconnect."""
        leave(self._client)
