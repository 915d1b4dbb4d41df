"""One MQTT 5 connection of the fleet: paho, driven by somebody else's selector, and never waiting.

Each connection is a new paho client: what an old one still held would be sent again by itself, while TC1 repeats what
is needed.
"""

import errno
import os
import selectors
import socket
import struct
from collections import deque
from dataclasses import dataclass

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

KEEPALIVE_S = 30
CONNECT_S = 10.0
NOW_LANE_PACKETS = 4
"""As a site that is shipped: its keepalive, its patience for a CONNACK, and what it leaves to the now lane."""

SILENT_S = 1.5 * KEEPALIVE_S
"""A broker that says nothing for so long is gone."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message from the broker."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the broker, QoS 1."""

    topic: str
    payload: bytes
    content_type: str = ""
    retain: bool = False


class _OnSocket(Client):
    """Paho on a socket that is connected already: its own `connect` would hold up every site while one waits."""

    def __init__(self, client_id: str, connected: socket.socket) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._connected = connected

    def _create_socket(self) -> socket.socket:
        return self._connected


class Line:
    """A connection from its first packet to its end; `lost` says why it ended.

    The owner watches `fd` for `events`, and calls `turn` with what came. No method waits.
    """

    def __init__(
        self, address: tuple[str, int], client_id: str, will: Message, topics: list[str], now_s: float
    ) -> None:
        self.ready = self.silent = False
        """Whether the broker has accepted us; whether it then said nothing until we left."""
        self.greeted = self.answered = False
        """The owner's notes: what it has seen, and what the hub has said."""
        self.lost: str | None = None
        self.in_flight = 0
        """Messages that the broker has not yet confirmed."""
        self.received: deque[Received] = deque()
        self.refused = 0
        """Messages that the broker did not take."""
        self._id, self._will, self._topics, self._address = client_id, will, topics, address
        self._heard_s = now_s
        self._deadline_s = now_s + CONNECT_S
        self._receive_maximum = 65_535
        self._client: _OnSocket | None = None
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd = self._socket.fileno()
        code = self._socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self.close(os.strerror(code))

    @property
    def events(self) -> int:
        """What the owner should watch the socket for."""
        if self._client is None:
            return selectors.EVENT_WRITE
        wants = self._client.want_write()
        return selectors.EVENT_READ | selectors.EVENT_WRITE if wants else selectors.EVENT_READ

    @property
    def room(self) -> int:
        """How many more batches the broker's Receive Maximum allows."""
        return max(1, self._receive_maximum - NOW_LANE_PACKETS) - self.in_flight if self.ready else 0

    def turn(self, events: int, now_s: float) -> None:
        """Read and write what can be read and written now, and watch the keepalive."""
        try:
            if self._client is None:
                if events & selectors.EVENT_WRITE:
                    self._begin()
            else:
                if events & selectors.EVENT_READ:
                    self._heard_s = now_s
                    self._client.loop_read()
                if events & selectors.EVENT_WRITE:
                    self._client.loop_write()
                self._client.loop_misc()
        except (MQTTException, OSError, ValueError, IndexError, struct.error) as error:
            self.close(f"{type(error).__name__}: {error}")
        if not self.ready and now_s >= self._deadline_s:
            self.close("no answer from the broker")
        elif now_s >= self._heard_s + SILENT_S:
            self.silent = True
            self.close("the broker has fallen silent")

    def publish(self, message: Message) -> None:
        """Send a message; what the socket does not take now goes out when `turn` may write."""
        if self._client is None or self.lost is not None:
            return
        properties = None
        if message.content_type:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.ContentType = message.content_type
        self.in_flight += 1
        self._client.publish(message.topic, message.payload, qos=1, retain=message.retain, properties=properties)

    def leave(self) -> None:
        """Disconnect, so that the broker does not publish the Will."""
        if self._client is not None and self.ready:
            self._client.disconnect()
        self.close("left")

    def close(self, why: str) -> None:
        """Close the socket, without a word."""
        self.lost = self.lost or why
        self.ready = False
        self._socket.close()

    def _begin(self) -> None:
        """TCP is through or has failed: speak MQTT."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.close(os.strerror(code))
            return
        client = _OnSocket(self._id, self._socket)
        # `room` bounds what is in flight; paho's own bound costs a scan of all messages at every PUBACK.
        client.max_inflight_messages_set(0)
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        self._client = client
        client.connect(*self._address, keepalive=KEEPALIVE_S, clean_start=True)

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.close(f"refused by the broker: {reason}")
            return
        self.ready = True
        self._receive_maximum = getattr(properties, "ReceiveMaximum", self._receive_maximum)
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_disconnect(
        self, _: Client, __: object, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        self.close(f"connection lost: {reason}")

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self.received.append(Received(message.topic, bytes(message.payload), message.retain))

    def _on_publish(self, _: Client, __: object, ___: int, reason: ReasonCode, ____: Properties | None) -> None:
        self.in_flight -= 1
        self.refused += reason.is_failure
