"""One MQTT connection of the link. No other file of the edge imports paho.

Each connection is a new paho client on the link's own thread: paho keeps unacknowledged messages in memory and repeats
them on a new connection, and a message that the broker refuses would then be repeated for ever. TC1 repeats what is
needed by itself.

Source: messages and limits: docs/mqtt-api.md; MQTT 5.0, 3.1.2.11.3 (Receive Maximum), 3.2.2.3.6 (Maximum Packet Size).
"""

import select
import socket
import ssl
import struct
import time
from collections import deque
from dataclasses import dataclass

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.limits import MAX_MESSAGE_BYTES
from edge.config import LinkSettings
from host import tls

CONNECT_S = 10.0
"""For TCP, for TLS and for the broker's CONNACK: a rural line answers within 2 s, a black hole never."""

PACKET_OVERHEAD_BYTES = 256
"""Topic, content type and MQTT header around a payload."""

NOW_LANE_PACKETS = 4
"""Kept of the broker's Receive Maximum (20 at Mosquitto) for Now and Status, which do not wait behind batches."""

SILENT_KEEPALIVES = 1.5
"""A broker that says nothing for so many keepalives is gone: after one it was asked, the rest is for its answer.

paho alone would wait for two.
"""

FAREWELL_S = 2.0
"""How long a stopping agent waits for the broker to take its last message."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message from the broker."""

    topic: str
    payload: bytes
    retained: bool


class Connection:
    """A connection to the broker, used by one thread: `open`, then `turn` until `lost` says why it ended.

    `ready` tells that the broker accepted us, `silent` that it then said nothing until we left; `max_payload_bytes` is
    what it takes in one message.
    """

    def __init__(self, settings: LinkSettings, client_id: str, will: tuple[str, bytes]) -> None:
        self.ready = False
        self.silent = False
        self.lost: str | None = None
        self.max_payload_bytes = MAX_MESSAGE_BYTES
        self._settings = settings
        self._received: deque[Received] = deque()
        self._refused: deque[str] = deque(maxlen=8)
        self._trouble: str | None = None
        self._accepted = False
        self._deadline_s = 0.0
        self._heard_s = 0.0
        self._in_flight = 0
        self._receive_maximum = 65_535
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = CONNECT_S
        # `takes_more` bounds what is in flight; paho's own bound costs a scan of all messages at every PUBACK.
        self._client.max_inflight_messages_set(0)
        self._client.will_set(will[0], will[1], qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_log = self._on_log

    def open(self) -> None:
        """Connect; `lost` says why when it fails. Certificates are read anew: a renewed one needs no restart."""
        self._heard_s = time.monotonic()
        self._deadline_s = self._heard_s + CONNECT_S
        try:
            if (context := tls.client_context(self._settings)) is not None:
                self._client.tls_set_context(context)
            self._client.connect(
                self._settings.host, self._settings.port, keepalive=self._settings.keepalive_s, clean_start=True
            )
        except tls.CertificateError as error:
            self.lost = f"{error.key}: {error}"
        except OSError as error:
            self.lost = tls.in_words(error.strerror or str(error))

    def turn(self, timeout_s: float, wake: socket.socket) -> list[Received]:
        """Read and write what is due, waiting up to `timeout_s` or until `wake` is readable; return what came."""
        broker = self._client.socket()
        if broker is None:
            self.lost = self.lost or "connection closed"
            return []
        writers = [broker] if self._client.want_write() else []
        # What TLS has already decrypted is no longer in the socket: select would wait for the next packet.
        waiting = isinstance(broker, ssl.SSLSocket) and broker.pending() > 0
        readable, writable, _ = select.select([broker, wake], writers, [], 0.0 if waiting else max(0.0, timeout_s))
        try:
            if waiting or broker in readable:
                self._client.loop_read()
            if broker in writable:
                self._client.loop_write()
            self._client.loop_misc()
        except (MQTTException, ValueError, IndexError, struct.error) as error:
            # Our callbacks only take notes, so this is a packet that paho cannot read.
            self._close(f"unreadable packet from the broker: {error}")
        now_s = time.monotonic()
        if waiting or broker in readable:
            self._heard_s = now_s
        if not self.ready and now_s >= self._deadline_s:
            self._close("no answer from the broker")
        if now_s >= self._heard_s + SILENT_KEEPALIVES * self._settings.keepalive_s:
            self.silent = True
            self._close("the broker has fallen silent")
        came = list(self._received)
        self._received.clear()
        return came

    def subscribe(self, topics: list[str]) -> None:
        """Subscribe with QoS 1."""
        self._client.subscribe([(topic, 1) for topic in topics])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, content_type: str = "") -> MQTTMessageInfo:
        """Publish with QoS 1. The caller has checked the size: what a broker refuses would end the connection."""
        properties = None
        if content_type:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.ContentType = content_type
        self._in_flight += 1
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    def takes_more(self) -> bool:
        """Return whether the broker's Receive Maximum lets another batch out, with some left for the now lane."""
        return self.lost is None and self._in_flight < max(1, self._receive_maximum - NOW_LANE_PACKETS)

    def refusals(self) -> list[str]:
        """Return why the broker refused messages since the last call."""
        refused = list(self._refused)
        self._refused.clear()
        return refused

    def leave(self, farewell: MQTTMessageInfo | None, wake: socket.socket) -> None:
        """Wait for the broker to take a last message, and disconnect."""
        deadline_s = time.monotonic() + FAREWELL_S
        while farewell and not farewell.is_published() and self.lost is None and time.monotonic() < deadline_s:
            self.turn(0.05, wake)
        self._client.disconnect()
        self._close("left")

    def close(self) -> None:
        """Close the socket, without a word: the broker publishes the Will."""
        self._close("closed")

    def _close(self, why: str) -> None:
        self.lost = self.lost or why
        self.ready = False
        broker = self._client.socket()
        if broker is not None:
            broker.close()

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.lost = f"refused by the broker: {reason}"
            return
        self.ready = self._accepted = True
        self._receive_maximum = getattr(properties, "ReceiveMaximum", self._receive_maximum)
        packet_bytes = getattr(properties, "MaximumPacketSize", None)
        if packet_bytes is not None:
            self.max_payload_bytes = min(MAX_MESSAGE_BYTES, packet_bytes - PACKET_OVERHEAD_BYTES)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            why = f"disconnected by the broker: {reason}"
        elif not self._accepted and self._settings.ca_file is not None:
            why = tls.UNANSWERED
        else:
            why = "the connection to the broker was cut"
        self.lost = self.lost or self._trouble or why
        self.ready = False

    def _on_log(self, _client: Client, _userdata: object, level: int, text: str) -> None:
        # Only here paho tells why TLS failed after the handshake: with TLS 1.3 our certificate is refused that late.
        if level == LogLevel.MQTT_LOG_ERR and (words := tls.in_words(text)) != text:
            self._trouble = words

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._received.append(Received(message.topic, bytes(message.payload), message.retain))

    def _on_publish(
        self, _client: Client, _userdata: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._in_flight -= 1
        if reason.is_failure:
            self._refused.append(str(reason))
