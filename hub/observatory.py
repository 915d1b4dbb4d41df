"""The figures of one month as a table for the gate: telecentres and networks, their days and the month. Pure.

Time of desks and of visio rooms is what the hub computes today. Confidential rooms are left out. Every telecentre's day
is in the table, because sums are made of it; the gate does not let it through.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from hub.cells import Cell, Indicator, Period, Place, Table
from hub.opening import day_bounds, day_of
from hub.release import Facts
from hub.store import Kind, OccupancyRow, Site

MINUTE_MS = 60_000

SUBJECTS: Mapping[Kind, str] = {"desk": "poste", "room": "salle_visio"}
"""What is told of, as the file names it."""

TIME, RATE = "temps_occupe", "taux_occupation"

NETWORK = "reseau:"
"""What the id of a network begins with, so that it is never that of a telecentre."""


def indicators() -> tuple[Indicator, ...]:
    """Return the time and the rate of each kind of place; an hour is the smallest difference that tells something."""
    return tuple(
        indicator
        for subject in SUBJECTS.values()
        for indicator in (
            Indicator(f"{TIME}:{subject}", subject, additive=True, step=60),
            Indicator(f"{RATE}:{subject}", subject, additive=False, decimals=2),
        )
    )


@dataclass
class _Sum:
    """What a place had in a period: of all its desks together, and of each one."""

    available_ms: int = 0
    observed_ms: int = 0
    occupied_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    open_ms: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, row: OccupancyRow) -> None:
        self.available_ms += row.available_ms
        self.observed_ms += row.observed_ms
        key = row.site, row.resource
        self.occupied_ms[key] = self.occupied_ms.get(key, 0) + row.occupied_ms
        day = row.site, row.start_ms
        self.open_ms[day] = max(self.open_ms.get(day, 0), row.available_ms)


def month_span(month: date, sites: Iterable[Site]) -> tuple[int, int]:
    """Return the instants between which the local month lies in every zone of the sites; zones differ by hours."""
    bounds = [(day_bounds(month, site.zone)[0], day_bounds(next_month(month), site.zone)[0]) for site in sites]
    return min(start for start, _ in bounds), max(end for _, end in bounds)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month + timedelta(days=31)).replace(day=1)


def month_table(
    month: date, sites: Sequence[Site], rows: Mapping[Kind, Sequence[OccupancyRow]]
) -> tuple[Table, dict[tuple[str, str, str], Facts]]:
    """Return the table of a month from rows of local days, and what the register says of each place and period."""
    days = [month + timedelta(days=number) for number in range((next_month(month) - month).days)]
    periods = [Period(day.isoformat(), "D", frozenset({day.isoformat()})) for day in days]
    whole = Period(f"{month:%Y-%m}", "M", frozenset(period.id for period in periods))
    networks: dict[str, list[str]] = {}
    for site in sites:
        networks.setdefault(site.network, []).append(site.id)
    places = [Place(site.id, "site", frozenset({site.id})) for site in sites]
    places += [Place(f"{NETWORK}{name}", "network", frozenset(members)) for name, members in sorted(networks.items())]
    cells: list[Cell] = []
    facts: dict[tuple[str, str, str], Facts] = {}
    for kind, subject in SUBJECTS.items():
        sums = _sums(sites, rows[kind], whole.id, kind)
        for place in places:
            for period in [*periods, whole]:
                known = sums.get((place.id, period.id), _Sum())
                cells += _cells(place.id, period.id, subject, known)
                facts[place.id, period.id, subject] = Facts(len(known.occupied_ms), _open_hours(place, known))
    return Table(places, [*periods, whole], indicators(), cells), facts


def _sums(sites: Sequence[Site], rows: Sequence[OccupancyRow], month: str, kind: Kind) -> dict[tuple[str, str], _Sum]:
    by_id = {site.id: site for site in sites}
    confidential = {(site.id, room.id) for site in sites for room in site.rooms if kind == "room" and room.confidential}
    sums: dict[tuple[str, str], _Sum] = {}
    for row in rows:
        site = by_id[row.site]
        day = day_of(row.start_ms, site.zone).isoformat()
        if day[:7] == month and (row.site, row.resource) not in confidential:
            for place in (row.site, f"{NETWORK}{site.network}"):
                for period in (day, month):
                    sums.setdefault((place, period), _Sum()).add(row)
    return sums


def _cells(place: str, period: str, subject: str, known: _Sum) -> list[Cell]:
    occupied_ms = sum(known.occupied_ms.values())
    used = sum(1 for time_ms in known.occupied_ms.values() if time_ms > 0)
    coverage = known.observed_ms / known.available_ms if known.available_ms else 0.0
    rate = occupied_ms / known.observed_ms if known.observed_ms else None
    return [
        Cell(
            place,
            period,
            f"{TIME}:{subject}",
            occupied_ms / MINUTE_MS,
            largest=max(known.occupied_ms.values(), default=0) / MINUTE_MS,
            resources=used,
            coverage=coverage,
            ceiling=known.observed_ms / MINUTE_MS,
        ),
        Cell(place, period, f"{RATE}:{subject}", rate, resources=used, coverage=coverage),
    ]


def _open_hours(place: Place, known: _Sum) -> float | None:
    """Return for how many hours a telecentre was open; a network has no hours of its own."""
    return round(sum(known.open_ms.values()) / 3_600_000, 2) if place.level == "site" else None
