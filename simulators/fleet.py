"""Thousands of telecentres in one process: each speaks TC1 on its own connection, and what must come of it is known.

One thread, one selector: a site is a state machine (`fleet_site`) and a connection that never waits (`fleet_line`).
"""

import heapq
import logging
import selectors
import time
from collections.abc import Callable
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from contract.identity import bucket_of
from contract.messages import Ack, HubState
from contract.topics import Channel, hub_topic, topic_for
from simulators.fleet_days import Furniture
from simulators.fleet_line import Line, Message, Received
from simulators.fleet_member import Member
from simulators.fleet_options import FleetError, Options
from simulators.fleet_outcome import expected_days, outcome, write_ledger
from simulators.fleet_patience import patience
from simulators.fleet_place import Moment, Place
from simulators.fleet_play import DAY_MS, Play, Turn, begin_of_play, plan_outages
from simulators.fleet_site import FleetSite, Say
from simulators.fleet_tally import Tally
from simulators.network import Site

log = logging.getLogger(__name__)

START_SPREAD_S = 8.0
"""Over how long the sites make their first connections, at most."""

LOOK_EVERY_S = 5.0
"""How often each connection looks at its keepalive when nothing happens on it."""

TURN_S = 0.1
"""The longest wait of the loop: what is observed meanwhile comes that much later."""

MAX_AT_ONCE = 1_000
"""Observed before the sockets have their turn again."""

MAX_BACKLOG = 2_000_000
"""Events not yet committed, over all sites: some 600 MB. Beyond it, and until there is room, nothing is observed."""

LOOK_AROUND_S, TELL_EVERY_S = 1.0, 10.0
"""How often it looks at all sites, and tells what it sees at the least."""

REACHED_WITHIN_S = 30.0
"""Until the broker has accepted a first site: one that is just starting, or that says nothing for CONNECT_S."""

GREETED_WITHIN_S = 120.0
"""Before the time of the play begins, every site is answered once, or so much has passed: what a restart may take."""

FAREWELL_S = 5.0
"""For the last status of every site to leave."""

LOST_SHARE = REPEATED_SHARE = 0.005
"""Of the messages of history, either way, when the fleet is not calm: one event in a hundred waits for a Hello."""


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
        self._zone = ZoneInfo(options.network.time_zone)
        self._members = [self._member(site) for site in options.network.sites]
        self._sites = [member.site for member in self._members]
        events = None if options.for_s is None else options.rate * options.for_s
        today = datetime.fromtimestamp(_present_ms() / 1000, self._zone).date()
        begin_ms = begin_of_play(today, self._zone, events, len(self._members))
        self._play = Play(begin_ms, lambda number: self._sites[number].next_ms)
        self._looked_s = self._told_s = self._began_s
        self._complete = self._full = False
        self._withheld = self._played = 0
        self._noise = 0
        self._refusal = "no answer"

    def run(self) -> dict[str, object]:
        """Play until the time is over or somebody stops it, drain, ask once more, leave; return what came of it.

        Raises:
            FleetError: the broker has accepted no site.
        """
        for number in range(len(self._members)):
            self._begin(number)
        self._reach()
        greeted_s = time.monotonic() + min(GREETED_WITHIN_S, self._options.still_s)
        self._until(self._is_greeted, lambda now_s: now_s >= greeted_s or self._stopped())
        begun_s, begun_ms = time.monotonic(), self._play.at_ms
        self._play_on(float("inf") if self._options.for_s is None else begun_s + self._options.for_s)
        lasted_s = time.monotonic() - begun_s
        for number, member in enumerate(self._members):
            if member.away:
                self._come_back(number)
        observed_s = time.monotonic()
        self._wait(lambda: all(site.committed >= site.observed for site in self._sites), observed_s)
        for number, site in enumerate(self._sites):
            site.ask(time.monotonic())
            self._touch(number)
        # A hub that comes on again while it is asked has not said its last word before it has everything.
        self._wait(lambda: all(site.answered and site.committed >= site.observed for site in self._sites), observed_s)
        told = self._outcome(time.monotonic() - observed_s)
        told["rate"] = round(self._played / lasted_s, 1) if lasted_s else 0.0
        told["played_days"] = round((self._play.at_ms - begun_ms) / DAY_MS, 2)
        self._leave()
        return told

    # What happens in time.

    def _begin(self, number: int) -> None:
        member, now_s = self._members[number], time.monotonic()
        random = Random(f"outages {member.site.name} {self._options.seed}")
        outages = [] if self._options.calm else plan_outages(self._play.at_ms, random)
        member.site.start(min([self._play.at_ms, *(from_ms for from_ms, _ in outages)]), now_s)
        while member.site.next_ms < self._play.at_ms:
            member.site.observe(now_s)
        self._play.add(number, outages)
        member.away = bool(outages) and outages[0][0] < self._play.at_ms
        self._tally.began(member.site.name, now_s)
        member.opens_s = now_s + self._random.random() * min(START_SPREAD_S, self._options.spread_s)
        self._schedule(number, now_s)

    def _play_on(self, ends_s: float) -> None:
        observed_s = time.monotonic()
        while (now_s := time.monotonic()) < ends_s and not self._stopped():
            observed_s = self._observe(observed_s, now_s)
            self._turn(min(TURN_S, max(0.0, observed_s - now_s)))
            self._tell(now_s)

    def _observe(self, due_s: float, now_s: float) -> float:
        """Let sites observe what was due until now; return when the next thing is due."""
        if self._options.rate == 0:
            return now_s + TURN_S
        for _ in range(MAX_AT_ONCE):
            if due_s > now_s:
                break
            due_s += self._random.expovariate(self._options.rate)
            if self._full:
                self._withheld += 1
                continue
            turn = self._play.take(_present_ms())
            if turn is None:
                return now_s + TURN_S
            self._take_turn(turn)
        return due_s

    def _take_turn(self, turn: Turn) -> None:
        member, now_s = self._members[turn.number], time.monotonic()
        if turn.what == "leave":
            member.away = True
            if member.line is not None:
                member.line.close("its own line")
        elif turn.what == "return":
            self._come_back(turn.number)
        else:
            self._played += member.site.observe(now_s)
            self._play.observe_on(turn.number)
        self._touch(turn.number)

    def _come_back(self, number: int) -> None:
        member, now_s = self._members[number], time.monotonic()
        member.come_back(now_s, self._random)
        self._schedule(number, now_s)

    def _wait(self, reached: Callable[[], bool], since_s: float) -> None:
        """Wait for the hub, for as long as it comes on; once more, with less patience, when it is stopped meanwhile."""
        still_s, most_s, stopped = self._options.still_s, self._options.most_s, self._stopped()
        waits = patience(time.monotonic(), since_s, still_s, most_s, stopped=stopped)

        def looks() -> bool:
            answered = sum(site.answered for site in self._sites)
            waits.saw(time.monotonic(), sum(site.committed for site in self._sites), answered)
            return reached()

        self._until(looks, lambda now_s: waits.is_over(now_s) or self._stopped() != stopped)
        if self._stopped() != stopped:
            self._wait(reached, since_s)

    def _until(self, reached: Callable[[], bool], is_over: Callable[[float], bool]) -> None:
        now_s = looked_s = time.monotonic()
        while not is_over(now_s):
            self._turn(TURN_S)
            now_s = time.monotonic()
            if now_s >= looked_s + TURN_S:
                looked_s = now_s
                if reached():
                    return
            self._tell(now_s)

    def _reach(self) -> None:
        """Wait for the first connection: without a broker there is nothing to play for."""
        reached_s = time.monotonic() + min(REACHED_WITHIN_S, self._options.still_s)
        self._until(self._is_reached, lambda now_s: now_s >= reached_s or self._stopped())
        if not self._is_reached():
            self._leave()
            raise FleetError(
                f"no broker takes the fleet at {self._options.where} ({self._refusal}): start one there"
                " (telecentre-hub serve with [broker] embedded = true, or Mosquitto), or name another with --broker"
            )

    def _is_reached(self) -> bool:
        return any(member.connections for member in self._members) or all(member.away for member in self._members)

    def _is_greeted(self) -> bool:
        return all(member.site.answered or member.away for member in self._members)

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

    # One site.

    def _member(self, site: Site) -> Member:
        random = Random(f"{site.id} {self._options.seed}")
        furniture = Furniture(site.desks, site.visio_rooms, site.confidential_rooms)
        place = Place(site.id, furniture, self._zone, self._options.seed)
        channels: tuple[Channel, ...] = ("up", "hello", "now", "status", "ack")
        return Member(
            site=FleetSite(site.id, place, random=random, tally=self._tally, spread_s=self._options.spread_s),
            topics={channel: topic_for(site.id, channel) for channel in channels},
            hub_topic=hub_topic(bucket_of(site.id)),
        )

    def _touch(self, number: int) -> None:
        """Let a site open its connection, hear what came, and say what is due; then watch for what comes next."""
        member = self._members[number]
        now_s = time.monotonic()
        if member.line is None and now_s >= member.opens_s and not member.away:
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

    def _serve(self, member: Member, line: Line, now_s: float) -> None:
        if line.ready and not line.greeted:
            line.greeted = True
            member.connections += 1
            member.site.connected(now_s)
        while line.received:
            self._hear(member, line.received.popleft(), now_s)
        if line.ready:
            for say in member.site.say(self._moment(), line.room):
                for _ in range(self._copies(say.channel)):
                    line.publish(self._message(member, say))
        line.answered |= member.site.answered

    def _copies(self, channel: str) -> int:
        """Return how often a message goes out or comes in: what nobody promised, a fleet that is not calm tries."""
        if self._options.calm or channel not in ("up", "hello", "ack"):
            return 1
        chance = self._random.random()
        return 0 if chance < LOST_SHARE else 2 if chance < LOST_SHARE + REPEATED_SHARE else 1

    def _hear(self, member: Member, received: Received, now_s: float) -> None:
        """Take one message of the hub; what does not decode is noise. A retained acknowledgement is stale."""
        try:
            if received.topic == member.hub_topic:
                member.site.hub_seen(HubState.model_validate_json(received.payload).hub, now_s)
            elif received.topic == member.topics["ack"] and not received.retained:
                ack = Ack.model_validate_json(received.payload)
                for _ in range(self._copies("ack")):
                    member.site.heard(ack, now_s)
        except ValidationError:
            self._noise += 1

    def _message(self, member: Member, say: Say) -> Message:
        return Message(member.topics[say.channel], say.payload, say.content_type, say.retain)

    def _lose(self, number: int, line: Line, now_s: float) -> None:
        member = self._members[number]
        if member.watched:
            # By its number: the socket is closed already, and the next one that is opened may have the same number.
            self._selector.unregister(line.fd)
        log.debug("site=%s link=down reason=%r", member.site.name, line.lost)
        self._refusal = line.lost or self._refusal
        member.wait_to_open(now_s, self._random, self._options.spread_s)
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
            due_s = float("inf") if member.away else member.opens_s
        else:
            due_s = member.looks_s
            # While the broker takes no more, only its PUBACK, which the selector tells of, makes a difference.
            due_s = min(due_s, max(now_s, member.site.due_s()))
        if due_s < member.scheduled_s:
            member.scheduled_s = due_s
            heapq.heappush(self._due, (due_s, number))

    def _moment(self) -> Moment:
        return Moment(time.monotonic(), _present_ms())

    # What it says of itself.

    def _tell(self, now_s: float) -> None:
        """Say how it goes: now and then, and at once when the hub has answered every site, or no longer has."""
        if now_s < self._looked_s + LOOK_AROUND_S:
            return
        self._looked_s = now_s
        answered = sum(member.line is not None and member.line.answered for member in self._members)
        away = sum(member.away for member in self._members)
        events = sum(site.observed for site in self._sites)
        waiting = events - sum(site.committed for site in self._sites)
        self._full = waiting >= MAX_BACKLOG
        complete = answered + away >= len(self._members)
        if complete == self._complete and now_s < self._told_s + TELL_EVERY_S:
            return
        self._complete, self._told_s = complete, now_s
        told = ("complete" if complete else "partial", len(self._members), answered, away, events, waiting)
        log.info("fleet=%s sites=%d answered=%d away=%d events=%d backlog=%d", *told)

    def _outcome(self, waited_s: float) -> dict[str, object]:
        days = expected_days(self._sites, self._options.network)
        if self._options.ledger is not None:
            write_ledger(self._options.ledger, self._sites, days)
        now_s = time.monotonic()
        return {
            **outcome(self._sites, days, self._tally, now_s, waited_s),
            "connections": sum(member.connections for member in self._members),
            "fewest_connections": min(member.connections for member in self._members),
            "withheld": self._withheld,
            "seed": self._options.seed,
            "lasted_s": round(now_s - self._began_s, 1),
        }

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


def _present_ms() -> int:
    return time.time_ns() // 1_000_000
