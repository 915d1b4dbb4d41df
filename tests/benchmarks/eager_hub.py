"""A hub that never has enough: it acknowledges each batch at once, and forgets all when it has everything.

A site with a backlog then drains for as long as a benchmark needs, as fast as a hub can ever take it. It stores nothing
and stands in for the hub only where the edge is measured.

Run as a program: `python -m tests.benchmarks.eager_hub PORT SITE`, apart from the simulated devices, whose answers it
would delay. Says `ready`, lives until its standard input ends, and prints how many events it has acknowledged.
"""

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.messages import Ack, Hello, StreamAck, decode_batch
from contract.topics import topic_for

PATIENCE_S = 30.0


class EagerHub:
    """Use it as a context; `drained` counts the events that it has acknowledged."""

    def __init__(self, port: int, site: str) -> None:
        self.drained = 0
        self._port = port
        self._site = site
        self._incarnation = secrets.token_hex(16)
        self._last: dict[str, int] = {}
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise RuntimeError("no connection to the broker")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, _userdata: object, _flags: ConnectFlags, _reason: ReasonCode, _rest: Properties | None
    ) -> None:
        client.subscribe([(topic_for(self._site, channel), 1) for channel in ("hello", "up")])
        self._ready.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic == topic_for(self._site, "hello"):
            hello = Hello.model_validate_json(message.payload)
            self._last = {held.stream: held.last for held in hello.streams}
            # The first rows may be pruned already: a hub that has lost all would record them as a gap.
            self._say([(held.stream, held.first - 1) for held in hello.streams], hello.hello_id)
            return
        header, _ = decode_batch(getattr(message.properties, "ContentType", ""), bytes(message.payload))
        self.drained += header.n
        if header.last >= self._last.get(header.stream, 0):
            self._incarnation = secrets.token_hex(16)
        self._say([(header.stream, header.last)], None)

    def _say(self, positions: list[tuple[str, int]], hello_id: str | None) -> None:
        acks = [StreamAck(stream=stream, seq=seq) for stream, seq in positions]
        ack = Ack(site=self._site, hub=self._incarnation, acks=acks, hello_id=hello_id)
        self._client.publish(topic_for(self._site, "ack"), ack.model_dump_json(), qos=1)


@contextmanager
def running_hub(port: int, site: str) -> Iterator[list[int]]:
    """Run it in a process of its own until the block ends; then the list holds how many events it acknowledged."""
    drained: list[int] = []
    command = [sys.executable, "-m", "tests.benchmarks.eager_hub", str(port), site]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the stand-in hub did not start")
        try:
            yield drained
            told, _ = process.communicate(timeout=PATIENCE_S)
            drained.append(int(told))
        finally:
            process.kill()


def main(port: int, site: str) -> None:
    """Acknowledge until the standard input ends."""
    with EagerHub(port, site) as hub:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        sys.stdout.write(f"{hub.drained}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
