"""Bad messages from a site with a valid certificate, through the shipped broker into a real ingest.

Each is refused, counted and acknowledged, and none comes back, stops the hub or costs another site an event.
"""

import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.events import encode
from contract.limits import MAX_BATCH_BYTES
from contract.messages import COMPRESSED, PLAIN, BatchHeader, Held, Hello, Status, encode_batch
from contract.topics import topic_for
from tests.support.events import access, desk
from tests.support.running_hub import RunningHub
from tests.support.secure_broker import SecureBroker, secure_broker
from tests.support.telecentres import NOON_MS, now_of
from tests.support.visitor import Visitor
from tests.support.waiting import eventually

__all__ = ["secure_broker"]  # a fixture

STREAM = "a" * 32
RESEND_S = 5.0


def batch(*lines: bytes, site: str = "murat", first: int = 1, stream: str = STREAM) -> tuple[str, bytes]:
    """Return content type and payload of a batch."""
    header = BatchHeader(site=site, stream=stream, boot="b" * 32, first=first, n=len(lines), sent_at=NOON_MS)
    return encode_batch(header, list(lines))


def tomorrow(payload: bytes) -> bytes:
    """Return a message as a version of the protocol would send it that this hub does not know."""
    head, *rest = payload.split(b"\n")
    return b"\n".join([json.dumps({**json.loads(head), "v": 2}).encode(), *rest])


def hello(site: str = "murat") -> bytes:
    held = [Held(stream=STREAM, first=1, last=1)]
    return Hello(site=site, hello_id="0" * 16, streams=held).model_dump_json().encode()


GOOD = batch(encode(desk(1)))[1]
OF_YDES = batch(encode(desk(1)), site="ydes")[1]
NOW = now_of("murat", "ov").model_dump_json().encode()
NOW_OF_YDES = now_of("ydes", "ov").model_dump_json().encode()
STATUS = Status(site="murat", online=False).model_dump_json().encode()
STATUS_OF_YDES = Status(site="ydes", online=False).model_dump_json().encode()
UP, HELLO = topic_for("murat", "up"), topic_for("murat", "hello")
STRANGE_BUCKET = f"tc/v1/{(int(UP[6:8], 16) + 1) % 64:02x}/murat/up"

BAD: dict[str, tuple[str, bytes, str, str]] = {
    "forged: not a message": (UP, b"\x00\xff" * 50, PLAIN, "refused_header"),
    "forged: nothing at all": (UP, b"", PLAIN, "refused_header"),
    "forged: a hello of garbage": (HELLO, b"{" * 5_000, "", "refused_hello"),
    "forged: fewer lines than said": (UP, GOOD.partition(b"\n")[0], PLAIN, "refused_count"),
    "forged: an unknown content type": (UP, GOOD, "text/plain", "refused_content_type"),
    "forged: half a compressed batch": (UP, zlib.compress(GOOD)[:-9], COMPRESSED, "refused_compression"),
    "oversized: above every limit of a batch": (UP, b"x" * (MAX_BATCH_BYTES + 1), PLAIN, "refused_size"),
    "oversized: 300 kB": (UP, b"x" * 300_000, PLAIN, "refused_size"),
    "oversized: a hello of 300 kB": (HELLO, b"x" * 300_000, "", "refused_size"),
    "oversized: a now of 300 kB": (topic_for("murat", "now"), b"x" * 300_000, "", "refused_size"),
    "oversized: 20 MB in a few kB": (UP, zlib.compress(bytes(20_000_000), 9), COMPRESSED, "refused_size"),
    "foreign site: a batch": (UP, OF_YDES, PLAIN, "refused_site"),
    "foreign site: a hello": (HELLO, hello("ydes"), "", "refused_site"),
    "foreign site: a now": (topic_for("murat", "now"), NOW_OF_YDES, "", "refused_site"),
    "foreign site: a status": (topic_for("murat", "status"), STATUS_OF_YDES, "", "refused_site"),
    "future version: a batch": (UP, tomorrow(GOOD), PLAIN, "refused_version"),
    "future version: a hello": (HELLO, tomorrow(hello()), "", "refused_version"),
    "future version: a now": (topic_for("murat", "now"), tomorrow(NOW), "", "refused_version"),
    "future version: a status": (topic_for("murat", "status"), tomorrow(STATUS), "", "refused_version"),
    "forged: in a bucket that is not its own": (STRANGE_BUCKET, GOOD, PLAIN, "refused_topic"),
}


@pytest.fixture
def hub(secure_broker: SecureBroker, tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path, secure_broker.hub_settings())
    running.ingest.start()
    eventually(lambda: running.ingest.health().ready, what="the ingest is ready")
    yield running
    running.stop()


@pytest.fixture
def hostile(secure_broker: SecureBroker) -> Iterator[Visitor]:
    visitor = Visitor(secure_broker, "murat")
    eventually(lambda: visitor.accepted, what="accepted")
    yield visitor
    visitor.leave()


@pytest.fixture
def honest(secure_broker: SecureBroker) -> Iterator[Visitor]:
    visitor = Visitor(secure_broker, "ydes").listen([topic_for("ydes", "ack")])
    yield visitor
    visitor.leave()


def accounted(hub: RunningHub) -> int:
    health = hub.ingest.health()
    return health.messages_refused + sum(health.messages_dropped.values())


def goes_on(hub: RunningHub, honest: Visitor, *, first: int = 1) -> None:
    """See that another site's event is stored and acknowledged, on the connection that the hub has had all along."""
    before, sent_s = len(honest.heard), float("-inf")
    content_type, payload = batch(encode(desk(first)), site="ydes", first=first)

    def answered() -> bool:
        # What falls out of the hub's queue in a flood is sent again, as an edge does.
        nonlocal sent_s
        if time.monotonic() - sent_s > RESEND_S:
            sent_s = time.monotonic()
            honest.publish(topic_for("ydes", "up"), payload, content_type=content_type)
        return len(honest.heard) > before

    eventually(answered, what="the honest site's acknowledgement")
    assert f'"seq":{first}' in honest.heard[-1].payload.decode()
    assert hub.ingest.health().broker_reconnections == 0
    assert hub.ingest.health().database_failures == 0


def test_every_bad_message_is_refused_counted_and_acknowledged_and_the_next_good_one_is_stored(
    hub: RunningHub, hostile: Visitor, honest: Visitor
) -> None:
    sent = [
        hostile.publish(topic, payload, content_type=content_type) for topic, payload, content_type, _ in BAD.values()
    ]
    eventually(lambda: set(sent) <= set(hostile.outcomes), what="each has its PUBACK")
    assert {hostile.outcomes[mid] for mid in sent} == {"Success"}
    eventually(lambda: hub.store.totals().refused == len(BAD), what="each is counted")
    expected: dict[tuple[str, str], int] = {}
    for topic, _, _, reason in BAD.values():
        key = ("" if topic == STRANGE_BUCKET else "murat", reason)
        expected[key] = expected.get(key, 0) + 1
    assert hub.alarms() == expected
    assert hub.store.totals().events == 0
    goes_on(hub, honest)
    hostile.publish(UP, GOOD, content_type=PLAIN)
    eventually(lambda: hub.store.totals().events == 2, what="its own good one")
    assert hub.alarms() == expected


@pytest.mark.parametrize("name", [name for name in BAD if BAD[name][0] in (UP, HELLO)])
def test_a_poisoned_message_that_is_retained_meets_each_new_hub_once(
    secure_broker: SecureBroker, tmp_path: Path, hostile: Visitor, honest: Visitor, name: str
) -> None:
    topic, payload, content_type, reason = BAD[name]
    mid = hostile.publish(topic, payload, content_type=content_type, retain=True)
    eventually(lambda: mid in hostile.outcomes, what="the broker has it")
    retained = payload != b""
    for start in (1, 2):
        hub = RunningHub(tmp_path, secure_broker.hub_settings())
        hub.ingest.start()
        eventually(lambda: hub.ingest.health().ready, what="ready")  # noqa: B023 -- used at once
        if retained:
            eventually(
                lambda: hub.alarms() == {("murat", reason): start},  # noqa: B023 -- used at once
                what="counted once more",
            )
        goes_on(hub, honest, first=start)
        assert hub.alarms() == ({("murat", reason): start} if retained else {})
        hub.stop()


def test_a_packet_above_the_broker_s_limit_costs_its_sender_the_connection_and_nobody_else(
    hub: RunningHub, hostile: Visitor, honest: Visitor, secure_broker: SecureBroker
) -> None:
    hostile.publish(UP, b"x" * 1_200_000, content_type=PLAIN)
    eventually(lambda: hostile.lost, what="the broker ends the connection")
    assert "murat disconnected due to oversize packet" in secure_broker.log()
    goes_on(hub, honest)
    assert hub.alarms() == {}


def test_a_replayed_batch_changes_nothing_and_one_with_other_bytes_is_an_alarm(
    hub: RunningHub, hostile: Visitor, honest: Visitor
) -> None:
    content_type, payload = batch(encode(access(1)), encode(desk(2)))
    for _ in range(20):
        hostile.publish(UP, payload, content_type=content_type)
    eventually(lambda: hub.ingest.health().messages >= 20, what="all have come")
    goes_on(hub, honest)
    assert hub.store.totals().events == 3
    assert hub.alarms() == {}
    content_type, payload = batch(encode(access(1)), encode(desk(3)))
    hostile.publish(UP, payload, content_type=content_type)
    eventually(lambda: hub.alarms() == {("murat", "conflicting_event"): 1}, what="the alarm")
    assert hub.store.totals().events == 3


def test_lines_that_cannot_be_read_are_set_aside_and_their_stream_goes_on(
    hub: RunningHub, hostile: Visitor, honest: Visitor
) -> None:
    later = json.loads(encode(desk(2))) | {"kind": "coffee_served"}
    lines = [encode(desk(1)), json.dumps(later).encode(), b"\xff\xfe", b"[" * 2_000, b"", encode(desk(5))]
    content_type, payload = batch(*lines)
    hostile.publish(UP, payload, content_type=content_type)
    eventually(lambda: hub.store.totals().quarantined == 4, what="four are set aside")
    goes_on(hub, honest)
    assert hub.store.totals().events == 3
    assert hub.alarms() == {("murat", "quarantined"): 4}


def test_a_flood_of_refused_messages_holds_up_no_other_site(hub: RunningHub, hostile: Visitor, honest: Visitor) -> None:
    for _ in range(3_000):
        hostile.publish(UP, b"\x00" * 100, content_type=PLAIN)
    goes_on(hub, honest)
    eventually(lambda: accounted(hub) == 3_000, what="every one is counted: refused, or dropped because of the flood")
    assert set(hub.alarms()) == {("murat", "refused_header")}
