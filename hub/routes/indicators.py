"""`/api/v1/indicators`: rate, peak, saturation, sessions, dwell of a desk, a telecentre or a zone; JSON or CSV."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from hub.exports import Cell, to_csv
from hub.indicators import Step, Value
from hub.routes.answers import RESPONSES, SHARE_DIGITS, AskedBy, PeriodQuestion, file_name, local, share
from hub.routes.context import Hub
from hub.routes.occupancy import KIND_NAMES
from hub.routes.period import bound_ms, bounds_in, check_period, check_reading, parse_bound, places_of
from hub.routes.places import By, places_asked, sites_read, times_of
from hub.routes.visits import LEVEL_NAMES
from hub.statistics import Status
from hub.store import Kind, Site, Store
from hub.store.rows import Asked, IndicatorRow

router = APIRouter(tags=["figures"])

PEAK_AT, MINUTE_MS = "peak_at_ms", 60_000

MAX_FIGURES = 20_000
"""Of one answer: each has some thirty numbers, so that this is 20 MB."""


class IndicatorAnswer(BaseModel):
    """The indicators of one place in one period."""

    place: str = Field(description="The id of a telecentre or of a zone; of a desk or room, that of its telecentre.")
    level: By
    site_id: str | None
    resource: str | None = Field(description="The desk or room; null when several are pooled.")
    resources: int = Field(description="How many desks or rooms are pooled.")
    start: datetime = Field(description="Begin of the period, at the site; included.")
    end: datetime = Field(description="End of the period; excluded.")
    coverage: float | None = Field(description="Observed over available; null when nothing was available.")
    status: Status = Field(
        description="A: coverage of at least 0.80. U: 0.50 to 0.80, uncertain. M: rates are missing."
    )
    values: dict[str, float | int | str | None] = Field(
        description="By name: times in milliseconds, rates from 0 to 1, `peak_at` an instant; null is missing, not 0: "
        "saturation and average occupancy also where `saturable_ms` x `resources` is under half of `available_ms`."
    )


class IndicatorsAnswer(BaseModel):
    """The indicators of a period, half-open, ordered by place, resource and time."""

    kind: Kind
    step: Step
    figures: list[IndicatorAnswer]


class Question(PeriodQuestion):
    """What is asked of desks or rooms, one by one or together."""

    site: str = Field("", description="One telecentre; all of them when neither site nor zone is named.")
    zone: str = Field("", description="The telecentres of one zone; a network is `reseau:` and its id.")
    step: Step = Field("day", description="Length of a period, in local time; a week is that of ISO 8601.")
    kind: Kind = Field("desk", description="What is measured.")
    by: By | None = Field(
        None, description="One figure a desk or room, a telecentre, or a zone; when absent a zone if one is named."
    )


@router.get(
    "/api/v1/indicators",
    summary="Rate, peak, saturation, sessions and dwell",
    response_model=IndicatorsAnswer,
    responses=RESPONSES,
)
def indicators(hub: Hub, question: Annotated[Question, Query()], asker: AskedBy) -> Response:
    """Return the indicators of docs/method.md, pooled and never averaged, with coverage and status beside them."""
    registered = hub.store.sites(question.site)
    zones = hub.store.zones() if question.zone or question.by == "zone" else []
    places = places_asked(registered, zones, site=question.site, zone=question.zone, by=question.by)
    sites = sites_read(places, registered)
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    by_resource = question.by == "resource"
    figures = places_of(sites, question.kind) if by_resource else len(places)
    check_period([site.zone for site in sites], first, last, hub.wall_ms(), question.step, figures, MAX_FIGURES)
    if by_resource or question.step != "month" or not are_whole_months(places, first, last, hub.wall_ms(), sites):
        check_reading(sites, question.kind, first, last, question.step)
    times = times_of(places, sites)
    rows = read(hub.store, places, (question.kind, question.step), (first, last), by_resource=by_resource)
    if asker.wants_csv(question.shape):
        name = file_name(f"indicateurs-{question.kind}", question.site or question.zone, first, last)
        return asker.get_csv(as_table(rows, question.kind, times), name)
    answers = [answer_of(row, times[row.place]) for row in rows]
    return asker.get_json(IndicatorsAnswer(kind=question.kind, step=question.step, figures=answers))


def are_whole_months(
    places: Sequence[Asked], first: date | datetime, last: date | datetime, now_ms: int, sites: Sequence[Site]
) -> bool:
    """Return whether these are months of telecentres that are over: they are kept as they stand, one row each."""
    if any(place.level != "site" or isinstance(bound, datetime) for place in places for bound in (first, last)):
        return False
    return first.day == last.day == 1 and all(bound_ms(last, zone) <= now_ms for zone in {site.zone for site in sites})


def read(
    store: Store,
    places: Sequence[Asked],
    what: tuple[Kind, Step],
    period: tuple[date | datetime, date | datetime],
    *,
    by_resource: bool = False,
) -> list[IndicatorRow]:
    """Return the indicators of places, each for the period as the time zones of its telecentres understand it."""
    return store.indicators(places, *what, bounds_in(*period), by_resource=by_resource)


def answer_of(row: IndicatorRow, zone: ZoneInfo) -> IndicatorAnswer:
    """Return a figure as programs get it: rounded, instants local."""
    return IndicatorAnswer(
        place=row.place,
        level=row.level,
        site_id=row.site,
        resource=row.resource,
        resources=row.resources,
        start=local(row.start_ms, zone),
        end=local(row.end_ms, zone),
        coverage=share(row.coverage),
        status=row.status,
        values={"peak_at" if name == PEAK_AT else name: _told(name, value, zone) for name, value in row.values.items()},
    )


def _told(name: str, value: Value, zone: ZoneInfo) -> float | int | str | None:
    if name == PEAK_AT and value is not None:
        return local(int(value), zone).isoformat()
    return round(value, SHARE_DIGITS) if isinstance(value, float) else value


CSV_NAMES = {
    "available_ms": "minutes_disponibles",
    "observed_ms": "minutes_observees",
    "occupied_ms": "minutes_occupees",
    "outside_ms": "minutes_hors_horaires",
    "occupancy_rate": "taux_occupation",
    "peak": "pic",
    PEAK_AT: "pic_debut",
    "peak_5min": "pic_5_minutes",
    "average_peak": "pic_moyen",
    "average_occupancy": "occupation_moyenne",
    "min_free": "libres_au_moins",
    "saturated_ms": "minutes_saturees",
    "saturable_ms": "minutes_toutes_connues",
    "saturation": "saturation",
    "sessions": "sessions",
    "sessions_closed": "sessions_closes",
    "sessions_censored": "sessions_tronquees",
    "dwell_mean_ms": "duree_moyenne_minutes",
    "dwell_median_ms": "duree_mediane_minutes",
    "dwell_p90_ms": "duree_p90_minutes",
    "turnover": "rotation",
    "bookings": "reservations",
    "no_shows": "reservations_sans_venue",
    "no_show_rate": "taux_sans_venue",
    "ghost_ms": "minutes_reservees_vides",
}
"""The columns of the file: durations are in minutes there."""

CSV_HEADER = (
    *("id_lieu", "niveau", "id_telecentre", "id_ressource", "type_ressource", "nb_ressources", "debut", "fin"),
    *("couverture", "obs_status", *CSV_NAMES.values()),
)


def as_table(rows: Iterable[IndicatorRow], kind: Kind, times: Mapping[str, ZoneInfo]) -> str:
    """Return the indicators as CSV; the columns of bookings are empty for desks."""
    return to_csv(CSV_HEADER, (_csv_row(row, kind, times[row.place]) for row in rows))


def _csv_row(row: IndicatorRow, kind: Kind, zone: ZoneInfo) -> list[Cell]:
    values = row.values
    return [
        *(row.place, LEVEL_NAMES[row.level], row.site, row.resource, KIND_NAMES[kind], row.resources),
        *(local(row.start_ms, zone).isoformat(), local(row.end_ms, zone).isoformat()),
        *(share(row.coverage), row.status),
        *(_cell(name, values.get(name), zone) for name in CSV_NAMES),
    ]


def _cell(name: str, value: Value, zone: ZoneInfo) -> Cell:
    if value is None or name == PEAK_AT or not name.endswith("_ms"):
        return _told(name, value, zone)
    return round(value / MINUTE_MS, 2)
