"""What the core asks of the shell. Effects are orders; the shell performs them at once and in order."""

from dataclasses import dataclass, field
from typing import Literal

from contract.events import Event

Pattern = Literal["granted", "refused", "come_nearer", "wait", "idle"]
"""What the reader's light and buzzer tell a person; the drivers of the pins know how each looks and sounds."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Store the event in the outbox; `person` is the credential id of an access event, kept apart from it."""

    event: Event
    person: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseStrike:
    """Energise the door's strike for at most `for_s` seconds; the strike's own timer ends the pulse."""

    door: str
    for_s: float


@dataclass(frozen=True, slots=True)
class LockStrike:
    """De-energise the door's strike now: the door has opened, nobody may follow."""

    door: str


@dataclass(frozen=True, slots=True)
class ShowIndicator:
    """Show a pattern on a reader's light and buzzer."""

    reader: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class AwaitBadge:
    """Let a reader make the badge `badge` with `key` of the next blank card, for a command of the hub.

    `resume`: only of the card on which this was begun before.
    """

    reader: str
    command: str
    badge: bytes
    key: bytes = field(repr=False)
    resume: bool = False


@dataclass(frozen=True, slots=True)
class StopAwaiting:
    """Let a reader make no badge any more for a command; it answers with `EnrolmentStopped`."""

    reader: str
    command: str


@dataclass(frozen=True, slots=True)
class KeepUidBadge:
    """Store which card a credential of the UID class is; answered with `UidBadgeKept`."""

    credential: str
    uid_hash: bytes


Effect = Publish | ReleaseStrike | LockStrike | ShowIndicator | AwaitBadge | StopAwaiting | KeepUidBadge
