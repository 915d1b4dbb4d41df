"""Whose badge was it: the person behind a credential, and when a pass of theirs was first used.

A person is the member to whose pass the badge belonged when it was used, where the register knows one, else the badge
itself. Ids live in memory while a period is counted; no figure and no log has one. Source: protocol TC1, "Persons".
"""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from hub.opening import day_of
from hub.store.connection import Connection
from hub.store.schema import statements

PAGE = 1_000
"""Badges read in one step."""

_SQL = statements("visitors")

Held = tuple[int, str, str]
"""From when on a badge belonged to which pass, and to which member."""


class Visitors:
    """The register of passes and the journal, as one transaction sees them; what was asked once is kept.

    `many`: persons of a whole zone will be asked for: `read_all` comes first, and nothing is read badge by badge.
    """

    def __init__(self, connection: Connection, *, many: bool = False) -> None:
        self._connection = connection
        self._held: dict[str, list[Held]] = {}
        self._badges: dict[str, list[str]] = {}
        self._first: dict[str, tuple[int, str]] = {}
        self._first_days: dict[str, date | None] = {}
        self._used: set[str] | None = None
        self._many = many

    def person(self, credential: str, at_ms: int) -> str:
        """Return the member to whom a badge belonged at an instant, else the badge; before its first pass, of that."""
        held = self._held_by(credential)
        if not held:
            return credential
        return held[0][2] if len(held) == 1 else _at(held, at_ms)[2]

    def holder(self, credential: str, at_ms: int) -> str:
        """Return the pass to which a badge belonged at an instant, else the badge."""
        held = self._held_by(credential)
        return _at(held, at_ms)[1] if held else credential

    def members(self, credential: str) -> set[str]:
        """Return every member to whom a badge belongs or belonged."""
        return {member for _, _, member in self._held_by(credential)}

    def badges(self, person: str) -> list[str]:
        """Return every badge that belongs or belonged to a person."""
        if self._many:
            return self._badges.get(person, [person])
        return [row[0] for row in self._connection.execute(_SQL["badges_of_member"], {"member": person})] or [person]

    def is_new(self, person: str, first: date) -> bool:
        """Return whether no pass of a person, who came in on `first` or later, was used on a local day before it."""
        if person not in self._first_days:
            self._first_days[person] = self._first_day(person)
        used = self._first_days[person]
        return used is None or used >= first

    def read_all(self) -> Iterator[None]:
        """Read what is asked of many persons; yield after each step of some milliseconds."""
        yield from self._read_held()
        self._used = {row[0] for row in self._connection.execute(_SQL["all_used"])}
        yield
        self._used.update(row[0] for row in self._connection.execute(_SQL["used_members"]))
        yield
        after: str | None = ""
        while after is not None:
            page = {"after": after, "most": PAGE}
            rows = self._connection.execute(_SQL["first_entries"], page).fetchall()
            self._first.update((credential, (at_ms, time_zone)) for credential, at_ms, time_zone in rows)
            after = rows[-1][0] if rows else None
            yield

    def _read_held(self) -> Iterator[None]:
        page: dict[str, object] = {"after": "", "most": PAGE}
        while (last := self._connection.execute(_SQL["last_credential"], page).fetchone()[0]) is not None:
            held: dict[str, list[Held]] = {}
            for credential, *of_badge in self._connection.execute(
                _SQL["held_by_many"], {"after": page["after"], "last": last}
            ):
                held.setdefault(credential, []).append((of_badge[0], of_badge[1], of_badge[2]))
            for credential, all_held in held.items():
                for member in {member for _, _, member in all_held}:
                    self._badges.setdefault(member, []).append(credential)
            self._held |= held
            page["after"] = last
            yield

    def _held_by(self, credential: str) -> list[Held]:
        held = self._held.get(credential)
        if held is None:
            found = [] if self._many else self._connection.execute(_SQL["held"], {"credential": credential}).fetchall()
            held = self._held[credential] = found
        return held

    def _first_day(self, person: str) -> date | None:
        """Return the local day on which a person first came in; the first there is, when that is told no more."""
        if self._is_used(person):
            return date.min
        entries = (self._first_entry(badge, person) for badge in self.badges(person))
        first = min((entry for entry in entries if entry is not None), default=None)
        return None if first is None else day_of(first[0], ZoneInfo(first[1]))

    def _is_used(self, person: str) -> bool:
        if self._used is None:
            return self._connection.execute(_SQL["is_used"], {"person": person}).fetchone() is not None
        return not self._used.isdisjoint({person, *self.badges(person)})

    def _first_entry(self, credential: str, person: str) -> tuple[int, str] | None:
        """Return when a badge was first used by a person, and the time zone there."""
        changed_hands = len(self.members(credential)) > 1
        if self._many and not changed_hands:
            return self._first.get(credential)
        entries = self._connection.execute(_SQL["entries"], {"person": credential})
        for at_ms, time_zone in entries:
            if not changed_hands or self.person(credential, at_ms) == person:
                return at_ms, time_zone
        return None


def _at(held: list[Held], at_ms: int) -> Held:
    return next((one for one in reversed(held) if one[0] <= at_ms), held[0])
