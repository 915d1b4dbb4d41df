"""Four telecentres of one network to which the same persons come every day, as far as a hub hears of it."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from contract.events import (
    Access,
    AccessDecided,
    Desk,
    DeskStateChanged,
    EdgeAlive,
    EdgeStarted,
    Event,
    Nothing,
    Start,
    encode,
)
from contract.limits import MAX_BATCH_EVENTS
from contract.messages import BatchHeader
from hub.network import Network, NetworkTable, SiteTable
from hub.receiver import Batch
from hub.store import Store
from tests.support.comings import settle
from tests.support.october import FIRST_MS, HOUR_MS, figures

SITES = ("allanche", "mauriac", "murat", "ydes")
DESKS = 4
PERSONS = 30
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
WHOLE = range(1, 32)
SUNDAY = 6
LAST_OF_SUMMER = 26
"""This day has 25 hours."""


def register(folder: Path, sites: Sequence[str] = SITES, *, desks: int = DESKS) -> Path:
    """Make a hub that has known these telecentres since September and heard none of them; return its settings."""
    file = folder / "hub.toml"
    file.write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    table = NetworkTable(id="cantal", name="Cantal", time_zone="Europe/Paris", opening_hours="Mo-Fr 08:00-18:00")
    tables = [SiteTable(id=site, name=site.title(), desks=desks) for site in sites]
    with closing(Store(folder / "hub.db")) as store:
        store.import_network(Network(network=table, site=tables, zone=[]), today=date(2025, 9, 1))
    return file


def attend(config: Path, site: str, days: range = WHOLE, persons: range = range(PERSONS)) -> None:
    """Let a hub hear some days of a telecentre's October, from midnight to midnight, as one agent tells them.

    Nobody sits down; each person is let in at nine, on every day but Sundays.
    """
    begin, end = _at(days.start), _at(days.stop)
    started = EdgeStarted(subject="agent", value=Start(version="1"), t=begin, clock="synced", up=0)
    lines: list[tuple[Event, str | None]] = [(started, None)]
    for number in range(1, DESKS + 1):
        desk = f"desk-{number:02d}"
        lines.append((DeskStateChanged(subject=desk, value=Desk(state="vacant"), t=begin, clock="synced", up=0), None))
    for day in days:
        if date(2025, 10, day).weekday() != SUNDAY:
            lines += [(_coming(_at(day, hour=9) + n * MINUTE_MS), f"{site}-{n:02d}") for n in persons]
    lines.append((EdgeAlive(subject="agent", value=Nothing(), t=end, clock="synced", up=0), None))
    name = f"{days.start:032x}"
    with closing(Store(config.parent / "hub.db")) as store, closing(store.writer()) as writer:
        for first in range(0, len(lines), MAX_BATCH_EVENTS):
            some = lines[first : first + MAX_BATCH_EVENTS]
            badges = {seq: badge for seq, (_, badge) in enumerate(some, start=first + 1) if badge is not None}
            header = BatchHeader(
                site=site, stream=name, boot=name, first=first + 1, n=len(some), sent_at=end, persons=badges
            )
            with writer.transaction():
                writer.receive(Batch(header, [encode(event) for event, _ in some]), end)
        settle(writer)


def _at(day: int, *, hour: int = 0) -> int:
    """Return a local hour of a day of October, or of the day after."""
    return FIRST_MS + (day - 1) * DAY_MS + (hour + (day > LAST_OF_SUMMER)) * HOUR_MS


def _coming(at: int) -> AccessDecided:
    value = Access(door="door-01", reason="GRANTED", assurance="secured")
    return AccessDecided(subject="reader-01", value=value, t=at, clock="synced", up=0)


def told(folder: Path, place: str, period: str = "2025-10", name: str = "visites") -> tuple[str, str, str, str]:
    """Return what a release says of a figure of persons: value, both statuses, coverage."""
    row = figures(folder)[place, period, name, "personnes"]
    return row["valeur"], row["obs_status"], row["conf_status"], row["couverture"]
