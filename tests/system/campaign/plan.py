"""What a campaign does to its world, and when: drawn from one seed, known before it begins. Pure."""

import itertools
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from tests.support.fault_proxy import Faults

Trouble = Literal["delayed", "silent", "thin", "refused", "cut", "cut_after", "lossy", "repeating", "mute"]

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
HUB, BROKER = "hub", "broker"
KILLED = (HUB, BROKER, None, None, None)
"""Three kills of five hit an edge."""

QUIET_S = 1.5
"""Before the first fault: everything has begun to start."""

MAX_CUT_BYTES = 20_000
"""Some batches: a connection ends in the middle of one."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL at `at_s`; the process is started again `away_s` later. `rebooted`: as if its machine had restarted."""

    at_s: float
    victim: str
    away_s: float
    rebooted: bool


@dataclass(frozen=True, slots=True)
class BadLine:
    """The line of `whose` to the broker is bad from `at_s` on, for `for_s`; a cut is over at once."""

    at_s: float
    whose: str
    trouble: Trouble
    for_s: float
    faults: Faults
    cut_bytes: int


def plan_of(seed: int, *, sites: tuple[str, ...], lasts_s: float, kills: int, bad_lines: int) -> list[Kill | BadLine]:
    """Return the faults of a campaign in their order; the same for the same arguments."""
    random = Random(seed)
    window = (QUIET_S, lasts_s)
    # In turn, so that a short campaign meets nearly every kind.
    kinds = itertools.islice(itertools.cycle(random.sample(KILLED, len(KILLED))), kills)
    killed = [
        Kill(
            at_s=random.uniform(*window),
            victim=kind or random.choice(sites),
            away_s=random.uniform(0.0, 1.5),
            rebooted=random.random() < 0.3,
        )
        for kind in kinds
    ]
    troubles = itertools.islice(itertools.cycle(random.sample(TROUBLES, len(TROUBLES))), bad_lines)
    bad = [_bad_line(random, trouble, random.uniform(*window), random.choice([*sites, HUB])) for trouble in troubles]
    return sorted([*killed, *bad], key=lambda fault: fault.at_s)


def _bad_line(random: Random, trouble: Trouble, at_s: float, whose: str) -> BadLine:
    faults = {
        "delayed": Faults(delay_s=random.uniform(0.1, 2.0)),
        "silent": Faults(silent=True),
        "thin": Faults(bytes_per_s=random.uniform(1_000, 8_000)),
        "refused": Faults(refused=True),
        "lossy": Faults(loss=0.3),
        "repeating": Faults(repeats=True),
        "mute": Faults(mute=True),
    }
    return BadLine(
        at_s=at_s,
        whose=whose,
        trouble=trouble,
        for_s=random.uniform(1.0, 8.0),
        faults=faults.get(trouble, Faults()),
        cut_bytes=random.randrange(MAX_CUT_BYTES) if trouble == "cut_after" else 0,
    )
