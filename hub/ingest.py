"""Taking the sites' history from the broker into the database, and their present to the live board.

What must stay true here: a site is told that events are safe only after the commit that made them so; every message
gets its PUBACK, refused or not; a database that does not answer makes everything wait and loses nothing.

Two threads: paho's own, which hears the broker and puts history in the backlog, and the ingest's, the only writer.
This is the hub's only file that knows paho.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.identity import BUCKET_COUNT
from contract.limits import MAX_MESSAGE_BYTES
from contract.messages import Ack, HubState, Now, Status, StreamAck
from contract.topics import Channel, TopicError, all_sites, hub_topic, parse_topic, topic_for
from host import tls
from hub.backlog import Backlog
from hub.config import BrokerSettings
from hub.custody import Message, Outcome, commit
from hub.health import Health, Turns
from hub.housekeeping import Housekeeping
from hub.receiver import RefusedError, read_now, read_status
from hub.stall import STALLED_S, Stall
from hub.store import Store, StoreDownError, Writer
from hub.store.connection import StoreMovedError

log = logging.getLogger(__name__)

MAX_OUTGOING = 16_384
"""Of ours, waiting for a broker that does not take them: four for each of 4,072 sites. The rest is asked again."""

RECEIVE_MAXIMUM = 512
"""What we ask the broker to send at most without a PUBACK, so that the backlog seldom overflows.

Mosquitto 2.0.11 keeps to it until the first PUBACK of a burst, and then sends what it has (measured: 2,000 of 3,000).
"""

KEEPALIVE_S = 10
"""A broker that says nothing for so long is asked, and left when it says nothing for as long again: a dead one is
noticed within 22 s (paho looks once a second). The board calls a site silent after 180 s."""

MAX_GROUP = 64
"""Messages in one transaction: 12,800 events at most, some 0.4 s."""

IDLE_S = 0.1
"""How long the ingest waits for a message before it looks after other things."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
"""Before the database is opened again, doubling."""

SAMPLE_BYTES = 256


class Board(Protocol):
    """The live board, as the ingest feeds it."""

    def take_now(self, message: Now, received_at_ms: int, *, retained: bool = False) -> None:
        """Show a site's snapshot."""

    def take_status(self, message: Status, received_at_ms: int, *, retained: bool = False) -> None:
        """Show a site's health."""


def _why_lost(flags: mqtt.DisconnectFlags, reason: ReasonCode) -> str:
    """Return why a connection ended; of one that just ended, paho knows an 'Unspecified error'."""
    if flags.is_disconnect_packet_from_server:
        return f"the broker ended the connection: {reason}"
    if reason == "Keep alive timeout":
        return "the broker has fallen silent"
    return "the connection to the broker was cut"


class Ingest:
    """The two threads and what they share."""

    def __init__(
        self,
        settings: BrokerSettings,
        store: Store,
        board: Board,
        *,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        """`new_id` gives 32 random hexadecimal digits: an incarnation.

        Raises:
            CertificateError: the broker's certificates cannot be used.
        """
        self._settings = settings
        self._store = store
        self._board = board
        self._now_ms = now_ms
        self._new_id = new_id
        self._on_crash = on_crash
        self._backlog = Backlog()
        self._unfinished: list[Message] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._client = self._new_client()
        self._generation = 0
        self._hearing = self._accepted = False
        self._trouble = ""
        self._told_lost: set[str] = set()
        self._incarnation: str | None = None
        self._stall = Stall(time.monotonic())
        self._house = Housekeeping(now_ms)
        self._went = Turns(time.monotonic(), now_ms())
        self._messages = self._stored = self._refused = 0
        self._database_failures = self._turns = self._beats = 0
        self._committed_at: int | None = None

    def start(self) -> None:
        """Connect to the broker and the database, and keep trying either until it answers."""
        self._thread.start()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves this one untyped
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._settings.host, self._settings.port, keepalive=KEEPALIVE_S, clean_start=True, properties=properties
        )
        self._client.loop_start()

    def stop(self, timeout_s: float) -> None:
        """Finish the transaction at hand, then leave the broker."""
        self._stopping.set()
        self._thread.join(timeout_s)
        self._client.disconnect()
        # paho's thread may end by itself between paho's look at it and its join: there is nothing to wait for then.
        with suppress(AttributeError):
            self._client.loop_stop()

    def health(self) -> Health:
        """Return how the ingest is; from any thread."""
        depth = len(self._backlog) + len(self._unfinished)
        away = self._went.away(time.monotonic(), waiting=depth > 0)
        return Health(
            broker_connected=self._hearing,
            database_open=self._incarnation is not None and away is None,
            incarnation=self._incarnation,
            queue_depth=depth,
            messages=self._messages,
            events_stored=self._stored,
            messages_refused=self._refused,
            messages_dropped=self._backlog.dropped,
            database_failures=self._database_failures,
            broker_reconnections=max(0, self._generation - 1),
            committed_at_ms=self._committed_at,
            progress=self._turns + self._beats,
            database_away=away,
        )

    def connection(self) -> int:
        """Return the number of the present connection to the broker; 0 while there is none."""
        return self._generation if self._hearing else 0

    def publish_sealed(
        self, channel: Literal["rights", "cmd"], site: str, sealed: bytes
    ) -> mqtt.MQTTMessageInfo | None:
        """Publish a list of rights, retained, or a command, never retained; None when it cannot be taken now."""
        sent = self._client.publish(topic_for(site, channel), sealed, qos=1, retain=channel == "rights")
        return sent if sent.rc == mqtt.MQTT_ERR_SUCCESS else None

    # The broker's side: these run in paho's thread.

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"telecentre-hub-{self._new_id()[:8]}",
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        if (context := tls.client_context(self._settings)) is not None:
            client.tls_set_context(context)
        client.reconnect_delay_set(1, 10)
        client.max_inflight_messages_set(0)  # its window costs time per message; what we send is bounded by what came
        client.max_queued_messages_set(MAX_OUTGOING)
        client.on_connect = self._heard_connect
        client.on_connect_fail = self._heard_nothing
        client.on_disconnect = self._heard_disconnect
        client.on_log = self._heard_trouble
        client.on_subscribe = self._heard_subscribed
        client.on_message = self._heard_message
        return client

    def _heard_connect(
        self, client: mqtt.Client, _: object, __: object, reason: ReasonCode, ___: Properties | None
    ) -> None:
        if reason.is_failure:
            self._note_lost(f"refused by the broker: {reason}")
            return
        self._accepted = True
        self._generation += 1
        self._stall.heard(time.monotonic())
        log.info("broker=connected host=%s port=%d", self._settings.host, self._settings.port)
        # The present is asked for without PUBACKs, so that history waiting for the database cannot hold it up.
        lanes: list[tuple[Channel, int]] = [("up", 1), ("hello", 1), ("now", 0), ("status", 0)]
        client.subscribe([(all_sites(channel), qos) for channel, qos in lanes])

    def _heard_subscribed(
        self, _: mqtt.Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        """Announce only now: a site that asks at once must be heard."""
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            log.error("broker=refused subscription=%r", refused)
            return
        self._hearing = True
        self._told_lost.clear()
        self._announce()

    def _heard_disconnect(
        self, _: mqtt.Client, __: object, flags: mqtt.DisconnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        unanswered = self._settings.ca_file is not None and not self._accepted
        self._note_lost(self._trouble or (tls.UNANSWERED if unanswered else _why_lost(flags, reason)))
        self._hearing = self._accepted = False
        self._trouble = ""

    def _heard_nothing(self, _: mqtt.Client, __: object) -> None:
        """Paho calls this while it handles the error that kept it from connecting, and tries again later."""
        error = sys.exc_info()[1]
        self._note_lost(tls.in_words(getattr(error, "strerror", None) or str(error)))

    def _heard_trouble(self, _: mqtt.Client, __: object, level: int, text: str) -> None:
        # Only here paho tells why TLS failed after the handshake: with TLS 1.3 our certificate is refused that late.
        if level == LogLevel.MQTT_LOG_ERR and (words := tls.in_words(text)) != text:
            self._trouble = words

    def _note_lost(self, why: str) -> None:
        """Say why there is no broker, each reason once until there is one: paho tries again every ten seconds."""
        if why not in self._told_lost and not self._stopping.is_set():
            self._told_lost.add(why)
            log.warning("broker=lost reason=%r", why)

    def _heard_message(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        try:
            self._take(client, message)
        except BaseException as error:  # noqa: BLE001 - the top of paho's thread: main decides, and the process ends
            self._on_crash(error)

    def _take(self, client: mqtt.Client, message: mqtt.MQTTMessage) -> None:
        """Put history in the queue, the present on the board."""
        self._messages += 1
        received_at = self._now_ms()
        site, channel, reason = "", "other", None
        try:
            site, channel = parse_topic(message.topic)
            if channel in ("now", "status"):
                self._show(site, channel, message, received_at)
                return
        except TopicError:
            reason = "topic"
        except RefusedError as error:
            reason = error.reason
        if reason is None and len(message.payload) > MAX_MESSAGE_BYTES:
            reason = "size"
        self._stall.heard(time.monotonic())
        payload = bytes(message.payload)
        heard = Message(
            generation=self._generation,
            mid=message.mid,
            qos=message.qos,
            site=site,
            channel="up" if channel == "up" else "hello" if channel == "hello" else "other",
            content_type=getattr(message.properties, "ContentType", ""),
            payload=payload if reason is None else payload[:SAMPLE_BYTES],
            received_at=received_at,
            reason=reason,
        )
        if self._backlog.put(heard) is not None:
            client.ack(message.mid, message.qos)  # the site sends again what we do not acknowledge ourselves

    def _show(self, site: str, channel: str, message: mqtt.MQTTMessage, received_at: int) -> None:
        if channel == "now":
            self._board.take_now(read_now(site, bytes(message.payload)), received_at, retained=message.retain)
            return
        status = read_status(site, bytes(message.payload))
        self._board.take_status(status, received_at, retained=message.retain)
        self._stall.told(status)

    def _announce(self) -> None:
        """Tell every site which hub this is: a hint to ask again what is committed."""
        incarnation = self._incarnation
        if incarnation is not None:
            payload = HubState(hub=incarnation).model_dump_json()
            for bucket in range(BUCKET_COUNT):
                self._client.publish(hub_topic(bucket), payload, qos=1, retain=True)

    # The database's side: these run in the ingest's thread.

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        try:
            while not self._stopping.is_set():
                turns = self._turns
                try:
                    self._serve()
                except StoreDownError as error:
                    self._database_failures += 1
                    self._went.failed(moved=isinstance(error, StoreMovedError))
                    wait_s = FIRST_WAIT_S if self._turns > turns else min(LONGEST_WAIT_S, wait_s * 2)
                    log.warning("database=down wait_s=%.1f reason=%r", wait_s, str(error))
                    self._stopping.wait(wait_s)
                    self._beats += 1  # to try again is what there is to do: the watchdog must not end the live board
        except BaseException as error:  # noqa: BLE001 - the top of this thread: main decides, and the process ends
            self._on_crash(error)

    def _serve(self) -> None:
        """Ingest on one connection to the database: one incarnation."""
        writer = self._store.checked_writer(self._beat)
        try:
            writer.prove()  # on a full disk, it opens and takes nothing
            self._incarnation = self._new_id()
            log.info("database=open incarnation=%s", self._incarnation)
            if self._hearing:
                self._announce()
            while not self._stopping.is_set():
                self._unfinished = self._unfinished or self._backlog.take(MAX_GROUP, IDLE_S)
                idle = not self._unfinished
                writer.check_place()
                if not idle:
                    self._commit(writer)
                    self._unfinished = []
                self._keep_house(writer, idle=idle)
                self._turns += 1
                self._went.ended(time.monotonic(), self._now_ms())
        finally:
            self._incarnation = None
            writer.close()

    def _beat(self) -> bool:
        """Tell the watchdog that something goes on; return whether it has to end."""
        self._beats += 1
        self._went.beaten(time.monotonic())
        return self._stopping.is_set()

    def _commit(self, writer: Writer) -> None:
        """Make what was taken durable, with its figures if there is time for them, and promise it."""
        begun_s = time.monotonic()
        settles = not self._backlog and self._house.may_settle()
        outcome = commit(writer, self._unfinished, settle=settles)
        if outcome.stored:
            self._house.settled(time.monotonic() - begun_s, left=not outcome.settled)
        self._promise(self._unfinished, outcome)

    def _promise(self, messages: list[Message], outcome: Outcome) -> None:
        """After the commit: PUBACK what came on this connection, answer each Hello, acknowledge each site once."""
        self._committed_at = self._now_ms()
        self._stored += outcome.stored
        self._refused += outcome.refused
        hub, generation = self._incarnation, self._generation
        for message in messages:
            # On a later connection the same number would be another message.
            if message.generation == generation:
                self._client.ack(message.mid, message.qos)
        if hub is None or not self._hearing:
            return  # the sites ask again by themselves
        answers = [Ack(site=site, hub=hub, acks=acks, hello_id=asked) for site, asked, acks in outcome.answers]
        for site, positions in outcome.positions.items():
            answers.append(
                Ack(site=site, hub=hub, acks=[StreamAck(stream=name, seq=at) for name, at in positions.items()])
            )
        for ack in answers:
            self._client.publish(topic_for(ack.site, "ack"), ack.model_dump_json(), qos=1)

    def _keep_house(self, writer: Writer, *, idle: bool) -> None:
        """Bring figures on, let the journal forget, and see that the connection is alive."""
        self._house.keep(writer, idle=idle, waiting=bool(self._backlog))
        now_s = time.monotonic()
        if self._hearing and self._stall.is_on(now_s):
            self._stall.heard(now_s)
            self._break_connection()

    def _break_connection(self) -> None:
        """Make paho connect anew: sites hold events for us, and the broker has stopped to deliver."""
        log.warning("broker=stalled silent_s=%.0f action=reconnect", STALLED_S)
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            try:
                # The socket's own: SSLSocket's would go on in plain text.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                return  # it was just lost by itself
