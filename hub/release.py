"""What the gate lets through becomes the rows of one release. Pure: this is all that writes figures for the public.

It knows of figures only what the gate says (an import rule sees to it), and the register's public facts: places, hours.
Columns as domain.md 4.2 has them; docs/method.md explains them.
"""

import csv
import heapq
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.cells import Freq, Level
from hub.disclosure import Figure, Verdict
from hub.exports import Cell, to_csv

FIGURE_COLUMNS = [
    "id_telecentre|zone",
    "niveau",
    "freq",
    "periode",
    "indicateur",
    "ventilation",
    "valeur",
    "unite",
    "obs_status",
    "conf_status",
    "couverture",
    "methode",
    "nb_ressources",
    "heures_ouverture",
    "version_calcul",
    "revision",
    "date_calcul",
]
"""Of `indicateurs.csv`."""

LEVELS: Mapping[Level, str] = {
    "site": "telecentre",
    "valley": "vallee",
    "territory": "territoire",
    "network": "reseau",
    "massif": "massif",
}
UNITS = {
    "temps_occupe": "min",
    "taux_occupation": "1",
    "sessions": "1",
    "rotation": "1",
    "visites": "1",
    "visiteurs_uniques": "1",
}
"""By UCUM: minutes, a share from 0 to 1, and counts."""

METHODS = {"poste": "temps_pondere", "salle_visio": "temps_pondere", "personnes": "comptage"}

FIGURES, METHOD, PLACES, SUMS = "indicateurs.csv", "METHODE.md", "telecentres.csv", "SHA256SUMS"


class ReleaseError(Exception):
    """A release cannot be made; the sentence says why, and nothing of it was written."""


@dataclass(frozen=True)
class Telecentre:
    """What the register makes public of a telecentre, by the columns of `telecentres.csv`."""

    id: str
    nom: str
    code_insee: str | None
    massif: str | None
    """The ids of the massifs that it is in, with a comma and a space between them."""
    reseau: str
    latitude: float | None
    longitude: float | None
    fuseau: str
    horaires: str
    nb_postes: int
    nb_salles_visio: int
    acces_badge: str
    source: str


@dataclass(frozen=True, slots=True)
class MemberZone:
    """A zone as `indicateurs.csv` names it, and which telecentres its figures are of."""

    id: str
    level: Level
    name: str
    sites: Sequence[str]
    """In order of id."""


@dataclass(frozen=True)
class Register:
    """What the register says on the last day of the month."""

    telecentres: Sequence[Telecentre]
    zones: Sequence[MemberZone]
    """Those that the figures are about."""
    left_out: Sequence[str] = ()
    """The ids of the others: they changed or went in the month, or are newer than the first revision."""
    later: frozenset[str] = frozenset()
    """The ids of the telecentres that were declared after that day."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands beside a figure and is about the place alone."""

    resources: int | None
    open_hours: float | None
    was_available: bool
    """Whether any desk or room was there for use at any time; if not, there is nothing to be covered."""


@dataclass(frozen=True)
class Edition:
    """Which release this is."""

    month: str
    version: str
    as_of: str
    """The local day of the last event that is in the figures."""
    revision: int = 1
    licence: str = ""
    """What the public may do with it."""
    contact: str = ""
    """Whom to ask; nobody when empty."""


FigureRow = list[str]
"""A row of `indicateurs.csv`, as it stands there."""


def figure_text(
    edition: Edition,
    levels: Mapping[str, Level],
    facts: Mapping[tuple[str, str, str], Facts],
    verdicts: Sequence[Verdict],
) -> str:
    """Return what the gate says as an `indicateurs.csv`; what is too fine for an audience has no row."""
    rows = (_figure(verdict, edition, levels, facts) for verdict in verdicts if verdict.conf_status != "N")
    return to_csv(FIGURE_COLUMNS, rows)


def figure_rows(
    edition: Edition,
    levels: Mapping[str, Level],
    facts: Mapping[tuple[str, str, str], Facts],
    verdicts: Sequence[Verdict],
) -> list[FigureRow]:
    """Return the rows of the same."""
    return read_rows(figure_text(edition, levels, facts, verdicts).encode())


def read_rows(content: bytes) -> list[FigureRow]:
    """Return the rows of an `indicateurs.csv`."""
    return list(each_row(content.decode()))


def each_row(text: str) -> Iterator[FigureRow]:
    """Yield the rows of an `indicateurs.csv`."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    next(lines, None)
    return lines


def joined(texts: Iterable[str]) -> Iterator[FigureRow]:
    """Yield the rows of several `indicateurs.csv` in the order of one: by place, period, indicator and subject."""
    return heapq.merge(*map(each_row, texts), key=lambda row: (row[0], row[3], f"{row[4]}:{row[5]}"))


def told_in(rows: Sequence[FigureRow]) -> set[Figure]:
    """Return the figures that have a value in these rows."""
    return {Figure(row[0], row[3], row[5]) for row in rows if row[6]}


def uncounted_in(rows: Sequence[FigureRow]) -> set[Figure]:
    """Return the figures that have a value in these rows, and beside it a count of persons that is confidential."""
    return told_in(rows) & {Figure(row[0], row[3], row[5]) for row in rows if row[9] == "C"}


def merged(before: Sequence[FigureRow], anew: Sequence[FigureRow]) -> list[FigureRow]:
    """Return the rows published before, those replaced in whose figure a value or status is different now.

    No row is added. What stands beside a figure, such as its coverage, makes no revision and goes along with one.
    """
    newer = {tuple(row[:6]): row for row in anew}

    def is_other(row: FigureRow) -> bool:
        return _said(newer.get(tuple(row[:6]), row)) != _said(row)

    others = {Figure(row[0], row[3], row[5]) for row in before if is_other(row)}
    return [newer.get(tuple(row[:6]), row) if Figure(row[0], row[3], row[5]) in others else row for row in before]


def _said(row: FigureRow) -> tuple[float | None, Sequence[str]]:
    """Return value, unit and statuses; a number is the same however many decimals it is written with."""
    return (float(row[6]) if row[6] else None), row[7:10]


def _figure(
    verdict: Verdict, edition: Edition, levels: Mapping[str, Level], facts: Mapping[tuple[str, str, str], Facts]
) -> list[Cell]:
    indicator, subject = verdict.indicator.split(":")
    beside = facts[verdict.place, verdict.period, subject]
    return [
        verdict.place,
        LEVELS[levels[verdict.place]],
        _freq(verdict.period),
        verdict.period,
        indicator,
        subject,
        verdict.value,
        UNITS[indicator],
        verdict.obs_status,
        verdict.conf_status,
        round(verdict.coverage, 2) if beside.was_available and verdict.coverage is not None else None,
        METHODS[subject],
        beside.resources,
        beside.open_hours,
        edition.version,
        edition.revision,
        edition.as_of,
    ]


def _freq(period: str) -> Freq:
    if "W" in period:
        return "W"
    return "M" if len(period) == len("2026-10") else "D"
