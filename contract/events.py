"""The one published hierarchy: what happened in a telecentre, without a person in it.

An event is kind, subject, value, when (`t`, `clock`, `up`). Who badged travels beside it, in the header of the batch,
and is kept apart at both ends (docs/privacy.md). An event is true from its `t` on; `t` may be earlier than the moment
of publication (a desk's vacancy is backdated to the last detection). Within a stream, order is by seq, never by `t`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contract.identity import ResourceId

Milliseconds = Annotated[int, Field(ge=0, le=2**53)]
"""Milliseconds as JSON numbers that every language reads exactly."""

Clock = Literal["synced", "holdover", "unsynced"]
"""`synced`: `t` counts. `holdover`: synced earlier in this boot. `unsynced`: only `up` and the order count."""

DeskState = Literal["occupied", "vacant", "unknown", "out_of_service"]
RoomState = Literal["free", "booked", "occupied", "in_call", "ghost", "unknown", "out_of_service"]
DoorState = Literal["locked", "unlocked", "open", "unknown"]
DoorAlarm = Literal["NORMAL", "FORCED_OPEN", "DOOR_OPEN_TOO_LONG", "DOOR_FAULT", "FREE_ACCESS"]
"""BACnet DoorAlarmState names (ASHRAE 135, clause 12.26)."""

Assurance = Literal["none", "uid", "secured"]
"""How sure the reader is of the badge: nothing known, a copied number would do, or mutual authentication."""

DecidedBy = Literal["clock", "high_water"]
"""The time that a decision was taken by: a wall clock that can be believed, or the trusted high-water mark alone."""

CardTrouble = Literal["number_only", "random_uid", "classic", "phone", "late", "pulled_away", "two_cards"]
"""What was wrong with the card itself, where the reason alone would not tell a person what to do."""

AccessReason = Literal[
    "GRANTED",
    "DENIED_NO_ACCESS_RIGHTS",
    "DENIED_POINT_NO_ACCESS_RIGHTS",
    "DENIED_OUT_OF_TIME_RANGE",
    "DENIED_PASSBACK",
    "DENIED_MAX_ATTEMPTS",
    "DENIED_LOCKOUT",
    "DENIED_UPPER_OCCUPANCY_LIMIT",
    "DENIED_AUTHENTICATION_FACTOR_LOST",
    "DENIED_AUTHENTICATION_FACTOR_STOLEN",
    "DENIED_CREDENTIAL_UNASSIGNED",
    "DENIED_CREDENTIAL_NOT_PROVISIONED",
    "DENIED_CREDENTIAL_NOT_YET_ACTIVE",
    "DENIED_CREDENTIAL_EXPIRED",
    "DENIED_CREDENTIAL_MANUAL_DISABLE",
    "DENIED_CREDENTIAL_DISABLED",
    "DENIED_CREDENTIAL_LOCKOUT",
    "DENIED_VERIFICATION_FAILED",
    "DENIED_UNKNOWN_CREDENTIAL",
    "DENIED_SNAPSHOT_EXPIRED",
    "DENIED_SITE_CLOSED",
    "DENIED_OTHER",
]
"""BACnet AccessEvent names (ASHRAE 135, clause 12.33); the three before DENIED_OTHER are ours."""

Fault = Literal[
    "absent",
    "unplugged",
    "silent",
    "garbled",
    "refused",
    "chattering",
    "stuck",
    "implausible",
    "drifted",
    "unreadable",
]
"""Why a device is down or degraded, in a word that maps to one sentence and one remedy for the technician."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    subject: ResourceId
    t: Milliseconds
    """UTC, since 1970."""
    clock: Clock
    up: Milliseconds
    """Monotonic, since the boot that the stream names."""


class Access(_Value):
    """Which door, why, and how sure of the badge. What is as usual is not sent: a line of the outbox stays short."""

    door: ResourceId
    reason: AccessReason
    assurance: Assurance
    time: Annotated[DecidedBy, Field(exclude_if=lambda time: time == "clock")] = "clock"
    passback: Annotated[bool, Field(exclude_if=lambda passback: not passback)] = False
    """The same badge was let in here a moment ago, and is let in again: told, never a reason to keep anyone out."""
    emergency: Annotated[bool, Field(exclude_if=lambda emergency: not emergency)] = False
    """An emergency badge opened after the list of rights had expired: an alarm."""
    card: Annotated[CardTrouble | None, Field(exclude_if=lambda card: card is None)] = None


class AccessDecided(_Event):
    """A badge was let in or refused; the subject is the reader."""

    kind: Literal["access_decided"] = "access_decided"
    value: Access


class Door(_Value):
    """A door's lock and leaf, and what is wrong with them."""

    state: DoorState
    alarm: DoorAlarm
    unused: Annotated[bool, Field(exclude_if=lambda unused: not unused)] = False
    """Somebody was let in, the pulse has ended, and nobody opened the door."""


class DoorStateChanged(_Event):
    """A door was unlocked, opened, closed, forced or left open; the subject is the door."""

    kind: Literal["door_state_changed"] = "door_state_changed"
    value: Door


class Desk(_Value):
    """A desk's occupancy."""

    state: DeskState


class DeskStateChanged(_Event):
    """A desk became occupied, vacant, unknown or out of service; the subject is the desk."""

    kind: Literal["desk_state_changed"] = "desk_state_changed"
    value: Desk


class Room(_Value):
    """A visio room's state, fused from booking, presence and display."""

    state: RoomState


class RoomStateChanged(_Event):
    """A visio room changed state; the subject is the room."""

    kind: Literal["room_state_changed"] = "room_state_changed"
    value: Room


BookingOutcome = Literal["came", "no_show", "unknown"]
"""What came of a booking: somebody was there in time, nobody was, or the sensors have not seen enough to say."""


class BookingOfRoom(_Value):
    """Which booking of a room, by its start alone: never by whom or for what."""

    start: Milliseconds
    """UTC, since 1970."""
    outcome: BookingOutcome


class BookingJudged(_Event):
    """It is known what came of a booking; the subject is the room. Once for each booking; never of a confidential room.

    True from the end of the time in which people are awaited; published when the sensors' word on it is final.
    """

    kind: Literal["booking_judged"] = "booking_judged"
    value: BookingOfRoom


class Loss(_Value):
    """Why a device stopped answering."""

    fault: Fault


class DeviceLost(_Event):
    """A device stopped answering; once per loss, not per retry. The subject is the device."""

    kind: Literal["device_lost"] = "device_lost"
    value: Loss


class Recovery(_Value):
    """How long the device was away."""

    down_s: Annotated[int, Field(ge=0)]


class DeviceRecovered(_Event):
    """A lost device answers again; the subject is the device."""

    kind: Literal["device_recovered"] = "device_recovered"
    value: Recovery


class ClockStep(_Value):
    """By how much the wall clock moved when it became trustworthy."""

    step_ms: int


class ClockSet(_Event):
    """The wall clock became right: `up` and `t` tie this boot to UTC, so the hub can re-time its unsynced events."""

    kind: Literal["clock_set"] = "clock_set"
    value: ClockStep


class Start(_Value):
    """Which software began to observe."""

    version: Annotated[str, Field(max_length=40)]


class EdgeStarted(_Event):
    """The agent started: whatever was known before is unknown until observed again. The subject is `agent`."""

    kind: Literal["edge_started"] = "edge_started"
    value: Start


class Nothing(_Value):
    """No value: the event says it all."""


class EdgeAlive(_Event):
    """The agent is still observing: an unchanged state counts up to here. Sent at a steady interval."""

    kind: Literal["edge_alive"] = "edge_alive"
    value: Nothing


class Refusal(_Value):
    """How many events of each kind a full outbox had to refuse."""

    counts: Annotated[dict[Annotated[str, Field(max_length=40)], Annotated[int, Field(ge=1)]], Field(max_length=20)]


class EventsRefused(_Event):
    """A full outbox refused events, the least important kinds first; the subject is `outbox`."""

    kind: Literal["events_refused"] = "events_refused"
    value: Refusal


class Size(_Value):
    """What is known of an event whose content cannot be sent."""

    size_bytes: Annotated[int, Field(ge=0)]


class Lost(_Event):
    """This position held an event that was too large, or a row that could not be read back; its subject is `outbox`."""

    kind: Literal["lost"] = "lost"
    value: Size


class Issue(_Value):
    """Which list of rights is in force."""

    version: Annotated[int, Field(ge=1)]
    badges: Annotated[int, Field(ge=0)]


class RightsApplied(_Event):
    """A newer list of rights was verified, stored and put in force; the subject is `rights`."""

    kind: Literal["rights_applied"] = "rights_applied"
    value: Issue


RightsRefusal = Literal["size", "form", "seal", "signature", "compression", "content", "site", "older", "expired"]
"""Why a list was refused: from `contract.sealing`, or what it says of itself."""


class Rejection(_Value):
    """Why a list was refused; the last good one stays in force."""

    reason: RightsRefusal


class RightsRefused(_Event):
    """A list of rights was refused: an alarm; once per list. The subject is `rights`."""

    kind: Literal["rights_refused"] = "rights_refused"
    value: Rejection


EnrolmentOutcome = Literal[
    "done", "already_known", "not_blank", "wrong_kind", "pulled_away", "nobody_came", "cancelled", "refused", "failed"
]
"""How an enrolment ended. `done` alone makes a badge; after any other the presented card is as it was, or says so."""


class Enrolment(_Value):
    """Which command ended, and how."""

    command: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    outcome: EnrolmentOutcome


class EnrolmentEnded(_Event):
    """A reader has stopped waiting for a new badge; the subject is the reader.

    It names no badge: the hub knows which one the command was about.
    """

    kind: Literal["enrolment_ended"] = "enrolment_ended"
    value: Enrolment


Event = Annotated[
    AccessDecided
    | DoorStateChanged
    | DeskStateChanged
    | RoomStateChanged
    | BookingJudged
    | DeviceLost
    | DeviceRecovered
    | ClockSet
    | EdgeStarted
    | EdgeAlive
    | EventsRefused
    | RightsApplied
    | RightsRefused
    | EnrolmentEnded
    | Lost,
    Field(discriminator="kind"),
]

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def encode(event: Event) -> bytes:
    """Return the bytes of one event: one line of JSON, the same for the same event."""
    return event.model_dump_json().encode()


def decode(line: bytes) -> Event:
    """Return the event that a line carries.

    Raises:
        pydantic.ValidationError: the line is not JSON, or not an event that this version knows.
    """
    return _EVENT.validate_json(line)
