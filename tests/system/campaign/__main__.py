"""The long campaign: `make campaign MINUTES=30`, then the whole fleet; TELECENTRE_SEED=N repeats an earlier plan."""

import sys
import tempfile
from pathlib import Path

from tests.support.brokers import Kind
from tests.system.campaign.campaign import Size, run, seed_to_use
from tests.system.campaign.fleet import FleetSize, run_fleet

KILLS_A_MINUTE = 22
BAD_LINES_A_MINUTE = 6
EVENTS_PER_S = 100.0
"""Of each of six sites, while it lives: ten minutes are some 300,000 events."""

MAX_MINUTES = 60.0
"""More would bring the events of the telecentres' weeks into the future, which the hub suspects."""

FLEET = FleetSize(sites=4_072, rate=300.0)
"""The communes of the Massif central; some two minutes. iotcore is not made for as many."""


def main(minutes: float, kind: Kind) -> int:
    """Run one campaign and say what came of it; return 1 when anything was lost, doubled or counted wrong."""
    if not 0 < minutes <= MAX_MINUTES:
        sys.stderr.write(f"MINUTES must be more than 0 and at most {MAX_MINUTES:g}\n")
        return 2
    seed = seed_to_use()
    sys.stdout.write(f"seed {seed}: TELECENTRE_SEED={seed} make campaign MINUTES={minutes:g} BROKER={kind}\n")
    sys.stdout.flush()
    size = Size(
        lasts_s=minutes * 60,
        kills=round(KILLS_A_MINUTE * minutes),
        bad_lines=round(BAD_LINES_A_MINUTE * minutes),
        events_per_s=EVENTS_PER_S,
    )
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        outcome = run(Path(folder), kind, size, seed)
    sys.stdout.write(f"{outcome}\n")
    sys.stdout.flush()
    right = outcome.verdict.is_right and outcome.differences == 0
    if kind == "mosquitto":
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            fleet = run_fleet(Path(folder), FLEET, seed)
        sys.stdout.write(f"{fleet}\n")
        right = right and fleet.is_right
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), "iotcore" if sys.argv[2:] == ["iotcore"] else "mosquitto"))
