"""What the ingest says of itself: read by /readyz, /metrics, the systemd watchdog and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AWAY_AFTER_S = 10.0
"""What waits for so long waits for the database: a turn of the ingest takes some 0.3 s, 3 s on a disk that is busy; one
writer that waits for another gives up after as long (hub.store.sqlite.BUSY_TIMEOUT_MS)."""


@dataclass(frozen=True, slots=True)
class Away:
    """The database takes nothing, or is not heard."""

    since_ms: int
    reason: Literal["database_away", "database_moved"] = "database_away"


class Turns:
    """Whether the ingest's turns end, and so whether the database takes what comes; asked from any thread.

    A turn that ends has committed what waited, or proven that it could have: only that shows that trouble is over.
    """

    def __init__(self, at_s: float, at_ms: int) -> None:
        self._ended_ms = at_ms
        self._alive_s = at_s
        self._trouble: Away | None = None

    def ended(self, at_s: float, at_ms: int) -> None:
        """Note that a whole turn went well."""
        self._ended_ms, self._alive_s, self._trouble = at_ms, at_s, None

    def beaten(self, at_s: float) -> None:
        """Note that something goes on which takes its time: the check of a large file is no trouble."""
        self._alive_s = at_s

    def failed(self, *, moved: bool) -> None:
        """Note that the database did not answer, or is `moved` away: since the last turn that ended."""
        since_ms = self._ended_ms if self._trouble is None else self._trouble.since_ms
        self._trouble = Away(since_ms, "database_moved" if moved else "database_away")

    def away(self, now_s: float, *, waiting: bool) -> Away | None:
        """Return the trouble that there is: a failure, or messages `waiting` while a turn does not end."""
        trouble = self._trouble
        if trouble is None and waiting and now_s - self._alive_s >= AWAY_AFTER_S:
            return Away(self._ended_ms)
        return trouble


@dataclass(frozen=True, slots=True)
class Health:
    """The ingest at one moment; counts are since the program started."""

    broker_connected: bool
    database_open: bool
    """Whether the database is open and takes what comes: its last commit went well, and nothing waits for long."""
    incarnation: str | None
    """Which hub the edges are told of; empty while the database is not open."""
    queue_depth: int
    """Messages received and not yet committed."""
    messages: int
    events_stored: int
    messages_refused: int
    messages_dropped: Mapping[str, int]
    """Messages dropped for want of room, by reason (hub.backlog.Drop): harmless, the edges send them again."""
    database_failures: int
    broker_reconnections: int
    committed_at_ms: int | None
    """When the last commit ended, UTC; empty before the first."""
    progress: int
    """Turns of the ingest loop: what the watchdog is fed by."""
    database_away: Away | None = None
    """Since when nothing could be written, and why; ends with a commit, not when the database is opened again."""

    @property
    def ready(self) -> bool:
        """Whether history is being taken: broker connected and database open."""
        return self.broker_connected and self.database_open
