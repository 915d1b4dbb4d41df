"""Asks the hub for its files: a CSV must say what the same question says in JSON, which was held against the truth."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from simulators.year_ask import Days
from simulators.year_calendar import MINUTE_MS
from simulators.year_hub import PlayedHub
from simulators.year_tally import Tally

PERIOD = {"debut": "start", "fin": "end"}
PLACE = {"id_lieu": "place", "niveau": "level"}
RESOURCE = {
    "id_telecentre": "site_id",
    "id_ressource": "resource",
    "type_ressource": "kind",
    "nb_ressources": "resources",
}
USAGE = {
    "couverture": "coverage",
    "obs_status": "status",
    "minutes_disponibles": "available_ms",
    "minutes_observees": "observed_ms",
    "minutes_occupees": "occupied_ms",
    "taux_occupation": "occupancy_rate",
}
OCCUPANCY = RESOURCE | PERIOD | USAGE
INDICATORS = (
    PLACE
    | RESOURCE
    | PERIOD
    | USAGE
    | {
        "minutes_hors_horaires": "outside_ms",
        "pic": "peak",
        "pic_debut": "peak_at",
        "pic_5_minutes": "peak_5min",
        "pic_moyen": "average_peak",
        "occupation_moyenne": "average_occupancy",
        "libres_au_moins": "min_free",
        "minutes_saturees": "saturated_ms",
        "minutes_toutes_connues": "saturable_ms",
        "saturation": "saturation",
        "sessions": "sessions",
        "sessions_closes": "sessions_closed",
        "sessions_tronquees": "sessions_censored",
        "duree_moyenne_minutes": "dwell_mean_ms",
        "duree_mediane_minutes": "dwell_median_ms",
        "duree_p90_minutes": "dwell_p90_ms",
        "rotation": "turnover",
        "reservations": "bookings",
        "reservations_sans_venue": "no_shows",
        "taux_sans_venue": "no_show_rate",
        "minutes_reservees_vides": "ghost_ms",
    }
)
VISITS = (
    PLACE
    | PERIOD
    | {
        "etat": "status",
        "visites": "visits",
        "demi_journees": "half_days",
        "visiteurs_uniques": "unique_visitors",
        "nouveaux_visiteurs": "new_visitors",
    }
)
DOORS = (
    PLACE
    | PERIOD
    | {
        "id_telecentre": "site_id",
        "id_porte": "door",
        "acces_accordes": "granted",
        "acces_refuses": "refused",
        "refus_complet": "refused_demand",
        "refus_hors_horaires": "refused_out_of_hours",
        "ouvertures_forcees": "forced",
        "laissee_ouverte": "held_open",
    }
)
"""Columns of the files, and the names in JSON (docs/figures.md)."""

WORDS = {
    "niveau": {"resource": "ressource", "site": "telecentre", "zone": "zone"},
    "type_ressource": {"desk": "poste", "room": "salle_visio"},
    "etat": {"provisional": "provisoire", "final": "definitif", "frozen": "fige"},
}
"""What the files say in French."""


def ask_csv(hub: PlayedHub, days: Days, tally: Tally) -> None:
    """Compare files of each kind, of telecentres and of a zone that changes."""
    asked = {"from_": days[0].isoformat(), "to": days[1].isoformat()}
    day, week = {**asked, "step": "day"}, {**asked, "step": "week"}
    room = {**day, "kind": "room", "by": "resource"}
    _ask(hub, "occupancy", {**day, "kind": "desk", "site": "vic-sur-cere"}, OCCUPANCY, tally)
    _ask(hub, "occupancy", {**room, "site": "ydes"}, OCCUPANCY, tally)
    _ask(hub, "indicators", {**day, "kind": "desk", "zone": "cere"}, INDICATORS, tally)
    _ask(hub, "indicators", {**day, "kind": "room", "site": "aurillac"}, INDICATORS, tally)
    _ask(hub, "indicators", {**room, "site": "ydes"}, INDICATORS, tally)
    _ask(hub, "visits", {**week, "zone": "cere"}, VISITS, tally)
    _ask(hub, "visits", {**day, "site": "ydes"}, VISITS, tally)
    _ask(hub, "doors", {**day, "site": "ydes"}, DOORS, tally)
    _ask(hub, "doors", {**week, "zone": "cere"}, DOORS, tally)


def _ask(hub: PlayedHub, what: str, question: Mapping[str, str], columns: Mapping[str, str], tally: Tally) -> None:
    """Compare a file row by row; a column that is not known here is a difference."""
    answer = hub.ask(f"/api/v1/{what}", **question)
    if answer is None:
        tally.lack(f"/api/v1/{what}")
        return
    told = [{"kind": question.get("kind"), **row, **row.get("values", {})} for row in answer["figures"]]
    content = hub.ask_text(f"/api/v1/{what}", **question, format="csv")
    rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=";"))
    tally.compare(f"file {what}", question["step"], question["from_"], {"rows": len(told)}, {"rows": len(rows)})
    for one, row in zip(told, rows, strict=False):
        # Of desks, nothing is told of bookings.
        must: dict[str, object] = {column: written(column, name, one.get(name)) for column, name in columns.items()}
        must |= dict.fromkeys(row.keys() - must.keys(), "not compared")
        tally.compare(f"file {what}", str(one.get("place", "")), str(one["start"]), must, dict(row))


def written(column: str, name: str, value: Any) -> str:  # noqa: ANN401 - of JSON: a text, a number or nothing
    """Write a value of JSON as a cell: durations are in minutes, words in French, and nothing is an empty cell."""
    if value is None:
        return ""
    if column in WORDS:
        return WORDS[column][value]
    return str(round(value / MINUTE_MS, 2)) if name.endswith("_ms") else str(value)
