"""What the hub asks of one site, at once: sealed (purpose `command`), never retained, dead after 30 seconds.

No command opens a door: there is none, and there will be none (docs/decisions).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contract.events import Milliseconds
from contract.identity import ResourceId, SiteId
from contract.rights import BadgeId, BadgeKey

MAX_COMMAND_LIFE_MS = 30_000
MAX_COMMAND_BYTES = 4_096

CommandId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits: a command that was seen is not obeyed twice."""


class _Part(BaseModel):
    # An error that showed its input would write a badge's key into a journal.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class EnrolSecured(_Part):
    """Personalise the next blank badge at a reader: write `badge`, then set `key`."""

    kind: Literal["enrol_secured"] = "enrol_secured"
    reader: ResourceId
    badge: BadgeId
    key: BadgeKey
    resume: bool = False
    """Only the card on which an earlier command with this badge was interrupted: no other may become its twin."""
    window_s: Annotated[int, Field(ge=5, le=120)] = 60


class EnrolUid(_Part):
    """Keep the next badge at a reader as one of the UID class; the site alone knows its keyed hash."""

    kind: Literal["enrol_uid"] = "enrol_uid"
    reader: ResourceId
    credential: Annotated[str, StringConstraints(pattern=r"^[0-9a-z][0-9a-z-]{0,31}$")]
    window_s: Annotated[int, Field(ge=5, le=120)] = 60


class CancelEnrolment(_Part):
    """Stop waiting for a badge."""

    kind: Literal["cancel_enrolment"] = "cancel_enrolment"
    reader: ResourceId


class Command(_Part):
    """One order with its short life. Refused if seen, expired, retained, or issued before the agent started."""

    v: Literal[1] = 1
    id: CommandId
    site: SiteId
    issued_at: Milliseconds
    expires_at: Milliseconds
    order: Annotated[EnrolSecured | EnrolUid | CancelEnrolment, Field(discriminator="kind")]


def encode_command(command: Command) -> bytes:
    """Return the body to seal."""
    return command.model_dump_json().encode()


def decode_command(body: bytes) -> Command:
    """Return the command in an unsealed body.

    Raises:
        pydantic.ValidationError: it is not one. Its text may hold a key: never log it.
    """
    return Command.model_validate_json(body)
