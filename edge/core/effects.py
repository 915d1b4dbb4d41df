"""What the core asks of the shell. Effects are orders; the shell performs them at once and in order."""

from dataclasses import dataclass
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


Effect = Publish | ReleaseStrike | LockStrike | ShowIndicator
