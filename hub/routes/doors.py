"""`/api/v1/doors`: how often each door let in or refused, was forced or left open; as JSON or CSV."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from contract.events import AccessReason
from hub.exports import to_csv
from hub.routes.answers import RESPONSES, AskedBy, PeriodQuestion, file_name, local
from hub.routes.context import Hub
from hub.routes.period import check_doors, check_period, parse_bound
from hub.routes.places import by_time_zone, sites_asked
from hub.store import DoorRow, DoorStep

router = APIRouter(tags=["figures"])


class DoorAnswer(BaseModel):
    """One door in one period; a period in which nothing happened is not in the answer."""

    site_id: str
    door: str | None
    start: datetime = Field(description="Begin of the period, at the site; included.")
    end: datetime = Field(description="End of the period; excluded.")
    granted: int = Field(description="How often somebody was let in.")
    refused: int = Field(description="How often somebody was refused, for whatever reason.")
    refused_demand: int = Field(description="Of these, because the telecentre was full.")
    refusals: dict[AccessReason, int] = Field(description="How often by each reason that there was.")
    forced: int = Field(description="How often the door was opened without having been released.")
    held_open: int = Field(description="How often it was left open too long.")


class DoorsAnswer(BaseModel):
    """The counts of a period, half-open, ordered by site, door and time."""

    step: DoorStep
    figures: list[DoorAnswer]


class Question(PeriodQuestion):
    """What is asked of doors."""

    site: str = Field("", description="One telecentre; all of them when absent.")
    step: DoorStep = Field("day", description="Length of a period, in local time; a week is that of ISO 8601.")


@router.get(
    "/api/v1/doors",
    summary="What the doors did",
    response_model=DoorsAnswer,
    responses=RESPONSES,
)
def doors(hub: Hub, question: Annotated[Question, Query()], asker: AskedBy) -> Response:
    """Return how often each door let in or refused, and was forced or left open; nobody is named."""
    asked = sites_asked(hub.store.sites(question.site), question.site)
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    times = {site.id: site.zone for site in asked}
    places = sum(max(len(site.doors), 1) for site in asked)
    check_period(times.values(), first, last, hub.wall_ms(), question.step, places)
    check_doors(asked, first, last)
    rows: list[DoorRow] = []
    for _, members, span in by_time_zone(asked, first, last):
        own = {site.id for site in members}
        rows += [row for row in hub.store.doors(question.site or None, question.step, *span) if row.site in own]
    if asker.wants_csv(question.shape):
        return asker.get_csv(_as_table(rows, times), file_name("portes", question.site, first, last))
    return asker.get_json(DoorsAnswer(step=question.step, figures=[_answer(row, times) for row in rows]))


def _answer(row: DoorRow, times: dict[str, ZoneInfo]) -> DoorAnswer:
    return DoorAnswer(
        site_id=row.site,
        door=row.door,
        start=local(row.start_ms, times[row.site]),
        end=local(row.end_ms, times[row.site]),
        granted=row.granted,
        refused=row.refused,
        refused_demand=row.refused_demand,
        refusals=dict(row.refusals),
        forced=row.forced,
        held_open=row.held_open,
    )


CSV_HEADER = (
    "id_telecentre",
    "id_porte",
    "debut",
    "fin",
    "acces_accordes",
    "acces_refuses",
    "refus_complet",
    "ouvertures_forcees",
    "laissee_ouverte",
)


def _as_table(rows: list[DoorRow], times: dict[str, ZoneInfo]) -> str:
    return to_csv(
        CSV_HEADER,
        (
            (
                row.site,
                row.door,
                local(row.start_ms, times[row.site]).isoformat(),
                local(row.end_ms, times[row.site]).isoformat(),
                row.granted,
                row.refused,
                row.refused_demand,
                row.forced,
                row.held_open,
            )
            for row in rows
        ),
    )
