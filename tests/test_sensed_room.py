"""A visio room's hour in seconds: radar, calendar and display through their real drivers, up to the hub's figures."""

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from contract.events import BookingJudged, BookingOutcome, Event, RoomState, RoomStateChanged
from edge.clock import SystemClock
from edge.core.effects import Publish
from edge.core.observations import Observation, Tick
from edge.core.occupancy import PresenceRules
from edge.core.site import begin, decide, next_deadline
from edge.devices.bookings import Feed, WebBookings
from edge.devices.device import DeviceThread, Driver
from edge.devices.display import Display
from edge.devices.port import Port
from edge.devices.presence_radar import PresenceRadar
from edge.protocols import samsung_mdc
from simulators.calendars import CalendarServer
from simulators.displays import Screen, samsung
from simulators.folder import calendar_of
from simulators.ld2410 import Ld2410
from tests.support.bench import Bench
from tests.support.plan import PLAN
from tests.support.sensed_figures import counted

WITHIN_S = 60.0
ERROR_S = 2.0
"""A reading is late by the pace of the radar's thread, 0.2 s, and by what a busy machine adds."""


class Room:
    """The room's devices on a bench, their threads, and the core in the test's thread."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.radar, self.calendars = bench, Ld2410(Random(1)), CalendarServer()
        self.radar.settings = replace(self.radar.settings, no_one_s=0)
        self.port, self.display = bench.wire(self.radar), samsung(Screen(), random=Random(2))
        self.book([])
        bench.run(self.calendars.start())
        bench.run(self.display.start())
        self.clock = SystemClock(lambda: "synced")
        rules = replace(
            PLAN.rooms["room-01"],
            presence=PresenceRules(("room-01-radar",), settle_s=0.3, hold_s=1.5),
            ghost_after_s=2.0,
            bookings_kept_s=1.0,
            came_early_s=1.0,
        )
        plan = replace(PLAN, doors={}, readers={}, desks={}, rooms={"room-01": rules})
        self.site, effects = begin(plan, self.clock.now(), "1.0")
        self.events: list[Event] = [effect.event for effect in effects if isinstance(effect, Publish)]
        self.inbox: queue.Queue[Observation] = queue.Queue()
        self.crashes: list[BaseException] = []
        feed = Feed(f"http://127.0.0.1:{self.calendars.port}/room-01.ics", 0.2)
        address = ("127.0.0.1", self.display.port)
        drivers: dict[str, Driver] = {
            "room-01-radar": PresenceRadar("room-01-radar", Port(str(self.port), simulated=True)),
            "room-01-bookings": WebBookings("room-01", feed, ZoneInfo("Europe/Paris")),
            "room-01-display": Display("room-01", address, lambda _: samsung_mdc.PowerQuestion(0), bytes, 0.1),
        }
        self.threads = [
            DeviceThread(name, driver, clock=self.clock.now, random=Random(1), on_crash=self.crashes.append)
            for name, driver in drivers.items()
        ]
        for thread in self.threads:
            thread.start(self.inbox.put)

    def book(self, bookings: list[tuple[int, int]]) -> None:
        self.calendars.put("/room-01.ics", calendar_of(bookings), int(time.time()))

    def until(self, state: RoomState) -> None:
        """Decide until the room is in this state."""
        self._decide(lambda: self.site.rooms["room-01"].state == state)

    def until_judged(self, bookings: int) -> None:
        """Decide until so many bookings were judged."""
        self._decide(lambda: len(self.judged) == bookings)

    def _decide(self, is_so: Callable[[], bool]) -> None:
        end_s = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < end_s, (self.told, self.judged)
            wait_s = max(0.0, min(0.2, next_deadline(self.site) - self.clock.now().mono_s))
            try:
                seen = self.inbox.get(timeout=wait_s)
            except queue.Empty:
                seen = Tick(self.clock.now())
            self.site, effects = decide(self.site, seen)
            self.events += [effect.event for effect in effects if isinstance(effect, Publish)]

    @property
    def told(self) -> list[RoomState]:
        return [event.value.state for event in self.events if isinstance(event, RoomStateChanged)]

    @property
    def judged(self) -> list[tuple[int, BookingOutcome]]:
        """What came of each booking, by its start in seconds."""
        judged = [event.value for event in self.events if isinstance(event, BookingJudged)]
        return [(value.start // 1000, value.outcome) for value in judged]

    def stop(self) -> None:
        for thread in self.threads:
            thread.stopping.set()
            thread.wake()
        for thread in self.threads:
            thread.stop(10.0)
        self.bench.run(self.display.stop())
        self.bench.run(self.calendars.stop())
        assert not self.crashes, self.crashes


@pytest.fixture
def room() -> Iterator[Room]:
    with Bench() as bench:
        room = Room(bench)
        yield room
        room.stop()


def test_a_room_says_through_its_drivers_what_happened_in_it(room: Room, tmp_path: Path) -> None:
    begun_s = time.monotonic()
    room.until("free")
    now_s = int(time.time())
    room.book([(now_s, now_s + 3600)])
    room.until("ghost")
    room.calendars.calendars["/room-01.ics"].manner = "error"
    room.until("unknown")
    room.calendars.calendars["/room-01.ics"].manner = "good"
    room.until("ghost")
    came_s = time.monotonic()
    room.bench.call(room.radar.person, distance_cm=90, moving=True)
    room.until("occupied")
    room.bench.call(lambda: room.display.screen.switch(on=True))
    room.until("in_call")
    room.bench.unplug(room.port)
    room.until("unknown")
    room.bench.plug(room.port)
    room.until("in_call")
    room.bench.call(lambda: room.display.screen.switch(on=False))
    room.until("occupied")
    room.bench.call(room.radar.empty)
    went_s = time.monotonic()
    room.until("free")
    ended_s = time.monotonic()

    told = [
        state for state in room.told if state != "booked"
    ]  # short, and told twice: for whom is awaited, and for who may be back
    in_between: list[RoomState] = ["occupied", "in_call", "unknown", "in_call", "occupied"]
    assert told == ["free", "ghost", "unknown", "ghost", *in_between, "free"]
    row = counted(tmp_path, room.events, "room", opening_hours="24/7")["room-01"]
    empty_s = (came_s - begun_s) + (ended_s - went_s)
    assert row.occupied_ms / 1000 <= went_s - came_s + ERROR_S, "nobody is invented"
    assert (row.observed_ms - row.occupied_ms) / 1000 <= empty_s + ERROR_S, "no vacancy is invented"
    assert row.occupied_ms > 0


def test_a_room_tells_through_its_drivers_what_came_of_its_bookings(room: Room) -> None:
    room.bench.call(room.radar.person, distance_cm=90, moving=True)
    room.until("occupied")
    now_s = int(time.time())
    # Far enough ahead for a busy machine to read the calendar, and to see the room empty in between.
    taken_s, missed_s = now_s + 6, now_s + 15
    room.book([(taken_s, taken_s + 4), (missed_s, missed_s + 4)])
    room.until_judged(1)
    room.bench.call(room.radar.empty)
    room.until_judged(2)
    assert room.judged == [(taken_s, "came"), (missed_s, "no_show")]
