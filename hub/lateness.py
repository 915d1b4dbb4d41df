"""What came late: a month as it is now, held against what its release was computed from. Pure.

docs/decisions/0029 says why the gate judges what was added as a table of its own.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from sys import intern
from typing import Any

from hub.cells import Cell, Place, Table
from hub.disclosure import Figure
from hub.heard import UNHEARD
from hub.observatory import (
    ALL_SUBJECTS,
    MINUTE_MS,
    NOBODY,
    NOTHING,
    PERSONS,
    SUBJECTS,
    Came,
    Month,
    Used,
    Visits,
    heard_in,
    indicators,
    periods_of,
    sums_of,
    time_cells,
    visit_cells,
)


def late_table(before: Month, after: Month, subjects: Collection[str] = ALL_SUBJECTS) -> Table:
    """Return what a month has more than it had, as a table of its own: a figure of how much was added, and of whom.

    What has not changed is nothing, and everybody knows: whoever compares two revisions may know which telecentre was
    away. A figure in which anything became less counts nobody, so that the gate keeps it.
    """
    older = {row[:4]: row for row in before.used}
    newer = {row[:4]: row for row in after.used}
    more: list[Used] = []
    less: set[tuple[str, str, str]] = set()
    for key in sorted(older.keys() | newer.keys()):
        was, now = (rows.get(key, Used(*key, 0, 0, 0, 0)) for rows in (older, newer))
        observed_ms, occupied_ms = now.observed_ms - was.observed_ms, now.occupied_ms - was.occupied_ms
        sessions = now.sessions - was.sessions
        if min(observed_ms, occupied_ms, sessions) < 0:
            less.add((now.subject, now.site, now.day))
        if observed_ms or occupied_ms or sessions:
            # What changed is something, so that it is not taken for what everybody knows.
            most_ms = max(abs(observed_ms), abs(occupied_ms), MINUTE_MS)
            more.append(Used(*key, most_ms, most_ms, max(0, occupied_ms), max(0, sessions)))
    sums = sums_of(before, more)
    cells: list[Cell] = []
    for subject in SUBJECTS.values():
        for place in before.places if subject in subjects else ():
            for period in periods_of(before.month):
                known = sums.get((place.id, period.id, subject), NOTHING)
                fell = any((subject, site, part) in less for site in place.sites for part in period.parts)
                cells += (_kept(cell, fell=fell) for cell in time_cells(place, period, subject, known))
    if PERSONS in subjects:
        cells += _late_visits(before, after)
    # Of those who came late, some may have come elsewhere before: who was added here need not be added around it.
    named = [replace(indicator, counts_persons=False) for indicator in indicators(subjects)]
    return Table(before.places, periods_of(before.month), named, cells)


def _kept(cell: Cell, *, fell: bool) -> Cell:
    """Return a cell about nobody, so that it is kept, if anything in it became less."""
    if not fell:
        return cell
    return Cell(cell.place, cell.period, cell.indicator, cell.value, cell.largest, None, 0, 1.0, cell.ceiling)


def _late_visits(before: Month, after: Month) -> Iterator[Cell]:
    visits: dict[tuple[str, str], Visits] = {}
    came: dict[tuple[str, str], Came] = {}
    less: set[tuple[str, str]] = set()
    older, newer = heard_in(before), heard_in(after)
    for at in before.came.keys() | after.came.keys():
        was, now = before.came.get(at, NOBODY), after.came.get(at, NOBODY)
        if now.visits < was.visits or now.persons < was.persons or at not in after.came:
            less.add(at)
        # That somebody counted, or listened for longer, and nobody came is more than was known.
        listened = older.get(at, UNHEARD).heard_ms != newer.get(at, UNHEARD).heard_ms
        if was != now or at not in before.came or listened:
            added = max(0, now.visits - was.visits)
            visits[at] = Visits(added, inf)
            # At least so many persons are behind what was added: those who had not come before.
            came[at] = Came(added, max(0, now.persons - was.persons), now.most)
    for place in before.places:
        for period in periods_of(before.month):
            at = place.id, period.id
            if at in less or any((site, part) in less for site in place.sites for part in period.parts):
                came[at] = NOBODY
    yield from visit_cells(before, visits, came, {})


def had_nothing(month: Month, subjects: Collection[str] = ALL_SUBJECTS) -> set[Figure]:
    """Return the places, periods and subjects of which everybody knows that there was nothing: nobody watched."""
    sums = sums_of(month, month.used)
    periods = periods_of(month.month)
    found = set()
    for place in month.places:
        for period in periods:
            for subject in subjects:
                known = sums.get((place.id, period.id, subject), NOTHING)
                if subject != PERSONS and not known.observed_ms and not known.sessions:
                    found.add(Figure(place.id, period.id, subject))
            if PERSONS in subjects and not any(
                (site, part) in month.came for site in place.sites for part in period.parts
            ):
                found.add(Figure(place.id, period.id, PERSONS))
    return found


# What is kept of a release, so that what came late can be told.

ROWS_A_PART = 10_000
"""Of what is written down at once: some 500 kB of text."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a release was computed from, and by audience the figures that no later revision tells anew."""

    month: Month
    kept: Mapping[str, frozenset[Figure]]

    def later(self, now: Month) -> Month:
        """Return what is known now of the places that the release is about."""
        same = {place for place in self.month.places if place in now.places}
        ids = {place.id for place in same}
        sites = {place.id for place in self.month.places if place.level == "site"}
        came = {at: counts for at, counts in self.month.came.items() if at[0] not in ids}
        came |= {at: counts for at, counts in now.came.items() if at[0] in ids}
        used = tuple(row for row in now.used if row.site in sites)
        return Month(self.month.month, self.month.places, used, came)

    def encoded(self) -> bytes:
        """Return all of it as bytes, the same for the same basis."""
        packed = zlib.compressobj(6)
        return b"".join([*(packed.compress(text.encode()) for text in self._texts()), packed.flush()])

    def _texts(self) -> Iterator[str]:
        """Yield it as JSON in parts: a month of thousands of telecentres has a million rows."""
        places = [[place.id, place.level, sorted(place.sites)] for place in self.month.places]
        yield f'{{"month":{_json(self.month.month)},"places":{_json(places)},"used":['
        yield from _listed(self.month.used)
        yield '],"came":['
        yield from _listed(sorted([*at, *came] for at, came in self.month.came.items()))
        yield f'],"kept":{_json({audience: sorted(figures) for audience, figures in sorted(self.kept.items())})}}}'


def _listed(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    for first in range(0, len(rows), ROWS_A_PART):
        yield f"{',' if first else ''}{_json(rows[first : first + ROWS_A_PART])[1:-1]}"


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))


def _each_once(rows: list[Any]) -> Iterator[Any]:
    """Yield each row and let it go: a month of thousands of telecentres should not be there twice."""
    rows.reverse()
    while rows:
        yield rows.pop()


def decode_basis(content: bytes) -> Basis:
    """Return the basis that was encoded."""
    read = json.loads(zlib.decompress(content))
    month = Month(
        read["month"],
        tuple(Place(name, level, frozenset(sites)) for name, level, sites in read["places"]),
        tuple(
            Used(intern(subject), intern(site), intern(resource), intern(day), *numbers)
            for subject, site, resource, day, *numbers in _each_once(read["used"])
        ),
        {(intern(place), intern(period)): Came(*counts) for place, period, *counts in read["came"]},
    )
    return Basis(
        month, {name: frozenset(Figure(*figure) for figure in figures) for name, figures in read["kept"].items()}
    )
