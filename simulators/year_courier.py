"""Brings what the telecentres of the year hold to the hub, over a real broker, and waits until the hub has it."""

import selectors
import time
from collections.abc import Iterable

from pydantic import ValidationError

from contract.messages import Ack
from contract.topics import topic_for
from simulators.fleet_line import Line, Message
from simulators.year_post import Post, Say

TURN_S = 0.05
ASK_AGAIN_S = 5.0
"""A telecentre whose position does not move for so long asks the hub what it has."""

PATIENCE_S = 120.0
"""After so long without any progress something is broken: the hub answers in milliseconds."""


class CourierError(Exception):
    """The hub does not take what it is sent: one sentence."""


class Courier:
    """One connection for each telecentre, all in one thread."""

    def __init__(self, address: tuple[str, int], posts: Iterable[Post]) -> None:
        self.posts = {post.site: post for post in posts}
        self._address = address
        self._lines: dict[str, Line] = {}
        self._watched: dict[str, int] = {}
        self._asked_s: dict[str, float] = {}
        self._selector = selectors.DefaultSelector()

    def bring(self, now_ms: int, *, greeting: frozenset[str] = frozenset()) -> None:
        """Bring what every telecentre wants to bring; those in `greeting` begin with a Hello.

        Raises:
            CourierError: nothing moves for a long time.
        """
        for site in self.posts:
            self._line(site)
        for site in greeting:
            self._greet(site)
        moved_s, before = time.monotonic(), -1
        while not all(post.is_done for post in self.posts.values()):
            for site, post in self.posts.items():
                self._serve(site, post, now_ms)
            self._turn()
            done = sum(sum(post.positions.values()) for post in self.posts.values())
            if done != before:
                moved_s, before = time.monotonic(), done
            elif time.monotonic() > moved_s + PATIENCE_S:
                waiting = [site for site, post in self.posts.items() if not post.is_done]
                raise CourierError(f"the hub takes no more from {', '.join(waiting)} since {PATIENCE_S:.0f} s")
        self._turn(0.0)

    def leave(self) -> None:
        """End all connections."""
        for line in self._lines.values():
            line.leave()
        self._lines.clear()
        self._selector.close()

    def _serve(self, site: str, post: Post, now_ms: int) -> None:
        line = self._line(site)
        if not line.ready:
            return
        if not line.greeted:
            line.greeted = True
            self._greet(site)
        before = dict(post.positions)
        while line.received:
            received = line.received.popleft()
            try:
                ack = Ack.model_validate_json(received.payload)
            except ValidationError as error:
                raise CourierError(f"{site}: the hub sends what is no acknowledgement") from error
            if not received.retained:
                post.heard(ack)
        now_s = time.monotonic()
        if before != post.positions or post.is_done:
            self._asked_s[site] = now_s
        elif now_s > self._asked_s.get(site, now_s) + ASK_AGAIN_S:
            self._greet(site)
        for say in post.say(now_ms):
            self._publish(site, line, say)

    def _greet(self, site: str) -> None:
        line = self._lines[site]
        if line.ready and (say := self.posts[site].greet()) is not None:
            self._asked_s[site] = time.monotonic()
            self._publish(site, line, say)

    def _publish(self, site: str, line: Line, say: Say) -> None:
        line.publish(Message(topic_for(site, say.channel), say.payload, say.content_type))

    def _line(self, site: str) -> Line:
        """Return the connection of a telecentre; one that was lost is made anew."""
        line = self._lines.get(site)
        if line is not None and line.lost is None:
            return line
        if line is not None and self._watched.pop(site, 0):
            self._selector.unregister(line.fd)
        will = Message(topic_for(site, "status"), self.posts[site].farewell())
        line = Line(self._address, site, will, [topic_for(site, "ack")], time.monotonic())
        self._lines[site] = line
        return line

    def _turn(self, wait_s: float = TURN_S) -> None:
        for site, line in self._lines.items():
            if line.lost is None and self._watched.get(site) != line.events:
                if site in self._watched:
                    self._selector.modify(line.fd, line.events, site)
                else:
                    self._selector.register(line.fd, line.events, site)
                self._watched[site] = line.events
        seen = {key.data: events for key, events in self._selector.select(wait_s)}
        for site, line in self._lines.items():
            if line.lost is None:
                line.turn(seen.get(site, 0), time.monotonic())
