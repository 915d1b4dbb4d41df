"""What the demo reads from its hub over HTTP: is it ready, and what moves."""

import json
import re
import threading
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

ANSWER_WITHIN_S = 3.0

DECISION_WITHIN_S = 2.0
"""The hub has an event within a second of its happening; if not, the pins have said enough."""

UNDER_WAY = 50
"""An agent that stops hands over so few within some 100 ms."""

MAX_ANSWER_BYTES = 4_000_000
"""The live answer of a hundred sites is far below."""

_EVENTS = re.compile(rb"^telecentre_events ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Figures:
    """One line's worth of the network."""

    sites: int
    online: int
    desks: int
    occupied: int
    events: int

    def sentence(self) -> str:
        """Return the figures as one line."""
        return (
            f"{self.online}/{self.sites} sites online · {self.occupied}/{self.desks} desks occupied"
            f" · {self.events} events at the hub"
        )


@dataclass(frozen=True, slots=True)
class Why:
    """A decision at the door: its BACnet name, and what the hub tells a person of it."""

    reason: str
    sentence: str
    remedy: str


def is_ready(url: str) -> bool:
    """Return whether the hub says that it is ready."""
    try:
        _get(f"{url}/readyz")
    except OSError:
        return False
    return True


def read_figures(url: str) -> Figures | None:
    """Return what the hub shows now, or None while it does not answer."""
    try:
        sites = json.loads(_get(f"{url}/api/v1/live"))["sites"]
        metrics = _get(f"{url}/metrics")
    except (OSError, ValueError):
        return None
    desks = [desk for site in sites for desk in site["desks"]]
    return Figures(
        sites=len(sites),
        online=sum(bool(site["online"]) for site in sites),
        desks=len(desks),
        occupied=sum(desk["state"] == "occupied" for desk in desks),
        events=round(sum(float(number) for number in _EVENTS.findall(metrics))),
    )


def has_caught_up(url: str, sites: set[str]) -> bool:
    """Return whether every one of these sites is heard and holds little more than what is just on its way."""
    try:
        live = json.loads(_get(f"{url}/api/v1/live"))["sites"]
    except (OSError, ValueError):
        return False
    backlogs = {site["site_id"]: site["backlog"] for site in live if site["online"]}
    return all(backlog is not None and backlog["depth"] <= UNDER_WAY for backlog in map(backlogs.get, sites))


def read_why(url: str, site: str, since_ms: int) -> Why | None:
    """Return the reason of a site's first decision since a moment, or None if the hub does not have it in time."""
    since = datetime.fromtimestamp(since_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
    until_s, patience = time.monotonic() + DECISION_WITHIN_S, threading.Event()
    while time.monotonic() < until_s:
        try:
            decisions = json.loads(_get(f"{url}/api/v1/decisions?site={site}&from={since}"))["decisions"]
        except (OSError, ValueError):
            return None
        if decisions:
            first = decisions[0]
            return Why(str(first["reason"]), str(first["sentence"]), str(first["remedy"]))
        patience.wait(0.05)
    return None


def _get(url: str) -> bytes:
    """Return the body of a successful answer; urllib's own errors are OSErrors."""
    with urllib.request.urlopen(url, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310 - our own hub on loopback
        body: bytes = answer.read(MAX_ANSWER_BYTES)
    return body
