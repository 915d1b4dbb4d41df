"""Whether a broker keeps the connection and has stopped to deliver: sites hold history, and none of it comes."""

from contract.messages import Status

STALLED_S = 120.0
"""A site that holds events repeats its Hello within 75 s: if none was heard for this long, the connection is stuck."""

MAX_OWING = 10_000
"""As many sites as a hub imports. Whoever reaches the broker may give any name; beyond so many, one more changes
nothing: that one site holds events is enough."""


class Stall:
    """When history was last heard, and which sites hold some; told by the broker's thread, asked by the ingest's."""

    def __init__(self, now_s: float) -> None:
        self._heard_s = now_s
        self.owing = set[str]()
        """MAX_OWING at most."""

    def heard(self, now_s: float) -> None:
        """Take note of history, or of a connection that is new or given up: it gets as much time again."""
        self._heard_s = now_s

    def told(self, status: Status) -> None:
        """Take note of whether a site holds events for the hub."""
        if not status.online or status.report is None or status.report.outbox.depth == 0:
            self.owing.discard(status.site)
        elif len(self.owing) < MAX_OWING:
            self.owing.add(status.site)

    def is_on(self, now_s: float) -> bool:
        """Return whether the connection is stuck."""
        return bool(self.owing) and now_s - self._heard_s >= STALLED_S
