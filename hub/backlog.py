"""What has come and waits for the database: bounded in bytes, first come first served, and all of it of use.

Thousands of sites may have more under way than any memory holds, and Mosquitto does not keep to our Receive Maximum
once a burst has had its first PUBACK. So some of it has to be dropped, and TC1 brings it again. Dropped at random, a
site's later batches would wait here without the earlier one, take its place and change nothing: repeated for ever, that
moves nobody on. Therefore a site of which one batch was dropped has no more of them taken until its next Hello, which
has room kept for it: whatever waits here moves its site on.
"""

import logging
import threading
from collections import Counter, deque
from typing import Literal, get_args

from hub.custody import Message

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
"""All that waits: a thousand full batches, or sixty thousand small messages."""

HELLO_BYTES = 16 * 1024 * 1024
"""Of it for Hellos alone: 4,072 sites say some 1.3 kB each, overhead included; after 200 restarts 15 kB."""

SITE_BYTES = 8 * 1024 * 1024
"""Of one site: its window is 32 batches, 2 MiB before compression; no site, however wrong it goes, fills the rest."""

OVERHEAD_BYTES = 1_024
"""What a message takes beside its payload, rounded up."""

MAX_BEHIND = 10_000
"""Sites of which a batch was dropped: as many as the register may hold. To forget them costs time and loses nothing."""

Drop = Literal["full", "site", "behind"]
"""Why a message was dropped: no room at all, none for its site, or useless without one that was dropped before."""


class Backlog:
    """A queue between the thread that hears the broker and the one that commits."""

    def __init__(
        self, *, max_bytes: int = MAX_BYTES, hello_bytes: int = HELLO_BYTES, site_bytes: int = SITE_BYTES
    ) -> None:
        self._max_bytes, self._hello_bytes, self._site_bytes = max_bytes, hello_bytes, site_bytes
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._of_site: Counter[str] = Counter()
        self._behind: set[str] = set()
        self._dropped = Counter[str](dict.fromkeys(get_args(Drop), 0))
        self._told_full = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """Return how many messages wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def dropped(self) -> dict[str, int]:
        """How many messages were dropped, by reason."""
        with self._changed:
            return dict(self._dropped)

    def put(self, message: Message) -> Drop | None:
        """Take a message, or say why it is dropped: its site sends again what we do not acknowledge ourselves."""
        with self._changed:
            drop = self._drop(message)
            if drop is not None:
                self._dropped[drop] += 1
                if message.channel == "up":
                    self._fall_behind(message.site)
                if drop == "full" and not self._told_full:
                    self._told_full = True
                    log.warning("backlog=full action=drop what telecentres send again")
                return drop
            if message.channel == "hello":
                self._behind.discard(message.site)
            self._waiting.append(message)
            self._count(message, 1)
            self._changed.notify()
            return None

    def take(self, most: int, wait_s: float) -> list[Message]:
        """Return up to `most` messages in the order in which they came; wait for the first."""
        with self._changed:
            if not self._waiting:
                if self._told_full:
                    self._told_full = False
                    log.info("backlog=empty dropped=%r", dict(self._dropped))
                self._changed.wait(wait_s)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            for message in taken:
                self._count(message, -1)
            return taken

    def _drop(self, message: Message) -> Drop | None:
        size = OVERHEAD_BYTES + len(message.payload)
        kept_free = 0 if message.channel == "hello" else self._hello_bytes
        if message.channel == "up" and message.site in self._behind:
            return "behind"
        if self._of_site[message.site] + size > self._site_bytes:
            return "site"
        return "full" if self._bytes + size > self._max_bytes - kept_free else None

    def _fall_behind(self, site: str) -> None:
        if len(self._behind) >= MAX_BEHIND:
            self._behind.clear()
        self._behind.add(site)

    def _count(self, message: Message, sign: int) -> None:
        size = sign * (OVERHEAD_BYTES + len(message.payload))
        self._bytes += size
        self._of_site[message.site] += size
        if not self._of_site[message.site]:
            del self._of_site[message.site]
