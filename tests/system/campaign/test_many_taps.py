"""A market day at one reader: 500 taps a minute, every one decided, nothing left behind in the agent."""

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from simulators.attackers import copy_of
from simulators.cards import Card
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.system.campaign.siege import READERS, Siege, besieged, card_of

TAPS_A_MINUTE = 500
MINUTES = 10.0 if CAMPAIGN_MINUTES else 0.5
TAPS = round(TAPS_A_MINUTE * MINUTES)
WARM_TAPS = 150
"""Until then Python still fills its pools; what grows afterwards is a leak."""

MOST_MORE_BYTES = 4_000_000
"""2,500 taps that left a kilobyte each would be found; the outbox's cache of pages is bounded."""

NOBODY_LISTENS = 9
RF_S = 0.005
READER = READERS[0]


@dataclass(frozen=True)
class Held:
    """What the agent holds of its machine."""

    memory_bytes: int
    files: int
    threads: int


def held_by(siege: Siege) -> Held:
    process = siege.process
    return Held(process.memory_info().rss, process.num_fds(), process.num_threads())


def held_up_s(siege: Siege) -> float:
    """Return for how long agent and test were ready to run and had no processor, whatever else the machine does."""
    tasks = [task for pid in (siege.process.pid, os.getpid()) for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9


def a_card(random: Random) -> tuple[Card, str]:
    """Return a card of a market day, and what is to be said to it."""
    kind = random.randrange(6)
    if kind == 0:
        return copy_of(card_of("carol", random), random), "DENIED_VERIFICATION_FAILED"
    if kind == 1:
        return card_of("elsewhere-1", random), "DENIED_UNKNOWN_CREDENTIAL"
    if kind == 2:
        return card_of("expired-4", random), "DENIED_CREDENTIAL_EXPIRED"
    return card_of("carol", random), "GRANTED"


@pytest.mark.timeout(120 + round(90 * MINUTES))
def test_five_hundred_taps_a_minute_are_all_decided_and_leave_nothing_behind() -> None:
    random, took_s, wrong = Random(500), list[float](), Counter[str]()
    with besieged(NOBODY_LISTENS, rf_s=RF_S) as siege:
        begun_s, warm, held_up_before_s = time.monotonic(), held_by(siege), held_up_s(siege)
        for tap in range(TAPS):
            if tap == WARM_TAPS:
                warm = held_by(siege)
            time.sleep(max(0.0, begun_s + tap * 60 / TAPS_A_MINUTE - time.monotonic()))
            card, right = a_card(random)
            presented_s = time.monotonic()
            reason = siege.present(READER, card)
            took_s.append(time.monotonic() - presented_s)
            if reason != right:
                wrong[f"{reason}, not {right}"] += 1
        lasted_s, end = time.monotonic() - begun_s, held_by(siege)
        busy_s = held_up_s(siege) - held_up_before_s
    slowest_ms = max(took_s) * 1000
    sys.stdout.write(f"{TAPS} taps in {lasted_s:.1f} s, the slowest {slowest_ms:.0f} ms; wrong: {dict(wrong)}\n")
    sys.stdout.write(f"no processor was free for {busy_s:.1f} s\n")
    sys.stdout.write(f"after {WARM_TAPS} taps {warm}, at the end {end}\n")
    assert not wrong
    assert lasted_s - busy_s < 60 * MINUTES * 1.1, "the pace was kept, but for what other work took"
    assert (end.files, end.threads) == (warm.files, warm.threads)
    assert end.memory_bytes - warm.memory_bytes < MOST_MORE_BYTES
