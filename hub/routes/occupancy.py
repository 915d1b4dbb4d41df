"""`/api/v1/occupancy`: how long desks or rooms were in use, as JSON or CSV; each figure has its coverage and status."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from hub.exports import minutes, to_csv
from hub.indicators import Step
from hub.routes.answers import RESPONSES, AskedBy, PeriodQuestion, file_name, local, share
from hub.routes.context import Hub
from hub.routes.figures import Figure, by_resource, by_site, pooled
from hub.routes.period import check_period, check_reading, hours_between, parse_bound, places_of, rows_between
from hub.routes.places import sites_asked
from hub.statistics import Status
from hub.store import Kind

router = APIRouter(tags=["figures"])


class FigureAnswer(BaseModel):
    """One figure: times in milliseconds, and what may be said of them."""

    site_id: str
    resource: str | None = Field(description="The desk or room; null when several are pooled.")
    resources: int = Field(description="How many desks or rooms are pooled.")
    start: datetime = Field(description="Begin of the period, at the site; included.")
    end: datetime = Field(description="End of the period, at the site; excluded.")
    available_ms: int = Field(description="Time within opening hours.")
    observed_ms: int = Field(description="Available time during which the state was known.")
    occupied_ms: int = Field(description="Observed time in use.")
    coverage: float | None = Field(description="Observed over available; null when the site was closed.")
    occupancy_rate: float | None = Field(description="Occupied over observed; null when the status is M, never 0.")
    status: Status = Field(description="A: coverage of at least 0.80. U: 0.50 to 0.80, uncertain. M: missing.")


class OccupancyAnswer(BaseModel):
    """The figures of a period, half-open, ordered by site, resource and time."""

    kind: Kind
    step: Step
    figures: list[FigureAnswer]


class Question(PeriodQuestion):
    """What is asked of desks or rooms."""

    site: str = Field("", description="One telecentre; all of them when absent.")
    step: Step = Field("day", description="Length of a period, in local time; a week is that of ISO 8601.")
    kind: Kind = Field("desk", description="What is measured.")
    by: Literal["site", "resource"] = Field("site", description="One figure a site, or one a desk or room.")


@router.get(
    "/api/v1/occupancy",
    summary="Occupancy of desks or rooms",
    response_model=OccupancyAnswer,
    responses=RESPONSES,
)
def occupancy(hub: Hub, question: Annotated[Question, Query()], asker: AskedBy) -> Response:
    """Return available, observed and occupied time, with coverage and status beside every rate."""
    asked = sites_asked(hub.store.sites(question.site), question.site)
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    zones = {site.id: site.zone for site in asked}
    places = max(places_of(asked, question.kind), len(asked))
    check_period(zones.values(), first, last, hub.wall_ms(), question.step, places)
    check_reading(asked, question.kind, first, last)
    if question.step == "hour" and question.by == "site" and len(asked) == 1:
        figures = hours_between(hub.store, asked[0], question.kind, first, last)
    else:
        rows = rows_between(hub.store, asked, question.kind, question.step, first, last)
        figures = pooled(rows, by_resource if question.by == "resource" else by_site)
    if asker.wants_csv(question.shape):
        name = file_name(f"occupation-{question.kind}", question.site, first, last)
        return asker.get_csv(_as_csv(figures, question.kind, zones), name)
    found = [_answer(figure, zones) for figure in figures]
    return asker.get_json(OccupancyAnswer(kind=question.kind, step=question.step, figures=found))


def _answer(figure: Figure, zones: dict[str, ZoneInfo]) -> FigureAnswer:
    return FigureAnswer(
        site_id=figure.site,
        resource=figure.resource,
        resources=figure.resources,
        start=local(figure.start_ms, zones[figure.site]),
        end=local(figure.end_ms, zones[figure.site]),
        available_ms=figure.available_ms,
        observed_ms=figure.observed_ms,
        occupied_ms=figure.occupied_ms,
        coverage=share(figure.coverage),
        occupancy_rate=share(figure.rate),
        status=figure.status,
    )


CSV_HEADER = (
    "id_telecentre",
    "id_ressource",
    "type_ressource",
    "nb_ressources",
    "debut",
    "fin",
    "minutes_disponibles",
    "minutes_observees",
    "minutes_occupees",
    "couverture",
    "taux_occupation",
    "obs_status",
)
KIND_NAMES: dict[Kind, str] = {"desk": "poste", "room": "salle_visio"}


def _as_csv(figures: list[Figure], kind: Kind, zones: dict[str, ZoneInfo]) -> str:
    return to_csv(
        CSV_HEADER,
        (
            (
                figure.site,
                figure.resource,
                KIND_NAMES[kind],
                figure.resources,
                local(figure.start_ms, zones[figure.site]).isoformat(),
                local(figure.end_ms, zones[figure.site]).isoformat(),
                minutes(figure.available_ms),
                minutes(figure.observed_ms),
                minutes(figure.occupied_ms),
                share(figure.coverage),
                share(figure.rate),
                figure.status,
            )
            for figure in figures
        ),
    )
