"""The receiving half of TC1: what each message changes, given what is committed."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.events import decode, encode
from contract.limits import MAX_FUTURE_MS, MAX_MESSAGE_BYTES
from contract.messages import PLAIN, BatchHeader, Held, encode_batch
from hub.receiver import (
    AS_WRITTEN,
    Batch,
    RefusedError,
    answer,
    believed_at,
    read_batch,
    read_hello,
    read_line,
    receive,
)

NOW = 1_795_258_800_000
STREAM, BOOT = "a" * 32, "b" * 32


def desk(state: str = "occupied", *, t: int = NOW, clock: str = "synced", up: int = 5) -> bytes:
    event = {"subject": "desk-01", "t": t, "clock": clock, "up": up, "kind": "desk_state_changed"}
    return json.dumps({**event, "value": {"state": state}}).encode()


def access() -> bytes:
    value = {"door": "door-01", "reason": "GRANTED", "assurance": "uid"}
    event = {"subject": "reader-01", "t": NOW, "clock": "synced", "up": 5, "kind": "access_decided"}
    return json.dumps({**event, "value": value}).encode()


def batch(*lines: bytes, first: int = 1, persons: dict[int, str] | None = None) -> Batch:
    header = BatchHeader(
        site="murat", stream=STREAM, boot=BOOT, first=first, n=len(lines), sent_at=NOW, persons=persons or {}
    )
    return Batch(header, list(lines))


def test_a_batch_that_follows_is_stored_whole() -> None:
    receipt = receive(batch(desk(), desk("vacant"), first=3), 2, NOW, None)
    assert receipt.position == 4
    assert [event.seq for event in receipt.events] == [3, 4]


def test_a_batch_beyond_the_next_position_changes_nothing_and_tells_the_committed_one() -> None:
    receipt = receive(batch(desk(), first=4), 2, NOW, None)
    assert receipt.position == 2
    assert not receipt.events
    assert not receipt.repeated


def test_positions_already_committed_are_only_compared() -> None:
    receipt = receive(batch(desk(), desk("vacant"), desk()), 2, NOW, None)
    assert [seq for seq, _ in receipt.repeated] == [1, 2]
    assert receipt.repeated[0][1] == hashlib.sha256(desk()).digest()
    assert [event.seq for event in receipt.events] == [3]


def test_an_old_batch_never_moves_the_position_back() -> None:
    assert receive(batch(desk()), 9, NOW, None).position == 9


def test_a_line_that_cannot_be_read_is_set_aside_and_counts_as_stored() -> None:
    receipt = receive(batch(desk(), b"{nonsense", desk()), 0, NOW, None)
    assert receipt.position == 3
    assert [(bad.seq, bad.reason) for bad in receipt.bad] == [(2, "event")]
    assert [event.seq for event in receipt.events] == [1, 3]


def test_a_line_larger_than_an_event_may_be_is_set_aside() -> None:
    assert receive(batch(b" " * 2_049), 0, NOW, None).bad[0].reason == "size"


def test_persons_are_taken_for_access_events_alone() -> None:
    receipt = receive(batch(access(), desk(), persons={1: "k7q2m9x4", 2: "k7q2m9x4"}), 0, NOW, None)
    assert receipt.persons == ((1, "k7q2m9x4"),)
    assert receipt.misplaced_persons == 1


def test_a_time_more_than_five_minutes_ahead_of_reception_is_not_believed() -> None:
    receipt = receive(batch(desk(t=NOW + MAX_FUTURE_MS), desk(t=NOW + MAX_FUTURE_MS + 1)), 0, NOW, None)
    assert [event.at_ms for event in receipt.events] == [NOW + MAX_FUTURE_MS, None]
    assert receipt.suspect == 1


def test_an_unsynced_event_is_believed_only_by_its_boots_clock() -> None:
    assert believed_at(NOW, "unsynced", 70, NOW, None) is None
    assert believed_at(5, "unsynced", 70, NOW, NOW - 1_000) == NOW - 930
    assert believed_at(0, "synced", 70, NOW, None) is None


@pytest.mark.parametrize(
    ("held", "committed", "position", "gap", "went_back"),
    [
        ((1, 9), 0, 0, None, False),
        ((1, 9), 4, 4, None, False),
        ((1, 9), 9, 9, None, False),
        ((6, 9), 3, 5, (4, 5), False),
        ((6, 9), 0, 5, (1, 5), False),
        ((1, 9), 12, 12, None, True),
    ],
)
def test_a_hello_learns_the_position_and_reveals_losses(
    held: tuple[int, int], committed: int, position: int, gap: tuple[int, int] | None, went_back: bool
) -> None:
    found = answer(Held(stream=STREAM, first=held[0], last=held[1]), committed)
    assert (found.position, found.gap, found.went_back) == (position, gap, went_back)


@pytest.mark.parametrize(
    ("content_type", "payload", "reason"),
    [
        ("text/plain", b"", "content_type"),
        (PLAIN, b"{}", "header"),
        (PLAIN, b"", "header"),
        (PLAIN, b'{"v":2,"site":"murat","anything":1}', "version"),
        (PLAIN, b" " * (MAX_MESSAGE_BYTES + 1), "size"),
        (PLAIN + "+zlib", b"not zlib", "compression"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused_with_a_word(content_type: str, payload: bytes, reason: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_batch("murat", content_type, payload)
    assert refusal.value.reason == reason


def test_a_batch_of_another_site_than_its_topic_is_refused() -> None:
    with pytest.raises(RefusedError) as refusal:
        read_batch("ydes", *encode_batch(batch(desk()).header, [desk()]))
    assert refusal.value.reason == "site"


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(payload: bytes) -> None:
    for read in (lambda: read_batch("murat", PLAIN, payload), lambda: read_hello("murat", payload)):
        with pytest.raises(RefusedError):
            read()


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 8)), max_size=30))
def test_whatever_comes_the_position_moves_up_only_and_each_event_is_new_once(sends: list[tuple[int, int]]) -> None:
    committed, stored = 0, []
    for first, count in sends:
        receipt = receive(batch(*[desk()] * count, first=first), committed, NOW, None)
        assert receipt.position >= committed
        committed = receipt.position
        stored += [event.seq for event in receipt.events]
    assert stored == list(range(1, committed + 1))


VALUES = [
    '{"state":"vacant"}',
    '{"state":"free"}',
    '{"door":"door-01","reason":"GRANTED","assurance":"uid"}',
    '{"version":"1.0"}',
    '{"version":"1.0","t":1}',
    '{"version":"}"}',
    '{"version":"\\"}',
    '{"counts":{"edge_alive":2}}',
    '{"state":"vacant"},"t":7',
    "{}",
]
INSTANTS = ["0", "00", "7", "-1", "1.0", "1e3", '"7"', "null", str(2**53), str(2**53 + 1), "1" * 17, "7 "]


@given(
    subject=st.sampled_from(["desk-01", "-", "a" * 41, "Desk", "d\\u0065sk", 'desk","t":"1']),
    instants=st.tuples(st.sampled_from(INSTANTS), st.sampled_from(INSTANTS)),
    clock=st.sampled_from(["synced", "unsynced", "sun"]),
    kind=st.sampled_from(["desk_state_changed", "edge_started", "edge_alive", "events_refused", "access_decided"]),
    value=st.sampled_from(VALUES),
)
def test_a_line_is_read_as_the_contract_reads_it(
    subject: str, instants: tuple[str, str], clock: str, kind: str, value: str
) -> None:
    t, up = instants
    line = f'{{"subject":"{subject}","t":{t},"clock":"{clock}","up":{up},"kind":"{kind}","value":{value}}}'.encode()
    try:
        event = decode(line)
    except ValidationError:
        assert read_line(line) == "event"
    else:
        told = (event.kind, event.subject, event.value.model_dump_json(), event.clock)
        assert read_line(line) == (told, event.t, event.up)


def test_what_an_edge_writes_is_read_the_short_way() -> None:
    assert AS_WRITTEN.fullmatch(encode(decode(access())))
