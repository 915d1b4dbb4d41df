"""Who came in at which telecentre and when, sent to a real store as edges send it."""

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from contract.messages import BatchHeader
from hub.indicators import Step
from hub.network import Network, NetworkTable, SiteTable
from hub.passes import NewBadge, Person, Terms, read_moment
from hub.receiver import Batch
from hub.store import DoorRow, Store, Writer
from hub.store.journal import purge_journal
from hub.store.pass_changes import add_badge, add_member, add_pass
from hub.store.rows import Asked

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
CATCHES_UP = 0.1
"""How likely the sites, before each line, send all the rest in one message: a server is given a copy of many rows."""


def ms(local: str, zone: ZoneInfo = PARIS) -> int:
    """Return a local time such as `2026-10-05 09:00` as an instant."""
    return round(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()) * 1000


def network(*sites: str, name: str = "massif", zone: str = "Europe/Paris", doors: int = 1) -> Network:
    """Return a network of telecentres with one desk and so many doors each."""
    table = NetworkTable(id=name, name=name.title(), time_zone=zone, opening_hours="Mo-Su 08:00-20:00")
    tables = [SiteTable(id=site, name=site.title(), desks=1, doors=doors) for site in sites]
    return Network(network=table, site=tables, zone=[])


def coming(t: int, reason: str = "GRANTED", *, door: str = "door-01", clock: str = "synced", up: int = 0) -> bytes:
    """Return the line of a decision at a door."""
    value = {"door": door, "reason": reason, "assurance": "secured"}
    return _line("access_decided", "reader-01", t, value, clock, up)


def alarm(t: int, name: str, *, state: str = "open", door: str = "door-01") -> bytes:
    """Return the line of what a door says."""
    return _line("door_state_changed", door, t, {"state": state, "alarm": name}, "synced", 0)


def clock_set(t: int, up: int) -> bytes:
    """Return the line that ties a boot to UTC."""
    return _line("clock_set", "agent", t, {"step_ms": 0}, "synced", up)


def _line(kind: str, subject: str, t: int, value: Mapping[str, object], clock: str, up: int) -> bytes:
    shape = {"subject": subject, "t": t, "clock": clock, "up": up, "kind": kind, "value": value}
    return json.dumps(shape).encode()


def in_2026(zone: ZoneInfo) -> tuple[int, int]:
    """Return from where to where the year lasts."""
    return ms("2026-01-01 00:00", zone), ms("2027-01-01 00:00", zone)


def ever(_: ZoneInfo) -> tuple[int, int]:
    """Return bounds that hold all that may be in a store."""
    return 0, 2**52


def settle(writer: Writer) -> None:
    """Compute all that is pending."""
    pending = True
    while pending:
        with writer.transaction():
            pending = writer.settle_slice()
    for count in (writer.settle_visits, writer.settle_zone):
        pending = True
        while pending:
            with writer.transaction():
                pending = count()


@dataclass
class Bench:
    """A store, its clock, and the edges that speak to it: each site sends one stream unless told otherwise."""

    store: Store
    now: list[int]
    writer: Writer = field(init=False)
    sent: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.writer = self.store.writer()

    def send(
        self, site: str, lines: Sequence[tuple[bytes, str | None]], *, stream: str = "a", received_at: int = 0
    ) -> None:
        """Send lines, each with the badge that it was about; nothing where there are none."""
        if not lines:
            return
        name = random.Random(f"{site} {stream}").randbytes(16).hex()
        first = self.sent.get((site, stream), 0) + 1
        self.sent[site, stream] = first + len(lines) - 1
        persons = {seq: badge for seq, (_, badge) in enumerate(lines, start=first) if badge is not None}
        at = received_at or self.now[0]
        header = BatchHeader(site=site, stream=name, boot=name, first=first, n=len(lines), sent_at=at, persons=persons)
        with self.writer.transaction():
            self.writer.receive(Batch(header, [line for line, _ in lines]), at)

    def come(self, site: str, *comings: tuple[str, str], stream: str = "a") -> None:
        """Let badges in: (badge, local time)."""
        self.send(site, [(coming(ms(local)), badge) for badge, local in comings], stream=stream)

    def settle(self) -> None:
        """Compute all that is pending."""
        settle(self.writer)

    def purge(self, local: str) -> int:
        """Set the hub's clock, and let the journal forget."""
        self.now[0] = ms(local)
        with self.store.changed() as connection:
            return purge_journal(connection, self.now[0])

    def counts(self, place: str, step: str, first: str) -> tuple[int, int, int, int] | None:
        """Return visits, half-days, unique and new visitors of a period by its first day; None: no row."""
        for row in self.store.visits(place, step, ever):  # type: ignore[arg-type]  # one of three words
            if row.day == first:
                return row.visits, row.half_days, row.unique_visitors, row.new_visitors
        return None

    def status(self, place: str, step: str, first: str) -> str | None:
        """Return how final the counts of a period are; None: no row."""
        rows = self.store.visits(place, step, ever)  # type: ignore[arg-type]  # one of three words
        return next((row.status for row in rows if row.day == first), None)

    def doors(self, *sites: str, step: Step = "day", level: Literal["site", "zone"] = "site") -> list[DoorRow]:
        """Return what each door of a site did in 2026, or all doors of a zone of these sites together."""
        asked = Asked("zone" if level == "zone" else sites[0], level, sites)
        return self.store.doors([asked], step, in_2026, by_door=level == "site")

    def member(self, *badges: str, since: str = "2026-01-01 00:00") -> str:
        """Give a new member a pass with these badges; return the member's id."""
        with self.store.changed() as connection:
            member = add_member(connection, "massif", Person("Ada"), ms(since), secrets.token_bytes)
            made = add_pass(connection, member, Terms("visitor", read_moment("2026-01-01")), ms(since), _token)
            for badge in badges:
                add_badge(connection, made, NewBadge(credential=badge), ms(since), _token)
        return member

    def close(self) -> None:
        """Close everything."""
        self.writer.close()
        self.store.close()


_token = secrets.token_bytes
