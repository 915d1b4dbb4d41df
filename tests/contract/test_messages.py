import json
import zlib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from contract import schema
from contract.events import (
    Access,
    AccessDecided,
    BookingJudged,
    BookingOfRoom,
    ClockSet,
    ClockStep,
    Desk,
    DeskStateChanged,
    DeviceLost,
    DeviceRecovered,
    Door,
    DoorStateChanged,
    EdgeAlive,
    EdgeStarted,
    Enrolment,
    EnrolmentEnded,
    Event,
    EventsRefused,
    Issue,
    Loss,
    Lost,
    Nothing,
    Recovery,
    Refusal,
    Rejection,
    RightsApplied,
    RightsRefused,
    Room,
    RoomStateChanged,
    Size,
    Start,
    decode,
    encode,
)
from contract.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_DEVICES,
    MAX_EVENT_BYTES,
    MAX_HELLO_STREAMS,
    MAX_MESSAGE_BYTES,
    MAX_RADARS,
    MAX_RESOURCES,
)
from contract.messages import (
    COMPRESS_FROM_EVENTS,
    COMPRESSED,
    MESSAGES,
    PLAIN,
    Ack,
    BatchHeader,
    DeskNow,
    DeviceStatus,
    DoorNow,
    Held,
    Hello,
    HubState,
    MessageError,
    Now,
    OutboxStatus,
    RadarStatus,
    Report,
    RightsStatus,
    RoomNow,
    Status,
    StreamAck,
    decode_batch,
    encode_batch,
)

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/vectors/messages"
STREAM, BOOT, HUB = "0123456789abcdef" * 2, "fedcba9876543210" * 2, "00112233445566778899aabbccddeeff"
T, UP = 1_790_000_000_000, 86_400_123

EVENTS: list[Event] = [
    AccessDecided(
        subject="reader-01",
        t=T,
        clock="synced",
        up=UP,
        value=Access(door="door-01", reason="DENIED_OUT_OF_TIME_RANGE", assurance="uid"),
    ),
    DoorStateChanged(
        subject="door-01", t=T, clock="synced", up=UP, value=Door(state="open", alarm="DOOR_OPEN_TOO_LONG")
    ),
    DeskStateChanged(subject="desk-01", t=T, clock="holdover", up=UP, value=Desk(state="occupied")),
    RoomStateChanged(subject="room-01", t=T, clock="synced", up=UP, value=Room(state="ghost")),
    BookingJudged(
        subject="room-01", t=T, clock="synced", up=UP, value=BookingOfRoom(start=T - 600_000, outcome="no_show")
    ),
    DeviceLost(subject="desk-02-radar", t=T, clock="synced", up=UP, value=Loss(fault="unplugged")),
    DeviceRecovered(subject="desk-02-radar", t=T, clock="synced", up=UP, value=Recovery(down_s=42)),
    ClockSet(subject="agent", t=T, clock="synced", up=UP, value=ClockStep(step_ms=-3_600_000)),
    EdgeStarted(subject="agent", t=0, clock="unsynced", up=12_000, value=Start(version="0.1.0")),
    EdgeAlive(subject="agent", t=T, clock="synced", up=UP, value=Nothing()),
    EventsRefused(
        subject="outbox", t=T, clock="synced", up=UP, value=Refusal(counts={"desk_state_changed": 17, "edge_alive": 2})
    ),
    RightsApplied(subject="rights", t=T, clock="synced", up=UP, value=Issue(version=T, badges=31)),
    RightsRefused(subject="rights", t=T, clock="synced", up=UP, value=Rejection(reason="signature")),
    EnrolmentEnded(
        subject="reader-01", t=T, clock="synced", up=UP, value=Enrolment(command=BOOT, outcome="pulled_away")
    ),
    Lost(subject="outbox", t=T, clock="synced", up=UP, value=Size(size_bytes=2049)),
]

REPORT = Report(
    version="0.1.0",
    boot=BOOT,
    started_at=T - UP,
    at=T,
    clock="synced",
    outbox=OutboxStatus(
        stream=STREAM,
        depth=3,
        oldest_at=T - 5_000,
        acknowledged_at=T - 6_000,
        size_bytes=40_960,
        quota_bytes=200_000_000,
        refused_count=0,
        storage="ok",
        disk_free_bytes=12_000_000_000,
    ),
    rights=RightsStatus(version=7, issued_at=T - 3_600_000, expires_at=T + 601_200_000, credentials=31, trusted_at=T),
    devices=[
        DeviceStatus(id="reader-01", kind="reader", health="ok", since=T - UP),
        DeviceStatus(
            id="desk-02-radar", kind="radar", health="down", since=T, fault="silent", noise_count=4, last_fault="silent"
        ),
    ],
    radars=[
        RadarStatus(
            id="desk-02-radar",
            firmware="1.02.22062416",
            settings="8/8 5s 50 50 40 30 20 15 15 15 15 / 0 0 40 40 30 30 20 20 20",
        )
    ],
)

MESSAGE_SAMPLES: dict[str, BaseModel] = {
    "batch_header": BatchHeader(
        site="murat", stream=STREAM, boot=BOOT, first=41, n=2, sent_at=T, persons={42: "k7q2m9x4"}
    ),
    "hello": Hello(site="murat", hello_id="0011223344556677", streams=[Held(stream=STREAM, first=1, last=42)]),
    "ack": Ack(site="murat", hub=HUB, acks=[StreamAck(stream=STREAM, seq=42)], hello_id="0011223344556677"),
    "hub_state": HubState(hub=HUB),
    "now": Now(
        site="murat",
        as_of=T,
        clock="synced",
        desks=[DeskNow(id="desk-01", state="occupied", since=T - 60_000)],
        rooms=[RoomNow(id="room-01", state="free", since=None)],
        doors=[DoorNow(id="door-01", state="locked", alarm="NORMAL", since=T)],
    ),
    "status": Status(site="murat", online=True, report=REPORT),
}


def golden(name: str) -> bytes:
    """The frozen bytes; the file ends in one newline that is not part of the message."""
    return (GOLDEN / f"{name}.json").read_bytes().removesuffix(b"\n")


# --- Golden files: what was once sent is understood for ever ------------------------------------------------------


def test_every_event_and_message_has_its_golden_file() -> None:
    names = {event.kind for event in EVENTS} | MESSAGES.keys()
    assert {path.stem for path in GOLDEN.glob("*.json")} == names
    assert {type(event) for event in EVENTS} == set(get_args(get_args(Event)[0]))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.kind))
def test_an_event_is_encoded_as_its_golden_file_and_back(event: Event) -> None:
    assert encode(event) == golden(event.kind)
    assert decode(golden(event.kind)) == event


def test_what_is_unusual_in_a_decision_travels_and_what_is_usual_does_not() -> None:
    usual = Access(door="door-01", reason="GRANTED", assurance="secured")
    unusual = usual.model_copy(update={"time": "high_water", "passback": True, "emergency": True})
    assert set(json.loads(usual.model_dump_json())) == {"door", "reason", "assurance"}
    assert json.loads(unusual.model_dump_json()).items() >= {"time": "high_water", "passback": True}.items()
    assert Access.model_validate_json(unusual.model_dump_json()) == unusual


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_encoded_as_its_golden_file_and_back(name: str) -> None:
    sample = MESSAGE_SAMPLES[name]
    assert sample.model_dump_json().encode() == golden(name)
    assert MESSAGES[name].validate_json(golden(name)) == sample


def test_the_published_schema_is_fresh() -> None:
    written = (ROOT / "contract/schema.json").read_text()
    assert written == schema.schema(), "run: .venv/bin/python -m contract.schema > contract/schema.json"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.kind))
def test_an_event_is_far_below_its_limit(event: Event) -> None:
    assert len(encode(event)) < MAX_EVENT_BYTES / 4


# --- What is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"person": "k7q2m9x4"},
        {"t": -1},
        {"t": 2**53 + 1},
        {"t": "1790000000000"},
        {"t": 1.5},
        {"up": None},
        {"clock": "right"},
        {"kind": "desk_moved"},
        {"subject": "Desk 1"},
        {"subject": "d" * 41},
        {"value": {"state": "ghost"}},
        {"value": {"state": "occupied", "badge": "04A2241B"}},
    ],
    ids=str,
)
def test_an_event_with_one_wrong_field_is_refused(change: dict[str, object]) -> None:
    event = json.loads(golden("desk_state_changed"))
    with pytest.raises(ValidationError):
        decode(json.dumps(event | change).encode())


@pytest.mark.parametrize("line", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"kind":"edge_alive"}', b"9" * 5000])
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(line)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_by_a_validation_error_and_nothing_else(line: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(line)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hello", {"v": 2}),
        ("hello", {"site": "hub"}),
        ("hello", {"site": "Murat"}),
        ("hello", {"hello_id": "xyz"}),
        ("hello", {"streams": [{"stream": STREAM, "first": 0, "last": 1}]}),
        ("hello", {"streams": [{"stream": STREAM, "first": 1, "last": 1}] * 201}),
        ("ack", {"acks": [{"stream": STREAM, "seq": -1}]}),
        ("ack", {"hub": "short"}),
        ("ack", {"extra": 1}),
        ("now", {"desks": [{"id": "desk-01", "state": "free", "since": None}]}),
        ("now", {"desks": [{"id": "desk-01", "state": "vacant", "since": None}] * 501}),
        ("status", {"online": "yes"}),
        ("batch_header", {"n": 0}),
        ("batch_header", {"n": 201}),
        ("batch_header", {"first": 0}),
        ("batch_header", {"persons": {"40": "k7q2m9x4"}}),
        ("batch_header", {"persons": {"42": "04:A2:24:1B"}}),
    ],
    ids=str,
)
def test_a_message_with_one_wrong_field_is_refused(name: str, change: dict[str, object]) -> None:
    message = json.loads(golden(name))
    with pytest.raises(ValidationError):
        MESSAGES[name].validate_json(json.dumps(message | change))


# --- Batches ------------------------------------------------------------------------------------------------------


def header(first: int, n: int) -> BatchHeader:
    return BatchHeader(site="murat", stream=STREAM, boot=BOOT, first=first, n=n, sent_at=T)


@given(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=MAX_BATCH_EVENTS), st.integers(1, 2**40))
def test_a_batch_comes_back_as_it_went(events: list[Event], first: int) -> None:
    sent = header(first, len(events))
    lines = [encode(event) for event in events]
    content_type, payload = encode_batch(sent, lines)
    assert content_type == (COMPRESSED if len(events) >= COMPRESS_FROM_EVENTS else PLAIN)
    assert decode_batch(content_type, payload) == (sent, lines)


def test_a_lone_event_travels_as_plain_lines() -> None:
    content_type, payload = encode_batch(header(7, 1), [encode(EVENTS[0])])
    first, second = payload.split(b"\n")
    assert content_type == PLAIN
    assert json.loads(first)["first"] == 7
    assert second == encode(EVENTS[0])


def test_a_bad_line_does_not_cost_its_neighbours() -> None:
    lines = [encode(EVENTS[0]), b"garbage", encode(EVENTS[1])]
    assert decode_batch(*encode_batch(header(1, 3), lines))[1] == lines


def reason(content_type: str, payload: bytes) -> str:
    with pytest.raises(MessageError) as error:
        decode_batch(content_type, payload)
    return error.value.reason


def test_a_batch_is_refused_by_a_reason_fit_for_a_counter() -> None:
    plain = encode_batch(header(1, 1), [b"{}"])[1]
    assert reason("text/plain", plain) == "content_type"
    assert reason(PLAIN, b"") == "header"
    assert reason(PLAIN, plain.replace(b'"v":1', b'"v":2')) == "version"
    assert reason(PLAIN, plain + b"\n{}") == "count"
    assert reason(PLAIN, plain + b" " * MAX_BATCH_BYTES) == "size"
    assert reason(COMPRESSED, plain) == "compression"
    assert reason(COMPRESSED, zlib.compress(plain)[:-4]) == "compression"
    assert reason(COMPRESSED, zlib.compress(plain) + b"tail") == "compression"


def test_a_decompression_bomb_is_refused_without_being_inflated() -> None:
    bomb = zlib.compress(b"\n" * 20_000_000, 9)
    assert len(bomb) < MAX_BATCH_BYTES
    assert reason(COMPRESSED, bomb) == "size"


def test_a_batch_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    lines = [b"x" * 300] * MAX_BATCH_EVENTS
    plain = b"\n".join([header(1, MAX_BATCH_EVENTS).model_dump_json().encode(), *lines])
    padding = b"x" * (MAX_BATCH_BYTES - len(plain))
    for content_type, pack in ((PLAIN, bytes), (COMPRESSED, zlib.compress)):
        assert decode_batch(content_type, pack(plain + padding))[0].n == MAX_BATCH_EVENTS
        assert reason(content_type, pack(plain + padding + b"x")) == "size"


@given(st.binary(max_size=500), st.sampled_from([PLAIN, COMPRESSED]))
def test_a_random_payload_is_refused_by_a_message_error_and_nothing_else(payload: bytes, content_type: str) -> None:
    with pytest.raises(MessageError):
        decode_batch(content_type, payload)


def test_the_will_is_a_status_without_a_report() -> None:
    will = Status(site="murat", online=False).model_dump_json()
    assert TypeAdapter(Status).validate_json(will) == Status(site="murat", online=False, report=None)


# --- The largest message fits -------------------------------------------------------------------------------------


def largest_messages() -> list[BaseModel]:
    """Every message with all its lists full and all its words as long as they may be."""
    name, number = "a" * 40, 2**53
    desk = DeskNow(id=name, state="out_of_service", since=number)
    room = RoomNow(id=name, state="out_of_service", since=number)
    door = DoorNow(id=name, state="unlocked", alarm="DOOR_OPEN_TOO_LONG", since=number)
    device = DeviceStatus(
        id=name,
        kind="k" * 40,
        health="degraded",
        since=number,
        fault="implausible",
        noise_count=number,
        last_fault="implausible",
    )
    radar = RadarStatus(id=name, firmware="v" * 16, settings="s" * 84)
    report = REPORT.model_copy(update={"devices": [device] * MAX_DEVICES, "radars": [radar] * MAX_RADARS})
    held = Held(stream=STREAM, first=number, last=number)
    return [
        Now(
            site=name,
            as_of=number,
            clock="holdover",
            desks=[desk] * MAX_RESOURCES,
            rooms=[room] * MAX_RESOURCES,
            doors=[door] * MAX_RESOURCES,
        ),
        Status(site=name, online=True, report=report),
        Hello(site=name, hello_id="0" * 16, streams=[held] * MAX_HELLO_STREAMS),
        Ack(site=name, hub=HUB, acks=[StreamAck(stream=STREAM, seq=number)] * MAX_HELLO_STREAMS, hello_id="0" * 16),
    ]


@pytest.mark.parametrize("message", largest_messages(), ids=lambda message: type(message).__name__)
def test_the_largest_message_fits_the_limit_of_messages(message: BaseModel) -> None:
    assert len(message.model_dump_json()) <= MAX_MESSAGE_BYTES
