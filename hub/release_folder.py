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

RESOURCES = FIGURE_COLUMNS.index("nb_ressources")

OF_THE_DAY = ("horaires", "nb_postes", "nb_salles_visio")
"""What `telecentres.csv` tells as it was on the last day of the month."""


def release_files(edition: Edition, register: Register, rows: Iterable[FigureRow], k: int) -> dict[str, bytes]:
    """Return the files of a release by name; the same input gives the same bytes.

    Every telecentre of the figures has a row. What it had in the month is not told where it was declared later and its
    figures know no desk or room of it.
    """
    telecentres = sorted(register.telecentres, key=lambda it: it.id)
    counts: Counts = Counter()
    there: set[str] = set()
    figures = to_csv(FIGURE_COLUMNS, _counted(rows, counts, there))
    absent = register.later - there
    files = {
        PLACES: to_csv(PLACE_COLUMNS, (_place(it, is_absent=it.id in absent) for it in telecentres)),
        FIGURES: figures,
        METHOD: method_text(edition, k, register, counts),
    }
    encoded = {name: text.encode() for name, text in files.items()}
    sums = "".join(f"{hashlib.sha256(encoded[name]).hexdigest()}  {name}\n" for name in sorted(encoded))
    return {**encoded, SUMS: sums.encode()}


def _counted(rows: Iterable[FigureRow], counts: Counts, there: set[str]) -> Iterator[FigureRow]:
    """Pass on the rows, count what became of them, and remember which places had a desk or room."""
    for row in rows:
        if row[RESOURCES] not in ("", "0"):
            there.add(row[0])
        counts[row[5], row[1], row[2], outcome(row)] += 1
        yield row


def _place(telecentre: Telecentre, *, is_absent: bool) -> list[Cell]:
    known = {field.name: getattr(telecentre, field.name) for field in fields(telecentre)}
    known |= dict.fromkeys(OF_THE_DAY if is_absent else ())
    return [known.get(column) for column in PLACE_COLUMNS]
