"""The peer of B1: a Mosquitto on the edge that bridges to a Mosquitto at the hub, one event a message, QoS 1.

Limits are lifted (by default all but 1,000 waiting messages are dropped), and the far end only counts: nothing is
stored.
"""

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from contract.events import Desk, DeskStateChanged, encode
from tests.support.brokers import mosquitto_path
from tests.support.leaving import leave
from tests.support.ports import free_port

WITHIN_S = 180.0

_FAR = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
_NEAR = (
    _FAR + "connection hub\naddress 127.0.0.1:{far}\ntopic # out 1\nrestart_timeout 1\ncleansession false\n"
    "notifications false\ntry_private true\n"
)


def bridged_events_per_s(count: int) -> float:
    """Return how fast `count` waiting events cross the bridge, from the first that arrives to the last."""
    near, far = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "near.conf").write_text(_NEAR.format(port=near, far=far))
        (folder / "far.conf").write_text(_FAR.format(port=far))
        edge = _start(folder / "near.conf")
        hub = None
        try:
            _publish(near, count)
            hub = _start(folder / "far.conf")
            return _count(far, count)
        finally:
            for process in (edge, hub):
                if process is not None:
                    process.kill()
                    process.wait(10)


def _start(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([mosquitto_path(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _client(port: int) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(0)
    client.max_queued_messages_set(0)
    deadline_s = time.monotonic() + 20
    while True:
        try:
            client.connect("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            threading.Event().wait(0.02)
        else:
            client.loop_start()
            return client


def _publish(port: int, count: int) -> None:
    event = encode(DeskStateChanged(subject="desk-01", value=Desk(state="vacant"), t=0, clock="synced", up=0))
    client = _client(port)
    sent = [client.publish("tc/v1/32/murat/up", event, qos=1) for _ in range(count)]
    for info in sent:
        info.wait_for_publish(WITHIN_S)
    leave(client)


def _count(port: int, count: int) -> float:
    """Return the rate at which the far broker's messages come, begun by its first one."""
    times_s: list[float] = []
    done = threading.Event()

    def note(_client: Client, _userdata: object, _message: MQTTMessage) -> None:
        times_s.append(time.monotonic())
        if len(times_s) == count:
            done.set()

    client = _client(port)
    client.on_message = note
    client.subscribe("#", qos=1)
    if not done.wait(WITHIN_S):
        raise RuntimeError(f"{len(times_s)} of {count} events crossed the bridge in {WITHIN_S:.0f} s")
    leave(client)
    return count / (times_s[-1] - times_s[0])
