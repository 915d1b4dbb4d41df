"""The messages of the two lanes between edge and hub: history (Batch, Hello, Ack) and now (Now, Status, HubState).

Source: protocol TC1, in docs/mqtt-api.md. Each message names its version and site; a site that differs from its topic's
is refused.
"""

import zlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from contract.events import Clock, DeskState, DoorAlarm, DoorState, Fault, Milliseconds, RoomState
from contract.identity import BootId, CredentialId, Incarnation, ResourceId, SiteId, StreamId
from contract.limits import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_DEVICES, MAX_HELLO_STREAMS, MAX_RADARS, MAX_RESOURCES

PLAIN = "application/vnd.telecentre.batch"
COMPRESSED = "application/vnd.telecentre.batch+zlib"
COMPRESS_FROM_EVENTS = 10
"""Below this a lone event gains some 8 % only (measured); not worth the work."""

MAX_SEQ = 2**53
Seq = Annotated[int, Field(ge=1, le=MAX_SEQ)]


class MessageError(ValueError):
    """A message cannot be read: its reason is one of a few words, fit for a counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BatchHeader(_Message):
    """Line 1 of a batch: which positions of which stream follow, and who the access events were about."""

    v: Literal[1] = 1
    site: SiteId
    stream: StreamId
    boot: BootId
    first: Seq
    n: Annotated[int, Field(ge=1, le=MAX_BATCH_EVENTS)]
    sent_at: Milliseconds
    persons: Annotated[dict[Seq, CredentialId], Field(max_length=MAX_BATCH_EVENTS)] = Field(default_factory=dict)

    @property
    def last(self) -> int:
        """The position of the last event of the batch."""
        return self.first + self.n - 1

    @model_validator(mode="after")
    def _ends_at_a_position(self) -> Self:
        if self.last > MAX_SEQ:
            raise ValueError("the last event is beyond the last position: no Ack could name it")
        return self

    @model_validator(mode="after")
    def _persons_are_in_the_batch(self) -> Self:
        if any(not self.first <= seq <= self.last for seq in self.persons):
            raise ValueError("a person is named for a position outside the batch")
        return self


def encode_batch(header: BatchHeader, lines: list[bytes]) -> tuple[str, bytes]:
    """Return the MQTT content type and payload of a batch whose events are `lines`, in order of seq."""
    payload = b"\n".join([header.model_dump_json().encode(), *lines])
    if header.n < COMPRESS_FROM_EVENTS:
        return PLAIN, payload
    return COMPRESSED, zlib.compress(payload, 6)


def decode_batch(content_type: str, payload: bytes) -> tuple[BatchHeader, list[bytes]]:
    """Return the header and the event lines, not yet decoded: a bad line must not cost its neighbours.

    Raises:
        MessageError: `content_type`, `compression`, `size`, `version`, `header` or `count`.
    """
    if content_type == COMPRESSED:
        payload = _inflate(payload)
    elif content_type != PLAIN:
        raise MessageError("content_type")
    if len(payload) > MAX_BATCH_BYTES:
        raise MessageError("size")
    head, *lines = payload.split(b"\n")
    try:
        header = BatchHeader.model_validate_json(head)
    except ValidationError as error:
        raise MessageError("version" if is_of_another_version(error) else "header") from error
    if len(lines) != header.n:
        raise MessageError("count")
    return header, lines


def is_of_another_version(error: ValidationError) -> bool:
    """Return whether a message was refused because its `v` is not ours, whatever else is wrong with it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return any(each["loc"] == ("v",) for each in found)


def _inflate(payload: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(payload, MAX_BATCH_BYTES + 1)
    except zlib.error as error:
        raise MessageError("compression") from error
    if len(plain) <= MAX_BATCH_BYTES and (not inflater.eof or inflater.unused_data):
        raise MessageError("compression")
    return plain


class Held(_Message):
    """The positions of one stream that the edge still holds."""

    stream: StreamId
    first: Seq
    last: Seq


class Hello(_Message):
    """The edge's question: what have you of these streams? Oldest first; a next page has its own `hello_id`."""

    v: Literal[1] = 1
    site: SiteId
    hello_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    streams: Annotated[list[Held], Field(max_length=MAX_HELLO_STREAMS)]


class StreamAck(_Message):
    """Up to where the hub has committed a stream; 0 if nothing."""

    stream: StreamId
    seq: Annotated[int, Field(ge=0, le=MAX_SEQ)]


class Ack(_Message):
    """The hub's answer, published after its commit. With `hello_id` it is the truth; without, an advance."""

    v: Literal[1] = 1
    site: SiteId
    hub: Incarnation
    acks: Annotated[list[StreamAck], Field(max_length=MAX_HELLO_STREAMS)]
    hello_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None


class HubState(_Message):
    """Retained by the worker of a bucket: a hint that the hub was restarted. Never a proof that it is there."""

    v: Literal[1] = 1
    hub: Incarnation


class DeskNow(_Message):
    """A desk at this moment; `since` is when the state began, empty while the clock is not set."""

    id: ResourceId
    state: DeskState
    since: Milliseconds | None


class RoomNow(_Message):
    """A visio room at this moment."""

    id: ResourceId
    state: RoomState
    since: Milliseconds | None


class DoorNow(_Message):
    """A door at this moment."""

    id: ResourceId
    state: DoorState
    alarm: DoorAlarm
    since: Milliseconds | None


class Now(_Message):
    """The whole site at one moment: what the live board shows. Retained, replaced on change and on connection."""

    v: Literal[1] = 1
    site: SiteId
    as_of: Milliseconds
    clock: Clock
    desks: Annotated[list[DeskNow], Field(max_length=MAX_RESOURCES)]
    rooms: Annotated[list[RoomNow], Field(max_length=MAX_RESOURCES)]
    doors: Annotated[list[DoorNow], Field(max_length=MAX_RESOURCES)]


DeviceHealth = Literal["ok", "degraded", "down", "unknown"]


class DeviceStatus(_Message):
    """One device: how it is, since when, and what is wrong."""

    id: ResourceId
    kind: Annotated[str, Field(max_length=40)]
    health: DeviceHealth
    since: Milliseconds | None
    fault: Fault | None = None
    noise_count: Annotated[int, Field(ge=0)] = 0
    """Frames that did not decode since the agent started: noise, resynchronised and counted."""
    last_fault: Fault | None = None
    """What was wrong with it last, also once it is well again; null when nothing was since the agent started."""


class RadarStatus(_Message):
    """What a radar has said of itself since the agent started."""

    id: ResourceId
    firmware: Annotated[str, Field(max_length=16)]
    settings: Annotated[str, Field(max_length=84)]
    """What it keeps in flash, as one line (docs/sensors.md): farthest gates, no-one duration, thresholds."""


class OutboxStatus(_Message):
    """What the edge still keeps for the hub, and since when."""

    stream: StreamId | None
    depth: Annotated[int, Field(ge=0)]
    """Events stored and not yet acknowledged."""
    oldest_at: Milliseconds | None
    acknowledged_at: Milliseconds | None
    size_bytes: Annotated[int, Field(ge=0)]
    quota_bytes: Annotated[int, Field(ge=0)]
    refused_count: Annotated[int, Field(ge=0)]
    """Events that a full outbox refused since the agent started."""
    storage: Literal["ok", "degraded"]
    disk_free_bytes: Annotated[int, Field(ge=0)] | None = None
    """Room on the disk that the outbox is on; null when it cannot be asked, or by an agent that does not say."""


class RightsStatus(_Message):
    """Which list of rights decides at the door."""

    version: Annotated[int, Field(ge=0)]
    issued_at: Milliseconds | None
    expires_at: Milliseconds | None
    credentials: Annotated[int, Field(ge=0)]
    trusted_at: Milliseconds | None = None
    """The site's trusted time when it reported: what the expiry is judged by. Null before a first list."""


class Report(_Message):
    """The health of one agent."""

    version: Annotated[str, Field(max_length=40)]
    boot: BootId
    started_at: Milliseconds
    at: Milliseconds
    clock: Clock
    outbox: OutboxStatus
    rights: RightsStatus
    devices: Annotated[list[DeviceStatus], Field(max_length=MAX_DEVICES)]
    radars: Annotated[list[RadarStatus], Field(max_length=MAX_RADARS)] = Field(default_factory=list)
    """Those that answered; empty by an agent that does not say."""


class Status(_Message):
    """Whether a site's agent is connected, and its health; the Will says `online: false` without a report."""

    v: Literal[1] = 1
    site: SiteId
    online: bool
    report: Report | None = None


MESSAGES: dict[str, TypeAdapter[object]] = {
    "batch_header": TypeAdapter(BatchHeader),
    "hello": TypeAdapter(Hello),
    "ack": TypeAdapter(Ack),
    "hub_state": TypeAdapter(HubState),
    "now": TypeAdapter(Now),
    "status": TypeAdapter(Status),
}
"""Every message by name: what the generated schema and the golden files cover."""
