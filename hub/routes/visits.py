"""`/api/v1/visits`: how many persons came to a telecentre or a zone, and never who; as JSON or CSV."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from hub.exports import to_csv
from hub.routes.answers import RESPONSES, AskedBy, PeriodQuestion, file_name, local
from hub.routes.context import Hub
from hub.routes.period import bounds_in, check_period, parse_bound
from hub.routes.places import sites_asked, zone_asked
from hub.store import VisitRow, VisitStep
from hub.store.rows import VisitStatus
from hub.store.zones import ZONE
from hub.visits import bounds_of

router = APIRouter(tags=["figures"])


class VisitAnswer(BaseModel):
    """How many persons came to one place in one period. Unique visitors cannot be added: neither places nor periods."""

    place: str = Field(description="The id of a telecentre or of a zone.")
    level: Literal["site", "zone"]
    start: datetime = Field(description="Begin of the period, at the site; included.")
    end: datetime = Field(description="End of the period; excluded.")
    status: VisitStatus = Field(
        description="provisional: not all is heard yet. final: it is. frozen: the journal behind it is forgotten."
    )
    visits: int = Field(description="Entries, each after half an hour without one of the same person.")
    half_days: int = Field(description="Persons times mornings and afternoons (cut at 13:00) on which they came in.")
    unique_visitors: int = Field(description="Different persons; not additive.")
    new_visitors: int = Field(description="Of these, whose pass was never used before.")


class VisitsAnswer(BaseModel):
    """The counts of a period, half-open, ordered by place and time."""

    step: VisitStep
    figures: list[VisitAnswer]


TOO_LONG = (
    "'step' must be 'day', 'week' or 'month', for the hub forgets after 90 days who came: "
    "ask by 'month' and add up visits and half-days; visitors cannot be added."
)


class Question(PeriodQuestion):
    """What is asked of persons."""

    site: str = Field("", description="One telecentre; each of them when neither site nor zone is named.")
    zone: str = Field("", description="One zone, in which each person counts once; a network is `reseau:` and its id.")
    step: VisitStep = Field(
        "day", description="Length of a period; persons are not counted by the hour, nor beyond a month."
    )

    @field_validator("step", mode="before")
    @classmethod
    def _is_remembered(cls, step: object) -> object:
        if step in ("quarter", "year"):
            raise PydanticCustomError("remedy", TOO_LONG)
        return step


@router.get(
    "/api/v1/visits",
    summary="Visits, half-days, unique and new visitors",
    response_model=VisitsAnswer,
    responses=RESPONSES,
)
def visits(hub: Hub, question: Annotated[Question, Query()], asker: AskedBy) -> Response:
    """Return how many persons came, and never who; a count freezes when the journal behind it is forgotten."""
    registered = hub.store.sites(question.site)
    zone = zone_asked(hub.store.zones() if question.zone else [], question.zone, question.site)
    asked = sites_asked(registered, question.site) if zone is None else [s for s in registered if s.id in zone.sites]
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    places = len(asked) if zone is None else 1
    check_period([site.zone for site in asked], first, last, hub.wall_ms(), question.step, places)
    times = {site.id: site.zone for site in asked}
    if zone is not None:
        times[zone.place] = times[zone.sites[0]]
    place = question.site or None if zone is None else zone.place
    rows = [row for row in hub.store.visits(place, question.step, bounds_in(first, last)) if row.place in times]
    if asker.wants_csv(question.shape):
        name = file_name("visites", question.site or question.zone, first, last)
        return asker.get_csv(as_table(rows, times), name)
    figures = [_answer(row, times[row.place]) for row in rows]
    return asker.get_json(VisitsAnswer(step=question.step, figures=figures))


def _answer(row: VisitRow, zone: ZoneInfo) -> VisitAnswer:
    start_ms, end_ms = bounds_of(row.step, date.fromisoformat(row.day), zone)
    return VisitAnswer(
        place=row.place.removeprefix(ZONE),
        level="zone" if row.place.startswith(ZONE) else "site",
        start=local(start_ms, zone),
        end=local(end_ms, zone),
        status=row.status,
        visits=row.visits,
        half_days=row.half_days,
        unique_visitors=row.unique_visitors,
        new_visitors=row.new_visitors,
    )


CSV_HEADER = (
    "id_lieu",
    "niveau",
    "debut",
    "fin",
    "etat",
    "visites",
    "demi_journees",
    "visiteurs_uniques",
    "nouveaux_visiteurs",
)
LEVEL_NAMES = {"resource": "ressource", "site": "telecentre", "zone": "zone"}
STATUS_NAMES: dict[VisitStatus, str] = {"provisional": "provisoire", "final": "definitif", "frozen": "fige"}


def as_table(rows: Iterable[VisitRow], times: dict[str, ZoneInfo]) -> str:
    """Return the counts as CSV."""
    answers = [_answer(row, times[row.place]) for row in rows]
    return to_csv(
        CSV_HEADER,
        (
            (
                one.place,
                LEVEL_NAMES[one.level],
                one.start.isoformat(),
                one.end.isoformat(),
                STATUS_NAMES[one.status],
                one.visits,
                one.half_days,
                one.unique_visitors,
                one.new_visitors,
            )
            for one in answers
        ),
    )
