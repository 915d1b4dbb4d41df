"""What devices saw. Observations never leave the Pi; only `contract` events do: this type is the privacy boundary.

Each carries the moment at which its device thread saw it. A badge's UID does not appear even here: the reader's thread
hashes it with the site key before it reports (contract/credentials.py).
"""

from dataclasses import dataclass, field
from typing import Literal

from contract.commands import CancelEnrolment, EnrolSecured, EnrolUid
from contract.events import Fault, RightsRefusal
from edge.core.moment import Moment
from edge.core.rights import Rights
from edge.core.trusted_time import TrustedTime

CardRefusal = Literal[
    "random_uid",
    "classic",
    "phone",
    "unreadable",
    "wrong_application",
    "unknown_badge",
    "wrong_key",
    "late",
    "pulled_away",
    "two_cards",
]
"""Why a card proved nothing."""


@dataclass(frozen=True, slots=True)
class CredentialSeen:
    """A card was presented at a reader, once per presentation; one that was pulled away may be seen again soon after.

    `badge` is the badge id that a secured badge shows: proved when `refusal` is None. With a refusal it is a claim that
    anyone can make, enough to say that this badge was lost and never to open. `uid_hash` is what a card of the UID
    class is known by, and `refusal` says why a card has neither.
    """

    at: Moment
    reader: str
    uid_hash: bytes | None
    refusal: CardRefusal | None = None
    badge: bytes | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentAsked:
    """The hub has asked for an enrolment, or for its end, in a command that was verified and never seen before.

    `timely` is false where no clock can tell whether the command is still alive.
    """

    at: Moment
    command: str
    order: EnrolSecured | EnrolUid | CancelEnrolment = field(repr=False)
    timely: bool = True


Trial = Literal["done", "already_ours", "not_blank", "wrong_application", "pulled_away", "uncertain"]
"""What came of an attempt to make a badge of a card (edge/protocols/secured_badge.py)."""


@dataclass(frozen=True, slots=True)
class CardTried:
    """A reader has tried to make a badge of a card for a command."""

    at: Moment
    reader: str
    command: str
    result: Trial


@dataclass(frozen=True, slots=True)
class EnrolmentStopped:
    """A reader makes no badge any more for a command that was taken back."""

    at: Moment
    reader: str
    command: str


@dataclass(frozen=True, slots=True)
class UidBadgeKept:
    """A badge of the UID class is on the disk, or could not be stored and is not known."""

    at: Moment
    credential: str
    stored: bool


@dataclass(frozen=True, slots=True)
class PresenceRead:
    """A presence sensor's reading, on change and at least once per `HEARTBEAT_S` of its device.

    `sensor` is the device id (`desk-01-pin`, `desk-02-radar`, `room-01-radar`).
    """

    at: Moment
    sensor: str
    present: bool


@dataclass(frozen=True, slots=True)
class RadarIdentified:
    """A radar has said its firmware and its settings; `drifted` is whether they differ from those of its file."""

    at: Moment
    device: str
    firmware: str
    settings: str
    drifted: bool


@dataclass(frozen=True, slots=True)
class DoorContactRead:
    """The door's leaf: closed (contact made) or open. A cut wire reads open, the safe direction."""

    at: Moment
    door: str
    closed: bool


@dataclass(frozen=True, slots=True)
class ExitPressed:
    """The exit button (REX) was pressed. Egress itself is mechanical; this only explains the opening."""

    at: Moment
    door: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking of a room, half-open, in UTC milliseconds. No title and no organiser: nobody is named."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class BookingsRead:
    """A room's bookings around now, in order of start; replaces what was known."""

    at: Moment
    room: str
    bookings: tuple[Booking, ...]


Power = Literal["on", "standby", "warming", "cooling", "unknown"]
"""What a display says of itself."""


@dataclass(frozen=True, slots=True)
class DisplayRead:
    """A room's display said another power than before; its thread falls silent only by `DeviceFailed`."""

    at: Moment
    room: str
    power: Power


@dataclass(frozen=True, slots=True)
class DeviceFailed:
    """A device session ended; the device thread backs off and tries again. Reported at every failed try."""

    at: Moment
    device: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class DeviceReady:
    """A device answers: after start, and after each failure."""

    at: Moment
    device: str


@dataclass(frozen=True, slots=True)
class NoiseCounted:
    """A device has resynchronised after bytes that do not decode; `count` is the total since its thread started."""

    at: Moment
    device: str
    count: int


@dataclass(frozen=True, slots=True)
class RightsLoaded:
    """A newer list of rights was read and verified."""

    at: Moment
    rights: Rights
    trusted: TrustedTime | None = None


@dataclass(frozen=True, slots=True)
class RightsRejected:
    """A list of rights was refused; the last good one stays in force. Reported once for each list."""

    at: Moment
    reason: RightsRefusal


@dataclass(frozen=True, slots=True)
class ClockJudged:
    """The clock's state changed; `step_ms` is by how much the wall clock moved against the monotonic one."""

    at: Moment
    step_ms: int


@dataclass(frozen=True, slots=True)
class StreamBegan:
    """The outbox began a new stream after a storage error: every state must be said again in it."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing was seen, but a deadline of the core has passed."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Stop:
    """The program was asked to stop."""

    at: Moment


Observation = (
    CredentialSeen
    | EnrolmentAsked
    | CardTried
    | EnrolmentStopped
    | UidBadgeKept
    | PresenceRead
    | RadarIdentified
    | DoorContactRead
    | ExitPressed
    | BookingsRead
    | DisplayRead
    | DeviceFailed
    | DeviceReady
    | NoiseCounted
    | RightsLoaded
    | RightsRejected
    | ClockJudged
    | StreamBegan
    | Tick
    | Stop
)
