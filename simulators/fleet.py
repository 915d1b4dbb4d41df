"""Thousands of telecentres in one process: each speaks TC1 on its own connection, and what must come of it is known.

One thread, one selector: a site is a state machine (`fleet_site`) and a connection that never waits (`fleet_line`).
"""

import heapq
import json
import logging
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pydantic import ValidationError

from contract.identity import bucket_of
from contract.messages import Ack, HubState
from contract.topics import Channel, hub_topic, topic_for
from simulators.fleet_line import Line, Message, Received
from simulators.fleet_place import Moment
from simulators.fleet_site import FleetSite, Say
from simulators.fleet_tally import Tally
from simulators.network import Site

log = logging.getLogger(__name__)

PAUSE_MIN_S, PAUSE_MAX_S, STEADY_S = 1.0, 60.0, 10.0
"""Before a connection is made again: as a site that is shipped (docs/mqtt-api.md, Connections)."""

START_SPREAD_S = 8.0
"""Over how long the sites make their first connections, at most."""

LOOK_EVERY_S = 5.0
"""How often each connection looks at its keepalive when nothing happens on it."""

TURN_S = 0.1
"""The longest wait of the loop: what is observed meanwhile comes that much later."""

MAX_BACKLOG = 2_000_000
"""Events not yet committed, over all sites: some 600 MB. Beyond it, and until there is room, nothing is observed."""

LOOK_AROUND_S, TELL_EVERY_S = 1.0, 10.0
"""How often it looks at all sites, and tells what it sees at the least."""

DRAIN_S = 180.0
"""How long a fleet that observes no more waits for the hub: a site asks once a minute at the least."""

STOPPED_DRAIN_S = 10.0
"""The same after SIGTERM."""

LAST_WORD_S = 10.0
"""For the answers to the last question, what is committed: a site that is away by then is different."""

FAREWELL_S = 5.0
"""For the last status of every site to leave."""

MAX_DIFFERENT_TOLD = 10


@dataclass(frozen=True, slots=True)
class Options:
    """What to play; `for_s` None: until it is stopped."""

    sites: tuple[Site, ...]
    broker: tuple[str, int]
    rate: float
    """Events a second, over all sites."""
    for_s: float | None
    seed: int
    spread_s: float = 30.0
    """`hello_spread_s` of every site."""
    drain_s: float = DRAIN_S
    ledger: Path | None = None
    """Where to write what the hub must end with, one line of JSON a stream."""


@dataclass(slots=True)
class _Member:
    """A site and its connection."""

    site: FleetSite
    topics: dict[str, str]
    hub_topic: str
    line: Line | None = None
    watched: int = 0
    opened_s: float = 0.0
    opens_s: float = 0.0
    looks_s: float = 0.0
    bound_s: float = PAUSE_MIN_S
    scheduled_s: float = float("inf")
    connections: int = 0


class Fleet:
    """All sites of a fleet; `run` plays them to the end."""

    def __init__(self, options: Options, stopped: Callable[[], bool]) -> None:
        """`stopped` says whether somebody wants the fleet to end."""
        self._options = options
        self._stopped = stopped
        self._random = Random(f"fleet {options.seed}")
        self._tally = Tally()
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int]] = []
        self._began_s = time.monotonic()
        self._members = [self._member(site) for site in options.sites]
        self._looked_s = self._told_s = self._began_s
        self._complete = False
        self._withheld = 0
        self._noise = 0

    def run(self) -> dict[str, object]:
        """Play until the time is over or somebody stops it, drain, ask once more, leave; return what came of it."""
        at = self._moment()
        for number, member in enumerate(self._members):
            member.site.start(at)
            self._tally.began(member.site.name, at.s)
            member.opens_s = at.s + self._random.random() * min(START_SPREAD_S, self._options.spread_s)
            self._schedule(number, at.s)
        ends_s = float("inf") if self._options.for_s is None else self._began_s + self._options.for_s
        self._play(ends_s)
        drains_s = time.monotonic() + (STOPPED_DRAIN_S if self._stopped() else self._options.drain_s)
        self._until(self._is_drained, drains_s)
        for member in self._members:
            member.site.ask(time.monotonic())
        self._touch_all()
        last_s = time.monotonic() + min(LAST_WORD_S, self._options.drain_s)
        self._until(lambda: all(member.site.answered for member in self._members), last_s)
        told = self._outcome()
        self._leave()
        return told

    # What happens in time.

    def _play(self, ends_s: float) -> None:
        observed_s = time.monotonic()
        while (now_s := time.monotonic()) < ends_s and not self._stopped():
            observed_s = self._observe(observed_s, now_s)
            self._turn(min(TURN_S, max(0.0, observed_s - now_s)))
            self._tell(now_s)

    def _observe(self, due_s: float, now_s: float) -> float:
        """Let sites observe what was due until now; return when the next thing is due."""
        if self._options.rate == 0:
            return now_s + TURN_S
        while due_s <= now_s:
            due_s += self._random.expovariate(self._options.rate)
            number = self._random.randrange(len(self._members))
            if self._backlog_is_full(number):
                self._withheld += 1
                continue
            self._members[number].site.observe(self._moment())
            self._touch(number)
        return due_s

    def _backlog_is_full(self, number: int) -> bool:
        # A full look at every event would cost more than the event: one site stands for the others.
        site = self._members[number].site
        if (site.last - site.position) * len(self._members) < MAX_BACKLOG:
            return False
        return sum(member.site.last - member.site.position for member in self._members) >= MAX_BACKLOG

    def _until(self, reached: Callable[[], bool], deadline_s: float) -> None:
        looked_s = time.monotonic()
        while (now_s := time.monotonic()) < deadline_s:
            self._turn(TURN_S)
            if now_s >= looked_s + TURN_S:
                looked_s = now_s
                if reached():
                    return
            self._tell(now_s)

    def _is_drained(self) -> bool:
        return all(member.site.position >= member.site.last for member in self._members)

    def _turn(self, wait_s: float) -> None:
        """Take what the sockets have and what is due."""
        if self._due:
            wait_s = min(wait_s, max(0.0, self._due[0][0] - time.monotonic()))
        for key, events in self._selector.select(wait_s):
            number, line = key.data
            if self._members[number].line is line:
                line.turn(events, time.monotonic())
                self._touch(number)
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            due_s, number = heapq.heappop(self._due)
            member = self._members[number]
            if due_s == member.scheduled_s:
                member.scheduled_s = float("inf")
                if member.line is not None and now_s >= member.looks_s:
                    member.looks_s = now_s + LOOK_EVERY_S
                    member.line.turn(0, now_s)
                self._touch(number)

    def _touch_all(self) -> None:
        for number in range(len(self._members)):
            self._touch(number)

    # One site.

    def _member(self, site: Site) -> _Member:
        random = Random(f"{site.id} {self._options.seed}")
        channels: tuple[Channel, ...] = ("up", "hello", "now", "status", "ack")
        return _Member(
            site=FleetSite(
                site.id,
                desks=site.desks,
                rooms=site.visio_rooms,
                random=random,
                tally=self._tally,
                spread_s=self._options.spread_s,
            ),
            topics={channel: topic_for(site.id, channel) for channel in channels},
            hub_topic=hub_topic(bucket_of(site.id)),
        )

    def _touch(self, number: int) -> None:
        """Let a site open its connection, hear what came, and say what is due; then watch for what comes next."""
        member = self._members[number]
        now_s = time.monotonic()
        if member.line is None and now_s >= member.opens_s:
            self._open(number, now_s)
        if member.line is not None:
            self._serve(member, member.line, now_s)
            if member.line.lost is not None:
                self._lose(number, member.line, now_s)
            else:
                self._watch(number, member.line)
        self._schedule(number, now_s)

    def _open(self, number: int, now_s: float) -> None:
        member = self._members[number]
        will = self._message(member, member.site.farewell())
        topics = [member.topics["ack"], member.hub_topic]
        member.line = Line(self._options.broker, member.site.name, will, topics, now_s)
        member.opened_s, member.looks_s = now_s, now_s + LOOK_EVERY_S
        member.watched = 0

    def _serve(self, member: _Member, line: Line, now_s: float) -> None:
        if line.ready and not line.greeted:
            line.greeted = True
            member.connections += 1
            member.site.connected(now_s)
        while line.received:
            self._hear(member, line.received.popleft(), now_s)
        if line.ready:
            for say in member.site.say(self._moment(), line.room):
                line.publish(self._message(member, say))
        line.answered |= member.site.answered

    def _hear(self, member: _Member, received: Received, now_s: float) -> None:
        """Take one message of the hub; what does not decode is noise. A retained acknowledgement is stale."""
        try:
            if received.topic == member.hub_topic:
                member.site.hub_seen(HubState.model_validate_json(received.payload).hub, now_s)
            elif received.topic == member.topics["ack"] and not received.retained:
                member.site.heard(Ack.model_validate_json(received.payload), now_s)
        except ValidationError:
            self._noise += 1

    def _message(self, member: _Member, say: Say) -> Message:
        return Message(member.topics[say.channel], say.payload, say.content_type, say.retain)

    def _lose(self, number: int, line: Line, now_s: float) -> None:
        member = self._members[number]
        if member.watched:
            # By its number: the socket is closed already, and the next one that is opened may have the same number.
            self._selector.unregister(line.fd)
        log.debug("site=%s link=down reason=%r", member.site.name, line.lost)
        if line.answered and now_s - member.opened_s >= max(STEADY_S, 2 * member.bound_s):
            # Closed, it was closed to all at once; silent, it is most often this site's own line.
            member.bound_s, spread_s = PAUSE_MIN_S, 0.0 if line.silent else self._options.spread_s
        else:
            member.bound_s = min(PAUSE_MAX_S, 2 * member.bound_s)
            spread_s = member.bound_s - PAUSE_MIN_S
        member.opens_s = now_s + PAUSE_MIN_S + self._random.random() * spread_s
        member.site.lost(now_s)
        member.line, member.watched = None, 0

    def _watch(self, number: int, line: Line) -> None:
        member, events = self._members[number], line.events
        if member.watched == 0:
            self._selector.register(line.fd, events, (number, line))
        elif events != member.watched:
            self._selector.modify(line.fd, events, (number, line))
        member.watched = events

    def _schedule(self, number: int, now_s: float) -> None:
        member = self._members[number]
        if member.line is None:
            due_s = member.opens_s
        else:
            due_s = member.looks_s
            # While the broker takes no more, only its PUBACK, which the selector tells of, makes a difference.
            due_s = min(due_s, max(now_s, member.site.due_s()))
        if due_s < member.scheduled_s:
            member.scheduled_s = due_s
            heapq.heappush(self._due, (due_s, number))

    def _moment(self) -> Moment:
        now_s = time.monotonic()
        return Moment(now_s, time.time_ns() // 1_000_000, round(1000 * now_s))

    # What it says of itself.

    def _tell(self, now_s: float) -> None:
        """Say how it goes: now and then, and at once when the hub has answered every site, or no longer has."""
        if now_s < self._looked_s + LOOK_AROUND_S:
            return
        self._looked_s = now_s
        answered = sum(member.line is not None and member.line.answered for member in self._members)
        complete = answered == len(self._members)
        if complete == self._complete and now_s < self._told_s + TELL_EVERY_S:
            return
        self._complete, self._told_s = complete, now_s
        events = sum(member.site.last for member in self._members)
        waiting = events - sum(member.site.position for member in self._members)
        word = "complete" if complete else "partial"
        log.info(
            "fleet=%s sites=%d answered=%d events=%d backlog=%d", word, len(self._members), answered, events, waiting
        )

    def _outcome(self) -> dict[str, object]:
        """Return what the hub must have, and whether its last word is that it has it."""
        expected = {member.site.name: member.site.last for member in self._members}
        # Only the answer to a Hello is the truth; a site that got none is different.
        found = {member.site.name: member.site.position if member.site.answered else None for member in self._members}
        different = [name for name, last in expected.items() if found[name] != last]
        if self._options.ledger is not None:
            self._write_ledger(self._options.ledger)
        tally, now_s = self._tally, time.monotonic()
        return {
            "sites": len(self._members),
            "events": sum(expected.values()),
            "committed": sum(member.site.position for member in self._members),
            "equal": not different,
            "different": different[:MAX_DIFFERENT_TOLD],
            "longest_absence_s": tally.longest_absence_s(now_s),
            "connections": sum(member.connections for member in self._members),
            "fewest_connections": min(member.connections for member in self._members),
            "first_answer": tally.first.told(),
            "absence": tally.away.told(),
            "caught_up": tally.caught_up.told(),
            "event_wait": tally.waits.told(),
            "withheld": self._withheld,
            "seed": self._options.seed,
            "lasted_s": round(now_s - self._began_s, 1),
        }

    def _write_ledger(self, file: Path) -> None:
        sites = [member.site for member in self._members]
        keys = ("name", "stream", "last", "digest")
        file.write_text("".join(f"{json.dumps([getattr(site, key) for key in keys])}\n" for site in sites))

    def _leave(self) -> None:
        """Say goodbye as agents do, and close everything."""
        for number, member in enumerate(self._members):
            if member.line is not None and member.line.ready:
                member.line.publish(self._message(member, member.site.farewell()))
                self._watch(number, member.line)
        deadline_s = time.monotonic() + FAREWELL_S
        open_lines = {member.site.name: member.line for member in self._members if member.line is not None}
        while time.monotonic() < deadline_s and any(line.in_flight and line.ready for line in open_lines.values()):
            for key, events in self._selector.select(TURN_S):
                number, line = key.data
                line.turn(events, time.monotonic())
                if line.lost is not None:
                    self._selector.unregister(line.fd)
                else:
                    self._watch(number, line)
        for line in open_lines.values():
            line.leave()
        self._selector.close()
