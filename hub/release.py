"""What the gate lets through becomes the files of one release. Pure: this is all that writes figures for the public.

It knows of figures only what the gate says (an import rule sees to it), and the register's public facts: names, places,
hours. Columns as domain.md 4.2 has them; docs/method.md explains them.
"""

import csv
import hashlib
import heapq
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from hub.cells import Freq, Level
from hub.disclosure import DOMINANT_SHARE, LOWEST_K, NARROWEST_SHARE, Figure, Verdict
from hub.exports import Cell, to_csv

PLACE_COLUMNS = [
    "id",
    "pivot",
    "nom",
    "structure_parente",
    "adresse",
    "complement_adresse",
    "code_postal",
    "commune",
    "code_insee",
    "epci_siren",
    "departement",
    "region",
    "massif",
    "reseau",
    "pays",
    "nuts3",
    "code_lau",
    "latitude",
    "longitude",
    "fuseau",
    "typologie",
    "horaires",
    "nb_postes",
    "nb_bureaux",
    "nb_salles_reunion",
    "nb_salles_visio",
    "acces_pmr",
    "fiche_acces_libre",
    "acces_badge",
    "site_web",
    "prise_rdv",
    "date_ouverture",
    "date_fermeture",
    "cog_millesime",
    "source",
    "date_maj",
]
"""Of `telecentres.csv`; what the register does not hold stays empty."""

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


def merged(before: Sequence[FigureRow], anew: Sequence[FigureRow]) -> list[FigureRow]:
    """Return the rows published before, those replaced in whose figure a value or status is different now.

    No row is added. What stands beside a figure, such as its coverage, makes no revision and goes along with one.
    """
    newer = {tuple(row[:6]): row for row in anew}

    def is_other(row: FigureRow) -> bool:
        return newer.get(tuple(row[:6]), row)[6:10] != row[6:10]

    others = {Figure(row[0], row[3], row[5]) for row in before if is_other(row)}
    return [newer.get(tuple(row[:6]), row) if Figure(row[0], row[3], row[5]) in others else row for row in before]


def release_files(
    edition: Edition, telecentres: Sequence[Telecentre], rows: Iterable[FigureRow], k: int
) -> dict[str, bytes]:
    """Return the files of a release by name; the same input gives the same bytes."""
    files = {
        PLACES: to_csv(PLACE_COLUMNS, (_place(it) for it in sorted(telecentres, key=lambda it: it.id))),
        FIGURES: to_csv(FIGURE_COLUMNS, rows),
        METHOD: _method(edition, k),
    }
    encoded = {name: text.encode() for name, text in files.items()}
    sums = "".join(f"{hashlib.sha256(encoded[name]).hexdigest()}  {name}\n" for name in sorted(encoded))
    return {**encoded, SUMS: sums.encode()}


def _place(telecentre: Telecentre) -> list[Cell]:
    known = {field.name: getattr(telecentre, field.name) for field in fields(telecentre)}
    return [known.get(column) for column in PLACE_COLUMNS]


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


def _method(edition: Edition, k: int) -> str:
    return f"""# Méthode

Télécentres, {edition.month}, révision {edition.revision}. Calcul : telecentre {edition.version},
données reçues jusqu'au {edition.as_of}.

- **temps_occupe** : minutes pendant lesquelles les postes (ou les salles visio) étaient occupés, aux heures
  d'ouverture.
- **taux_occupation** : temps occupé / temps observé, pondéré par le temps ; jamais une moyenne de taux. Arrondi à 0,01.
- **sessions** : utilisations d'un poste (ou d'une salle), comptées le jour où elles commencent, si le télécentre est
  ouvert ce jour-là. **rotation** : sessions par poste et par jour d'ouverture.
- **couverture** : temps observé / temps d'ouverture. Moins de 0,50 : pas de valeur (`obs_status` = `M`) ; de 0,50 à
  0,80 : fiabilité faible (`U`) ; au-delà : `A`.
- **visites** : entrées d'une personne après 30 minutes sans entrée ; d'une zone, la somme de ses télécentres.
- **visiteurs_uniques** : personnes différentes du lieu et de la période ; ne s'additionne pas.
- **nb_ressources** : postes ou salles au registre pendant la période. Les salles confidentielles ne sont pas comptées.
- Une cellule vide n'est pas un zéro.

## Secret statistique

Une valeur vide avec `conf_status` = `C` est confidentielle : moins de {LOWEST_K} postes (ou salles) utilisés, moins de
{k} personnes là où elles sont comptées, un seul qui fait plus de {DOMINANT_SHARE:.0%} du total, ou une valeur qui
permettrait d'en calculer une autre. Le fichier ne dit pas laquelle de ces raisons s'applique. Une valeur cachée ne peut
être encadrée à moins de {NARROWEST_SHARE:.0%} près à partir de ce qui est publié. Aucune valeur à la journée n'est
publiée pour un télécentre.

Les visites sont comptées aux portes, le temps aux postes : aucune table ne relie un poste à un badge.

## Révisions

Une révision publiée ne change plus. Des données tardives donnent une nouvelle révision, où la colonne `revision` dit de
quelle révision vient chaque valeur. Une valeur n'est révisée que si ce qui s'y ajoute pourrait être publié seul ; sinon
elle reste celle d'avant. Une valeur confidentielle le reste dans les révisions suivantes.
"""
