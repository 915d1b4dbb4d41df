"""Plays the year against a real hub: steps the clock, brings what each telecentre would have sent, compares."""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from simulators.network import packaged_network
from simulators.year_ask import ask_occupancy
from simulators.year_ask_csv import ask_csv
from simulators.year_ask_indicators import When, ask_indicators
from simulators.year_ask_persons import ask_doors, ask_visits
from simulators.year_ask_release import Releases
from simulators.year_calendar import HOUR_MS, bounds_of, day_of, local_ms
from simulators.year_courier import Courier
from simulators.year_hub import PlayedHub
from simulators.year_lives import Chronicle, make_chronicle
from simulators.year_post import Post
from simulators.year_presence import Story, add_specials, make_stories
from simulators.year_record import Stream, make_streams
from simulators.year_sensing import Told, desk_faults, tell_desk, tell_room
from simulators.year_tally import Tally
from simulators.year_truth import Truth
from simulators.year_world import Telecentre, World, make_world

log = logging.getLogger(__name__)

KILLED = (date(2026, 3, 20), date(2026, 8, 4))
"""On these days the hub is killed when it has just acknowledged half a day, and started again."""

AWAY = ("aurillac", date(2026, 5, 25), date(2026, 6, 4))
"""The line of the largest telecentre is down when May is published, so that what comes late makes a revision."""

STEP_MS = 12 * HOUR_MS
"""How far the clock goes at once: a hub takes half a day of ten telecentres in a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to play: from the first day to the day after the last."""

    seed: int
    days: tuple[date, date]
    folder: Path


@dataclass(frozen=True, slots=True)
class Act:
    """One telecentre of the play: what happened there, and what its outbox holds of it."""

    place: Telecentre
    story: Story
    chronicle: Chronicle
    streams: tuple[Stream, ...]

    def stored(self, at_ms: int) -> dict[str, int]:
        """Return how many entries each stream has by a moment, oldest stream first."""
        return {
            stream.life.stream: bisect_right(stream.entries, at_ms, key=lambda entry: entry.statement.said_ms)
            for stream in self.streams
            if stream.life.begin_ms <= at_ms
        }


def write_acts(world: World, options: Options) -> list[Act]:
    """Return what will happen everywhere, all of it decided by the seed."""
    days = [options.days[0] + timedelta(days=n) for n in range((options.days[1] - options.days[0]).days)]
    stories = make_stories(world, days, options.seed)
    add_specials(stories, days)
    return [_act(place, stories[place.id], options) for place in world.telecentres]


def _act(place: Telecentre, story: Story, options: Options) -> Act:
    random = Random(f"year {options.seed} {place.id}")
    span = local_ms(place.since), local_ms(options.days[1])
    told: dict[str, list[Told]] = {}
    for desk in place.desks:
        begins_ms = local_ms(desk.begin)
        faults = desk_faults((begins_ms, span[1]), "occupied", random)
        said = tell_desk(story.desks[desk.id], faults, begins_ms, random)
        # Who takes a desk away takes its sensor, too; a new agent says the last of it again, of a desk of nobody's.
        told[desk.id] = [one for one in said if desk.end is None or one.said_ms < local_ms(desk.end)]
    for room in place.rooms:
        faults = desk_faults(span, "occupied", random)
        told[room.id] = tell_room(room, story.rooms[room.id], faults, span[0], random)
    chronicle = make_chronicle(span, random)
    if place.id == AWAY[0]:
        chronicle = replace(chronicle, silences=(*chronicle.silences, (local_ms(AWAY[1]), local_ms(AWAY[2]))))
    return Act(place, story, chronicle, make_streams(chronicle, told, story, place.doors))


class Play:
    """The whole play: `run` plays it to the end and returns what the comparisons came to."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._world = make_world(packaged_network(), options.seed, options.days[0])
        self._acts = write_acts(self._world, options)
        self._tally = Tally()
        self._hub = PlayedHub(options.folder, local_ms(options.days[0]))
        posts = [Post(act.place.id, act.streams, Random(f"post {options.seed} {act.place.id}")) for act in self._acts]
        self._courier = Courier(self._hub.broker, posts)
        self._releases = Releases(options.folder / "releases", self._world)
        self._cut_off: set[str] = set()

    def run(self) -> Tally:
        """Play; the hub is stopped in any case.

        Raises:
            HubError: the hub does not work.
            CourierError: it does not take what it is sent.
        """
        self._hub.start()
        try:
            registered = self._world.register_days()
            self._hub.import_network(self._world.network_toml(self._options.days[0]))
            credentials = self._hub.import_members(self._world.members_csv())
            for post in self._courier.posts.values():
                post.credentials = credentials
            for day in self._days():
                if day in registered:
                    self._hub.import_network(self._world.network_toml(day))
                for at_ms in self._moments(day):
                    self._step(at_ms)
                if day in KILLED:
                    self._hub.kill()
                    self._hub.start()
                if (day + timedelta(days=1)).day == 1 or day + timedelta(days=1) == self._options.days[1]:
                    self._compare(day)
            self._courier.leave()
            self._check_rebuild()
        finally:
            self._courier.leave()
            self._hub.stop()
        return self._tally

    def _days(self) -> Iterator[date]:
        day = self._options.days[0]
        while day < self._options.days[1]:
            yield day
            day += timedelta(days=1)

    def _moments(self, day: date) -> list[int]:
        begin, end = bounds_of(day)
        return [*range(begin + STEP_MS, end, STEP_MS), end]

    def _step(self, at_ms: int) -> None:
        """Let it be later, and let every telecentre with a line send what it has by then."""
        self._hub.set_clock(at_ms)
        back: set[str] = set()
        for act in self._acts:
            site = act.place.id
            if not act.chronicle.reaches(at_ms):
                self._cut_off.add(site)
                continue
            if site in self._cut_off:
                self._cut_off.discard(site)
                back.add(site)
            self._courier.posts[site].want(act.stored(at_ms))
        self._courier.bring(at_ms, greeting=frozenset(back))

    def _compare(self, day: date) -> None:
        """Compare everything of the month that ends with a day, and of the whole year at its end."""
        is_over = day + timedelta(days=1) == self._options.days[1]
        first = self._options.days[0] if is_over else max(day.replace(day=1), self._options.days[0])
        now_ms = local_ms(day + timedelta(days=1))
        told_before = len(self._tally.first)
        self._hub.settle()
        truths = [
            Truth(act.place, act.streams, self._courier.posts[act.place.id].positions, now_ms) for act in self._acts
        ]
        days = (first, day + timedelta(days=1))
        self._hub.run("purge")
        ask_occupancy(self._hub, truths, days, self._tally)
        ask_visits(self._hub, self._world, truths, days, self._tally)
        ask_doors(self._hub, self._world, truths, days, self._tally)
        month = (max(day.replace(day=1), self._options.days[0]), days[1])
        when = When(month, days, (self._options.days[0], days[1]))
        ask_indicators(self._hub, self._world, truths, when, self._tally)
        ask_csv(self._hub, month, self._tally)
        if days[1].day == 1:
            self._releases.publish(self._hub, truths, days[1], self._tally)
        for one in self._tally.first[told_before:]:
            self._say(one.sentence())
        told = self._tally.told()
        self._say(f"{day}: {told['compared']:,} figures compared, {told['different']:,} different")

    def _check_rebuild(self) -> None:
        """What the hub brought forward for a year must be what it computes from the events alone."""
        answer = self._hub.run("rebuild")
        self._tally.compare(
            "rebuild", "network", str(day_of(local_ms(self._options.days[1]))), {"differences": 0}, answer
        )
