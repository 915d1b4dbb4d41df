"""The list of rights that the hub issues for one site: who may open which door, when, until when the list holds.

It travels sealed (`contract.sealing`, purpose `rights`), retained on the site's rights topic. It holds only badges that
may enter there; a badge that was lost, stolen or disabled, or whose time was over at the issue, is named without its
key, so that the door can say why. A badge of the UID class is named by its credential alone: the site itself keeps the
keyed hash (docs/badges.md).
Times of day are local to the site's zone; validity is half-open, in UTC milliseconds.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contract.events import Milliseconds
from contract.identity import CredentialId, ResourceId, SiteId

MAX_RIGHTS_BODY_BYTES = 16_777_216
"""A list before compression: what a Pi is ready to hold while it reads one."""

MAX_BADGES = 20_000
"""More than fit in a sealed list of 1 MiB (a test measures how many do)."""

MAX_PROFILES = 500
MAX_WINDOWS = 50
MINUTES_IN_A_DAY = 1_440

BadgeId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The 16 random bytes in the free-read file of a secured badge. Not its UID, and of no meaning elsewhere."""

BadgeKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The badge's own AES-128 key, derived by the hub from the network's master key (NXP AN10922)."""


def _is_a_day(text: str) -> str:
    date.fromisoformat(text)
    return text


LocalDate = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_is_a_day)]
"""A day of the calendar: what reads the list may not fail on the 30th of February."""

CredentialState = Literal["active", "lost", "stolen", "disabled"]


class _Part(BaseModel):
    # An error that showed its input would write a badge's key into a journal.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class WeeklyWindow(_Part):
    """A weekly window: ISO weekdays (Monday is 1), minutes from local midnight, half-open."""

    days: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)]
    start: Annotated[int, Field(ge=0, lt=MINUTES_IN_A_DAY)]
    end: Annotated[int, Field(gt=0, le=MINUTES_IN_A_DAY)]

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a window ends after its start")
        return self


class Profile(_Part):
    """When a group of badges may enter. No window means at any time; `holidays` says whether it holds on those."""

    windows: Annotated[list[WeeklyWindow], Field(max_length=MAX_WINDOWS)] = Field(default_factory=list)
    holidays: bool = True


class BadgeRight(_Part):
    """One badge: a secured one has `badge` and, while it may open, `key`; one of the UID class has neither."""

    id: CredentialId
    badge: BadgeId | None = None
    key: BadgeKey | None = None
    state: CredentialState = "active"
    profile: Annotated[int, Field(ge=0, lt=MAX_PROFILES)]
    valid_from: Milliseconds | None = None
    valid_until: Milliseconds | None = None
    doors: Annotated[list[ResourceId], Field(min_length=1, max_length=50)] | None = None
    """The doors that it opens; null means every door of the site."""
    emergency: bool = False
    """Opens also after the list has expired, with an alarm: the fire brigade, the mayor's office."""

    @model_validator(mode="after")
    def _has_a_key_only_if_it_may_open(self) -> Self:
        if self.key is not None and (self.badge is None or self.state != "active"):
            raise ValueError("an active secured badge has a key; no other has")
        if self.valid_from is not None and self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("the badge would never be valid")
        return self


class FreeAccess(_Part):
    """An event day: the door is open to everyone from `start` to `end`, half-open, in UTC milliseconds."""

    door: ResourceId
    start: Milliseconds
    end: Milliseconds


class RightsList(_Part):
    """One list; a later `version` replaces it. The version is the time of signing, in UTC milliseconds."""

    v: Literal[1] = 1
    site: SiteId
    version: Annotated[int, Field(ge=1, le=2**53)]
    issued_at: Milliseconds
    expires_at: Milliseconds
    holidays: Annotated[list[LocalDate], Field(max_length=1_000)] = Field(default_factory=list)
    """Public holidays of the site from the day of issue on: the Pi needs no calendar library."""
    profiles: Annotated[list[Profile], Field(max_length=MAX_PROFILES)] = Field(default_factory=list)
    badges: Annotated[list[BadgeRight], Field(max_length=MAX_BADGES)] = Field(default_factory=list)
    free_access: Annotated[list[FreeAccess], Field(max_length=200)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.expires_at <= self.issued_at:
            raise ValueError("the list expires before it was issued")
        if any(badge.profile >= len(self.profiles) for badge in self.badges):
            raise ValueError("a badge has a profile that is not listed")
        if len({badge.id for badge in self.badges}) != len(self.badges):
            raise ValueError("a credential is listed twice")
        known = [badge.badge for badge in self.badges if badge.badge is not None]
        if len(set(known)) != len(known):
            raise ValueError("a badge is listed twice")
        for badge in self.badges:
            is_over = badge.valid_until is not None and badge.valid_until <= self.issued_at
            if badge.badge is not None and badge.state == "active" and (badge.key is None) != is_over:
                raise ValueError("an active secured badge has a key until its time is over")
        return self


def encode_rights(rights: RightsList) -> bytes:
    """Return the body to seal: compact JSON, the same for the same list."""
    return rights.model_dump_json(exclude_defaults=True).encode()


def decode_rights(body: bytes) -> RightsList:
    """Return the list in an unsealed body.

    Raises:
        ValueError: it is not one, or not consistent; the text names no badge.
    """
    try:
        return RightsList.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(str(part) for part in first['loc']) or 'list'}: {first['type']}") from None
