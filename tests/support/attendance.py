"""Made-up attendance as a table for the gate of publication: who came where and when, and every margin of it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.cells import Cell, Freq, Indicator, Level, Period, Place, Table

VISITS = Indicator("visites", "attendance", additive=True)
VISITORS = Indicator("visiteurs_uniques", "attendance", additive=False, counts_persons=True)


@dataclass(frozen=True)
class Visit:
    """One person at one telecentre in one base period, so many times."""

    person: int
    site: str
    part: str
    times: int = 1


def site_places(sites: Sequence[str]) -> list[Place]:
    return [Place(site, "site", frozenset({site})) for site in sites]


def zone(name: str, level: Level, sites: Sequence[str]) -> Place:
    return Place(name, level, frozenset(sites))


def base_periods(parts: Sequence[str], freq: Freq = "M") -> list[Period]:
    return [Period(part, freq, frozenset({part})) for part in parts]


def table_of(visits: Sequence[Visit], places: Sequence[Place], periods: Sequence[Period]) -> Table:
    """Return visits and unique visitors of every place in every period."""
    here: dict[tuple[str, str], dict[int, int]] = {}
    for visit in visits:
        counts = here.setdefault((visit.site, visit.part), {})
        counts[visit.person] = counts.get(visit.person, 0) + visit.times
    cells: list[Cell] = []
    for place in places:
        for period in periods:
            counts = {}
            for site in place.sites:
                for part in period.parts:
                    for person, times in here.get((site, part), {}).items():
                        counts[person] = counts.get(person, 0) + times
            total, largest, persons = sum(counts.values()), max(counts.values(), default=0), len(counts)
            cells.append(Cell(place.id, period.id, VISITS.id, total, largest=largest, persons=persons))
            cells.append(Cell(place.id, period.id, VISITORS.id, persons, persons=persons))
    return Table(places, periods, (VISITS, VISITORS), cells)


def table_from(persons: Mapping[tuple[str, str], int], places: Sequence[Place], periods: Sequence[Period]) -> Table:
    """Return the table in which each base cell has so many persons, who come nowhere and never else."""
    number = 0
    visits: list[Visit] = []
    for (site, part), count in persons.items():
        for _ in range(count):
            number += 1
            visits.append(Visit(number, site, part))
    return table_of(visits, places, periods)


def random_table(seed: int) -> Table:
    """Return the table of a random network."""
    return table_of(*random_network(seed))


def random_network(seed: int) -> tuple[list[Visit], list[Place], list[Period]]:
    """Return a small network with zones that overlap and periods that overlap, and visitors with their habits."""
    rng = random.Random(seed)
    sites = [f"s{n}" for n in range(rng.randint(2, 6))]
    shuffled = rng.sample(sites, len(sites))
    cut = rng.randint(1, len(sites) - 1)
    places = [*site_places(sites), zone("net", "network", sites)]
    places += [zone("v1", "valley", shuffled[:cut]), zone("v2", "valley", shuffled[cut:])]
    if rng.random() < 0.5:
        places.append(zone("t1", "territory", rng.sample(sites, rng.randint(1, len(sites)))))
    freq: Freq = rng.choice(["M", "M", "D", "W"])
    parts = [f"p{n}" for n in range(rng.randint(1, 6))]
    periods = base_periods(parts, freq)
    # Two ways to cut the same time, as weeks and months do.
    periods += [Period(f"q{n}", "Q", frozenset(parts[n : n + 2])) for n in range(0, len(parts), 2)]
    periods += [Period(f"a{n}", "A", frozenset(parts[n : n + 2])) for n in range(1, len(parts), 2)]
    periods.append(Period("all", "A", frozenset(parts)))
    visits = []
    busy = {site: rng.choice([0.02, 0.1, 0.5, 1.0]) for site in sites}
    for person in range(rng.choice([5, 20, 60, 150])):
        home = rng.choice(sites)
        for part in parts:
            site = home if rng.random() < 0.85 else rng.choice(sites)
            if rng.random() < busy[site]:
                visits.append(Visit(person, site, part, rng.choice([1, 1, 2, 3, 8, 60])))
    return visits, places, periods


MINUTES = Indicator("minutes_occupees", "desk_time", additive=True, step=60)
RATE = Indicator("taux_occupation", "desk_time", additive=False, decimals=2)


@dataclass(frozen=True)
class Use:
    """One desk in one base period, in minutes; what was observed is public."""

    site: str
    desk: int
    part: str
    occupied: float
    observed: float


def desk_table(uses: Sequence[Use], places: Sequence[Place], periods: Sequence[Period]) -> Table:
    """Return occupied minutes and rate of every place in every period; a used desk is a contributor."""
    cells: list[Cell] = []
    for place in places:
        for period in periods:
            here = [use for use in uses if use.site in place.sites and use.part in period.parts]
            by_desk: dict[tuple[str, int], float] = {}
            for use in here:
                by_desk[use.site, use.desk] = by_desk.get((use.site, use.desk), 0.0) + use.occupied
            occupied, observed = sum(by_desk.values()), sum(use.observed for use in here)
            used = sum(1 for minutes in by_desk.values() if minutes > 0)
            rate = occupied / observed if observed else None
            cells += [
                Cell(
                    place.id,
                    period.id,
                    MINUTES.id,
                    occupied,
                    largest=max(by_desk.values(), default=0.0),
                    resources=used,
                    ceiling=observed,
                ),
                Cell(place.id, period.id, RATE.id, rate, resources=used),
            ]
    return Table(places, periods, (MINUTES, RATE), cells)


def random_desk_table(seed: int) -> Table:
    """Return the desks of a small network over some months: some telecentres full, some nearly empty."""
    rng = random.Random(seed)
    sites = [f"s{n}" for n in range(rng.randint(2, 6))]
    cut = rng.randint(1, len(sites) - 1)
    places = [*site_places(sites), zone("net", "network", sites), zone("v1", "valley", sites[:cut])]
    parts = [f"p{n}" for n in range(rng.randint(1, 4))]
    periods = [*base_periods(parts), Period("all", "A", frozenset(parts))]
    uses = []
    for site in sites:
        chance, desks = rng.choice([0.2, 0.6, 1.0]), rng.randint(1, 8)
        for part in parts:
            for desk in range(desks):
                observed = float(rng.choice([0, 5_000, 10_000]))
                share = rng.choice([0.01, 0.3, 0.9, 1.0]) if rng.random() < chance else 0.0
                uses.append(Use(site, desk, part, float(int(observed * share)), observed))
    return desk_table(uses, places, periods)
