"""`/api/v1/occupancy`: how long desks or rooms were in use, as JSON or CSV; each figure has its coverage and status."""

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.exports import minutes, to_csv
from hub.routes.context import Hub, QueryError
from hub.routes.figures import Figure, Status, by_resource, by_site, pooled
from hub.routes.period import check_period, parse_bound, rows_between
from hub.store import Kind, Site, Step

router = APIRouter(tags=["figures"])

SHARE_DIGITS = 4
"""Rates and coverages are rounded to a hundredth of a percent: more would claim what no sensor knows."""


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


class Question(BaseModel):
    """What is asked; a field that is not known is refused, so that a slip of the pen is not an answer."""

    model_config = ConfigDict(extra="forbid")

    start: str = Field(alias="from", description="A date (local midnight) or an instant with its offset; included.")
    end: str = Field(alias="to", description="A date or an instant; excluded.")
    site: str = Field("", description="One telecentre; all of them when absent.")
    step: Step = Field("day", description="Length of a period, in local time.")
    kind: Kind = Field("desk", description="What is measured.")
    by: Literal["site", "resource"] = Field("site", description="One figure a site, or one a desk or room.")
    shape: Literal["json", "csv"] | None = Field(None, alias="format", description="Wins over the Accept header.")


@router.get(
    "/api/v1/occupancy",
    summary="Occupancy of desks or rooms",
    response_model=OccupancyAnswer,
    responses={
        200: {"content": {"text/csv": {}}, "description": "The figures, as JSON or CSV."},
        304: {"description": "Nothing changed since the ETag."},
        422: {"description": "The question cannot be answered: the field, and one sentence."},
    },
)
def occupancy(
    hub: Hub,
    question: Annotated[Question, Query()],
    accept: Annotated[str, Header()] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """Return available, observed and occupied time, with coverage and status beside every rate."""
    asked = _sites(hub.store.sites(), question.site)
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    check_period(asked, question.kind, question.step, first, last)
    rows = rows_between(hub.store, asked, question.kind, question.step, first, last)
    figures = pooled(rows, by_resource if question.by == "resource" else by_site)
    zones = {site.id: site.zone for site in asked}
    headers = {"Vary": "Accept"}
    if question.shape == "csv" or (question.shape is None and _prefers_csv(accept)):
        body, media_type = _as_csv(figures, question.kind, zones).encode(), "text/csv; charset=utf-8"
        headers["Content-Disposition"] = f'attachment; filename="{_file_name(question, first, last)}"'
    else:
        answer = OccupancyAnswer(
            kind=question.kind, step=question.step, figures=[_answer(figure, zones) for figure in figures]
        )
        body, media_type = answer.model_dump_json().encode(), "application/json"
    headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if headers["ETag"] in if_none_match or if_none_match.strip() == "*":
        return Response(status_code=304, headers={"ETag": headers["ETag"], "Vary": "Accept"})
    return Response(body, headers=headers, media_type=media_type)


def _sites(registered: list[Site], asked: str) -> list[Site]:
    if not asked:
        return registered
    found = [site for site in registered if site.id == asked]
    if not found:
        raise QueryError("site", "'site' must be the id of a telecentre in the register: see /api/v1/sites.")
    return found


def _prefers_csv(accept: str) -> bool:
    wanted = [part.partition(";")[0].strip() for part in accept.split(",")]
    return "text/csv" in wanted and "application/json" not in wanted


def _file_name(question: Question, first: date | datetime, last: date | datetime) -> str:
    return f"occupation-{question.kind}-{question.site or 'reseau'}-{first:%Y-%m-%d}-{last:%Y-%m-%d}.csv"


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, zone)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, SHARE_DIGITS)


def _answer(figure: Figure, zones: dict[str, ZoneInfo]) -> FigureAnswer:
    return FigureAnswer(
        site_id=figure.site,
        resource=figure.resource,
        resources=figure.resources,
        start=_local(figure.start_ms, zones[figure.site]),
        end=_local(figure.end_ms, zones[figure.site]),
        available_ms=figure.available_ms,
        observed_ms=figure.observed_ms,
        occupied_ms=figure.occupied_ms,
        coverage=_share(figure.coverage),
        occupancy_rate=_share(figure.rate),
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
                _local(figure.start_ms, zones[figure.site]).isoformat(),
                _local(figure.end_ms, zones[figure.site]).isoformat(),
                minutes(figure.available_ms),
                minutes(figure.observed_ms),
                minutes(figure.occupied_ms),
                _share(figure.coverage),
                _share(figure.rate),
                figure.status,
            )
            for figure in figures
        ),
    )
