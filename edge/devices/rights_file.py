"""The site's list of rights, from a TOML file that is read again whenever it changes.

A list that cannot be read, or that says something impossible, changes nothing: the last good one stays in force.
"""

import logging
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contract.identity import CredentialId, ResourceId
from edge.core.observations import RightsLoaded
from edge.core.rights import Credential, Rights, Window
from edge.devices.device import DeviceError, DeviceThread
from host.settings import Settings, SettingsError, load

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""A badge that is withdrawn stops opening within this time."""

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
MINUTES_IN_A_DAY = 1440


class WindowEntry(Settings):
    """A weekly window, such as `{days = "Mo-Fr", from = "08:00", to = "19:00"}`."""

    days: str
    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        self.window()
        return self

    def window(self) -> Window:
        """Return the window as the decision needs it.

        Raises:
            ValueError: unknown days, unknown times, or an end that is not after the start.
        """
        start_min, end_min = _minutes(self.start), _minutes(self.end, end=True)
        if end_min <= start_min:
            raise ValueError(f"the window ends at {self.end}, which is not after its start at {self.start}")
        return Window(_weekdays(self.days), start_min, end_min)


class CredentialEntry(Settings):
    """One badge and what it may do."""

    id: CredentialId
    uid_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    state: Literal["active", "lost", "stolen", "disabled"] = "active"
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    doors: Annotated[list[ResourceId], Field(min_length=1)] | None = None
    windows: Annotated[list[WindowEntry], Field(min_length=1, max_length=50)] | None = None
    emergency: bool = False

    @model_validator(mode="after")
    def _is_valid_for_some_time(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until is not after valid_from: the badge would never open")
        return self

    def credential(self) -> Credential:
        """Return the badge as the decision needs it."""
        return Credential(
            id=self.id,
            uid_hash=bytes.fromhex(self.uid_hash),
            state=self.state,
            valid_from_ms=_wall_ms(self.valid_from),
            valid_until_ms=_wall_ms(self.valid_until),
            doors=frozenset(self.doors or ()),
            windows=tuple(entry.window() for entry in self.windows or ()),
            emergency=self.emergency,
        )


class RightsDocument(Settings):
    """The whole file."""

    version: Annotated[int, Field(ge=1)]
    issued_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    credential: Annotated[list[CredentialEntry], Field(max_length=10_000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_each_badge_once(self) -> Self:
        for what in ("id", "uid_hash"):
            seen: set[str] = set()
            for entry in self.credential:
                value = getattr(entry, what)
                if value in seen:
                    raise ValueError(f"two badges have the same {what}, one of them with id '{entry.id}'")
                seen.add(value)
        return self


class RightsFile:
    """The file and the list that was read from it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, int, int] | None = None

    def may_be_back(self) -> bool:
        """Return whether the file is another than the one that was tried last."""
        try:
            return self._version() != self._read
        except DeviceError:
            return False

    def session(self, device: DeviceThread) -> None:
        """Load the list, and again whenever the file changes."""
        self._read = None
        while not device.stopping.is_set():
            version = self._version()
            if version != self._read:
                self._read = version
                try:
                    rights = read_rights(self._file)
                except SettingsError as error:
                    raise DeviceError("unreadable", str(error)) from error
                device.ready()
                device.emit(RightsLoaded(device.clock(), rights))
                log.info("rights version=%d credentials=%d", rights.version, len(rights.credentials))
            device.rest(LOOK_S)

    def _version(self) -> tuple[int, int, int]:
        try:
            found = self._file.stat()
        except OSError as error:
            raise DeviceError("absent", f"{self._file}: {error.strerror}") from error
        return found.st_ino, found.st_mtime_ns, found.st_size


def read_rights(file: Path) -> Rights:
    """Return the list of rights in a file.

    Raises:
        SettingsError: one sentence with file, line, key and what is allowed.
    """
    document = load(file, RightsDocument)
    credentials = [entry.credential() for entry in document.credential]
    return Rights(
        version=document.version,
        issued_at_ms=_wall_ms(document.issued_at),
        expires_at_ms=_wall_ms(document.expires_at),
        credentials={one.uid_hash: one for one in credentials if one.uid_hash is not None},
    )


def _weekdays(text: str) -> frozenset[int]:
    """Return the ISO weekdays of "Mo-Fr", "Mo,We,Fr" or "Sa-Su"; a range does not pass the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError(f"'{part.strip()}' names no day: days are Mo Tu We Th Fr Sa Su, ranges such as Mo-Fr")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        if end < start:
            raise ValueError(f"the range '{part.strip()}' runs backwards")
        days.update(range(start + 1, end + 2))
    return frozenset(days)


def _minutes(text: str, *, end: bool = False) -> int:
    if end and text == "24:00":
        return MINUTES_IN_A_DAY
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a time such as 08:30")
    return int(match.group(1)) * 60 + int(match.group(2))


def _wall_ms(when: datetime | None) -> int | None:
    return None if when is None else max(0, round(when.timestamp() * 1000))
