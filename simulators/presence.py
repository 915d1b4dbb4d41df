"""What a PIR and a contact do on their line while somebody sits there: levels with their instants, without a clock.

A person is a list of instants: those at which a PIR sees a movement. `played` puts levels on a board of pins.

Source: HC-SR501 (BISS0001): the output is high for `on_s` after a movement, then blind for `blind_s`; with
its jumper on H each movement begins `on_s` anew. Bounce of reed contacts and mats: 1 to 10 ms, some 5 edges.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

Levels = list[tuple[float, bool]]
"""Instants in seconds and the level from then on, in order; the line is low before the first."""


@dataclass(frozen=True)
class Pir:
    """One module with its two knobs and its jumper."""

    on_s: float = 2.5
    blind_s: float = 2.5
    retriggers: bool = True

    def levels(self, movements: Iterable[float]) -> Levels:
        """Return what the output does for movements at these instants, in order."""
        found: Levels = []
        until_s = blind_until_s = float("-inf")
        for at_s in movements:
            if at_s < until_s:
                if self.retriggers:
                    until_s = at_s + self.on_s
                    found[-1] = (until_s, False)
                    blind_until_s = until_s + self.blind_s
            elif at_s >= blind_until_s:
                until_s = at_s + self.on_s
                blind_until_s = until_s + self.blind_s
                found += [(at_s, True), (until_s, False)]
        return found


def movements(random: Random, from_s: float, to_s: float, *, every_s: float, stillest_s: float) -> list[float]:
    """Return the movements of somebody who sits at a desk: often some seconds apart, at times still for minutes."""
    found, at_s = [from_s], from_s
    while True:
        at_s += min(random.expovariate(1 / every_s), stillest_s)
        if at_s >= to_s:
            return found
        found.append(at_s)


def bounced(random: Random, levels: Levels, *, edges: int = 5, longest_s: float = 0.002) -> Levels:
    """Return the same levels of a contact that bounces: each change takes some edges, and ends where it should."""
    found: Levels = []
    for at_s, high in levels:
        instant_s = at_s
        for step in range(2 * (edges // 2) + 1):
            found.append((instant_s, high if step % 2 == 0 else not high))
            instant_s += random.uniform(0.0001, longest_s)
    return found


def chatter(from_s: float, to_s: float, *, hertz: float) -> Levels:
    """Return the levels of a broken wire that closes and opens all the time."""
    count = int((to_s - from_s) * hertz)
    return [(from_s + step / hertz, step % 2 == 0) for step in range(count)]


def played(levels: Levels, drive: Callable[[bool], None], loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    """Play levels from now on, `drive` being called on the loop; a handle that is cancelled leaves its change out."""
    return [loop.call_later(at_s, drive, high) for at_s, high in levels]
