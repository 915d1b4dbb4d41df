"""The page of statistics: seven days of every telecentre, and one place closely over the last periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from hub.indicators import day_after, first_day
from hub.routes.context import Context, Hub, QueryError
from hub.routes.figures import total
from hub.routes.indicators import read
from hub.routes.pages import WEEK_DAYS, by_day, page, reader_of
from hub.routes.period import LAST_DAY, bounds_in, check_begun, check_reading, days_from, local_day, parse_bound
from hub.routes.place_lines import Speaker, counted, period_name
from hub.routes.places import times_of
from hub.store import Kind, Site, VisitRow, VisitStep, Zone
from hub.store.months import Bounds
from hub.store.rows import Asked
from hub.store.zones import ZONE
from hub.texts import Words

router = APIRouter(include_in_schema=False)

PERIODS = 4
"""Side by side, the newest first: the last one, and enough before it to see where it goes."""

PageStep = Literal["week", "month", "quarter", "year"]
COUNTED_BY: dict[PageStep, VisitStep] = {"week": "week", "month": "month", "quarter": "month", "year": "month"}
"""By what persons are counted: of a quarter or a year visits are those of its months."""

MAX_SHOWN_SITES = 200
"""A network with more telecentres is not read whole for a page that nobody asked for: then the first one is shown."""


@router.get("/statistics")
def statistics(
    request: Request,
    hub: Hub,
    first: Annotated[str, Query(alias="from")] = "",
    kind: Kind = "desk",
    place: str = "",
    step: PageStep = "month",
    until: str = "",
) -> Response:
    """Show seven days of every telecentre, each rate with its coverage; and one place over the last periods."""
    reader, sites = reader_of(request), hub.store.sites()
    today = local_day(hub.wall_ms(), sites[0].zone) if sites else date(2026, 1, 1)
    begin = _date("from", first) if first else today - timedelta(days=WEEK_DAYS - 1)
    last = _date("until", until) if until else today
    zones = {site.zone for site in sites} or {ZoneInfo("UTC")}
    check_begun("from", zones, begin, hub.wall_ms())
    check_begun("until", zones, first_day(last, step), hub.wall_ms())
    days = days_from(begin, WEEK_DAYS)
    found = by_day(hub, sites, kind, days)
    newest = days[::-1]  # a narrow screen shows the first columns, and today is what most come for
    measured = [site for site in sites if (site.desks if kind == "desk" else site.rooms)]
    end = days[-1] + timedelta(days=1)
    asked = {"from": str(begin), "to": str(end), "kind": kind, "step": "day", "format": "csv"}
    return page(
        "statistics.html",
        reader,
        here="/statistics",
        sites=measured,
        days=days,
        newest=newest,
        by_day=found,
        totals={site.id: total(found.get(site.id, {}).values()) for site in measured},
        network=[total(one.get(day) for one in found.values()) for day in newest],
        network_total=total(figure for one in found.values() for figure in one.values()),
        kind=kind,
        today=today,
        earlier=begin - timedelta(days=WEEK_DAYS),
        later=begin + timedelta(days=WEEK_DAYS) if end <= today else None,
        first=begin,
        csv=f"/api/v1/occupancy?{urlencode(asked)}",
        chosen=reader.chosen,
        steps=list(COUNTED_BY),
        **_closely(hub, sites, _Choice(place, kind, step, min(last, today)), reader.words),
    )


def _date(field: str, text: str) -> date:
    bound = parse_bound(field, text)
    if isinstance(bound, datetime):
        raise QueryError(field, f"'{field}' must be a date such as 2026-11-21.")
    return bound


@dataclass(frozen=True)
class _Choice:
    place: str
    kind: Kind
    step: PageStep
    last: date
    """A day of the newest period that is shown."""

    def periods(self) -> list[date]:
        """Return the first days of the periods, the newest first."""
        firsts = [first_day(self.last, self.step)]
        while len(firsts) < PERIODS:
            firsts.append(first_day(firsts[-1] - timedelta(days=1), self.step))
        return firsts


def _closely(hub: Context, sites: Sequence[Site], choice: _Choice, words: Words) -> dict[str, Any]:
    """Return what the page shows of one place: a telecentre, a zone or a network."""
    zones = hub.store.zones()
    shown = _chosen(sites, zones, choice.place)
    firsts = choice.periods()
    lists = {
        "zones": [zone for zone in zones if zone.level != "network"],
        "networks": [zone for zone in zones if zone.level == "network"],
        "step": choice.step,
        "until": choice.last,
        "all_sites": sites,
        "periods": [period_name(one, choice.step, words) for one in firsts],
    }
    if shown is None:
        return {**lists, "place": None, "place_name": "", "groups": [], "files": []}
    asked, name = shown
    members = [site for site in sites if site.id in asked.sites]
    start, end = firsts[-1], min(day_after(firsts[0], choice.step), LAST_DAY)
    check_reading(members, choice.kind, start, end)
    times = times_of([asked], members)
    zone = times[asked.place]
    rows = read(hub.store, [asked], (choice.kind, choice.step), (start, end))
    known = {local_day(row.start_ms, zone): row for row in rows}
    counts = _counts(hub, asked, choice, bounds_in(start, end))
    speaker = Speaker(words, zone.key, choice.kind)
    is_sum = COUNTED_BY[choice.step] != choice.step
    persons = [counted(counts.get(one, []), is_sum=is_sum) for one in firsts]
    groups = speaker.groups([known.get(one) for one in firsts], persons)
    files = _files(asked, choice, start, end)
    place = ZONE + asked.place if asked.level == "zone" else asked.place
    return {**lists, "place": place, "place_name": name, "groups": groups, "files": files}


def _chosen(sites: Sequence[Site], zones: Sequence[Zone], place: str) -> tuple[Asked, str] | None:
    """Return the place to be shown and its name; of none that is named the network, if it is not too large.

    Raises:
        QueryError: there is no such telecentre or zone.
    """
    of_zones = [(Asked(zone.id, "zone", zone.sites), zone.name) for zone in zones]
    of_sites = [(Asked(site.id, "site", (site.id,)), site.name) for site in sites]
    if place:
        bare = place.removeprefix(ZONE)
        # A zone may have the id of a telecentre: then its own begins with `zone:`.
        ones = of_zones if bare != place else [*of_sites, *of_zones]
        found = next((one for one in ones if one[0].place == bare), None)
        if found is None:
            raise QueryError("place", "'place' must be the id of a telecentre or of a zone: see /api/v1/sites.")
        return found
    networks = [one for one, zone in zip(of_zones, zones, strict=True) if zone.level == "network"]
    small = [one for one in networks if len(one[0].sites) <= MAX_SHOWN_SITES]
    return next(iter([*small, *of_sites]), None)


def _counts(hub: Context, asked: Asked, choice: _Choice, bounds: Bounds) -> dict[date, list[VisitRow]]:
    """Return the counts of persons by the period of the page in which theirs begin."""
    place = ZONE + asked.place if asked.level == "zone" else asked.place
    found: dict[date, list[VisitRow]] = {}
    for row in hub.store.visits(place, COUNTED_BY[choice.step], bounds):
        found.setdefault(first_day(date.fromisoformat(row.day), choice.step), []).append(row)
    return found


def _files(asked: Asked, choice: _Choice, start: date, end: date) -> list[tuple[str, str]]:
    """Return the name of each file that holds these figures, and its address."""
    question = {"from": str(start), "to": str(end), "format": "csv", asked.level: asked.place}
    visits = f"/api/v1/visits?{urlencode({**question, 'step': COUNTED_BY[choice.step]})}"
    files = [
        (
            "place.csv_indicators",
            f"/api/v1/indicators?{urlencode({**question, 'step': choice.step, 'kind': choice.kind})}",
        ),
        ("place.csv_visits", visits),
    ]
    if asked.level == "site":
        doors = {**question, "step": COUNTED_BY[choice.step]}
        files.append(("place.csv_doors", f"/api/v1/doors?{urlencode(doors)}"))
    return files
