"""Lets the hub publish months, and holds every figure of the files against the truth.

Each month is exported when it is over, and a month later again: what came late makes a revision. A row says in which
revision it was computed, and is compared with the truth of that moment.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from simulators.year_hub import PlayedHub
from simulators.year_persons import passages
from simulators.year_release import DESKS, PERSONS, ROOMS, Figure, MonthTruth, Place, places_of
from simulators.year_tally import Tally
from simulators.year_truth import Truth
from simulators.year_world import World

AUDIENCES = ("public", "agreement")

FINEST = {
    "public": {"telecentre": "M", "vallee": "M", "territoire": "W", "reseau": "D", "massif": "D"},
    "agreement": {"telecentre": "W", "vallee": "D", "territoire": "D", "reseau": "D", "massif": "D"},
}
"""docs/method.md, Grain."""

FEWEST_SITES = 3
"""A zone of fewer is as a telecentre."""

SHARES = ("taux_occupation", "rotation")

VISITORS = "visiteurs_uniques"
"""Told of months alone."""

Key = tuple[str, str, str, str]
"""Place, period, indicator, subject."""

Row = Mapping[str, str]


@dataclass
class Published:
    """What was published of a month so far."""

    places: Sequence[Place]
    rows: dict[str, dict[Key, Row]] = field(default_factory=dict)


class Releases:
    """All that the hub publishes during a play, in a folder that anybody can read."""

    def __init__(self, folder: Path, world: World) -> None:
        self._folder = folder
        self._world = world
        self._months: dict[date, Published] = {}

    def publish(self, hub: PlayedHub, truths: Sequence[Truth], today: date, tally: Tally) -> None:
        """Export the month that ended, and the one before it again; compare what the files say.

        Raises:
            HubError: the hub does not export.
        """
        there = [truth for truth in truths if truth.place.since < today]
        member_of = self._world.member_of()
        came = {truth.place.id: passages(truth, member_of) for truth in there}
        month = (today - timedelta(days=1)).replace(day=1)
        zones = self._world.zones(today - timedelta(days=1))
        self._months[month] = Published(places_of(month, there, zones))
        for one in (month, (month - timedelta(days=1)).replace(day=1)):
            if one in self._months:
                truth = MonthTruth(one, self._months[one].places, there, came)
                self._publish(hub, one, truth, today, tally)

    def _publish(self, hub: PlayedHub, month: date, truth: MonthTruth, today: date, tally: Tally) -> None:
        known = self._months[month]
        folder = self._folder / f"{month:%Y-%m}" / today.isoformat()
        folder.mkdir(parents=True)
        for audience in AUDIENCES:
            hub.export(f"{month:%Y-%m}", folder / audience, audience)
            rows = _read(folder / audience, tally)
            compare_file(audience, known.rows.get(audience, {}), rows, truth, tally)
            if audience not in known.rows:
                _compare_register(folder / audience, self._world, today, tally)
                tally.released[audience, "told"] += sum(1 for row in rows.values() if row["valeur"])
                tally.released[audience, "confidential"] += sum(row["conf_status"] == "C" for row in rows.values())
            known.rows[audience] = rows
        (folder / "truth.json").write_text(json.dumps(written(truth)), encoding="utf-8")


def _read(folder: Path, tally: Tally) -> dict[Key, Row]:
    """Return the rows of a release by what they are about; its files must be those of its checksums."""
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        sha256, name = line.split("  ")
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        tally.compare("release checksums", folder.name, str(folder.parent.name), {name: sha256}, {name: found})
    rows: dict[Key, Row] = {}
    with (folder / "indicateurs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            rows[row["id_telecentre|zone"], row["periode"], row["indicateur"], row["ventilation"]] = row
    return rows


def compare_file(
    audience: str, before: Mapping[Key, Row], rows: Mapping[Key, Row], truth: MonthTruth, tally: Tally
) -> None:
    """Compare each row with the truth; one that an earlier file had in the same revision, with what it was."""
    what = f"release {audience}"
    expected = dict(rows_of(truth, audience))
    for key in expected.keys() | rows.keys():
        place, begin, name = key[0], key[1], f"{key[2]}:{key[3]}"
        row, old = rows.get(key), before.get(key)
        if row is None or key not in expected:
            tally.compare(what, place, begin, {name: key in expected}, {name: row is not None})
        elif old is not None and row["revision"] == old["revision"]:
            tally.compare(f"{what} kept", place, begin, {name: old}, {name: row})
        else:
            told = what if old is None else f"{what} revised"
            tally.compare(told, place, begin, *_sides(name, expected[key], row))


def _sides(name: str, told: "Told", row: Row) -> tuple[dict[str, object], dict[str, object]]:
    """Return what a row must say and what it says; of a confidential figure, everything but the value."""
    shown = told.value if row["conf_status"] == "F" and told.obs_status != "M" else None
    must: dict[str, object] = {name: shown, "obs_status": told.obs_status, "couverture": told.coverage}
    must |= {"nb_ressources": told.resources, "heures_ouverture": told.open_hours}
    says: dict[str, object] = {name: _number(row["valeur"]), "obs_status": row["obs_status"]}
    return must, says | {column: _number(row[column]) for column in ("couverture", "nb_ressources", "heures_ouverture")}


def _number(text: str) -> float | None:
    return float(text) if text else None


class Told(NamedTuple):
    """A row as it must be, if it may be told."""

    value: float | None
    obs_status: str
    coverage: float | None
    resources: int | None
    open_hours: float | None


def rows_of(truth: MonthTruth, audience: str) -> Iterator[tuple[Key, Told]]:
    """Yield every row of a file, by what it is about."""
    for place in truth.places:
        finest = FINEST[audience][place.level if len(place.sites) >= FEWEST_SITES else "telecentre"]
        for period in truth.periods:
            if "DWM".index(period.freq) >= "DWM".index(finest):
                for subject in (DESKS, ROOMS, PERSONS):
                    figure = truth.figure(place, period, subject)
                    for indicator, value in figure.values.items():
                        if indicator == VISITORS and period.freq != "M":
                            continue
                        yield (place.id, period.id, indicator, subject), _told(figure, indicator, value)


def _told(figure: Figure, indicator: str, value: float | None) -> Told:
    digits = 2 if indicator in SHARES else 0
    return Told(
        value=None if value is None else round(value, digits),
        obs_status="M" if value is None else figure.obs_status,
        coverage=None if figure.coverage is None else round(figure.coverage, 2),
        resources=figure.resources,
        open_hours=None if figure.open_hours is None else round(figure.open_hours, 2),
    )


def _compare_register(folder: Path, world: World, today: date, tally: Tally) -> None:
    """Compare what the release says of each telecentre with the register of that day."""
    with (folder / "telecentres.csv").open(encoding="utf-8", newline="") as file:
        found = {row["id"]: row for row in csv.DictReader(file, delimiter=";")}
    last_day = today - timedelta(days=1)
    massifs = {zone.id: zone.sites(last_day) for zone in world.zones(last_day) if zone.level == "massif"}
    for one in world.telecentres:
        if one.since < today:
            desks = sum(desk.holds(last_day) for desk in one.desks)
            must: dict[str, object] = {"nom": one.name, "reseau": world.network.id, "nb_postes": str(desks)}
            must |= {"nb_salles_visio": str(len(one.rooms)), "horaires": one.hours(last_day).osm}
            must |= {"massif": ", ".join(massif for massif, sites in massifs.items() if one.id in sites)}
            tally.compare("release telecentres", one.id, today.isoformat(), must, dict(found.get(one.id, {})))


def written(truth: MonthTruth) -> dict[str, Any]:
    """Return what somebody needs who wants to know whether a release tells too much: what is hidden in it."""
    days = truth.periods[-1].days
    sites = [place.id for place in truth.places if place.level == "telecentre"]
    additive = [f"{name}:{subject}" for subject in (DESKS, ROOMS) for name in ("temps_occupe", "sessions")]
    figures = [
        [place.id, period.id, f"{name}:{subject}", *part]
        for place in truth.places
        for period in truth.periods
        for subject in (DESKS, ROOMS, PERSONS)
        for name, part in truth.figure(place, period, subject).parts.items()
    ]
    return {
        "places": {place.id: sorted(place.sites) for place in truth.places},
        "periods": {period.id: [day.isoformat() for day in period.days] for period in truth.periods},
        "figures": figures,
        "ceilings": {
            indicator: {f"{site} {day}": truth.ceiling(site, day, indicator) for site in sites for day in days}
            for indicator in (*additive, f"visites:{PERSONS}")
        },
        "heard": {f"{site} {day}": truth.heard_ms(site, day) for site in sites for day in days},
        "place_days": {
            subject: {f"{site} {day}": truth.place_days(site, day, subject) for site in sites for day in days}
            for subject in (DESKS, ROOMS)
        },
    }
