"""What the ingest says of itself: read by /readyz, /metrics, the systemd watchdog and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """The ingest at one moment; counts are since the program started."""

    broker_connected: bool
    database_open: bool
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

    @property
    def ready(self) -> bool:
        """Whether history is being taken: broker connected and database open."""
        return self.broker_connected and self.database_open
