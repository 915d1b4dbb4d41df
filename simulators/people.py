"""The people of one telecentre at play: they follow the script at their own pace and act on the simulated devices.

Whoever finds the door shut goes home: their later steps are skipped, as in life.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from simulators.scenario import DAY_BEGINS_S, DAY_ENDS_S, Step, steps_of

log = logging.getLogger(__name__)

MAX_BOOKINGS = 8
"""Bookings kept in a room's calendar: those of the last days and of today."""


class Telecentre(Protocol):
    """What people can do in a telecentre."""

    async def enter(self, badge: str, companions: int) -> bool:
        """Show a badge and, if the door opens, go in with so many companions; say whether it opened."""

    async def show(self, badge: str) -> bool:
        """Show a badge and stay outside."""

    async def leave(self) -> None:
        """Press the exit button and go out."""

    def sit(self, place: str) -> None:
        """Be at a desk or in a room."""

    def be_still(self, place: str) -> None:
        """Be there, but so still that a PIR no longer sees it."""

    def rise(self, place: str) -> None:
        """Be there no longer."""

    def book(self, room: str, bookings: list[tuple[int, int]]) -> None:
        """Replace a room's calendar; seconds UTC since 1970."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The three faces of time that people need."""

    monotonic_s: Callable[[], float]
    wall_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class People:
    """Plays one day after another, `speed` seconds of the play in each real second, until it is cancelled."""

    telecentre: Telecentre
    script: Callable[[int], tuple[Step, ...]]
    speed: float
    clock: Clock
    inside: set[str] = field(default_factory=set)
    _seated: dict[str, str] = field(default_factory=dict)
    _bookings: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    async def play(self, days: int | None = None) -> None:
        """Play `days` days from day 0, or days without end."""
        day = 0
        while days is None or day < days:
            begun_s = self.clock.monotonic_s()
            async with asyncio.TaskGroup() as group:
                for steps in steps_of(self.script(day)).values():
                    group.create_task(self._live(steps, begun_s))
            await self._sleep_until(DAY_ENDS_S, begun_s)
            day += 1

    async def _live(self, steps: tuple[Step, ...], begun_s: float) -> None:
        for step in steps:
            await self._sleep_until(step.at_s, begun_s)
            await self._do(step)

    async def _sleep_until(self, at_s: float, begun_s: float) -> None:
        due_s = begun_s + (at_s - DAY_BEGINS_S) / self.speed
        wait_s = due_s - self.clock.monotonic_s()
        if wait_s > 0:
            await self.clock.sleep(wait_s)

    async def _do(self, step: Step) -> None:
        if step.action == "book":
            self._book(step)
        elif step.action == "refused":
            await self.telecentre.show(step.person)
        elif step.action == "enter":
            if await self.telecentre.enter(step.person, len(step.behind)):
                self.inside |= {step.person, *step.behind}
        elif step.person in self.inside:
            await self._do_inside(step)

    async def _do_inside(self, step: Step) -> None:
        if step.action in ("sit", "join"):
            self._seated[step.person] = step.place
            self.telecentre.sit(step.place)
        elif step.action in ("rise", "quit"):
            self._seated.pop(step.person, None)
            self.telecentre.rise(step.place)
        elif step.action == "fidget" and self._seated.get(step.person) == step.place:
            self.telecentre.be_still(step.place)
            await self.clock.sleep((step.until_s - step.at_s) / self.speed)
            self.telecentre.sit(step.place)
        elif step.action == "leave":
            await self.telecentre.leave()
            self.inside.discard(step.person)

    def _book(self, step: Step) -> None:
        now_s = self.clock.wall_s()
        start_s, end_s = (round(now_s + (at_s - step.at_s) / self.speed) for at_s in (step.from_s, step.until_s))
        bookings = [*self._bookings.get(step.place, []), (start_s, max(end_s, start_s + 1))][-MAX_BOOKINGS:]
        self._bookings[step.place] = bookings
        self.telecentre.book(step.place, bookings)
