"""`METHODE.md`: what a release's figures mean, of whom they are, and how much of it is hidden. Pure.

It is in French, for those who cite the figures. What it counts, anybody can count in `indicateurs.csv`: the gate's
audit, which knows why each figure is hidden, is not told here, for a number of reasons can be one figure's reason.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import product

from hub.cells import Freq
from hub.disclosure import (
    DOMINANT_SHARE,
    FINEST_BY_AGREEMENT,
    FINEST_PUBLIC,
    LOWEST_K,
    NARROWEST_SHARE,
    NARROWEST_STEPS,
    PUBLIC_K,
)
from hub.release import LEVELS, METHODS, Edition, FigureRow, MemberZone, Register

OUTCOMES = ("publiée", "confidentielle", "manquante")
"""What becomes of a figure."""

Counts = Counter[tuple[str, str, str, str]]
"""How many figures, by subject, level, frequency and outcome, as the file names them."""

FREQS: Mapping[Freq, str] = {"M": "mois", "W": "semaine", "D": "jour"}

MOST_SOURCES = 5
"""Networks that are named in the first line; all of them stand in `telecentres.csv`."""


def outcome(row: FigureRow) -> str:
    """Return what became of a figure of `indicateurs.csv`."""
    if row[6]:
        return OUTCOMES[0]
    return OUTCOMES[1] if row[9] == "C" else OUTCOMES[2]


def revision_of(page: str) -> int:
    """Return the revision that a page says its release is of.

    Raises:
        ValueError: it says none; every page that was ever frozen does.
    """
    found = re.search(r", révision (\d+)\.", page)
    if found is None:
        raise ValueError("the page of a release says no revision")
    return int(found[1])


def method_text(edition: Edition, k: int, register: Register, counts: Counts) -> str:
    """Return the page of a release for an audience with threshold `k`."""
    parts = (
        _head(edition, k, _named(sorted({it.source for it in register.telecentres}))),
        _files(_last_day(edition.month)),
        INDICATORS,
        COLUMNS,
        _zones(register.zones, register.left_out),
        _grains(k),
        _outcomes(counts),
        _secrecy(k),
        REVISIONS,
    )
    return "\n".join(parts)


def _last_day(month: str) -> str:
    first = date.fromisoformat(f"{month}-01")
    return ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat()


def _named(sources: Sequence[str]) -> str:
    more = len(sources) - MOST_SOURCES
    named = ", ".join(map(_cell, sources[:MOST_SOURCES]))
    return f"{named} et {more} autres réseaux" if more > 0 else named


def _cell(text: str) -> str:
    """Return a text that ends no cell of a table and no line."""
    return " ".join(text.split()).replace("|", "\\|")


def _head(edition: Edition, k: int, source: str) -> str:
    if k >= PUBLIC_K:
        audience = f"Diffusion publique. Réutilisation : {_cell(edition.licence)}, en citant la source et la révision."
    else:
        audience = "Diffusion restreinte aux signataires de la convention : ni à publier, ni à transmettre."
    heard = f"données reçues jusqu'au {edition.as_of}" if edition.as_of else "aucune donnée reçue"
    contact = f"Contact : {_cell(edition.contact)}.\n" if edition.contact else ""
    return f"""# Méthode

Fréquentation des télécentres, {edition.month}, révision {edition.revision}.
Source : {source}. Calcul : telecentre {edition.version}, {heard}.
{audience}
{contact}"""


def _files(last_day: str) -> str:
    return f"""## Fichiers

- `telecentres.csv` : un télécentre par ligne, tel qu'au registre le {last_day} (postes, salles, horaires) ; ce que le
  registre ne sait pas est vide. Ces trois colonnes sont vides aussi pour un télécentre déclaré après ce jour, si
  `indicateurs.csv` ne lui connaît ni poste ni salle ce mois-là (`nb_ressources` : 0). `code_insee` : code de la
  commune, un texte. `latitude`, `longitude` : WGS 84.
  `horaires` : syntaxe `opening_hours` d'OpenStreetMap ; `PH` : jours fériés. `nb_salles_visio` : salles
  confidentielles comprises. `reseau`, `massif` : identifiants, que `reseau:` et `zone:` précèdent dans
  `indicateurs.csv`.
- `indicateurs.csv` : une valeur par ligne ; les colonnes sont expliquées ci-dessous.
- `SHA256SUMS` : sommes de contrôle (`sha256sum -c SHA256SUMS`).

CSV en UTF-8 sans BOM, une ligne d'en-tête, `;` entre les cellules, point décimal, fin de ligne CRLF. Jours et mois sont
ceux de l'heure locale du télécentre (`fuseau`). Un texte qui commence par `=`, `+`, `-` ou `@` est précédé d'une
apostrophe, pour qu'un tableur ne le calcule pas.
"""


INDICATORS = """## Indicateurs

- **temps_occupe** (min) : minutes pendant lesquelles les postes (ou les salles visio) étaient occupés, aux heures
  d'ouverture, additionnées. Arrondi à la minute.
- **taux_occupation** (part de 0 à 1) : temps occupé / temps observé, pondéré par le temps ; jamais une moyenne de taux.
  Arrondi à 0,01.
- **sessions** (nombre) : utilisations d'un poste (ou d'une salle), comptées le jour où elles commencent, si le
  télécentre est ouvert ce jour-là. Une pause de 15 minutes au plus (5 dans une salle) ne termine pas une session.
- **rotation** (nombre) : sessions par poste (ou salle) et par jour d'ouverture. Arrondi à 0,01.
- **visites** (nombre) : entrées d'une personne après 30 minutes sans entrée, aussi hors des heures d'ouverture ; d'une
  zone, la somme de ses télécentres. Une personne : le titulaire du Pass ou, s'il n'est pas connu, le badge.
- **visiteurs_uniques** (nombre) : personnes différentes du lieu et de la période ; ne s'additionne ni entre lieux ni
  entre périodes.

Rien n'est extrapolé : du temps et des sessions, ce qui n'a pas été observé manque (`couverture`). De même, les visites
d'un télécentre dont les données ne sont pas arrivées, ou sont perdues, manquent dans son chiffre et dans ceux de ses
zones : la `couverture` dit pour quelle part du temps d'ouverture il a été entendu, et `obs_status` si c'est trop peu.
"""

COLUMNS = """## Colonnes d'indicateurs.csv

- `id_telecentre|zone`, `niveau` : le télécentre (`id` de `telecentres.csv`) ou la zone (tableau ci-dessous), et son
  niveau.
- `freq`, `periode` : `M`, le mois (2026-10) ; `W`, une semaine ISO (2026-W41), si elle est tout entière dans le mois ;
  `D`, un jour (2026-10-01).
- `indicateur`, `ventilation` : l'indicateur, et de quoi : `poste`, `salle_visio` ou `personnes`.
- `valeur`, `unite` : `min`, des minutes ; `1`, un nombre ou une part. Une cellule vide n'est pas un zéro : la valeur
  est cachée (`conf_status` = `C`), ou inconnue (`obs_status` = `M`, `conf_status` = `F`).
- `obs_status` : `A`, normale ; `U`, fiabilité faible, couverture de 0,50 à 0,80 ; `M`, manquante, couverture de moins
  de 0,50, ou fermé, ou pas de poste (de salle). Pour les personnes : `A` à partir de 0,95 ; `U` en dessous, et le
  nombre est un minimum ; `M`, personne ne comptait. Les lettres de SDMX, où `L`, `H` et `O` sont ici `M`.
- `conf_status` : `F`, libre ; `C`, confidentielle.
- `couverture` : temps observé / temps d'ouverture, de 0 à 1, arrondi à 0,01 (le statut est jugé avant l'arrondi). Vide
  si rien n'était ouvert ; 0.0 si personne n'observait. Pour les personnes : temps entendu / temps d'ouverture, chaque
  jour d'après le poste (ou la salle) du télécentre qui est connu le plus longtemps ; vide aussi, et `obs_status` = `A`
  s'il est compté, pour un télécentre sans poste ni salle.
- `methode` : `temps_pondere`, mesuré dans le temps ; `comptage`, compté aux portes.
- `nb_ressources` : postes ou salles au registre au moins un jour de la période, sans les salles confidentielles ;
  vide pour les personnes.
- `heures_ouverture` : d'un télécentre, les heures d'ouverture de la période, d'après ses postes (salles) en service ;
  vide pour une zone et pour les personnes.
- `version_calcul`, `revision` : le programme, et la révision où cette ligne a été calculée.
- `date_calcul` : jour du dernier événement reçu avant ce calcul, et non le jour où il a été fait.
"""


def _zones(zones: Sequence[MemberZone], left_out: Sequence[str]) -> str:
    rows = "".join(
        f"| `{zone.id}` | {LEVELS[zone.level]} | {_cell(zone.name)} | {len(zone.sites)} | {', '.join(zone.sites)} |\n"
        for zone in sorted(zones, key=lambda it: it.id)
    )
    absent = ", ".join(f"`{zone}`" for zone in left_out)
    without = f"\nSans chiffres ce mois-ci : {absent}.\n" if left_out else ""
    return f"""## Zones

Les télécentres de chaque zone ; des zones peuvent se recouvrir. Une vallée, un territoire ou un massif dont les
télécentres ont changé pendant le mois n'est pas dans `indicateurs.csv`. Un réseau est tel qu'au calcul de la révision
1, et une zone déclarée après le mois telle qu'à sa déclaration : un télécentre déclaré après le mois peut en être.
`nombre` le compte ; aux chiffres, il n'ajoute que ce qui est connu de lui ce mois-là.

| zone | niveau | nom | nombre | télécentres |
|---|---|---|---|---|
{rows}{without}"""


def _grains(k: int) -> str:
    finest = FINEST_PUBLIC if k >= PUBLIC_K else FINEST_BY_AGREEMENT
    told = {
        level: ", ".join(name for freq, name in FREQS.items() if "DWM".index(freq) >= "DWM".index(finest[level]))
        for level in LEVELS
    }
    rows = "".join(f"| {LEVELS[level]} | {names} |\n" for level, names in told.items())
    return f"""## Périodes publiées

Rien de plus fin n'est publié. Une zone de moins de {LOWEST_K} télécentres suit la règle d'un télécentre.

| niveau | périodes |
|---|---|
{rows}"""


def _outcomes(counts: Counts) -> str:
    rows = ""
    for kind in product(METHODS, LEVELS.values(), FREQS):
        if not any((*kind, one) in counts for one in OUTCOMES):
            continue
        numbers = " | ".join(str(counts[*kind, one]) for one in OUTCOMES)
        rows += f"| {' | '.join(kind)} | {numbers} |\n"
    totals = " | ".join(str(sum(number for key, number in counts.items() if key[3] == one)) for one in OUTCOMES)
    return f"""## Ce qui est publié, ce qui est caché

| ventilation | niveau | freq | publiées | confidentielles | manquantes |
|---|---|---|---|---|---|
{rows}| toutes | | | {totals} |
"""


def _secrecy(k: int) -> str:
    return f"""## Secret statistique

Une valeur vide avec `conf_status` = `C` est confidentielle : moins de {LOWEST_K} postes (ou salles) utilisés, moins de
{k} personnes là où elles sont comptées, un seul qui fait plus de {DOMINANT_SHARE * 100:.0f} % du total, ou une valeur
qui permettrait d'en calculer une autre. Ni le fichier ni les nombres ci-dessus ne disent laquelle de ces raisons
s'applique : le savoir en dirait trop. Pour un lieu et une période, les indicateurs d'une même ventilation sont publiés
ou cachés ensemble, à une exception près.

Les visiteurs uniques d'une zone comprennent ceux de chacun de ses lieux. Si la différence de deux de ces nombres était
de moins de {k} personnes, le plus grand est caché, même si les visites sont publiées : sinon une soustraction dirait
combien sont venus là et jamais ici. Ils ne sont donnés que pour le mois.

Une valeur confidentielle pour elle-même ne peut être encadrée, à partir de tout ce qui est publié, à moins de
{NARROWEST_SHARE * 100:.0f} % et {NARROWEST_STEPS} pas près, dans chaque sens ; toute autre valeur vide peut être d'un
pas au moins différente. L'un et l'autre dans la limite de ce que chacun sait : rien n'est inférieur à zéro, le temps
occupé ne dépasse pas le temps observé, et là où tout était fermé ou rien n'était observé, il n'y a rien. Un pas : une
visite, une session, une heure de poste ou de salle. Une journée où presque personne ne vient (un samedi, un jour de
fermeture) est cachée, et avec elle d'autres jours de la même semaine, ou la semaine : sinon une soustraction la
donnerait.

Les visites sont comptées aux portes, le temps aux postes : aucune table ne relie un poste à un badge.
"""


REVISIONS = """## Révisions

Une révision publiée ne change plus. Des données tardives donnent une nouvelle révision, où la colonne `revision` dit de
quelle révision vient chaque valeur. Une valeur n'est révisée que si ce qui s'y ajoute pourrait être publié seul ; sinon
elle reste celle d'avant. Une valeur confidentielle le reste dans les révisions suivantes. Un télécentre ou une
zone déclarés depuis la révision 1 n'ont pas de chiffre ce mois-ci. Pour citer : le mois et le numéro de révision.
Des numéros peuvent manquer : une révision peut ne changer que ce que d'autres reçoivent.
"""
