"""Somebody who reads every file that was published of a month, knows what everybody knows, and solves for the rest.

Reads what `telecentre-sim year` leaves in its folder and nothing of the hub: the files, and the truth that they tell a
part of. Telecentres and days are unknowns of a linear program; every published figure is a sum of them, or of what came
late. What everybody knows: nothing is below zero, nobody can sit longer than the desks were observed, where nobody
watched there was nothing, and which telecentre was away, or heard for a shorter time, when something came late.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, vstack

K = {"public": 11, "agreement": 5}
FEWEST_DESKS = 3
DOMINANT = 0.85
"""docs/method.md, What is confidential."""

STEPS = {"temps_occupe": 60.0, "sessions": 1.0, "visites": 1.0}
"""The smallest difference that tells something: an hour of a desk, one session, one visit."""

NARROWEST_STEPS, NARROWEST_SHARE = 3, 0.30
"""How far from the truth a confidential figure must be able to lie (docs/method.md, Protection).

Any other that has no value must be possible to be one step more or less, or all that everybody knows of it.
"""

SLACK = 1e-6
"""What a solver in floating point may be off."""

SHARES = {"taux_occupation": "temps_occupe", "rotation": "sessions"}


class At(NamedTuple):
    """A place, a period, and an additive figure such as `visites:personnes`."""

    place: str
    period: str
    figure: str


class Part(NamedTuple):
    """What a figure is, what one desk or person makes of it at most, and how many have a part in it."""

    value: float
    largest: float
    behind: int


class Bounds(NamedTuple):
    """Between which numbers a sum of unknowns lies."""

    unknowns: tuple[int, ...]
    least: float
    most: float


@dataclass(frozen=True)
class Range:
    """Between which numbers a figure can be, for all that was published."""

    lowest: float
    highest: float


class Truth:
    """What really was in a month, as far as the hub could know it when it published."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.places: dict[str, list[str]] = content["places"]
        self.periods: dict[str, list[str]] = content["periods"]
        self.ceilings: dict[str, dict[str, float | None]] = content["ceilings"]
        self.place_days: dict[str, dict[str, int]] = content["place_days"]
        self.heard: dict[str, int] = content["heard"]
        self.parts = {At(*row[:3]): Part(*row[3:]) for row in content["figures"]}

    def ceiling(self, figure: str, site: str, day: str) -> float:
        """Return the most that a telecentre's day can be."""
        ceiling = self.ceilings[figure][f"{site} {day}"]
        return inf if ceiling is None else ceiling

    def is_unsafe(self, at: At, k: int) -> bool:
        """Return whether a figure is confidential for its own sake; those of one subject are so together."""
        subject = at.figure.partition(":")[2]
        fewest = k if subject == "personnes" else FEWEST_DESKS
        parts = [self.parts.get(at._replace(figure=f"{name}:{subject}")) for name in STEPS]
        return any(part.behind < fewest or part.largest > DOMINANT * part.value for part in parts if part is not None)


class Release(NamedTuple):
    """One file as it was published."""

    truth: Truth
    rows: list[dict[str, str]]


class Reader:
    """All that one audience got of a month, over its revisions, as a linear program for each additive figure."""

    def __init__(self, releases: Sequence[Release], audience: str) -> None:
        self.k = K[audience]
        self.first = releases[0].truth
        self._releases = releases
        self._columns: dict[tuple[str, int, str, str], int] = {}
        self._limits: dict[str, list[tuple[float, float]]] = {}
        for figure in self.first.ceilings:
            self._limits[figure] = []
            for wave in range(len(releases)):
                self._unknowns(figure, wave)

    def _unknowns(self, figure: str, wave: int) -> None:
        for site in (place for place, sites in self.first.places.items() if sites == [place]):
            for day in (period for period, days in self.first.periods.items() if days == [period]):
                self._columns[figure, wave, site, day] = len(self._limits[figure])
                self._limits[figure].append(self._limit(figure, wave, site, day))

    def _limit(self, figure: str, wave: int, site: str, day: str) -> tuple[float, float]:
        truth = self._releases[wave].truth
        ceiling = truth.ceiling(figure, site, day)
        if not wave:
            return 0.0, ceiling
        before = self._releases[wave - 1].truth
        subject = figure.partition(":")[2]
        names = [name for name in truth.ceilings if name.endswith(f":{subject}")]
        came = [truth.parts[At(site, day, name)].value - before.parts[At(site, day, name)].value for name in names]
        watched = [truth.ceiling(name, site, day) != before.ceiling(name, site, day) for name in names]
        if subject == "personnes":
            watched.append(truth.heard[f"{site} {day}"] != before.heard[f"{site} {day}"])
        if not any(came) and not any(watched):
            return 0.0, 0.0
        more = ceiling - before.ceiling(figure, site, day) if ceiling < inf else inf
        if min(came) < 0 or more < came[names.index(figure)]:
            return -inf, inf
        return 0.0, more

    def told(self) -> dict[At, float]:
        """Return what the last revision says of each additive figure."""
        rows = self._releases[-1].rows
        return {_at(row): float(row["valeur"]) for row in rows if row["indicateur"] in STEPS and row["valeur"]}

    def was_never_safe(self, at: At) -> bool:
        """Return whether a figure was confidential for its own sake in every revision; late data may make it safe."""
        return all(release.truth.is_unsafe(at, self.k) for release in self._releases)

    def hidden(self) -> list[At]:
        """Return the figures that the last revision does not tell as they are, those of too fine a grain among them."""
        told = self.told()
        return [at for at in self.first.parts if self._is_hidden(at, told.get(at)) and self.secret(at) > 0]

    def _is_hidden(self, at: At, told: float | None) -> bool:
        return told is None or abs(told - self._last.parts[at].value) > 0.5

    def secret(self, at: At) -> float:
        """Return how wide the range of a figure must be at least: one step, if everybody knows that there is as much.

        What was hidden first is as free as it was then, whatever came late.
        """
        truth = self.first if self.value(at) + self.room(at) > 0 else self._last
        everything = truth.parts[at].value + self._room(truth, at)
        return min(STEPS[at.figure.partition(":")[0]], everything)

    def value(self, at: At) -> float:
        """Return what a figure of the first release really was."""
        return self.first.parts[at].value

    def room(self, at: At) -> float:
        """Return how much higher a figure of the first release could be, for all that everybody knows."""
        return self._room(self.first, at)

    def _room(self, truth: Truth, at: At) -> float:
        ceilings = (
            truth.ceiling(at.figure, site, day)
            for site in self.first.places[at.place]
            for day in self.first.periods[at.period]
        )
        return sum(ceilings) - truth.parts[at].value

    @property
    def is_revised(self) -> bool:
        """Return whether there is more than one revision."""
        return len(self._releases) > 1

    @property
    def _last(self) -> Truth:
        return self._releases[-1].truth

    def range_of(self, at: At) -> Range:
        """Return between which numbers a figure of the first release can be."""
        return self._range(at, range(1))

    def range_now(self, at: At) -> Range:
        """Return between which numbers a figure can be with all that came late."""
        return self._range(at, range(len(self._releases)))

    def _range(self, at: At, waves: Sequence[int]) -> Range:
        row = np.zeros(len(self._limits[at.figure]))
        row[list(self._sum(at, waves))] = 1.0
        return Range(self._least(at.figure, row), -self._least(at.figure, -row))

    def _least(self, figure: str, row: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
        sums, most = self._programs[figure]
        known = {"A_ub": sums, "b_ub": most} if len(most) else {}
        found = linprog(row, bounds=self._limits[figure], method="highs", **known)
        if found.status == 3:
            return -inf
        assert found.status == 0, found.message
        return float(found.fun)

    @cached_property
    def _programs(self) -> dict[str, tuple[csr_matrix, "np.ndarray[Any, np.dtype[np.float64]]"]]:
        found: dict[str, list[Bounds]] = {figure: [] for figure in self._limits}
        for wave, release in enumerate(self._releases):
            seen = {row["revision"] for earlier in self._releases[:wave] for row in earlier.rows}
            for row in release.rows:
                if row["valeur"] and row["revision"] not in seen:
                    at, bounds = self._bounds(row, wave)
                    found[at.figure].append(bounds)
        return {figure: _program(bounds, len(self._limits[figure])) for figure, bounds in found.items()}

    def _bounds(self, row: dict[str, str], wave: int) -> tuple[At, Bounds]:
        """Return what a row tells about a sum of unknowns: values are rounded, and nobody visits without a visit."""
        name, subject, value = row["indicateur"], row["ventilation"], float(row["valeur"])
        at = _at(row)
        if name == "visiteurs_uniques":
            at = at._replace(figure=f"visites:{subject}")
            return at, Bounds(self._sum(at, range(wave + 1)), value, inf)
        if name in SHARES:
            at = at._replace(figure=f"{SHARES[name]}:{subject}")
            whole = self._whole(name, subject, at, self._releases[wave].truth)
            return at, Bounds(self._sum(at, range(wave + 1)), (value - 0.005) * whole, (value + 0.005) * whole)
        off = 0.5 if name == "temps_occupe" else 0.0
        return at, Bounds(self._sum(at, range(wave + 1)), value - off, value + off)

    def _whole(self, name: str, subject: str, at: At, truth: Truth) -> float:
        """Return what a share is a share of, which everybody knows: observed minutes, or desks on open days."""
        keys = [f"{site} {day}" for site in truth.places[at.place] for day in truth.periods[at.period]]
        if name == "rotation":
            return sum(truth.place_days[subject][key] for key in keys)
        return sum(truth.ceilings[f"temps_occupe:{subject}"][key] or 0.0 for key in keys)

    def _sum(self, at: At, waves: Sequence[int]) -> tuple[int, ...]:
        return tuple(
            self._columns[at.figure, wave, site, day]
            for wave in waves
            for site in self.first.places[at.place]
            for day in self.first.periods[at.period]
        )


def _at(row: dict[str, str]) -> At:
    return At(row["id_telecentre|zone"], row["periode"], f"{row['indicateur']}:{row['ventilation']}")


def _program(bounds: list[Bounds], unknowns: int) -> tuple[csr_matrix, "np.ndarray[Any, np.dtype[np.float64]]"]:
    """Return sums and the most that each is; the least is the most of the opposite."""
    numbers = [number for number, one in enumerate(bounds) for _ in one.unknowns]
    columns = [column for one in bounds for column in one.unknowns]
    sums = csr_matrix((np.ones(len(columns)), (numbers, columns)), shape=(len(bounds), unknowns))
    most = np.array([one.most for one in bounds])
    least = np.array([one.least for one in bounds])
    both = vstack([sums[most < inf], -sums[least > -inf]], format="csr")
    return both, np.concatenate([most[most < inf], -least[least > -inf]])


def read_month(folder: Path, audience: str) -> Reader:
    """Return what an audience got of a month: of each revision, the file of the day on which it was published first."""
    releases: list[Release] = []
    seen: set[str] = set()
    for day in sorted(folder.iterdir()):
        with (day / audience / "indicateurs.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        if not releases or any(row["revision"] not in seen for row in rows):
            releases.append(Release(Truth(json.loads((day / "truth.json").read_text(encoding="utf-8"))), rows))
            seen |= {row["revision"] for row in rows}
    return Reader(releases, audience)


class Attack:
    """What comes of attacking hidden figures of a month, all or a sample of each kind.

    Attributes:
        confidential: those that are hidden for their own sake.
        others: those hidden beside them, those that are too fine, and those that are missing.
    """

    def __init__(self, reader: Reader, seed: int, most: int) -> None:
        self._reader = reader
        random = Random(seed)
        unsafe = [at for at in reader.hidden() if reader.first.is_unsafe(at, reader.k)]
        safe = [at for at in reader.hidden() if not reader.first.is_unsafe(at, reader.k)]
        self.confidential = random.sample(unsafe, min(most, len(unsafe)))
        self.others = random.sample(safe, min(most, len(safe)))

    def finds(self) -> Iterator[str]:
        """Yield what is found out: a figure that is told or can be narrowed too much, or one that can be computed."""
        reader = self._reader
        for at in reader.told():
            if reader.was_never_safe(at):
                yield f"{at} is told"
        for at in self.confidential:
            value = reader.value(at)
            wanted = max(NARROWEST_STEPS * STEPS[at.figure.partition(":")[0]], NARROWEST_SHARE * value)
            found = reader.range_of(at)
            if found.highest < value + min(wanted, reader.room(at)) - SLACK * max(1.0, value):
                yield f"{at}: {value} is at most {found.highest}"
            if found.lowest > value - min(wanted, value) + SLACK * max(1.0, value):
                yield f"{at}: {value} is at least {found.lowest}"
        # With revisions, what came late of a confidential figure must not be told by them either.
        for at in [*self.others, *(self.confidential if reader.is_revised else ())]:
            found = reader.range_now(at)
            if found.highest - found.lowest < reader.secret(at) - SLACK * max(1.0, found.highest):
                yield f"{at} can be computed: it is from {found.lowest} to {found.highest}"
