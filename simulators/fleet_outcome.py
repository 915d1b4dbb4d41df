"""What came of a fleet, and what the hub must end with: one line for people and programs, and a file to compare."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from simulators.fleet_expected import Hours
from simulators.fleet_site import FleetSite
from simulators.fleet_tally import Tally
from simulators.fleet_verdict import judged
from simulators.network import Network

log = logging.getLogger(__name__)

Days = dict[tuple[str, str, str], tuple[int, int]]
"""By (site, local day, `desk` or `room`): milliseconds observed and occupied."""


def expected_days(sites: Sequence[FleetSite], network: Network) -> Days | None:
    """Return what each site's figures must be; None when the network's opening hours say more than a fleet knows."""
    try:
        hours = Hours(network.opening_hours, ZoneInfo(network.time_zone))
    except ValueError as error:
        log.info("figures=unknown reason=%r", str(error))
        return None
    return {(site.name, *key): sums for site in sites for key, sums in site.memory.days(hours).items()}


def write_ledger(file: Path, sites: Sequence[FleetSite], days: Days | None) -> None:
    """Write each stream and each figure that the hub must end with, one JSON object a line."""
    with file.open("w", encoding="utf-8") as out:
        for site in sites:
            for stream in site.streams:
                told = {"site": site.name, "stream": stream.name, "last": stream.last, "digest": stream.digest}
                out.write(f"{json.dumps(told)}\n")
        for (name, day, kind), (observed_ms, occupied_ms) in (days or {}).items():
            row = {"site": name, "day": day, "kind": kind, "observed_ms": observed_ms, "occupied_ms": occupied_ms}
            out.write(f"{json.dumps(row)}\n")


def outcome(
    sites: Sequence[FleetSite], days: Days | None, tally: Tally, now_s: float, waited_s: float
) -> dict[str, object]:
    """Return what the hub must have, and whether its last word is that it has it."""
    return {
        "sites": len(sites),
        "events": sum(site.observed for site in sites),
        "streams": sum(len(site.streams) for site in sites),
        "committed": sum(site.committed for site in sites),
        **judged(sites, waited_s),
        "taken_back": tally.taken_back,
        "expected": None if days is None else _summed(days),
        "longest_absence_s": tally.longest_absence_s(now_s),
        "first_answer": tally.first.told(),
        "absence": tally.away.told(),
        "caught_up": tally.caught_up.told(),
        "event_wait": tally.waits.told(),
    }


def _summed(days: Days) -> dict[str, int]:
    return {
        "figures": len(days),
        "observed_ms": sum(observed for observed, _ in days.values()),
        "occupied_ms": sum(occupied for _, occupied in days.values()),
    }
