"""Counting the persons of zones in steps: a zone of thousands of telecentres takes seconds as a whole.

What must stay true here: a mark lives until the counts that it asks for are stored, whoever ends in between; and
nothing is stored that is older than what is there. So the marks of a zone are set aside when its counting begins.
Whatever changes from then on makes new marks, and the zone is counted again. When a mark that was set aside is gone, or
another's, or the journal has forgotten, somebody else has counted meanwhile: what was counted here is dropped.
Source: docs/decisions/0035-a-large-zone-is-counted-in-slices.md.
"""

import time
from collections.abc import Iterator
from secrets import token_hex

from hub.store.connection import Connection
from hub.store.schema import statements
from hub.store.visit_counts import count_place, purged_until, store_counts
from hub.store.visit_places import members_of, zones_with_members
from hub.store.zones import ZONE

_SQL = statements("visits")


class ZoneCounting:
    """The zone that is being counted, and how far; used by the one writer, inside its transactions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._name = token_hex(8)
        self._place = ""
        self._steps: Iterator[None] | None = None

    def go_on(self, for_s: float) -> None:
        """Count on for so long, or to the end of a zone: the next one by its place, so that each has its turn."""
        ends_s = time.monotonic() + for_s
        if self._steps is None:
            self._steps = self._count()
        for _ in self._steps:
            if time.monotonic() >= ends_s:
                return
        self._steps = None

    def _count(self) -> Iterator[None]:
        """Count the marked days of the next zone and store what was counted; yield after each step."""
        self._place = self._next_after(self._place) or self._next_after("")
        days = self._set_aside()
        purged_ms = purged_until(self._connection)
        members = members_of(zones_with_members(self._connection), self._place)
        yield
        counted = yield from count_place(self._connection, members, days)
        if self._taken() == days and purged_until(self._connection) == purged_ms:
            store_counts(self._connection, self._place, counted)
            self._connection.execute(_SQL["drop_taken"], {"site": self._place})

    def _next_after(self, place: str) -> str:
        """Return the next zone that has marks, or marks set aside by one that did not come to the end."""
        return str(
            self._connection.execute(_SQL["next_zone"], {"zones": f"{ZONE}%", "after": place}).fetchone()[0] or ""
        )

    def _set_aside(self) -> list[str]:
        for name in ("set_aside", "take_over"):
            self._connection.execute(_SQL[name], self._ours())
        days = self._taken()
        self._connection.executemany(_SQL["take_mark"], [{"site": self._place, "day": day} for day in days])
        return days

    def _taken(self) -> list[str]:
        return [row[0] for row in self._connection.execute(_SQL["taken"], self._ours())]

    def _ours(self) -> dict[str, str]:
        return {"site": self._place, "counter": self._name}
