"""Each message that must not count, against a real broker: refused, counted, in the audit, and the next one is taken.

The audit is the table of alarms: by site and reason how often, first, last, and a part of the first one.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from sqlite3 import connect

import pytest

from contract.limits import MAX_MESSAGE_BYTES
from contract.messages import MAX_SEQ, PLAIN, Held, encode_batch
from contract.topics import topic_for
from tests.hub.test_ingest import Bench, bench
from tests.hub.test_receiver import NOW, access, batch, desk
from tests.support.brokers import broker
from tests.support.telecentres import now_of, status_of
from tests.support.waiting import eventually

__all__ = ["bench", "broker"]  # fixtures

GOOD = encode_batch(batch(desk()).header, [desk()])[1]
UP = topic_for("murat", "up")


@pytest.fixture
def heard(bench: Bench) -> Iterator[Bench]:
    """A hub that takes history; it must still take it at the end, on its first connection."""
    bench.start()
    yield bench
    bench.edge.send(batch(desk(), first=2) if bench.edge.position() else batch(desk()))
    eventually(lambda: bench.edge.position() >= 1, what="a good message is taken after the bad one")
    assert bench.ingest.health().broker_reconnections == 0, "no reconnect loop"
    assert bench.crashes == []


def audited(heard: Bench, site: str, reason: str, *, times: int = 1) -> bytes:
    """Wait for the audit's row; return the sample that it keeps."""
    eventually(lambda: heard.alarms().get((site, reason), 0) == times, what=f"{reason} is in the audit")
    with closing(connect(heard.store.file)) as connection:
        (sample,) = connection.execute("select sample from alarm where site = ? and reason = ?", (site, reason))
    assert len(sample[0]) <= 256
    return bytes(sample[0])


def refused(heard: Bench, count: int) -> None:
    """The counter of refused messages is what machines read; nothing is stored of them."""
    eventually(lambda: heard.ingest.health().messages_refused == count, what="counted")
    assert heard.store.totals().events == 0


@pytest.mark.parametrize("payload", [b"", b"\xff" * 40, b"{}\n", b"\n" * 300], ids=["empty", "noise", "bare", "lines"])
def test_a_forged_message_is_refused_counted_and_in_the_audit(heard: Bench, payload: bytes) -> None:
    heard.edge.publish(UP, payload, PLAIN)
    assert audited(heard, "murat", "refused_header") == payload[:256]
    refused(heard, 1)


def test_a_forged_line_at_a_stored_position_is_set_aside_and_alarmed(heard: Bench) -> None:
    heard.edge.send(batch(desk()))
    eventually(lambda: heard.edge.position() == 1, what="stored")
    heard.edge.send(batch(desk("vacant")))
    assert audited(heard, "murat", "conflicting_event") == desk("vacant")
    assert heard.store.totals().quarantined == 1


def test_a_batch_beyond_the_last_position_is_refused_counted_and_in_the_audit(heard: Bench) -> None:
    """It can be reached in one step: a site is believed when it says that all before is gone for good."""
    sent = batch(desk(), desk("vacant"), first=MAX_SEQ - 1)
    heard.edge.greet("0" * 16, Held(stream=sent.header.stream, first=MAX_SEQ, last=MAX_SEQ))
    forged = encode_batch(sent.header, sent.lines)[1].replace(b"%d" % (MAX_SEQ - 1), b"%d" % MAX_SEQ)
    heard.edge.publish(UP, forged, PLAIN)
    audited(heard, "murat", "refused_header")
    refused(heard, 1)


def test_an_oversized_message_is_refused_counted_and_in_the_audit(heard: Bench) -> None:
    heard.edge.publish(UP, b"x" * (MAX_MESSAGE_BYTES + 1), PLAIN)
    audited(heard, "murat", "refused_size")
    refused(heard, 1)


def test_a_replayed_message_changes_nothing_and_only_its_position_is_told_again(heard: Bench) -> None:
    """Not counted as an alarm: an edge that missed an answer sends the same bytes again, and cannot be told apart."""
    sent = batch(desk(), access(), persons={2: "k7q2m9x4"})
    for _ in range(3):
        heard.edge.send(sent)
    eventually(lambda: heard.ingest.health().messages >= 3 and len(heard.edge.acks) >= 1, what="all three came")
    eventually(lambda: heard.edge.position() == 2, what="the position")
    totals = heard.store.totals()
    assert (totals.events, totals.journal, totals.quarantined, heard.alarms()) == (2, 1, 0, {})


def test_a_message_replayed_on_a_foreign_sites_topic_is_refused_counted_and_in_the_audit(heard: Bench) -> None:
    heard.edge.publish(topic_for("ydes", "up"), GOOD, PLAIN)
    assert audited(heard, "ydes", "refused_site").startswith(b'{"v":1,"site":"murat"')
    refused(heard, 1)


def test_a_message_of_a_site_that_nobody_knows_is_counted_under_no_name(heard: Bench) -> None:
    heard.edge.publish(topic_for("stranger", "up"), GOOD, PLAIN)
    heard.edge.publish("tc/v1/zz/hub/up", b"{}", PLAIN)
    audited(heard, "", "refused_site")
    audited(heard, "", "refused_topic")
    refused(heard, 2)


def next_version(payload: bytes) -> bytes:
    """Return a message as a later edge might send it: another version, and something in it that we do not know."""
    head, _, rest = payload.partition(b"\n")
    return json.dumps({**json.loads(head), "v": 2, "tide": "high"}).encode() + (b"\n" + rest if rest else b"")


HELLO = json.dumps({"v": 1, "site": "murat", "hello_id": "0" * 16, "streams": []}).encode()


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("up", lambda: GOOD),
        ("hello", lambda: HELLO),
        ("now", lambda: now_of("murat", "v", as_of=NOW).model_dump_json().encode()),
        ("status", lambda: status_of("murat", at=NOW).model_dump_json().encode()),
    ],
    ids=["up", "hello", "now", "status"],
)
def test_a_message_of_a_future_version_is_refused_counted_and_in_the_audit(
    heard: Bench, channel: str, payload: Callable[[], bytes]
) -> None:
    heard.edge.publish(f"{UP.removesuffix('up')}{channel}", next_version(payload()), PLAIN)
    assert b'"v": 2' in audited(heard, "murat", "refused_version")
    refused(heard, 1)
    assert heard.edge.acks == [], "the telecentre keeps what it sent until the hub can read it"
    assert heard.board.nows == []
    assert heard.board.statuses == []
