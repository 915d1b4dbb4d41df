"""The folder of a release: who is told of (`telecentres.csv`), what (`indicateurs.csv`), how (`METHODE.md`). Pure.

Of figures it knows only the rows that the gate let through; the rest are the register's public facts.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields

from hub.exports import Cell, to_csv
from hub.release import FIGURE_COLUMNS, FIGURES, METHOD, PLACES, SUMS, Edition, FigureRow, Register, Telecentre
from hub.release_method import Counts, method_text, outcome

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


def release_files(edition: Edition, register: Register, rows: Iterable[FigureRow], k: int) -> dict[str, bytes]:
    """Return the files of a release by name; the same input gives the same bytes."""
    telecentres = sorted(register.telecentres, key=lambda it: it.id)
    counts: Counts = Counter()
    figures = to_csv(FIGURE_COLUMNS, _counted(rows, counts))
    files = {
        PLACES: to_csv(PLACE_COLUMNS, map(_place, telecentres)),
        FIGURES: figures,
        METHOD: method_text(edition, k, register, counts),
    }
    encoded = {name: text.encode() for name, text in files.items()}
    sums = "".join(f"{hashlib.sha256(encoded[name]).hexdigest()}  {name}\n" for name in sorted(encoded))
    return {**encoded, SUMS: sums.encode()}


def _counted(rows: Iterable[FigureRow], counts: Counts) -> Iterator[FigureRow]:
    """Pass on the rows, and count what became of them."""
    for row in rows:
        counts[row[5], row[1], row[2], outcome(row)] += 1
        yield row


def _place(telecentre: Telecentre) -> list[Cell]:
    known = {field.name: getattr(telecentre, field.name) for field in fields(telecentre)}
    return [known.get(column) for column in PLACE_COLUMNS]
