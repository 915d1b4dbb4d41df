"""Whose badge was it: the person behind a credential, and when a pass of theirs was first used.

A person is the member to whose pass the badge belonged when it was used, where the register knows one, else the badge
itself. Ids live in memory while a period is counted; no figure and no log has one. Source: protocol TC1, "Persons".
"""

from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

from hub.opening import day_of
from hub.store.connection import Connection
from hub.store.schema import statements

_SQL = statements("visitors")

Held = tuple[int, str, str]
"""From when on a badge belonged to which pass, and to which member."""


class Visitors:
    """The register of passes and the journal, as one transaction sees them; what was asked once is kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held = cache(self._read_held)
        self._first_day = cache(self._read_first_day)

    def person(self, credential: str, at_ms: int) -> str:
        """Return the member to whom a badge belonged at an instant, else the badge; before its first pass, of that."""
        held = self._at(credential, at_ms)
        return credential if held is None else held[2]

    def holder(self, credential: str, at_ms: int) -> str:
        """Return the pass to which a badge belonged at an instant, else the badge."""
        held = self._at(credential, at_ms)
        return credential if held is None else held[1]

    def is_new(self, person: str, first: date) -> bool:
        """Return whether no pass of a person, who came in on `first` or later, was used on a local day before it."""
        used = self._first_day(person)
        return used is None or used >= first

    def members(self, credential: str) -> set[str]:
        """Return every member to whom a badge belongs or belonged."""
        return {member for _, _, member in self._held(credential)}

    def badges(self, person: str) -> list[str]:
        """Return every badge that belongs or belonged to a person."""
        return [row[0] for row in self._connection.execute(_SQL["badges_of_member"], {"member": person})] or [person]

    def _at(self, credential: str, at_ms: int) -> Held | None:
        held = self._held(credential)
        return next((one for one in reversed(held) if one[0] <= at_ms), held[0] if held else None)

    def _read_held(self, credential: str) -> list[Held]:
        return self._connection.execute(_SQL["held"], {"credential": credential}).fetchall()

    def _read_first_day(self, person: str) -> date | None:
        """Return the local day on which a person first came in; the first there is, when that is told no more."""
        if self._connection.execute(_SQL["is_used"], {"person": person}).fetchone() is not None:
            return date.min
        entries = (self._first_entry(badge, person) for badge in self.badges(person))
        first = min((entry for entry in entries if entry is not None), default=None)
        if first is None:
            return None
        at_ms, time_zone = first
        return day_of(at_ms, ZoneInfo(time_zone))

    def _first_entry(self, credential: str, person: str) -> tuple[int, str] | None:
        """Return when a badge was first used by a person, and the time zone there."""
        changed_hands = len({member for _, _, member in self._held(credential)}) > 1
        entries = self._connection.execute(_SQL["entries"], {"person": credential})
        for at_ms, time_zone in entries:
            if not changed_hands or self.person(credential, at_ms) == person:
                return at_ms, time_zone
        return None
